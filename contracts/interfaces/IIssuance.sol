// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPausable} from "./IPausable.sol";

/// @notice Takes back what a grant gave.
/// @param programme Programme of the batch.
/// @param number Number of the batch in which the grant landed.
/// @param leaf Hash of the grant's evidence leaf.
/// @param revokedTotal All that is revoked of the grant, this time included, in minor units. Only rises.
/// @param reason The issuer's reason code.
struct Revocation {
    uint32 programme;
    uint64 number;
    bytes32 leaf;
    uint64 revokedTotal;
    uint16 reason;
}

/// @notice The evidence behind one grant; hash = keccak256(bytes.concat(keccak256(abi.encode(leaf)))), as in
/// OpenZeppelin's StandardMerkleTree.
/// @param grantId One award for one source record.
/// @param account Who received it.
/// @param tokenId The lot.
/// @param amount Minor units.
/// @param activityCode The activity in the city's catalogue.
/// @param rulebookVersion The rulebook that rated it.
/// @param commitment keccak256(salt ‖ canonical record): opens to an auditor, tells others nothing.
struct EvidenceLeaf {
    bytes32 grantId;
    address account;
    uint256 tokenId;
    uint64 amount;
    bytes32 activityCode;
    uint32 rulebookVersion;
    bytes32 commitment;
}

/// @title IIssuance
/// @notice Turns batches that an issuing agency has signed into points. Whoever relays a batch has no power over it.
///
/// A batch is one programme, one expiry quarter, a number of the issuer's choice, packed grants and the Merkle root of
/// their evidence. Numbers need no order, and none lands twice: a grant keeps its batch number for ever, and only after
/// `voidBatch` of that number is final may its grants be given new ones.
///
/// Funding is checked here and never at spending, so that a resident carries no agency's credit risk: after every mint
/// `supply * par <= (appropriated - paid + position) * 1e8` must hold for the programme.
///
/// Trust: an issuer's key can mint as far as the funding goes, and no further. The EIP-712 domain is the ledger's.
interface IIssuance is IPausable {
    /// @notice A batch landed. `count` grants, `amount` minor units in all, signed by `signer`.
    event BatchMinted(
        uint32 indexed programme,
        uint64 indexed number,
        uint32 quarter,
        bytes32 evidenceRoot,
        uint32 count,
        uint256 amount,
        address signer
    );
    /// @notice The batch number can never land.
    event BatchVoided(uint32 indexed programme, uint64 indexed number);
    /// @notice Part of a grant was taken back from `account`, the grantee or a successor. The issuer bears `shortfall`.
    event Revoked(
        uint32 indexed programme,
        bytes32 indexed leaf,
        address indexed account,
        uint256 tokenId,
        uint64 taken,
        uint64 shortfall,
        uint16 reason
    );

    /// @notice The signature is not one of the programme's issuer keys'; `signer` is what it recovers to (0: nothing).
    error IssuanceBadSignature(address signer);
    /// @notice The points outstanding would be worth `neededFen` (rounded up), the funding is `availableFen`.
    error IssuanceFundingExceeded(uint32 programme, uint256 neededFen, int256 availableFen);
    /// @notice The leaf does not hash to the revocation's, or names another programme.
    error IssuanceWrongLeaf(bytes32 leaf);
    /// @notice The path does not lead from the leaf to the batch's evidence root.
    error IssuanceBadProof(bytes32 leaf);
    /// @notice More than the grant gave.
    error IssuanceRevokesTooMuch(uint64 revokedTotal, uint64 amount);

    /// @notice Mints a batch. Checks, in order: not paused, signature, then the ledger's (see `IPointsLedger.mint`),
    /// then funding.
    /// @param programme Programme of all grants.
    /// @param quarter Expiry quarter of all grants.
    /// @param number Batch number, unused so far.
    /// @param evidenceRoot Root of the evidence leaves' tree.
    /// @param grants (address 20 | uint64 amount 8)*, big-endian, minor units; about 500 fit a transaction.
    /// @param signature r ‖ s ‖ v of MintBatch by a key of the programme, with low s.
    function mint(
        uint32 programme,
        uint32 quarter,
        uint64 number,
        bytes32 evidenceRoot,
        bytes calldata grants,
        bytes calldata signature
    ) external;

    /// @notice Makes an unused batch number void. Reverts if it landed.
    /// Warning: signed bytes of a batch stay valid until this is final; only then may its grants be renumbered.
    /// @param signature Of VoidBatch by a key of the programme.
    function voidBatch(uint32 programme, uint64 number, bytes calldata signature) external;

    /// @notice Takes back from the grantee, or its successor, what is still there of that lot, up to the rise of the
    /// grant's revoked total. Checks, in order: signature, leaf, bound, path, rise.
    /// @param proof Path from the leaf to the batch's evidence root.
    /// @param signature Of Revocation by a key of the programme.
    function revoke(
        Revocation calldata revocation,
        EvidenceLeaf calldata leaf,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external;

    /// @notice Evidence root of a landed batch; 0 if it has not landed. The ledger keeps it.
    function batchRoot(uint32 programme, uint64 number) external view returns (bytes32);

    /// @notice 0 unused, 1 landed, 2 void. The ledger keeps it.
    function batchState(uint32 programme, uint64 number) external view returns (uint8);

    /// @notice Minor units revoked so far of the grant with this leaf. The ledger keeps it.
    function revokedTotal(bytes32 leaf) external view returns (uint64);
}

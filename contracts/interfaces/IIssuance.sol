// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProgrammeId} from "./Types.sol";

/// @notice A batch of grants, as its issuer signs it, with the grants themselves in place of their hash.
/// @param programme Programme of all grants.
/// @param quarter Expiry quarter of all grants: not dead yet, at most 40 ahead; 0 only where par is 0.
/// @param number The issuer's choice; numbers need no order, and none lands twice.
/// @param evidenceRoot Merkle root of the grants' evidence.
/// @param grants Packed: (address 20 | uint64 amount 8)*.
struct Batch {
    ProgrammeId programme;
    uint32 quarter;
    uint64 number;
    bytes32 evidenceRoot;
    bytes grants;
}

/// @title IIssuance
/// @notice Turns batches that an issuing agency has signed into points. Whoever relays a batch has no power over it.
///
/// What is stored of a batch is its struct hash, the thing that was signed: it binds the evidence to the grants. A grant keeps
/// its batch number for ever; only after `voidBatch` of that number is final may its grants be given new ones.
///
/// **Funding** is checked here and never at spending, so that a resident carries no agency's credit risk: after every mint
/// `supply * par <= (appropriated - paid + position) * 1e8` holds for the programme, and an overdue programme does not mint.
///
/// **Revocation** names grants of a landed batch by the batch's own bytes. It takes what the holder, or the account that
/// succeeded it, has of the lot; the rest is owed and collected by anyone later, and by the release or refund that brings
/// such points back. Of a dead lot nothing is taken: its value is the treasury's.
///
/// Trust: an issuer's key can mint as far as funding and the day's ceiling go, revoke what it granted as far as the day's
/// ceiling goes, and nothing else. Only plain accounts relay, so that all that was signed lies in calldata.
interface IIssuance {
    /// @notice A batch landed: `count` grants, `amount` minor units in all, signed by `signer`.
    /// @param word What is stored: the struct hash.
    event BatchMinted(
        ProgrammeId indexed programme,
        uint64 indexed number,
        uint32 quarter,
        bytes32 evidenceRoot,
        uint32 count,
        uint256 amount,
        address signer,
        bytes32 word
    );
    /// @notice The number can never land.
    event BatchVoided(ProgrammeId indexed programme, uint64 indexed number, address signer);
    /// @notice Of grant `index` of the batch `revokedTotal` minor units are revoked now; `taken` were burned of `account`'s, and
    /// `owed` are owed by it besides.
    event Revoked(
        ProgrammeId indexed programme,
        uint64 indexed number,
        uint32 index,
        uint64 revokedTotal,
        uint16 reason,
        address indexed account,
        uint64 taken,
        uint64 owed
    );
    /// @notice `amount` minor units that `debtor` owed of the lot were burned of `account`'s, its own or its successor's.
    event OwedCollected(address indexed debtor, uint256 indexed id, address indexed account, uint256 amount);

    /// @notice The programme does not mint: it is closing or closed.
    error PointsLedgerNotActive(ProgrammeId programme);
    /// @notice Quarter 0 in a programme that has a par, or more than 40 quarters ahead.
    error PointsLedgerBadQuarter(ProgrammeId programme, uint32 quarter);
    /// @notice The batch landed before.
    error PointsLedgerBatchLanded(ProgrammeId programme, uint64 number);
    /// @notice The batch was made void.
    error PointsLedgerBatchVoid(ProgrammeId programme, uint64 number);
    /// @notice No batch of these bytes landed under this number.
    error PointsLedgerWrongBatch(ProgrammeId programme, uint64 number);
    /// @notice Not the signature of an active issuer key; `signer` is 0 where there is none.
    error PointsLedgerBadIssuer(ProgrammeId programme, address signer);
    /// @notice No grants, or a length that is no multiple of 28.
    error PointsLedgerBadGrants(uint256 length);
    /// @notice The grant that begins at byte `offset` names account 0 or the ledger, or grants nothing.
    error PointsLedgerBadGrant(uint256 offset);
    /// @notice The value outstanding would be `neededFen`, and `availableFen` is funded.
    error PointsLedgerFundingExceeded(ProgrammeId programme, uint256 neededFen, int256 availableFen);
    /// @notice The programme has an overdue debt.
    error PointsLedgerOverdue(ProgrammeId programme);
    /// @notice No revocations, or a length that is no multiple of 14.
    error PointsLedgerBadRevocations(uint256 length);
    /// @notice The revoked total of a grant only rises, and is at most the grant.
    error PointsLedgerBadRevocation(uint32 index, uint64 revokedTotal, uint64 current, uint64 granted);

    /// @notice What is stored of a batch: 0 unused, 1 void, else the struct hash of what was signed.
    function batchWord(ProgrammeId programmeId, uint64 number) external view returns (bytes32);

    /// @notice Minor units revoked so far of grant `index` of the batch.
    function revokedTotal(ProgrammeId programmeId, uint64 number, uint32 index) external view returns (uint64);

    /// @notice Minor units of lot `id` that `account` still owes for revocations.
    function owed(address account, uint256 id) external view returns (uint256);

    /// @notice Mints one batch.
    /// Checks, in order: plain account, programme known, active, not frozen, quarter allowed, lot alive, signature, number
    /// unused, grants' length, each grant, the lot's supply, the day's ceiling, overdue, funding.
    /// @param signature Of MintBatch by an issuer key of the programme.
    function mint(Batch calldata batch, bytes calldata signature) external;

    /// @notice Makes an unused batch number void for good. Reverts if it landed or is void.
    /// @param signature Of VoidBatch by an issuer key of the programme.
    function voidBatch(ProgrammeId programmeId, uint64 number, bytes calldata signature) external;

    /// @notice Revokes grants of a landed batch.
    /// Checks, in order: plain account, programme known, not frozen, batch's bytes, revocations' length, signature, each
    /// revocation, the day's ceiling.
    /// @param batch The whole batch as it landed.
    /// @param revocations Packed: (grant index 4 | revoked total 8 | reason 2)*; the total is all that is revoked of the grant,
    /// this time included.
    /// @param signature Of Revocation by an issuer key of the programme.
    function revoke(Batch calldata batch, bytes calldata revocations, bytes calldata signature) external;

    /// @notice Burns what `debtor` owes of lot `id`, as far as it or its successor has it. Anyone may call.
    function collect(address debtor, uint256 id) external;
}

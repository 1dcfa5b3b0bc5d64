// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Pausable} from "../authority/Pausable.sol";
import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {EvidenceLeaf, IIssuance, Revocation} from "../interfaces/IIssuance.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";

/// @title Issuance
/// @notice See {IIssuance}.
contract Issuance is IIssuance, Pausable {
    uint256 private constant GRANT_BYTES = 28;

    IPointsLedger public immutable ledger;
    IClearingBook public immutable book;
    bytes32 private immutable _domain;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_) AccessManaged(authority_) {
        ledger = ledger_;
        book = book_;
        _domain = ledger_.domainSeparator();
    }

    /// @inheritdoc IIssuance
    function mint(
        uint32 programme,
        uint32 quarter,
        uint64 number,
        bytes32 evidenceRoot,
        bytes calldata grants,
        bytes calldata signature
    ) external whenNotPaused {
        bytes32 structHash = TypedData.mintBatch(programme, quarter, number, evidenceRoot, keccak256(grants));
        address signer = _checkIssuer(programme, structHash, signature);
        (uint256 amount, uint256 supply, uint64 par) = ledger.mint(programme, quarter, number, evidenceRoot, grants);
        _checkFunding(programme, supply, par);
        uint32 count = uint32(grants.length / GRANT_BYTES);
        emit BatchMinted(programme, number, quarter, evidenceRoot, count, amount, signer);
    }

    /// @inheritdoc IIssuance
    function voidBatch(uint32 programme, uint64 number, bytes calldata signature) external {
        _checkIssuer(programme, TypedData.voidBatch(programme, number), signature);
        ledger.voidBatch(programme, number);
        emit BatchVoided(programme, number);
    }

    /// @inheritdoc IIssuance
    function revoke(
        Revocation calldata revocation,
        EvidenceLeaf calldata leaf,
        bytes32[] calldata proof,
        bytes calldata signature
    ) external {
        _checkIssuer(revocation.programme, TypedData.revocation(revocation), signature);
        _checkEvidence(revocation, leaf, proof);
        (address account, uint64 taken, uint64 shortfall) =
            ledger.revoke(revocation.leaf, revocation.revokedTotal, leaf.account, leaf.tokenId);
        emit Revoked(revocation.programme, revocation.leaf, account, leaf.tokenId, taken, shortfall, revocation.reason);
    }

    /// @inheritdoc IIssuance
    function batchRoot(uint32 programme, uint64 number) external view returns (bytes32) {
        return ledger.batchRoot(programme, number);
    }

    /// @inheritdoc IIssuance
    function batchState(uint32 programme, uint64 number) external view returns (uint8) {
        return ledger.batchState(programme, number);
    }

    /// @inheritdoc IIssuance
    function revokedTotal(bytes32 leaf) external view returns (uint64) {
        return ledger.revokedTotal(leaf);
    }

    function _checkIssuer(uint32 programme, bytes32 structHash, bytes calldata signature)
        private
        view
        returns (address signer)
    {
        signer = SignatureCheck.recover(TypedData.digest(_domain, structHash), signature);
        if (signer == address(0) || !ledger.isIssuerKey(programme, signer)) revert IssuanceBadSignature(signer);
    }

    /// @dev supply * par <= funding * 1e8, which says the same as: the value rounded up is at most the funding.
    function _checkFunding(uint32 programme, uint256 supply, uint64 par) private view {
        uint256 neededFen = Value.toFenUp(supply, par);
        int256 availableFen = book.fundingFen(programme);
        if (int256(neededFen) > availableFen) revert IssuanceFundingExceeded(programme, neededFen, availableFen);
    }

    function _checkEvidence(Revocation calldata revocation, EvidenceLeaf calldata leaf, bytes32[] calldata proof)
        private
        view
    {
        bytes32 hash = keccak256(bytes.concat(keccak256(abi.encode(leaf))));
        if (hash != revocation.leaf || leaf.tokenId >> 32 != revocation.programme) revert IssuanceWrongLeaf(hash);
        if (revocation.revokedTotal > leaf.amount) {
            revert IssuanceRevokesTooMuch(revocation.revokedTotal, leaf.amount);
        }
        bytes32 root = ledger.batchRoot(revocation.programme, revocation.number);
        if (root == 0 || !MerkleProof.verifyCalldata(proof, root, hash)) revert IssuanceBadProof(hash);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IRedemption, Receipt, ReceiptProof} from "../interfaces/IRedemption.sol";
import {Prefix, Verdict} from "../interfaces/Types.sol";
import {BatchTotals} from "../libraries/BatchTotals.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Baskets} from "./Baskets.sol";

/// @title Refunds
/// @notice Refunds and disputes: see {IRedemption}.
abstract contract Refunds is Baskets {
    using BatchTotals for BatchTotals.Batch;
    using PackedLots for bytes;

    uint256 private constant REFUND_MAX = 90 days;

    /// @inheritdoc IRedemption
    function refund(
        Receipt calldata receipt,
        ReceiptProof calldata proof,
        bytes calldata paid,
        Prefix kept,
        bytes calldata signature
    ) external {
        PlainAccount.check();
        _checkTime(receipt);
        _checkReceipt(receipt, proof, paid);
        bytes32 structHash = TypedData.refund(receipt.orderId, kept);
        _checkSigned(receipt.orderId, book.merchant(receipt.merchant).key, structHash, signature);
        _refund(receipt, paid, kept, false);
    }

    /// @inheritdoc IRedemption
    function arbiterRefund(
        Receipt calldata receipt,
        ReceiptProof calldata proof,
        bytes calldata paid,
        Prefix kept,
        bytes calldata signature
    ) external {
        PlainAccount.check();
        (, uint96 lockedFen, uint40 until) = book.orderLock(receipt.orderId);
        if (block.timestamp >= until) revert RedemptionTooLate(receipt.orderId, until);
        _checkReceipt(receipt, proof, paid);
        _checkSigned(receipt.orderId, book.arbiterKey(), TypedData.arbiterRefund(receipt.orderId, kept), signature);
        uint256 fen = _refund(receipt, paid, kept, true);
        if (fen > lockedFen) revert RedemptionTooMuch(receipt.orderId, fen, lockedFen);
    }

    /// @inheritdoc IRedemption
    function lockOrder(Receipt calldata receipt, ReceiptProof calldata proof, uint96 fen, bytes32 complaintHash)
        external
        restricted
    {
        _checkTime(receipt);
        _checkProof(receipt, proof);
        if (fen > receipt.fen) revert RedemptionTooMuch(receipt.orderId, fen, receipt.fen);
        book.lockOrder(receipt.orderId, receipt.merchant, fen, complaintHash);
    }

    function _checkTime(Receipt calldata receipt) private view {
        if (block.timestamp > receipt.time + REFUND_MAX) revert RedemptionTooLate(receipt.orderId, receipt.time);
    }

    /// @dev That the order landed as the receipt says and paid with these lots.
    function _checkReceipt(Receipt calldata receipt, ReceiptProof calldata proof, bytes calldata paid) private view {
        (bytes32 lotsHash,) = paid.hash();
        if (lotsHash != receipt.lotsHash) revert RedemptionWrongLots(receipt.orderId);
        _checkProof(receipt, proof);
    }

    function _checkProof(Receipt calldata receipt, ReceiptProof calldata proof) private view {
        bytes32 leaf = ReceiptsTree.leaf(
            receipt.orderId, receipt.holder, receipt.merchant, receipt.lotsHash, receipt.fen, receipt.time
        );
        if (!MerkleProof.verifyCalldata(proof.path, book.receiptsRoot(proof.batch), leaf)) {
            revert RedemptionBadProof(receipt.orderId, proof.batch);
        }
    }

    function _checkSigned(bytes32 orderId, address signer, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = TypedData.digest(_domain, structHash);
        if (_signedBy(signer, digest, signature) != Verdict.ACCEPTED) revert RedemptionBadSignature(orderId);
    }

    /// @dev Shortens the order's kept prefix and gives back what lies behind it. The merchant's claim must cover it.
    function _refund(Receipt calldata receipt, bytes calldata paid, Prefix kept, bool byArbiter)
        private
        returns (uint256 fen)
    {
        Prefix keptBefore = _keptPrefix(receipt.orderId, paid);
        // A shorter prefix is a smaller number: its lots stand above its last amount.
        bool shorter = Prefix.unwrap(kept) < Prefix.unwrap(keptBefore);
        if (!shorter || !paid.isPrefix(kept)) revert RedemptionBadPrefix(kept);
        BatchTotals.Batch memory batch;
        fen = _accrue(paid, keptBefore, -1, batch) - _accrue(paid, kept, 1, batch);
        batch.addMerchant(receipt.merchant, book.merchant(receipt.merchant));
        batch.merchant.fen = -int256(fen);
        book.postRefund(batch.postings(), receipt.orderId, receipt.merchant, kept, receipt.time, byArbiter);
        ledger.beginRedemption();
        address receiver = ledger.restore(receipt.holder, paid, keptBefore, kept);
        emit Refunded(receipt.orderId, receiver, receipt.merchant, kept, uint64(fen), byArbiter);
    }

    /// @dev What the order keeps so far: all it paid, or the prefix that an earlier refund left.
    function _keptPrefix(bytes32 orderId, bytes calldata paid) private view returns (Prefix) {
        (bool refunded, Prefix kept) = book.keptPrefix(orderId);
        return refunded ? kept : paid.all();
    }
}

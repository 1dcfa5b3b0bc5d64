// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {HoldOrder, IRedemption} from "../interfaces/IRedemption.sol";
import {LotId, Prefix, Verdict} from "../interfaces/Types.sol";
import {BatchTotals} from "../libraries/BatchTotals.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Baskets} from "./Baskets.sol";

/// @title Holds
/// @notice Hold, capture and release: see {IRedemption}.
abstract contract Holds is Baskets {
    using BatchTotals for BatchTotals.Batch;
    using LotIds for LotId;
    using PackedLots for bytes;

    uint256 private constant HOLD_MAX = 30 days;
    Prefix private constant NOTHING = Prefix.wrap(0);

    /// @inheritdoc IRedemption
    function hold(bytes calldata packed) external whenNotPaused {
        PlainAccount.check();
        ledger.beginRedemption();
        BatchTotals.Batch memory batch;
        _each(packed, Form(Encoding.HOLD_HEAD_BYTES, true, 0), batch, _hold);
    }

    /// @inheritdoc IRedemption
    function capture(bytes calldata packed) external {
        PlainAccount.check();
        ledger.beginRedemption();
        BatchTotals.Batch memory batch = _newBatch(packed, Encoding.HOLD_HEAD_BYTES);
        _each(packed, Form(Encoding.HOLD_HEAD_BYTES, true, Encoding.PREFIX_BYTES), batch, _capture);
        _post(batch);
    }

    /// @inheritdoc IRedemption
    function release(bytes calldata packed) external {
        PlainAccount.check();
        ledger.beginRedemption();
        BatchTotals.Batch memory batch;
        _each(packed, Form(Encoding.HOLD_HEAD_BYTES, true, 0), batch, _release);
    }

    function _hold(bytes calldata packed, bytes calldata lots, bytes calldata signature, BatchTotals.Batch memory batch)
        private
    {
        (HoldOrder memory order, bytes32 orderId, bool sound) = _unpackHold(packed, lots);
        if (!sound) return _rejectMalformed(packed);
        Verdict verdict = _signedBy(order.holder, orderId, signature);
        if (verdict == Verdict.ACCEPTED) {
            (verdict,) = _checkTerms(order.merchant, order.deadline, lots, batch);
            if (verdict == Verdict.ACCEPTED && !_isInTime(order.captureBy, lots, batch)) {
                verdict = Verdict.BAD_CAPTURE_TIME;
            }
            verdict = ledger.holdLots(orderId, order.holder, order.nonce, lots, verdict);
        }
        if (verdict == Verdict.ACCEPTED) {
            emit Held(orderId, order.merchant, order.captureBy, order.cancellable);
        } else {
            emit Rejected(orderId, order.holder, verdict);
        }
    }

    function _capture(
        bytes calldata packed,
        bytes calldata lots,
        bytes calldata signature,
        BatchTotals.Batch memory batch
    ) private {
        (HoldOrder memory order, bytes32 orderId, bool sound) = _unpackHold(packed, lots);
        // The kept lots stand in one byte and the amount in eight, as in a Prefix.
        Prefix kept =
            Prefix.wrap(uint72(Encoding.read(packed, Encoding.HOLD_HEAD_BYTES + lots.length, Encoding.PREFIX_BYTES)));
        if (!sound || !lots.isPrefix(kept)) return _rejectMalformed(packed);
        (Verdict verdict, uint256 fen) = _checkCapture(order, orderId, lots, kept, signature, batch);
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
        } else if (kept == NOTHING) {
            emit Released(orderId, order.merchant);
        } else {
            bytes32 lotsHash = kept == lots.all() ? order.lotsHash : lots.hash(kept);
            _pay(orderId, order.holder, lots, kept, lotsHash, fen, batch);
            emit Captured(orderId, order.merchant, uint64(fen), kept, lotsHash);
        }
    }

    /// @dev Checks a capture and closes its hold.
    function _checkCapture(
        HoldOrder memory order,
        bytes32 orderId,
        bytes calldata lots,
        Prefix kept,
        bytes calldata signature,
        BatchTotals.Batch memory batch
    ) private returns (Verdict, uint256 fen) {
        if (block.timestamp > order.captureBy) return (Verdict.EXPIRED, 0);
        bytes32 digest = TypedData.digest(_domain, TypedData.capture(orderId, kept));
        if (!_isMerchants(order.merchant, digest, signature, batch)) return (Verdict.BAD_SIGNATURE, 0);
        fen = _valueOf(lots, kept, batch);
        if (kept != NOTHING && fen == 0) return (Verdict.NO_VALUE, 0);
        bool closed = ledger.finishHold(orderId, order.holder, lots, kept);
        return (closed ? Verdict.ACCEPTED : Verdict.NOT_HELD, fen);
    }

    function _release(
        bytes calldata packed,
        bytes calldata lots,
        bytes calldata signature,
        BatchTotals.Batch memory batch
    ) private {
        (HoldOrder memory order, bytes32 orderId, bool sound) = _unpackHold(packed, lots);
        if (!sound) return _rejectMalformed(packed);
        Verdict verdict;
        if (!_mayRelease(order, orderId, signature, batch)) verdict = Verdict.BAD_SIGNATURE;
        else if (!ledger.finishHold(orderId, order.holder, lots, NOTHING)) verdict = Verdict.NOT_HELD;
        if (verdict == Verdict.ACCEPTED) emit Released(orderId, order.merchant);
        else emit Rejected(orderId, order.holder, verdict);
    }

    function _unpackHold(bytes calldata packed, bytes calldata lots)
        private
        view
        returns (HoldOrder memory order, bytes32 orderId, bool sound)
    {
        (bytes32 lotsHash, bool lotsSound) = lots.hash();
        (uint32 merchantId, uint32 nonce, uint40 deadline) = _unpackMerchantTerms(packed);
        uint256 cancellable = Encoding.read(packed, 38, 1);
        order = HoldOrder({
            holder: address(uint160(Encoding.read(packed, 0, 20))),
            merchant: merchantId,
            lotsHash: lotsHash,
            nonce: nonce,
            deadline: deadline,
            captureBy: uint40(Encoding.read(packed, 33, 5)),
            cancellable: cancellable == 1
        });
        orderId = TypedData.digest(_domain, TypedData.holdOrder(order));
        sound = lotsSound && cancellable <= 1;
    }

    /// @dev Whether the hold ends soon enough, and before each of its lots does: the promised day, not the ledger's late clock.
    function _isInTime(uint40 captureBy, bytes calldata lots, BatchTotals.Batch memory batch)
        private
        view
        returns (bool)
    {
        if (captureBy < block.timestamp || captureBy > block.timestamp + HOLD_MAX) return false;
        uint32 quarter = batch.quarterOf(captureBy);
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (LotId id,) = lots.at(i);
            batch.loadProgramme(ledger, id.programme());
            uint40 spendableUntil = batch.programme.terms.spendableUntil;
            if (id.quarter() < quarter || (spendableUntil != 0 && captureBy >= spendableUntil)) return false;
        }
        return true;
    }

    function _mayRelease(
        HoldOrder memory order,
        bytes32 orderId,
        bytes calldata signature,
        BatchTotals.Batch memory batch
    ) private view returns (bool) {
        if (block.timestamp > order.captureBy) return true;
        bytes32 digest = TypedData.digest(_domain, TypedData.release(orderId));
        if (_isMerchants(order.merchant, digest, signature, batch)) return true;
        return order.cancellable && _signedBy(order.holder, digest, signature) == Verdict.ACCEPTED;
    }
}

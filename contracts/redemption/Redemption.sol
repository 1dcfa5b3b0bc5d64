// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {Pausable} from "../authority/Pausable.sol";
import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {HoldOrder, IRedemption, Receipt, RedeemOrder} from "../interfaces/IRedemption.sol";
import {Lot, Merchant, Programme, ProgrammeState, REDEEMABLE, Verdict} from "../interfaces/Types.sol";
import {Packed} from "../libraries/Packed.sol";
import {ProgrammeCache} from "../libraries/ProgrammeCache.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {Tally} from "../libraries/Tally.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";

/// @title Redemption
/// @notice See {IRedemption}.
contract Redemption is IRedemption, Pausable {
    using ProgrammeCache for ProgrammeCache.Cache;
    using ProgrammeCache for Programme;
    using Tally for Tally.Sums;

    /// @dev What a call gathers before it writes to the book once.
    struct Batch {
        ProgrammeCache.Cache programmes;
        Tally.Sums sums;
        uint32 merchantId;
        Merchant merchant;
        bytes32[] leaves;
        uint256 count;
    }

    uint256 private constant LOTS_MAX = 16;
    uint256 private constant LOT_BYTES = 16;
    /// @dev From the holder to the lot count.
    uint256 private constant REDEEM_HEAD_BYTES = 34;
    uint256 private constant HOLD_HEAD_BYTES = 40;
    /// @dev Kept lots and last amount of a capture.
    uint256 private constant PREFIX_BYTES = 9;
    uint256 private constant SIGNATURE_LENGTH_BYTES = 2;
    uint256 private constant HOLD_MAX = 30 days;
    uint256 private constant REFUND_MAX = 90 days;

    IPointsLedger public immutable ledger;
    IClearingBook public immutable book;
    bytes32 private immutable _domain;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_) AccessManaged(authority_) {
        ledger = ledger_;
        book = book_;
        _domain = ledger_.domainSeparator();
    }

    // --------------------------------------------------------------------------------------------------- batches

    /// @inheritdoc IRedemption
    function execute(bytes calldata packed) external whenNotPaused {
        Batch memory batch = _begin(packed, REDEEM_HEAD_BYTES);
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 end = _endOfOrder(packed, cursor, REDEEM_HEAD_BYTES, 0);
            if (!_isWhole(packed, cursor, end)) break;
            _redeem(packed[cursor:end], batch);
            cursor = end;
        }
        _finish(batch);
    }

    /// @inheritdoc IRedemption
    function hold(bytes calldata packed) external whenNotPaused {
        Batch memory batch = _begin(packed, 0);
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 end = _endOfOrder(packed, cursor, HOLD_HEAD_BYTES, 0);
            if (!_isWhole(packed, cursor, end)) break;
            _hold(packed[cursor:end], batch);
            cursor = end;
        }
    }

    /// @inheritdoc IRedemption
    function capture(bytes calldata packed) external whenNotPaused {
        Batch memory batch = _begin(packed, HOLD_HEAD_BYTES);
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 end = _endOfOrder(packed, cursor, HOLD_HEAD_BYTES, PREFIX_BYTES);
            if (!_isWhole(packed, cursor, end)) break;
            _capture(packed[cursor:end], batch);
            cursor = end;
        }
        _finish(batch);
    }

    /// @inheritdoc IRedemption
    function release(bytes calldata packed) external {
        Batch memory batch = _begin(packed, 0);
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 end = _endOfOrder(packed, cursor, HOLD_HEAD_BYTES, 0);
            if (!_isWhole(packed, cursor, end)) break;
            _release(packed[cursor:end], batch);
            cursor = end;
        }
    }

    /// @param orderBytesMin Least length of an order that leaves a receipt; 0 if none does.
    function _begin(bytes calldata packed, uint256 orderBytesMin) private returns (Batch memory batch) {
        ledger.beginRedemption();
        if (orderBytesMin != 0) batch.leaves = new bytes32[](packed.length / orderBytesMin);
    }

    /// @dev The book is written once a call: each participant's sum and the root of the receipts.
    function _finish(Batch memory batch) private {
        if (batch.count == 0) return;
        bytes32 root = ReceiptsTree.root(batch.leaves, batch.count);
        uint64 number = book.postReceipts(batch.sums.done(), root);
        emit RedemptionBatch(number, root, uint32(batch.count));
    }

    /// @dev Where the order at `cursor` ends: beyond the batch's end if it is not whole.
    function _endOfOrder(bytes calldata packed, uint256 cursor, uint256 headBytes, uint256 tailBytes)
        private
        pure
        returns (uint256)
    {
        uint256 lots = cursor + headBytes;
        if (lots > packed.length) return lots;
        uint256 tail = lots + Packed.read(packed, lots - 1, 1) * LOT_BYTES;
        uint256 signature = tail + tailBytes + SIGNATURE_LENGTH_BYTES;
        if (signature > packed.length) return signature;
        return signature + Packed.read(packed, signature - SIGNATURE_LENGTH_BYTES, SIGNATURE_LENGTH_BYTES);
    }

    function _isWhole(bytes calldata packed, uint256 cursor, uint256 end) private returns (bool whole) {
        whole = end <= packed.length;
        if (!whole) emit Rejected(keccak256(packed[cursor:]), address(0), Verdict.MALFORMED);
    }

    // ---------------------------------------------------------------------------------------------------- orders

    function _redeem(bytes calldata packed, Batch memory batch) private {
        RedeemOrder memory order = RedeemOrder({
            holder: address(uint160(Packed.read(packed, 0, 20))),
            merchant: uint32(Packed.read(packed, 20, 4)),
            lots: _unpackLots(packed, REDEEM_HEAD_BYTES),
            nonce: uint32(Packed.read(packed, 24, 4)),
            deadline: uint40(Packed.read(packed, 28, 5))
        });
        bytes32 lotsHash = TypedData.lots(order.lots);
        bytes32 orderId = TypedData.digest(_domain, TypedData.redeemOrder(order, lotsHash));
        Verdict verdict = _areLots(order.lots) ? Verdict.ACCEPTED : Verdict.MALFORMED;
        if (verdict == Verdict.ACCEPTED) {
            verdict = _checkSigner(order.holder, orderId, _signature(packed, REDEEM_HEAD_BYTES, order.lots.length, 0));
        }
        uint256[] memory debits;
        if (verdict == Verdict.ACCEPTED) {
            (verdict, debits) = _checkTerms(order.deadline, order.merchant, order.lots, batch);
            verdict = ledger.redeem(order.holder, order.nonce, verdict, order.lots);
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        _pay(orderId, order.holder, order.merchant, lotsHash, order.lots, debits, batch);
    }

    function _hold(bytes calldata packed, Batch memory batch) private {
        (HoldOrder memory order, bytes32 orderId, bool wellFormed) = _unpackHold(packed);
        Verdict verdict = wellFormed ? Verdict.ACCEPTED : Verdict.MALFORMED;
        if (verdict == Verdict.ACCEPTED) {
            verdict = _checkSigner(order.holder, orderId, _signature(packed, HOLD_HEAD_BYTES, order.lots.length, 0));
        }
        if (verdict == Verdict.ACCEPTED) {
            (verdict,) = _checkTerms(order.deadline, order.merchant, order.lots, batch);
            if (verdict == Verdict.ACCEPTED && !_isCaptureTime(order.captureBy)) verdict = Verdict.BAD_CAPTURE_TIME;
            verdict = ledger.hold(orderId, order.holder, order.nonce, verdict, order.lots);
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        emit Held(orderId, order.holder, order.merchant, order.captureBy, order.cancellable);
    }

    function _capture(bytes calldata packed, Batch memory batch) private {
        (HoldOrder memory order, bytes32 orderId, bool wellFormed) = _unpackHold(packed);
        uint256 prefix = HOLD_HEAD_BYTES + order.lots.length * LOT_BYTES;
        uint8 keptLots = uint8(Packed.read(packed, prefix, 1));
        uint64 lastAmount = uint64(Packed.read(packed, prefix + 1, 8));
        bytes calldata signature = _signature(packed, HOLD_HEAD_BYTES, order.lots.length, PREFIX_BYTES);

        Lot[] memory kept;
        uint256[] memory debits;
        uint256 fen;
        Verdict verdict;
        if (!wellFormed || !_isPrefix(order.lots, keptLots, lastAmount)) {
            verdict = Verdict.MALFORMED;
        } else if (block.timestamp > order.captureBy) {
            verdict = Verdict.EXPIRED;
        } else {
            verdict = _checkSigner(
                _merchant(order.merchant, batch).key,
                TypedData.digest(_domain, TypedData.capture(orderId, keptLots, lastAmount)),
                signature
            );
        }
        if (verdict == Verdict.ACCEPTED) {
            kept = _prefix(order.lots, keptLots, lastAmount);
            (debits, fen) = _debitsDown(kept, batch.programmes);
            if (keptLots != 0 && fen == 0) verdict = Verdict.NO_VALUE;
            else if (!ledger.closeHold(orderId, order.holder, order.lots, keptLots, lastAmount)) {
                verdict = Verdict.NOT_HELD;
            }
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        emit Captured(orderId, order.merchant, keptLots, lastAmount, uint64(fen));
        if (keptLots != 0) {
            _pay(orderId, order.holder, order.merchant, TypedData.lots(kept), kept, debits, batch);
        }
    }

    function _release(bytes calldata packed, Batch memory batch) private {
        (HoldOrder memory order, bytes32 orderId, bool wellFormed) = _unpackHold(packed);
        Verdict verdict = wellFormed ? Verdict.ACCEPTED : Verdict.MALFORMED;
        if (verdict == Verdict.ACCEPTED && block.timestamp <= order.captureBy) {
            bytes calldata signature = _signature(packed, HOLD_HEAD_BYTES, order.lots.length, 0);
            bytes32 digest = TypedData.digest(_domain, TypedData.release(orderId));
            verdict = _checkSigner(_merchant(order.merchant, batch).key, digest, signature);
            if (verdict != Verdict.ACCEPTED && order.cancellable) {
                verdict = _checkSigner(order.holder, digest, signature);
            }
        }
        if (verdict == Verdict.ACCEPTED && !ledger.closeHold(orderId, order.holder, order.lots, 0, 0)) {
            verdict = Verdict.NOT_HELD;
        }
        if (verdict != Verdict.ACCEPTED) emit Rejected(orderId, order.holder, verdict);
        else emit Released(orderId, order.holder, order.merchant);
    }

    function _unpackHold(bytes calldata packed)
        private
        view
        returns (HoldOrder memory order, bytes32 orderId, bool wellFormed)
    {
        uint256 cancellable = Packed.read(packed, 38, 1);
        order = HoldOrder({
            holder: address(uint160(Packed.read(packed, 0, 20))),
            merchant: uint32(Packed.read(packed, 20, 4)),
            lots: _unpackLots(packed, HOLD_HEAD_BYTES),
            nonce: uint32(Packed.read(packed, 24, 4)),
            deadline: uint40(Packed.read(packed, 28, 5)),
            captureBy: uint40(Packed.read(packed, 33, 5)),
            cancellable: cancellable == 1
        });
        orderId = TypedData.digest(_domain, TypedData.holdOrder(order));
        wellFormed = cancellable <= 1 && _areLots(order.lots);
    }

    /// @dev The lot count is the head's last byte.
    function _unpackLots(bytes calldata packed, uint256 headBytes) private pure returns (Lot[] memory lots) {
        lots = new Lot[](Packed.read(packed, headBytes - 1, 1));
        for (uint256 i; i < lots.length; ++i) {
            lots[i] = Lot.wrap(uint128(Packed.read(packed, headBytes + i * LOT_BYTES, LOT_BYTES)));
        }
    }

    function _signature(bytes calldata packed, uint256 headBytes, uint256 lots, uint256 tailBytes)
        private
        pure
        returns (bytes calldata)
    {
        return packed[headBytes + lots * LOT_BYTES + tailBytes + SIGNATURE_LENGTH_BYTES:];
    }

    // ---------------------------------------------------------------------------------------------------- checks

    function _areLots(Lot[] memory lots) private pure returns (bool) {
        if (lots.length == 0 || lots.length > LOTS_MAX) return false;
        for (uint256 i; i < lots.length; ++i) {
            if (lots[i].amount() == 0) return false;
        }
        return true;
    }

    function _checkSigner(address signer, bytes32 hash, bytes calldata signature) private view returns (Verdict) {
        return SignatureCheck.isValid(signer, hash, signature) ? Verdict.ACCEPTED : Verdict.BAD_SIGNATURE;
    }

    /// @dev What comes after the nonce and before the lots' own state.
    function _checkTerms(uint40 deadline, uint32 merchantId, Lot[] memory lots, Batch memory batch)
        private
        view
        returns (Verdict, uint256[] memory debits)
    {
        if (block.timestamp > deadline) return (Verdict.EXPIRED, debits);
        Merchant memory merchant = _merchant(merchantId, batch);
        if (merchant.key == address(0)) return (Verdict.UNKNOWN_MERCHANT, debits);
        for (uint256 i; i < lots.length; ++i) {
            Programme memory programme = batch.programmes.get(ledger, uint32(lots[i].id() >> 32));
            if (programme.state == ProgrammeState.UNKNOWN) return (Verdict.UNKNOWN_PROGRAMME, debits);
            if (programme.flags & REDEEMABLE == 0 || !programme.isSpendable()) return (Verdict.FORBIDDEN, debits);
            bool inScope = programme.spendScope == 0 || programme.spendScope & merchant.scope != 0;
            if (!inScope) return (Verdict.OUT_OF_SCOPE, debits);
        }
        uint256 fen;
        (debits, fen) = _debitsDown(lots, batch.programmes);
        return (fen == 0 ? Verdict.NO_VALUE : Verdict.ACCEPTED, debits);
    }

    /// @dev Merchants of a batch are nearly always one: the last is remembered.
    function _merchant(uint32 id, Batch memory batch) private view returns (Merchant memory) {
        if (batch.merchantId != id) {
            batch.merchantId = id;
            batch.merchant = book.merchant(id);
        }
        return batch.merchant;
    }

    function _isCaptureTime(uint40 captureBy) private view returns (bool) {
        return captureBy >= block.timestamp && captureBy <= block.timestamp + HOLD_MAX;
    }

    function _isPrefix(Lot[] memory lots, uint8 keptLots, uint64 lastAmount) private pure returns (bool) {
        if (keptLots == 0) return lastAmount == 0;
        return keptLots <= lots.length && lastAmount != 0 && lastAmount <= lots[keptLots - 1].amount();
    }

    function _prefix(Lot[] memory lots, uint8 keptLots, uint64 lastAmount) private pure returns (Lot[] memory kept) {
        kept = new Lot[](keptLots);
        for (uint256 i; i < keptLots; ++i) {
            kept[i] = lots[i];
        }
        if (keptLots != 0) kept[keptLots - 1] = _lot(lots[keptLots - 1].id(), lastAmount);
    }

    function _lot(uint64 id, uint64 amount) private pure returns (Lot) {
        return Lot.wrap((uint128(id) << 64) | amount);
    }

    // ----------------------------------------------------------------------------------------------------- value

    /// @dev The value is floored once, over the sum: lot i is debited what the floor gains by it.
    function _debitsDown(Lot[] memory lots, ProgrammeCache.Cache memory programmes)
        private
        view
        returns (uint256[] memory debits, uint256 fen)
    {
        debits = new uint256[](lots.length);
        uint256 microfenMinor;
        for (uint256 i; i < lots.length; ++i) {
            uint64 par = programmes.get(ledger, uint32(lots[i].id() >> 32)).par;
            microfenMinor += uint256(lots[i].amount()) * par;
            uint256 upToHere = microfenMinor / Value.MICROFEN_MINOR;
            debits[i] = upToHere - fen;
            fen = upToHere;
        }
    }

    function _pay(
        bytes32 orderId,
        address holder,
        uint32 merchantId,
        bytes32 lotsHash,
        Lot[] memory lots,
        uint256[] memory debits,
        Batch memory batch
    ) private {
        uint256 fen;
        for (uint256 i; i < lots.length; ++i) {
            batch.sums.add(Tally.programme(uint32(lots[i].id() >> 32)), -int256(debits[i]));
            fen += debits[i];
        }
        batch.sums.add(Tally.merchant(merchantId), int256(fen));
        batch.leaves[batch.count++] = ReceiptsTree.leaf(
            Receipt(orderId, holder, merchantId, lotsHash, uint64(fen), uint40(block.timestamp))
        );
        emit Redeemed(orderId, holder, merchantId, uint64(fen));
    }

    // --------------------------------------------------------------------------------------------------- refunds

    /// @inheritdoc IRedemption
    function refund(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        Lot[] calldata paid,
        uint8 keptLots,
        uint64 lastAmount,
        bytes calldata signature
    ) external {
        if (block.timestamp > receipt.time + REFUND_MAX) revert RedemptionTooLate(receipt.orderId, receipt.time);
        if (TypedData.lots(paid) != receipt.lotsHash) revert RedemptionWrongLots(receipt.orderId);
        if (!MerkleProof.verifyCalldata(proof, book.receiptsRoot(batch), ReceiptsTree.leaf(receipt))) {
            revert RedemptionBadProof(receipt.orderId, batch);
        }
        Lot[] memory before = _keptOf(receipt.orderId, paid);
        if (!_isShorter(before, keptLots, lastAmount)) revert RedemptionBadPrefix(keptLots, lastAmount);
        bytes32 structHash = TypedData.refund(receipt.orderId, keptLots, lastAmount);
        address key = book.merchant(receipt.merchant).key;
        if (!SignatureCheck.isValid(key, TypedData.digest(_domain, structHash), signature)) {
            revert RedemptionBadSignature(receipt.orderId);
        }
        _refund(receipt, before, keptLots, lastAmount);
    }

    function _refund(Receipt calldata receipt, Lot[] memory before, uint8 keptLots, uint64 lastAmount) private {
        Batch memory batch;
        (uint256[] memory debitsBefore, uint256 fenBefore) = _debitsDown(before, batch.programmes);
        (uint256[] memory debitsAfter, uint256 fenAfter) =
            _debitsDown(_prefix(before, keptLots, lastAmount), batch.programmes);
        for (uint256 i; i < before.length; ++i) {
            uint256 debitAfter = i < debitsAfter.length ? debitsAfter[i] : 0;
            uint64 participant = Tally.programme(uint32(before[i].id() >> 32));
            batch.sums.add(participant, int256(debitsBefore[i] - debitAfter));
        }
        batch.sums.add(Tally.merchant(receipt.merchant), int256(fenAfter) - int256(fenBefore));
        book.postRefund(batch.sums.done(), receipt.orderId, receipt.merchant, keptLots, lastAmount);
        ledger.beginRedemption();
        address receiver = ledger.restore(receipt.holder, _rest(before, keptLots, lastAmount));
        emit Refunded(
            receipt.orderId, receiver, receipt.merchant, keptLots, lastAmount, uint64(fenBefore - fenAfter)
        );
    }

    /// @dev What the order keeps now: all it paid, or the prefix an earlier refund left.
    function _keptOf(bytes32 orderId, Lot[] memory paid) private view returns (Lot[] memory) {
        (bool refunded, uint8 keptLots, uint64 lastAmount) = book.keptPrefix(orderId);
        return refunded ? _prefix(paid, keptLots, lastAmount) : paid;
    }

    function _isShorter(Lot[] memory before, uint8 keptLots, uint64 lastAmount) private pure returns (bool) {
        if (!_isPrefix(before, keptLots, lastAmount)) return false;
        return keptLots < before.length || lastAmount < before[before.length - 1].amount();
    }

    /// @dev What lies behind the kept prefix.
    function _rest(Lot[] memory lots, uint8 keptLots, uint64 lastAmount) private pure returns (Lot[] memory rest) {
        uint256 partLeft = keptLots == 0 ? 0 : lots[keptLots - 1].amount() - lastAmount;
        uint256 first = partLeft == 0 ? keptLots : keptLots - 1;
        rest = new Lot[](lots.length - first);
        for (uint256 i; i < rest.length; ++i) {
            rest[i] = lots[first + i];
        }
        if (partLeft != 0) rest[0] = _lot(lots[first].id(), uint64(partLeft));
    }
}

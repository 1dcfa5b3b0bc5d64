// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Pausable} from "../authority/Pausable.sol";
import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {HoldOrder, IRedemption} from "../interfaces/IRedemption.sol";
import {Receipt} from "../interfaces/IRefundDesk.sol";
import {Programme, Verdict} from "../interfaces/Types.sol";
import {Packed} from "../libraries/Packed.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {Tabs} from "../libraries/Tabs.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";
import {RefundDesk} from "./RefundDesk.sol";

/// @title Redemption
/// @notice See {IRedemption}.
contract Redemption is IRedemption, RefundDesk, Pausable {
    using PackedLots for bytes;
    using Tabs for Tabs.Batch;

    /// @dev Hashes of the receipts of a call, in order, and room for the tree above them.
    struct Receipts {
        bytes32[] nodes;
        uint256 count;
    }

    /// @dev From the holder to the lot count.
    uint256 private constant REDEEM_HEAD_BYTES = 34;
    uint256 private constant HOLD_HEAD_BYTES = 40;
    /// @dev Kept lots and last amount of a capture.
    uint256 private constant PREFIX_BYTES = 9;
    uint256 private constant SIGNATURE_LENGTH_BYTES = 2;
    uint256 private constant HOLD_MAX = 30 days;
    uint256 private constant REFUND_MAX = 90 days;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_)
        AccessManaged(authority_)
        RefundDesk(ledger_, book_)
    {}

    // --------------------------------------------------------------------------------------------------- batches

    /// @inheritdoc IRedemption
    function execute(bytes calldata packed) external whenNotPaused {
        ledger.beginRedemption();
        Tabs.Batch memory tabs;
        Receipts memory receipts = _newReceipts(packed, REDEEM_HEAD_BYTES);
        uint256 cursor;
        while (cursor < packed.length) {
            (bytes calldata order, bytes calldata lots, bytes calldata signature) =
                _cut(packed, cursor, REDEEM_HEAD_BYTES, 0);
            if (order.length == 0) break;
            _redeem(order, lots, signature, tabs, receipts);
            cursor += order.length;
        }
        _settle(tabs, receipts);
    }

    /// @inheritdoc IRedemption
    function hold(bytes calldata packed) external whenNotPaused {
        ledger.beginRedemption();
        Tabs.Batch memory tabs;
        uint256 cursor;
        while (cursor < packed.length) {
            (bytes calldata order, bytes calldata lots, bytes calldata signature) =
                _cut(packed, cursor, HOLD_HEAD_BYTES, 0);
            if (order.length == 0) break;
            _hold(order, lots, signature, tabs);
            cursor += order.length;
        }
    }

    /// @inheritdoc IRedemption
    function capture(bytes calldata packed) external whenNotPaused {
        ledger.beginRedemption();
        Tabs.Batch memory tabs;
        Receipts memory receipts = _newReceipts(packed, HOLD_HEAD_BYTES);
        uint256 cursor;
        while (cursor < packed.length) {
            (bytes calldata order, bytes calldata lots, bytes calldata signature) =
                _cut(packed, cursor, HOLD_HEAD_BYTES, PREFIX_BYTES);
            if (order.length == 0) break;
            _capture(order, lots, signature, tabs, receipts);
            cursor += order.length;
        }
        _settle(tabs, receipts);
    }

    /// @inheritdoc IRedemption
    function release(bytes calldata packed) external {
        ledger.beginRedemption();
        Tabs.Batch memory tabs;
        uint256 cursor;
        while (cursor < packed.length) {
            (bytes calldata order, bytes calldata lots, bytes calldata signature) =
                _cut(packed, cursor, HOLD_HEAD_BYTES, 0);
            if (order.length == 0) break;
            _release(order, lots, signature, tabs);
            cursor += order.length;
        }
    }

    /// @dev Room for as many receipts as the bytes could hold orders.
    function _newReceipts(bytes calldata packed, uint256 headBytes) private pure returns (Receipts memory receipts) {
        receipts.nodes = ReceiptsTree.newNodes(packed.length / (headBytes + PackedLots.LOT_BYTES));
    }

    /// @dev Writes the book once a call: each participant's sum, and the root of the receipts.
    function _settle(Tabs.Batch memory tabs, Receipts memory receipts) private {
        if (receipts.count == 0) return;
        bytes32 root = ReceiptsTree.root(receipts.nodes, receipts.count);
        uint64 batch = book.postReceipts(tabs.postings(), root);
        emit RedemptionBatch(batch, root, uint32(receipts.count));
    }

    /// @dev Cuts out the order at `cursor`, its lots and its signature; between the two are `tailBytes`. If what is left is
    /// no whole order, rejects it and returns an order of no length.
    function _cut(bytes calldata packed, uint256 cursor, uint256 headBytes, uint256 tailBytes)
        private
        returns (bytes calldata order, bytes calldata lots, bytes calldata signature)
    {
        // No part of an order is longer than 2^20 bytes. What is read beyond the batch only makes the order longer.
        unchecked {
            // The lot count is the head's last byte.
            uint256 lotsEnd = headBytes + Packed.read(packed, cursor + headBytes - 1, 1) * PackedLots.LOT_BYTES;
            uint256 signatureAt = lotsEnd + tailBytes + SIGNATURE_LENGTH_BYTES;
            uint256 signatureBytes =
                Packed.read(packed, cursor + signatureAt - SIGNATURE_LENGTH_BYTES, SIGNATURE_LENGTH_BYTES);
            order = Packed.slice(packed, cursor, signatureAt + signatureBytes);
            lots = Packed.slice(order, headBytes, lotsEnd - headBytes);
            signature = Packed.slice(order, signatureAt, signatureBytes);
            if (order.length > packed.length - cursor) {
                emit Rejected(keccak256(packed[cursor:]), address(0), Verdict.MALFORMED);
                order = Packed.slice(packed, cursor, 0);
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------- orders

    function _redeem(
        bytes calldata packed,
        bytes calldata lots,
        bytes calldata signature,
        Tabs.Batch memory tabs,
        Receipts memory receipts
    ) private {
        address holder = address(uint160(Packed.read(packed, 0, 20)));
        // merchant 4 | nonce 4 | deadline 5 | lotCount 1
        uint256 head = Packed.read(packed, 20, 14);
        uint32 merchantId = uint32(head >> 80);
        uint32 nonce = uint32(head >> 48);
        uint40 deadline = uint40(head >> 8);
        (bytes32 lotsHash, bool sound) = lots.hash();
        bytes32 orderId =
            TypedData.digest(_domain, TypedData.redeemOrder(holder, merchantId, lotsHash, nonce, deadline));

        Verdict verdict = _checkForm(sound, holder, orderId, signature);
        uint256 fen;
        if (verdict == Verdict.ACCEPTED) {
            (verdict, fen) = _checkTerms(merchantId, deadline, lots, tabs);
            verdict = ledger.spend(holder, nonce, lots, verdict);
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, holder, verdict);
            return;
        }
        _debit(lots, fen, tabs);
        _credit(orderId, holder, merchantId, lotsHash, fen, tabs, receipts);
    }

    function _hold(bytes calldata packed, bytes calldata lots, bytes calldata signature, Tabs.Batch memory tabs)
        private
    {
        (HoldOrder memory order, bytes32 orderId, bool sound) = _unpackHold(packed, lots);
        Verdict verdict = _checkForm(sound, order.holder, orderId, signature);
        if (verdict == Verdict.ACCEPTED) {
            (verdict,) = _checkTerms(order.merchant, order.deadline, lots, tabs);
            bool inTime = order.captureBy >= block.timestamp && order.captureBy <= block.timestamp + HOLD_MAX;
            if (verdict == Verdict.ACCEPTED && !inTime) verdict = Verdict.BAD_CAPTURE_TIME;
            verdict = ledger.hold(orderId, order.holder, order.nonce, lots, verdict);
        }
        if (verdict == Verdict.ACCEPTED) {
            emit Held(orderId, order.holder, order.merchant, order.captureBy, order.cancellable);
        } else {
            emit Rejected(orderId, order.holder, verdict);
        }
    }

    function _capture(
        bytes calldata packed,
        bytes calldata lots,
        bytes calldata signature,
        Tabs.Batch memory tabs,
        Receipts memory receipts
    ) private {
        (HoldOrder memory order, bytes32 orderId, bool sound) = _unpackHold(packed, lots);
        uint256 prefix = HOLD_HEAD_BYTES + lots.length;
        uint8 keptLots = uint8(Packed.read(packed, prefix, 1));
        uint64 lastAmount = uint64(Packed.read(packed, prefix + 1, 8));

        Verdict verdict;
        uint256 fen;
        if (!sound || !lots.isPrefix(keptLots, lastAmount)) {
            verdict = Verdict.MALFORMED;
        } else if (block.timestamp > order.captureBy) {
            verdict = Verdict.EXPIRED;
        } else if (!_isCapture(order.merchant, orderId, keptLots, lastAmount, signature, tabs)) {
            verdict = Verdict.BAD_SIGNATURE;
        } else {
            fen = _valueOf(lots, keptLots, lastAmount, tabs);
            if (keptLots != 0 && fen == 0) verdict = Verdict.NO_VALUE;
            else if (!ledger.closeHold(orderId, order.holder, lots, keptLots, lastAmount)) verdict = Verdict.NOT_HELD;
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        emit Captured(orderId, order.merchant, keptLots, lastAmount, uint64(fen));
        if (keptLots == 0) return;
        _runUp(lots, keptLots, lastAmount, 1, tabs);
        bytes32 lotsHash = lots.hash(keptLots, lastAmount);
        _credit(orderId, order.holder, order.merchant, lotsHash, fen, tabs, receipts);
    }

    function _release(bytes calldata packed, bytes calldata lots, bytes calldata signature, Tabs.Batch memory tabs)
        private
    {
        (HoldOrder memory order, bytes32 orderId, bool sound) = _unpackHold(packed, lots);
        Verdict verdict;
        if (!sound) verdict = Verdict.MALFORMED;
        else if (!_mayRelease(order, orderId, signature, tabs)) verdict = Verdict.BAD_SIGNATURE;
        else if (!ledger.closeHold(orderId, order.holder, lots, 0, 0)) verdict = Verdict.NOT_HELD;
        if (verdict == Verdict.ACCEPTED) emit Released(orderId, order.holder, order.merchant);
        else emit Rejected(orderId, order.holder, verdict);
    }

    function _unpackHold(bytes calldata packed, bytes calldata lots)
        private
        view
        returns (HoldOrder memory order, bytes32 orderId, bool sound)
    {
        (bytes32 lotsHash, bool lotsSound) = lots.hash();
        uint256 cancellable = Packed.read(packed, 38, 1);
        order = HoldOrder({
            holder: address(uint160(Packed.read(packed, 0, 20))),
            merchant: uint32(Packed.read(packed, 20, 4)),
            lotsHash: lotsHash,
            nonce: uint32(Packed.read(packed, 24, 4)),
            deadline: uint40(Packed.read(packed, 28, 5)),
            captureBy: uint40(Packed.read(packed, 33, 5)),
            cancellable: cancellable == 1
        });
        orderId = TypedData.digest(_domain, TypedData.holdOrder(order));
        sound = lotsSound && cancellable <= 1;
    }

    // ---------------------------------------------------------------------------------------------------- checks

    /// @dev What comes before the nonce.
    function _checkForm(bool sound, address holder, bytes32 orderId, bytes calldata signature)
        private
        view
        returns (Verdict)
    {
        if (!sound) return Verdict.MALFORMED;
        return SignatureCheck.isValid(holder, orderId, signature) ? Verdict.ACCEPTED : Verdict.BAD_SIGNATURE;
    }

    /// @dev Checks what comes after the nonce and before the lots' own state, and reckons the lots' value.
    function _checkTerms(uint32 merchantId, uint40 deadline, bytes calldata lots, Tabs.Batch memory tabs)
        private
        view
        returns (Verdict, uint256 fen)
    {
        if (block.timestamp > deadline) return (Verdict.EXPIRED, 0);
        if (!tabs.turnToMerchant(book, merchantId)) return (Verdict.UNKNOWN_MERCHANT, 0);
        uint256 microfenMinor;
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (uint256 id, uint256 amount) = lots.at(i);
            if (!tabs.turnToProgramme(ledger, id >> 32)) return (Verdict.UNKNOWN_PROGRAMME, 0);
            Programme memory programme = tabs.programme.terms;
            if (!tabs.programme.redeemable) return (Verdict.FORBIDDEN, 0);
            bytes32 scope = programme.spendScope;
            if (scope != 0 && scope & tabs.merchant.terms.scope == 0) return (Verdict.OUT_OF_SCOPE, 0);
            // A few lots of less than 2^64 at pars of less than 2^37.
            unchecked {
                microfenMinor += amount * programme.par;
            }
        }
        fen = microfenMinor / Value.MICROFEN_MINOR;
        return (fen == 0 ? Verdict.NO_VALUE : Verdict.ACCEPTED, fen);
    }

    /// @dev Debits the programmes of lots whose terms were checked just now.
    function _debit(bytes calldata lots, uint256 fen, Tabs.Batch memory tabs) private view {
        if (lots.length == PackedLots.LOT_BYTES) {
            // The tab of the only lot, as most orders have, is still turned to.
            unchecked {
                tabs.programme.fen -= int256(fen);
            }
        } else {
            (uint256 all, uint64 lastAmount) = lots.all();
            _runUp(lots, all, lastAmount, 1, tabs);
        }
    }

    /// @dev What a prefix is worth. Lots of no programme, which no hold can have, are worth nothing.
    function _valueOf(bytes calldata lots, uint256 keptLots, uint256 lastAmount, Tabs.Batch memory tabs)
        private
        view
        returns (uint256)
    {
        uint256 microfenMinor;
        for (uint256 i; i < keptLots; ++i) {
            (uint256 id, uint256 amount) = lots.at(i);
            if (!tabs.turnToProgramme(ledger, id >> 32)) continue;
            // As in `_checkTerms`.
            unchecked {
                microfenMinor += (i + 1 == keptLots ? lastAmount : amount) * tabs.programme.terms.par;
            }
        }
        return microfenMinor / Value.MICROFEN_MINOR;
    }

    function _isCapture(
        uint32 merchantId,
        bytes32 orderId,
        uint8 keptLots,
        uint64 lastAmount,
        bytes calldata signature,
        Tabs.Batch memory tabs
    ) private view returns (bool) {
        bytes32 digest = TypedData.digest(_domain, TypedData.capture(orderId, keptLots, lastAmount));
        return _isMerchants(merchantId, digest, signature, tabs);
    }

    function _mayRelease(HoldOrder memory order, bytes32 orderId, bytes calldata signature, Tabs.Batch memory tabs)
        private
        view
        returns (bool)
    {
        if (block.timestamp > order.captureBy) return true;
        bytes32 digest = TypedData.digest(_domain, TypedData.release(orderId));
        if (_isMerchants(order.merchant, digest, signature, tabs)) return true;
        return order.cancellable && SignatureCheck.isValid(order.holder, digest, signature);
    }

    function _isMerchants(uint32 merchantId, bytes32 digest, bytes calldata signature, Tabs.Batch memory tabs)
        private
        view
        returns (bool)
    {
        return tabs.turnToMerchant(book, merchantId)
            && SignatureCheck.isValid(tabs.merchant.terms.key, digest, signature);
    }

    /// @dev Credits the merchant whose tab is turned to and keeps the receipt.
    function _credit(
        bytes32 orderId,
        address holder,
        uint32 merchantId,
        bytes32 lotsHash,
        uint256 fen,
        Tabs.Batch memory tabs,
        Receipts memory receipts
    ) private {
        bytes32 leaf = ReceiptsTree.leaf(orderId, holder, merchantId, lotsHash, fen, block.timestamp);
        unchecked {
            tabs.merchant.fen += int256(fen);
            receipts.nodes[receipts.count++] = leaf;
        }
        emit Redeemed(orderId, holder, merchantId, uint64(fen));
    }

    // --------------------------------------------------------------------------------------------------- refunds

    /// @inheritdoc IRedemption
    function refund(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        bytes calldata paid,
        uint8 keptLots,
        uint64 lastAmount,
        bytes calldata signature
    ) external {
        if (block.timestamp > receipt.time + REFUND_MAX) {
            revert RedemptionTooLate(receipt.orderId, receipt.time);
        }
        _checkReceipt(receipt, batch, proof, paid);
        bytes32 digest = TypedData.digest(_domain, TypedData.refund(receipt.orderId, keptLots, lastAmount));
        if (!SignatureCheck.isValid(book.merchant(receipt.merchant).key, digest, signature)) {
            revert RedemptionBadSignature(receipt.orderId);
        }
        _refund(receipt, paid, keptLots, lastAmount);
    }
}

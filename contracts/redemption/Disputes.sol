// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {Dispute, DisputeState, IDisputes} from "../interfaces/IDisputes.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Receipt} from "../interfaces/IRefundDesk.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {Tabs} from "../libraries/Tabs.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {RefundDesk} from "./RefundDesk.sol";

/// @title Disputes
/// @notice See {IDisputes}.
contract Disputes is IDisputes, RefundDesk, AccessManaged {
    uint40 private constant DISPUTE_MAX = 30 days;
    uint40 private constant CONTEST_TIME = 7 days;
    uint40 private constant CLOSES_AFTER = 60 days;

    mapping(bytes32 orderId => Dispute) private _disputes;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_)
        AccessManaged(authority_)
        RefundDesk(ledger_, book_)
    {}

    /// @inheritdoc IDisputes
    function dispute(bytes32 orderId) external view returns (Dispute memory) {
        return _disputes[orderId];
    }

    /// @inheritdoc IDisputes
    function open(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        bytes calldata paid,
        bytes calldata signature
    ) external {
        bytes32 orderId = receipt.orderId;
        if (block.timestamp > receipt.time + DISPUTE_MAX) revert DisputesTooLate(orderId, receipt.time);
        _checkState(orderId, DisputeState.NONE);
        _checkReceipt(receipt, batch, proof, paid);
        bytes32 digest = TypedData.digest(_domain, TypedData.dispute(orderId));
        bool signed = SignatureCheck.isValid(receipt.holder, digest, signature)
            || SignatureCheck.isValid(ledger.currentAccount(receipt.holder), digest, signature);
        if (!signed) revert DisputesBadSignature(orderId);

        uint256 fen = _keptFen(orderId, paid);
        uint256 freeFen = book.freeFen(receipt.merchant);
        if (fen > freeFen) fen = freeFen;
        if (fen == 0) revert DisputesNothingToLock(orderId);
        _disputes[orderId] = Dispute(DisputeState.OPEN, uint40(block.timestamp), receipt.merchant, uint128(fen));
        emit Disputed(orderId, receipt.holder, receipt.merchant, fen);
        book.lockDisputed(receipt.merchant, fen);
    }

    /// @inheritdoc IDisputes
    function contest(bytes32 orderId, bytes calldata signature) external {
        _checkState(orderId, DisputeState.OPEN);
        Dispute storage current = _disputes[orderId];
        if (block.timestamp >= current.openedAt + CONTEST_TIME) revert DisputesContestTooLate(orderId);
        bytes32 digest = TypedData.digest(_domain, TypedData.contest(orderId));
        if (!SignatureCheck.isValid(book.merchant(current.merchant).key, digest, signature)) {
            revert DisputesBadSignature(orderId);
        }
        current.state = DisputeState.CONTESTED;
        emit Contested(orderId, current.merchant);
    }

    /// @inheritdoc IDisputes
    function decide(bytes32 orderId, uint128 refundFen) external restricted {
        _checkState(orderId, DisputeState.CONTESTED);
        Dispute storage current = _disputes[orderId];
        uint128 lockedFen = current.lockedFen;
        if (refundFen > lockedFen) revert DisputesTooMuch(orderId, refundFen, lockedFen);
        current.state = DisputeState.DECIDED;
        current.lockedFen = refundFen;
        emit Decided(orderId, refundFen);
        book.freeDisputed(current.merchant, lockedFen - refundFen);
    }

    /// @inheritdoc IDisputes
    function refundLocked(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        bytes calldata paid,
        uint8 keptLots,
        uint64 lastAmount
    ) external {
        _checkReceipt(receipt, batch, proof, paid);
        uint128 lockedFen = _freeForRefund(receipt.orderId);
        uint256 fen = _refund(receipt, paid, keptLots, lastAmount);
        if (fen > lockedFen) revert DisputesTooMuch(receipt.orderId, fen, lockedFen);
        _disputes[receipt.orderId].lockedFen = lockedFen - uint128(fen);
        book.lockDisputed(receipt.merchant, lockedFen - fen);
    }

    /// @inheritdoc IDisputes
    function close(bytes32 orderId) external {
        Dispute storage current = _disputes[orderId];
        if (current.state != DisputeState.DECIDED) _checkState(orderId, DisputeState.OPEN);
        uint40 from = current.openedAt + CLOSES_AFTER;
        if (block.timestamp < from) revert DisputesTooEarly(orderId, from);
        uint128 lockedFen = current.lockedFen;
        current.state = DisputeState.CLOSED;
        current.lockedFen = 0;
        emit DisputeClosed(orderId, lockedFen);
        book.freeDisputed(current.merchant, lockedFen);
    }

    function _checkState(bytes32 orderId, DisputeState wanted) private view {
        DisputeState state = _disputes[orderId].state;
        if (state != wanted) revert DisputesBadState(orderId, state);
    }

    /// @dev Frees what is locked, so that the refund may draw on it; what it does not take is locked again.
    function _freeForRefund(bytes32 orderId) private returns (uint128 lockedFen) {
        Dispute memory current = _disputes[orderId];
        if (current.state != DisputeState.DECIDED) {
            _checkState(orderId, DisputeState.OPEN);
            uint40 from = current.openedAt + CONTEST_TIME;
            if (block.timestamp < from) revert DisputesTooEarly(orderId, from);
        }
        lockedFen = current.lockedFen;
        book.freeDisputed(current.merchant, lockedFen);
    }

    /// @dev What of the order's value the merchant still keeps.
    function _keptFen(bytes32 orderId, bytes calldata paid) private view returns (uint256) {
        (uint8 keptLots, uint64 lastAmount) = _keptPrefix(orderId, paid);
        Tabs.Batch memory tabs;
        return _runUp(paid, keptLots, lastAmount, 1, tabs);
    }
}

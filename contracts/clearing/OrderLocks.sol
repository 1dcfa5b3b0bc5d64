// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {Positions} from "./Positions.sol";

/// @title OrderLocks
/// @notice Part of the clearing book: value that waits for the consumer arbiter.
abstract contract OrderLocks is Positions {
    /// @dev One word. `until` stays when the lock is over, so that an order is locked once.
    struct OrderLock {
        uint32 merchantId;
        uint96 fen;
        uint40 until;
    }

    uint40 private constant LOCK_TIME = 60 days;

    /// @inheritdoc IClearingBook
    mapping(bytes32 orderId => OrderLock) public orderLock;

    /// @inheritdoc IClearingBook
    function lockOrder(bytes32 orderId, uint32 merchantId, uint96 fen, bytes32 complaintHash) external restricted {
        if (merchantId == 0) revert ClearingBookBadMerchant();
        if (fen == 0) revert ClearingBookBadAmount(0, type(uint96).max);
        if (orderLock[orderId].until != 0) revert ClearingBookOrderLocked(orderId);
        uint40 until = uint40(block.timestamp) + LOCK_TIME;
        orderLock[orderId] = OrderLock(merchantId, fen, until);
        _lock(merchantId, fen);
        emit OrderLocked(orderId, merchantId, fen, until, complaintHash);
    }

    /// @inheritdoc IClearingBook
    function unlockOrder(bytes32 orderId) external {
        OrderLock memory current = orderLock[orderId];
        if (current.fen == 0) revert ClearingBookOrderNotLocked(orderId);
        if (block.timestamp < current.until) revert ClearingBookTooEarly(current.until);
        _unlockOrder(orderId, current, current.fen);
    }

    /// @dev Frees what is locked for an order, if anything, of which `fen` are refunded.
    function _unlockRefunded(bytes32 orderId, uint256 fen) internal {
        OrderLock memory current = orderLock[orderId];
        uint96 freedFen = uint96(Math.min(current.fen, fen));
        if (freedFen != 0) _unlockOrder(orderId, current, freedFen);
    }

    function _unlockOrder(bytes32 orderId, OrderLock memory current, uint96 fen) private {
        orderLock[orderId].fen = current.fen - fen;
        _unlock(current.merchantId, fen);
        emit OrderUnlocked(orderId, current.merchantId, fen);
    }
}

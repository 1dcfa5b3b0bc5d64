// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRefundDesk, Receipt} from "./IRefundDesk.sol";

/// @notice Where a dispute stands.
enum DisputeState {
    NONE,
    OPEN,
    CONTESTED,
    DECIDED,
    CLOSED
}

/// @notice A dispute of one order.
/// @param openedAt Unix time.
/// @param lockedFen What is still locked of the merchant's value.
struct Dispute {
    DisputeState state;
    uint40 openedAt;
    uint32 merchant;
    uint128 lockedFen;
}

/// @title IDisputes
/// @notice A resident who was not served disputes an order within 30 days, and so locks what of it the merchant has not
/// been paid. If the merchant does not contest in seven days, anyone may refund the locked part. If it does, the finance
/// bureau decides how much may be refunded. What is still locked 60 days after the opening of an uncontested or decided
/// dispute is freed by whoever closes it.
///
/// The module refunds as redemption does (see `IRefundDesk`) but needs no signature of the merchant. It is never paused.
interface IDisputes is IRefundDesk {
    /// @notice The holder disputes the order; `fen` of the merchant's value are locked.
    event Disputed(bytes32 indexed orderId, address indexed holder, uint32 indexed merchant, uint256 fen);
    /// @notice The merchant contests: the finance bureau decides.
    event Contested(bytes32 indexed orderId, uint32 indexed merchant);
    /// @notice Up to `refundFen` may be refunded.
    event Decided(bytes32 indexed orderId, uint256 refundFen);
    /// @notice The dispute is over; `freedFen` were still locked.
    event DisputeClosed(bytes32 indexed orderId, uint256 freedFen);

    /// @notice The order is older than 30 days.
    error DisputesTooLate(bytes32 orderId, uint40 time);
    /// @notice The dispute is in another state than this act needs.
    error DisputesBadState(bytes32 orderId, DisputeState state);
    /// @notice Not the holder's (or its successor's), or not the merchant's, signature.
    error DisputesBadSignature(bytes32 orderId);
    /// @notice All of the order's value is paid, listed for payment, or refunded.
    error DisputesNothingToLock(bytes32 orderId);
    /// @notice Seven days to contest have passed.
    error DisputesContestTooLate(bytes32 orderId);
    /// @notice Not before `from` (Unix time).
    error DisputesTooEarly(bytes32 orderId, uint40 from);
    /// @notice More than is locked.
    error DisputesTooMuch(bytes32 orderId, uint256 fen, uint256 lockedFen);

    /// @notice The dispute of an order.
    function dispute(bytes32 orderId) external view returns (Dispute memory);

    /// @notice Opens a dispute.
    /// @param receipt The order's leaf in the receipts tree of `batch`, and `proof` the path to its root.
    /// @param paid The packed lots paid with.
    /// @param signature Of Dispute(bytes32 orderId) by the holder or the account it gave way to.
    function open(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        bytes calldata paid,
        bytes calldata signature
    ) external;

    /// @notice The merchant contests within seven days.
    /// @param signature Of Contest(bytes32 orderId) by the merchant's key.
    function contest(bytes32 orderId, bytes calldata signature) external;

    /// @notice Decides a contested dispute: up to `refundFen` of what is locked may be refunded, the rest is freed.
    /// @dev Restricted to the finance bureau.
    function decide(bytes32 orderId, uint128 refundFen) external;

    /// @notice Refunds the order to a shorter kept prefix, for at most what is locked. Anyone may, once seven days have
    /// passed uncontested or the finance bureau has decided.
    function refundLocked(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        bytes calldata paid,
        uint8 keptLots,
        uint64 lastAmount
    ) external;

    /// @notice Ends a dispute that is uncontested or decided, 60 days after it was opened. Anyone may.
    function close(bytes32 orderId) external;
}

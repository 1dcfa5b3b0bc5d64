// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPausable} from "./IPausable.sol";
import {IRefundDesk, Receipt} from "./IRefundDesk.sol";
import {Verdict} from "./Types.sol";

/// @notice What a resident signs to reserve points for a merchant.
/// The typed data has `Lot[] lots` in place of their hash: 1 to 16 parts of lots, Lot(uint64 id,uint64 amount), in the
/// order in which their programmes are debited.
/// @param lotsHash EIP-712 hash of the lots.
/// @param nonce Free in the word of the first lot.
/// @param deadline Last Unix second at which it may land.
/// @param captureBy Last Unix second at which the merchant may capture; at most 30 days after the hold lands.
/// @param cancellable Whether the holder's signature alone releases it.
struct HoldOrder {
    address holder;
    uint32 merchant;
    bytes32 lotsHash;
    uint32 nonce;
    uint40 deadline;
    uint40 captureBy;
    bool cancellable;
}

/// @title IRedemption
/// @notice Pays merchants with any basket of lots, at par, floored to a fen once.
///
/// With cum(i) = floor(sum over the first i lots of amount * par / 1e8), the order is worth cum(n) fen, and lot i's
/// programme is debited cum(i) - cum(i-1). The merchant's position is credited.
///
/// `redeem` pays at once. `hold` puts lots in escrow (they outlive their quarter there) until the merchant captures a
/// prefix of them (what is not captured is released in the same call) or they are released: by the merchant, by the
/// holder if the order is cancellable, by anyone after `captureBy`. A merchant may refund within 90 days by
/// stating a shorter kept prefix.
///
/// A prefix is (lots, lastAmount): the first `lots` lots, whole but the last, of which `lastAmount` is kept;
/// (0, 0) is nothing.
///
/// Packed batches:
/// - redeem: holder 20 | merchant 4 | nonce 4 | deadline 5 | lotCount 1 | (id 8 | amount 8)* | sigLen 2 | sig
/// - hold: holder 20 | merchant 4 | nonce 4 | deadline 5 | captureBy 5 | cancellable 1 | lotCount 1 | lots | sigLen 2 | sig
/// - capture: the hold order without its signature | kept lots 1 | lastAmount 8 | sigLen 2 | sig of Capture
/// - release: the hold order without its signature | sigLen 2 | sig of Release (none needed after captureBy)
///
/// A bad order is skipped with `Rejected` and never sinks its neighbours; bytes at the end that are no whole order are
/// rejected as one MALFORMED order of holder 0 whose id is their keccak256.
///
/// Checks of redeem and hold, in order: MALFORMED (no lots or more than 16, an amount of 0, `cancellable` neither 0 nor
/// 1), BAD_SIGNATURE, NONCE_SPENT, EXPIRED, UNKNOWN_MERCHANT, then lot by lot UNKNOWN_PROGRAMME,
/// FORBIDDEN (not redeemable, spending time over), OUT_OF_SCOPE, then NO_VALUE, BAD_CAPTURE_TIME (hold), then lot by lot
/// LOT_DEAD, INSUFFICIENT. All after NONCE_SPENT spend the nonce.
/// Checks of capture: MALFORMED (the order or the prefix), EXPIRED (after captureBy), BAD_SIGNATURE (not the merchant's),
/// NO_VALUE (something is kept, but less than a fen; lots of no programme are worth nothing), NOT_HELD.
/// Checks of release: MALFORMED, BAD_SIGNATURE, NOT_HELD. Neither touches a nonce.
interface IRedemption is IRefundDesk, IPausable {
    /// @notice The order landed, by redeem or by capture.
    event Redeemed(bytes32 indexed orderId, address indexed holder, uint32 indexed merchant, uint64 fen);
    /// @notice The receipts of one call, in order of execution, have this root (OpenZeppelin StandardMerkleTree with
    /// `sortLeaves: false`).
    event RedemptionBatch(uint64 indexed batch, bytes32 root, uint32 count);
    /// @notice Lots are in escrow; the ledger's `HoldOpened` names them.
    event Held(
        bytes32 indexed orderId,
        address indexed holder,
        uint32 indexed merchant,
        uint40 captureBy,
        bool cancellable
    );
    /// @notice The merchant captured this prefix, worth `fen`; the rest was released. `Redeemed` is emitted too unless
    /// nothing was kept.
    event Captured(bytes32 indexed orderId, uint32 indexed merchant, uint8 lots, uint64 lastAmount, uint64 fen);
    /// @notice The hold was released whole.
    event Released(bytes32 indexed orderId, address indexed holder, uint32 indexed merchant);
    /// @notice The order was skipped.
    event Rejected(bytes32 indexed orderId, address indexed holder, Verdict code);

    /// @notice 90 days have passed since `time`.
    error RedemptionTooLate(bytes32 orderId, uint40 time);
    /// @notice Not the merchant's signature.
    error RedemptionBadSignature(bytes32 orderId);

    /// @notice Executes a packed batch of redeem orders. Anyone may relay it.
    /// Warning: reverts as a whole if paused, or if the gas left could not pay for a contract wallet's check.
    function execute(bytes calldata packed) external;

    /// @notice Executes a packed batch of hold orders. As `execute`.
    function hold(bytes calldata packed) external;

    /// @notice Executes a packed batch of captures. As `execute`.
    function capture(bytes calldata packed) external;

    /// @notice Executes a packed batch of releases. Never paused.
    function release(bytes calldata packed) external;

    /// @notice Gives back what an order paid beyond a shorter kept prefix: same programmes and amounts; lots that died
    /// since come back in the current quarter's. Draws only on value of the merchant not locked for payment.
    /// Never paused. Checks, in order: time, lots, proof, signature, prefix, value.
    /// @param receipt The order's leaf.
    /// @param batch The receipts batch it is in.
    /// @param proof Path from the leaf to the batch's root.
    /// @param paid The packed lots paid with, (id 8 | amount 8)*; for a capture the captured prefix.
    /// @param keptLots New prefix; shorter than the one in force.
    /// @param lastAmount New prefix.
    /// @param signature Of Refund by the merchant.
    function refund(
        Receipt calldata receipt,
        uint64 batch,
        bytes32[] calldata proof,
        bytes calldata paid,
        uint8 keptLots,
        uint64 lastAmount,
        bytes calldata signature
    ) external;
}

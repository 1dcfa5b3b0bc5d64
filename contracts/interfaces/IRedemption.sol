// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IOrders} from "./IOrders.sol";
import {IPausable} from "./IPausable.sol";
import {Prefix} from "./Types.sol";

/// @notice What a resident signs to reserve points for a merchant.
/// The typed data has `Lot[] lots` in place of their hash: 1 to 16 parts of lots, Lot(uint64 id,uint64 amount), in the
/// order in which their programmes are debited.
/// @param lotsHash EIP-712 hash of the lots.
/// @param nonce Free in the word of the first lot.
/// @param deadline Last Unix second at which it may land.
/// @param captureBy Last Unix second at which the merchant may capture: at most 30 days after the hold lands, and not after
/// the quarter of any of its lots.
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

/// @notice What is kept of a redemption: one leaf of its batch's receipts tree.
/// Leaf hash = keccak256(bytes.concat(keccak256(abi.encode(orderId, payer, merchant, lotsHash, fen, time)))) with
/// payer = keccak256(abi.encode(holder, orderId)).
/// @param orderId EIP-712 digest of the redeem or hold order.
/// @param lotsHash EIP-712 hash of the lots paid with, an array of Lot; for a capture the captured prefix.
/// @param fen Value paid.
/// @param time Unix time of the block.
struct Receipt {
    bytes32 orderId;
    address holder;
    uint32 merchant;
    bytes32 lotsHash;
    uint64 fen;
    uint40 time;
}

/// @notice Where a receipt is.
/// @param batch The receipts batch.
/// @param path From the leaf to the batch's root.
struct ReceiptProof {
    uint64 batch;
    bytes32[] path;
}

/// @title IRedemption
/// @notice Pays merchants with any basket of lots, at par, floored to a fen once.
///
/// With cum(i) = floor(sum over the first i lots of amount * par / 1e8), the order is worth cum(n) fen, at least 10, and lot
/// i's programme is debited cum(i) - cum(i-1). The merchant's claim is credited.
///
/// `execute` redeems at once. `hold` puts lots in escrow until the merchant captures a prefix of them (what is not captured is
/// released in the same call) or they are released: by the merchant, by the holder if the order is cancellable, by anyone
/// after `captureBy`. No hold outlives its lots: `captureBy` lies within their quarters and their programmes' spending time.
///
/// A merchant may refund within 90 days by stating a shorter kept prefix of the lots paid with. A refund restores the same
/// programmes and amounts; lots that died since come back in the current quarter's. The debits go back by the differences
/// of their floors, so a refund and its order never create a fen together. The kept prefix only ever shrinks, so a refund sent
/// twice does nothing the second time but revert.
///
/// A dispute is two acts by two hands of the consumer arbiter: an account with its role locks value of the merchant for an order,
/// once, for 60 days; the arbiter's key signs a refund of a locked order in the merchant's place. What it does not sign
/// within that time is the merchant's again.
///
/// Packed batches:
/// - redeem: holder 20 | merchant 4 | nonce 4 | deadline 5 | lotCount 1 | (id 8 | amount 8)* | sigLen 2 | sig
/// - hold: holder 20 | merchant 4 | nonce 4 | deadline 5 | captureBy 5 | cancellable 1 | lotCount 1 | lots | sigLen 2 | sig
/// - capture: the hold order without its signature | kept lots 1 | lastAmount 8 | sigLen 2 | sig of Capture
/// - release: the hold order without its signature | sigLen 2 | sig of Release (none needed after captureBy)
///
/// Checks of redeem and hold, in order: MALFORMED (no lots or more than 16, an amount of 0, `cancellable` neither 0 nor
/// 1), BAD_SIGNATURE, NONCE_SPENT, EXPIRED, UNKNOWN_MERCHANT, then lot by lot UNKNOWN_PROGRAMME,
/// FORBIDDEN (not redeemable, frozen, spending time over), OUT_OF_SCOPE, then NO_VALUE (less than 10 fen), BAD_CAPTURE_TIME
/// (hold), then lot by lot LOT_DEAD, INSUFFICIENT. All after NONCE_SPENT spend the nonce.
/// Checks of capture: MALFORMED (the order or the prefix), EXPIRED (after captureBy), BAD_SIGNATURE (not the merchant's),
/// NO_VALUE (something is kept, but less than a fen), NOT_HELD.
/// Checks of release: MALFORMED, BAD_SIGNATURE, NOT_HELD. Neither touches a nonce.
interface IRedemption is IOrders, IPausable {
    /// @notice The order paid the merchant `fen` with all its lots. The ledger's Transfers directly before it, in signed order,
    /// have the lots and the holder.
    /// @param lotsHash EIP-712 hash of the lots.
    event Redeemed(bytes32 indexed orderId, uint32 indexed merchant, uint64 fen, bytes32 lotsHash);
    /// @notice The hold paid the merchant `fen` with `kept` of its signed lots, and the rest went back. Transfers as above.
    /// @param lotsHash EIP-712 hash of the kept lots.
    event Captured(bytes32 indexed orderId, uint32 indexed merchant, uint64 fen, Prefix kept, bytes32 lotsHash);
    /// @notice The receipts of one call, in order of execution, have this root (OpenZeppelin StandardMerkleTree with
    /// `sortLeaves: false`).
    event RedemptionBatch(uint64 indexed batch, bytes32 root, uint32 count);
    /// @notice Lots are in escrow; the ledger's Transfers directly before it, in signed order, name them and the holder.
    event Held(bytes32 indexed orderId, uint32 indexed merchant, uint40 captureBy, bool cancellable);
    /// @notice The hold went back whole, by release or by a capture of nothing.
    event Released(bytes32 indexed orderId, uint32 indexed merchant);
    /// @notice The order keeps this shorter prefix of the lots it paid with; `fen` went back from the merchant, lots to `receiver`.
    event Refunded(
        bytes32 indexed orderId,
        address indexed receiver,
        uint32 indexed merchant,
        Prefix kept,
        uint64 fen,
        bool byArbiter
    );

    /// @notice The receipt is not in the batch.
    error RedemptionBadProof(bytes32 orderId, uint64 batch);
    /// @notice The lots are not the receipt's.
    error RedemptionWrongLots(bytes32 orderId);
    /// @notice The prefix does not fit the lots, or is not shorter than what is kept now.
    error RedemptionBadPrefix(Prefix kept);
    /// @notice 90 days have passed since `time`, or the order's lock is over.
    error RedemptionTooLate(bytes32 orderId, uint40 time);
    /// @notice Not the merchant's signature, or not the arbiter's.
    error RedemptionBadSignature(bytes32 orderId);
    /// @notice More than the order is worth, or than is locked for it.
    error RedemptionTooMuch(bytes32 orderId, uint256 fen, uint256 most);

    /// @notice Executes a packed batch of redeem orders. Anyone may relay it.
    /// Warning: reverts as a whole if paused, or if the gas left could not pay for a contract wallet's check.
    function execute(bytes calldata packed) external;

    /// @notice Executes a packed batch of hold orders. As `execute`.
    function hold(bytes calldata packed) external;

    /// @notice Executes a packed batch of captures. Never paused.
    function capture(bytes calldata packed) external;

    /// @notice Executes a packed batch of releases. Never paused.
    function release(bytes calldata packed) external;

    /// @notice Gives back what an order paid beyond a shorter kept prefix. Never paused.
    /// Checks, in order: plain account, time, lots, proof, signature, prefix, the merchant's claim.
    /// @param receipt The order's leaf, opened.
    /// @param paid The packed lots paid with, (id 8 | amount 8)*; for a capture the captured prefix.
    /// @param kept New prefix of them; shorter than the one in force.
    /// @param signature Of Refund by the merchant.
    function refund(
        Receipt calldata receipt,
        ReceiptProof calldata proof,
        bytes calldata paid,
        Prefix kept,
        bytes calldata signature
    ) external;

    /// @notice As `refund` for a locked order, at most what is locked for it.
    /// @param signature Of ArbiterRefund by the consumer arbiter's key.
    function arbiterRefund(
        Receipt calldata receipt,
        ReceiptProof calldata proof,
        bytes calldata paid,
        Prefix kept,
        bytes calldata signature
    ) external;

    /// @notice Locks `fen` of the merchant's claim for a disputed order that landed within the last 90 days.
    /// @param complaintHash Hash of the holder's signed complaint.
    /// @dev Restricted to the consumer arbiter.
    function lockOrder(Receipt calldata receipt, ReceiptProof calldata proof, uint96 fen, bytes32 complaintHash)
        external;
}

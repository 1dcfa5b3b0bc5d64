// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice What is kept of a redemption: one leaf of its batch's receipts tree.
/// Leaf hash = keccak256(bytes.concat(keccak256(abi.encode(receipt)))).
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

/// @title IRefundDesk
/// @notice What redemption and disputes share: refunds that shorten the prefix of the lots an order paid with.
///
/// A refund restores the same programmes and amounts; lots that died since come back in the current quarter's lot. The
/// debits go back by the differences of their floors, so a refund and its order never create a fen together. The kept
/// prefix only ever shrinks, so a refund sent twice does nothing the second time but revert.
interface IRefundDesk {
    /// @notice The order keeps this shorter prefix; `fen` went back from the merchant, lots to `receiver`.
    event Refunded(
        bytes32 indexed orderId,
        address indexed receiver,
        uint32 indexed merchant,
        uint8 lots,
        uint64 lastAmount,
        uint64 fen
    );
    /// @notice The receipt is not in the batch.
    error RefundDeskBadProof(bytes32 orderId, uint64 batch);
    /// @notice The lots are not the receipt's.
    error RefundDeskWrongLots(bytes32 orderId);
    /// @notice The prefix does not fit the lots, or is not shorter than what is kept now.
    error RefundDeskBadPrefix(uint8 keptLots, uint64 lastAmount);
}

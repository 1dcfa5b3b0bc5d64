// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {PackedLots} from "./PackedLots.sol";

/// @title Encoding
/// @notice The packed, big-endian form of what comes in batches. ABI-decoded arrays revert on one dirty high bit and so would
/// let one order sink its neighbours; packed fields have no spare bits.
///
/// An order is head | lots | tail | signature length 2 | signature. The number of its lots, if it has any, is the head's last
/// byte.
///
/// Warning: neither `read` nor `slice` checks that what it reads lies within `data`; callers have checked the length.
/// Solidity's own slices check every field again, which at ten fields an order costs as much as a storage read.
library Encoding {
    /// @dev A grant: account 20 | amount 8.
    uint256 internal constant GRANT_BYTES = 28;
    /// @dev A revocation: grant index 4 | revoked total 8 | reason 2.
    uint256 internal constant REVOCATION_BYTES = 14;
    /// @dev A payout: merchant 4 | fen 8.
    uint256 internal constant PAYOUT_BYTES = 12;
    /// @dev holder 20 | fromId 8 | amount 8 | toProgramme 4 | minOut 8 | nonce 4 | deadline 5.
    uint256 internal constant EXCHANGE_BYTES = 57;
    /// @dev holder 20 | merchant 4 | nonce 4 | deadline 5 | lotCount 1.
    uint256 internal constant REDEEM_HEAD_BYTES = 34;
    /// @dev holder 20 | merchant 4 | nonce 4 | deadline 5 | captureBy 5 | cancellable 1 | lotCount 1.
    uint256 internal constant HOLD_HEAD_BYTES = 40;
    /// @dev The kept prefix of a capture: lots 1 | last amount 8.
    uint256 internal constant PREFIX_BYTES = 9;
    uint256 internal constant SIGNATURE_LENGTH_BYTES = 2;

    /// @notice The `size`-byte field that begins at `offset`, right-aligned.
    function read(bytes calldata data, uint256 offset, uint256 size) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(add(data.offset, offset)))
        }
    }

    /// @notice The `length` bytes that begin at `offset`.
    function slice(bytes calldata data, uint256 offset, uint256 length) internal pure returns (bytes calldata part) {
        assembly ("memory-safe") {
            part.offset := add(data.offset, offset)
            part.length := length
        }
    }

    /// @notice How many bytes the order at `cursor` has: more than are left if it is not whole.
    /// @param lotBytes Bytes of its lots.
    /// @param tailBytes Bytes between its lots and the signature's length.
    function lengthAt(bytes calldata data, uint256 cursor, uint256 headBytes, uint256 lotBytes, uint256 tailBytes)
        internal
        pure
        returns (uint256)
    {
        // No part of an order is longer than 2^20 bytes. What is read beyond the batch only makes the order longer.
        unchecked {
            uint256 end = headBytes + lotBytes + tailBytes;
            return end + SIGNATURE_LENGTH_BYTES + read(data, cursor + end, SIGNATURE_LENGTH_BYTES);
        }
    }

    /// @notice Bytes of the lots of the order at `cursor`, whose head's last byte counts them.
    function lotBytesAt(bytes calldata data, uint256 cursor, uint256 headBytes) internal pure returns (uint256) {
        unchecked {
            return read(data, cursor + headBytes - 1, 1) * PackedLots.LOT_BYTES;
        }
    }

    /// @notice The signature that ends an order, and begins `offset` bytes into it.
    function signatureOf(bytes calldata order, uint256 offset) internal pure returns (bytes calldata) {
        unchecked {
            return slice(order, offset + SIGNATURE_LENGTH_BYTES, order.length - offset - SIGNATURE_LENGTH_BYTES);
        }
    }
}

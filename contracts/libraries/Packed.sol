// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Packed
/// @notice Reads big-endian fields out of packed bytes. ABI-decoded arrays revert on one dirty high bit and so would
/// let one order sink its neighbours; packed fields have no spare bits.
///
/// Warning: neither function checks that what it reads lies within `data`; callers have checked the length. Solidity's
/// own slices check every field again, which at ten fields an order costs as much as a storage read.
library Packed {
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
}

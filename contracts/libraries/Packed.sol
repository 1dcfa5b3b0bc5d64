// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Packed
/// @notice Reads big-endian fields out of a packed batch. ABI-decoded arrays revert on one dirty high bit and so
/// would let one order sink its neighbours; packed fields have no spare bits.
library Packed {
    /// @notice The `size`-byte field that begins at `offset`, right-aligned.
    /// @dev Warning: reads past the end of `data` without complaint; callers check the length first.
    function read(bytes calldata data, uint256 offset, uint256 size) internal pure returns (uint256 value) {
        // A calldata slice would be bounds-checked and copied for every field: 10 fields an order, 100 orders a batch.
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(add(data.offset, offset)))
        }
    }
}

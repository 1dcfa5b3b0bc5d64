// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Words
/// @notice Hashes words as keccak256(abi.encode(…)) does, without leaving the encoding in memory. Solidity never gives
/// memory back, and a batch of orders that encodes three structs each would pay for ever more of it.
/// @dev Both functions write beyond the free memory pointer and leave it where it is.
library Words {
    /// @notice keccak256(abi.encode(a, b, c, d, e, f)).
    function hash(bytes32 a, uint256 b, uint256 c, bytes32 d, uint256 e, uint256 f)
        internal
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, a)
            mstore(add(m, 0x20), b)
            mstore(add(m, 0x40), c)
            mstore(add(m, 0x60), d)
            mstore(add(m, 0x80), e)
            mstore(add(m, 0xa0), f)
            result := keccak256(m, 0xc0)
        }
    }

    /// @notice keccak256(abi.encode(a, b, c, d, e, f, g, h)).
    function hash(bytes32 a, uint256 b, uint256 c, uint256 d, uint256 e, uint256 f, uint256 g, uint256 h)
        internal
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, a)
            mstore(add(m, 0x20), b)
            mstore(add(m, 0x40), c)
            mstore(add(m, 0x60), d)
            mstore(add(m, 0x80), e)
            mstore(add(m, 0xa0), f)
            mstore(add(m, 0xc0), g)
            mstore(add(m, 0xe0), h)
            result := keccak256(m, 0x100)
        }
    }
}

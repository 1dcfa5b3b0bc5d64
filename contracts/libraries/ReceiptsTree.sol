// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Words} from "./Words.sol";

/// @title ReceiptsTree
/// @notice The Merkle tree of a batch's receipts: OpenZeppelin's StandardMerkleTree with `sortLeaves: false`.
library ReceiptsTree {
    /// @notice Hash of a `Receipt` of these fields as a leaf.
    function leaf(bytes32 orderId, address holder, uint32 merchant, bytes32 lotsHash, uint256 fen, uint256 time)
        internal
        pure
        returns (bytes32 result)
    {
        uint256 payer = uint256(payerOf(holder, orderId));
        result = Words.hash(orderId, payer, merchant, lotsHash, fen, time);
        // A leaf is hashed twice, so that none can be taken for an inner node.
        assembly ("memory-safe") {
            mstore(0, result)
            result := keccak256(0, 32)
        }
    }

    /// @notice What stands in a receipt for the holder: a shop proves its payment without learning an account, and whoever knows
    /// the account can still show that it paid.
    function payerOf(address holder, bytes32 orderId) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0, holder)
            mstore(32, orderId)
            result := keccak256(0, 64)
        }
    }

    /// @notice Room for up to `most` leaves and the inner nodes above them.
    function newNodes(uint256 most) internal pure returns (bytes32[] memory) {
        return new bytes32[](2 * most);
    }

    /// @notice Root over the first `count` (at least 1) of `nodes`, which came from `newNodes`; writes the inner nodes
    /// behind them.
    /// @dev In OpenZeppelin's array, node i has the children 2i + 1 and 2i + 2 and leaves fill it from the end. Read from the
    /// end, that is a queue: each inner node is the hash of the next two that wait, and waits behind the others.
    function root(bytes32[] memory nodes, uint256 count) internal pure returns (bytes32 result) {
        // In Solidity each step would check three indices that the count bounds.
        assembly ("memory-safe") {
            let child := add(nodes, 32)
            let node := add(child, shl(5, count))
            let end := add(child, shl(5, sub(shl(1, count), 1)))
            for {} lt(node, end) { node := add(node, 32) } {
                let a := mload(child)
                let b := mload(add(child, 32))
                // The lower one first, as in OpenZeppelin's Hashes.commutativeKeccak256.
                let swapped := gt(a, b)
                mstore(shl(5, swapped), a)
                mstore(shl(5, iszero(swapped)), b)
                mstore(node, keccak256(0, 64))
                child := add(child, 64)
            }
            result := mload(sub(end, 32))
        }
    }
}

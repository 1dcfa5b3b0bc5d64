// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @title ReceiptsTree
/// @notice The Merkle tree of a batch's receipts: OpenZeppelin's StandardMerkleTree with `sortLeaves: false`.
library ReceiptsTree {
    /// @notice Hash of a `Receipt` of these fields as a leaf.
    function leaf(bytes32 orderId, address holder, uint32 merchant, bytes32 lotsHash, uint256 fen, uint256 time)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(keccak256(abi.encode(orderId, holder, merchant, lotsHash, fen, time))));
    }

    /// @notice Root over the first `count` (at least 1) leaves.
    /// @dev The tree is an array whose node i has the children 2i + 1 and 2i + 2; leaves fill it from the end.
    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32) {
        unchecked {
            uint256 last = 2 * count - 2;
            bytes32[] memory tree = new bytes32[](last + 1);
            for (uint256 i; i < count; ++i) {
                tree[last - i] = leaves[i];
            }
            for (uint256 i = count - 1; i > 0; --i) {
                tree[i - 1] = Hashes.commutativeKeccak256(tree[2 * i - 1], tree[2 * i]);
            }
            return tree[0];
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import {Receipt} from "../interfaces/IRedemption.sol";

/// @title ReceiptsTree
/// @notice The Merkle tree of a batch's receipts: OpenZeppelin's StandardMerkleTree with `sortLeaves: false`.
library ReceiptsTree {
    /// @notice Hash of a receipt as a leaf.
    function leaf(Receipt memory receipt) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(receipt))));
    }

    /// @notice Root over the first `count` (at least 1) leaves.
    /// @dev The tree is an array whose node i has the children 2i + 1 and 2i + 2; leaves fill it from the end.
    function root(bytes32[] memory leaves, uint256 count) internal pure returns (bytes32) {
        bytes32[] memory tree = new bytes32[](2 * count - 1);
        for (uint256 i; i < count; ++i) {
            tree[tree.length - 1 - i] = leaves[i];
        }
        for (uint256 i = count - 1; i > 0; --i) {
            tree[i - 1] = Hashes.commutativeKeccak256(tree[2 * i - 1], tree[2 * i]);
        }
        return tree[0];
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LotId, Prefix} from "../interfaces/Types.sol";
import {Encoding} from "./Encoding.sol";

/// @title PackedLots
/// @notice Lots as an order names them: (token id 8 | amount 8)*, big-endian, amounts in minor units.
///
/// A `Prefix` of them is the first `lots` lots, whole but the last, of which `lastAmount` is kept; 0 is nothing.
library PackedLots {
    uint256 internal constant LOT_BYTES = 16;
    /// @dev The most lots that an order may name.
    uint256 internal constant LOTS_MAX = 16;

    bytes32 private constant LOT_TYPEHASH = keccak256("Lot(uint64 id,uint64 amount)");

    /// @notice How many lots there are.
    function count(bytes calldata lots) internal pure returns (uint256) {
        return lots.length / LOT_BYTES;
    }

    /// @notice Lot `i`, which must exist.
    function at(bytes calldata lots, uint256 i) internal pure returns (LotId id, uint256 amount) {
        unchecked {
            uint256 lot = Encoding.read(lots, i * LOT_BYTES, LOT_BYTES);
            return (LotId.wrap(uint64(lot >> 64)), uint64(lot));
        }
    }

    /// @notice The prefix of this many lots, of the last of which `lastAmount` is kept.
    function prefix(uint256 lots, uint256 lastAmount) internal pure returns (Prefix) {
        return Prefix.wrap(uint72((lots << 64) | lastAmount));
    }

    /// @notice The parts of a prefix.
    function parts(Prefix kept) internal pure returns (uint256 lots, uint256 lastAmount) {
        lots = Prefix.unwrap(kept) >> 64;
        lastAmount = uint64(Prefix.unwrap(kept));
    }

    /// @notice The prefix that is all of them. There is at least one lot.
    function all(bytes calldata lots) internal pure returns (Prefix) {
        unchecked {
            return prefix(count(lots), Encoding.read(lots, lots.length - 8, 8));
        }
    }

    /// @notice Whether `kept` is a prefix of them.
    function isPrefix(bytes calldata lots, Prefix kept) internal pure returns (bool) {
        (uint256 keptLots, uint256 lastAmount) = parts(kept);
        if (keptLots == 0) return lastAmount == 0;
        if (keptLots > count(lots)) return false;
        (, uint256 amount) = at(lots, keptLots - 1);
        return lastAmount != 0 && lastAmount <= amount;
    }

    /// @notice How much of lot `i`, whose amount is `amount`, belongs to the prefix.
    function keptOf(uint256 i, uint256 amount, Prefix kept) internal pure returns (uint256) {
        (uint256 keptLots, uint256 lastAmount) = parts(kept);
        unchecked {
            if (i + 1 < keptLots) return amount;
            return i + 1 == keptLots ? lastAmount : 0;
        }
    }

    /// @notice EIP-712 hash of all of them as an array of Lot: keccak256 of the concatenated struct hashes.
    /// @return result Of no lots, keccak256 of nothing.
    /// @return sound Whether there are 1 to LOTS_MAX lots and none is of nothing.
    function hash(bytes calldata lots) internal pure returns (bytes32 result, bool sound) {
        bytes32 typeHash = LOT_TYPEHASH;
        // In Solidity every lot would be encoded, and then all hashes copied, into memory of their own. Here the hashes
        // grow from the free memory pointer on, and behind the last of them is the one struct that is hashed each time.
        assembly ("memory-safe") {
            let hashes := mload(0x40)
            let lot := add(hashes, shl(1, lots.length))
            mstore(lot, typeHash)
            sound := and(gt(lots.length, 0), lt(lots.length, add(shl(4, LOTS_MAX), 1)))
            let next := hashes
            for { let packed := lots.offset } lt(next, lot) { packed := add(packed, 16) } {
                let amount := and(shr(128, calldataload(packed)), 0xffffffffffffffff)
                sound := and(sound, gt(amount, 0))
                mstore(add(lot, 32), shr(192, calldataload(packed)))
                mstore(add(lot, 64), amount)
                mstore(next, keccak256(lot, 96))
                next := add(next, 32)
            }
            result := keccak256(hashes, sub(lot, hashes))
        }
    }

    /// @notice EIP-712 hash of the prefix as an array of Lot.
    function hash(bytes calldata lots, Prefix kept) internal pure returns (bytes32 result) {
        (uint256 keptLots, uint256 lastAmount) = parts(kept);
        bytes32 typeHash = LOT_TYPEHASH;
        // As above.
        assembly ("memory-safe") {
            let hashes := mload(0x40)
            let lot := add(hashes, shl(5, keptLots))
            mstore(lot, typeHash)
            for { let i := 0 } lt(i, keptLots) { i := add(i, 1) } {
                let packed := calldataload(add(lots.offset, shl(4, i)))
                mstore(add(lot, 32), shr(192, packed))
                mstore(add(lot, 64), and(shr(128, packed), 0xffffffffffffffff))
                if eq(add(i, 1), keptLots) { mstore(add(lot, 64), lastAmount) }
                mstore(add(hashes, shl(5, i)), keccak256(lot, 96))
            }
            result := keccak256(hashes, shl(5, keptLots))
        }
    }
}

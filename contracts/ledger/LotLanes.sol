// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LotId, ProgrammeId} from "../interfaces/Types.sol";
import {LotIds} from "../libraries/LotIds.sol";

/// @title LotLanes
/// @notice One word of storage holds the four quarterly lots of a holder's programme and year, and an order nonce:
/// four lanes of 48 bits, then a 32-bit nonce base and a 32-bit nonce window.
/// ```
/// bit   0        48        96        144       192     224      256
///       | lane 0 | lane 1  | lane 2  | lane 3  | base  | window |
/// ```
/// With s = quarter + 3, the word's key is (programme << 32) | (s >> 2) and the lane is s & 3: the quarters of one
/// calendar year share a word, and quarter 0 (never expires) has the last lane of key 0.
library LotLanes {
    using LotIds for LotId;

    uint256 internal constant LANE_BITS = 48;
    uint256 internal constant LANE_MAX = type(uint48).max;
    uint256 private constant BASE_SHIFT = 192;
    uint256 private constant WINDOW_SHIFT = 224;
    uint256 private constant LANES_MASK = (1 << BASE_SHIFT) - 1;
    /// @dev Width of the nonce window in bits.
    uint256 private constant WINDOW = 32;

    /// @notice Where the lot `id` lives: the key of its word, and the shift of its lane in it.
    function locate(LotId id) internal pure returns (uint64 key, uint256 shift) {
        uint256 s;
        unchecked {
            s = uint256(id.quarter()) + 3;
        }
        key = uint64(uint256(ProgrammeId.unwrap(id.programme())) << 32 | (s >> 2));
        shift = (s & 3) * LANE_BITS;
    }

    /// @notice The amount in the lane at `shift`.
    function amountAt(uint256 word, uint256 shift) internal pure returns (uint256) {
        return (word >> shift) & LANE_MAX;
    }

    /// @notice `word` with `amount` more in the lane at `shift`.
    /// Warning: the caller sees to it that the lane does not overflow into the next. The ledger does by keeping each lot's
    /// supply within `LANE_MAX`.
    function credit(uint256 word, uint256 shift, uint256 amount) internal pure returns (uint256) {
        unchecked {
            return word + (amount << shift);
        }
    }

    /// @notice `word` with `amount` less in the lane at `shift`; `ok` is false, and the word unchanged, if the lane
    /// holds less.
    function debit(uint256 word, uint256 shift, uint256 amount) internal pure returns (bool ok, uint256) {
        if (amount > amountAt(word, shift)) return (false, word);
        unchecked {
            return (true, word - (amount << shift));
        }
    }

    /// @notice The nonce base and window of `word`: bit i of the window says that nonce base + i is spent, and every
    /// nonce below the base is.
    function nonceState(uint256 word) internal pure returns (uint32 base, uint32 window) {
        base = uint32(word >> BASE_SHIFT);
        window = uint32(word >> WINDOW_SHIFT);
    }

    /// @notice `word` with `nonce` spent; `ok` is false, and the word unchanged, if it was spent already or lies 64 or
    /// more above the base.
    /// @dev A nonce 32…63 above the base slides the window until it is the window's last bit, and so cancels every
    /// unspent nonce that falls below.
    function spendNonce(uint256 word, uint32 nonce) internal pure returns (bool ok, uint256) {
        unchecked {
            (uint256 base, uint256 window) = nonceState(word);
            uint256 ahead = uint256(nonce) - base;
            // A nonce below the base wraps round and so is far ahead too.
            if (ahead >= 2 * WINDOW) return (false, word);
            if (ahead >= WINDOW) {
                uint256 slide = ahead - (WINDOW - 1);
                base += slide;
                window >>= slide;
                ahead = WINDOW - 1;
            }
            uint256 bit = 1 << ahead;
            if (window & bit != 0) return (false, word);
            return (true, (word & LANES_MASK) | (base << BASE_SHIFT) | ((window | bit) << WINDOW_SHIFT));
        }
    }

    /// @notice `word` with every nonce spent, for good.
    function spendAllNonces(uint256 word) internal pure returns (uint256) {
        return word | ~LANES_MASK;
    }
}

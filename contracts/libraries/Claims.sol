// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Claims
/// @notice A merchant's claim by age, in one word. Time is cut into periods; what was earned in one matures when the next
/// one ends.
/// @dev All functions change the claim in memory, and expect one that `age` has brought to the present period.
library Claims {
    using SafeCast for uint256;

    /// @param maturedFen Earned two periods before `period`, or earlier.
    /// @param youngerFen Earned in the period before.
    /// @param youngestFen Earned in `period`.
    /// @param period When the word was last brought up to date.
    struct Ages {
        uint88 maturedFen;
        uint64 youngerFen;
        uint64 youngestFen;
        uint40 period;
    }

    /// @notice What is taken of each age.
    struct Parts {
        uint256 maturedFen;
        uint256 youngerFen;
        uint256 youngestFen;
    }

    /// @notice Brings the claim to a period that is not before its own.
    function age(Ages memory ages, uint40 period) internal pure {
        uint256 passed = period - ages.period;
        if (passed == 0) return;
        uint256 maturedFen = uint256(ages.maturedFen) + ages.youngerFen;
        if (passed != 1) maturedFen += ages.youngestFen;
        ages.maturedFen = maturedFen.toUint88();
        ages.youngerFen = passed == 1 ? ages.youngestFen : 0;
        ages.youngestFen = 0;
        ages.period = period;
    }

    /// @notice Adds what is earned now.
    function earn(Ages memory ages, uint256 fen) internal pure {
        ages.youngestFen = (ages.youngestFen + fen).toUint64();
    }

    /// @notice The whole claim.
    function total(Ages memory ages) internal pure returns (uint256) {
        return uint256(ages.maturedFen) + ages.youngerFen + ages.youngestFen;
    }

    /// @notice What was earned in `earnedIn` or before.
    function earnedBy(Ages memory ages, uint40 earnedIn) internal pure returns (uint256 fen) {
        fen = ages.maturedFen;
        if (uint256(earnedIn) + 1 >= ages.period) fen += ages.youngerFen;
        if (earnedIn >= ages.period) fen += ages.youngestFen;
    }

    /// @notice What to take of each age for `fen` of what was earned in `earnedIn` or before, youngest first.
    /// @param fen At most `earnedBy(ages, earnedIn)`.
    function draw(Ages memory ages, uint256 fen, uint40 earnedIn) internal pure returns (Parts memory parts) {
        if (earnedIn >= ages.period) parts.youngestFen = Math.min(fen, ages.youngestFen);
        fen -= parts.youngestFen;
        if (uint256(earnedIn) + 1 >= ages.period) parts.youngerFen = Math.min(fen, ages.youngerFen);
        parts.maturedFen = fen - parts.youngerFen;
    }

    /// @notice Takes parts off, of each age at most what there is.
    function take(Ages memory ages, Parts memory parts) internal pure {
        ages.maturedFen = (ages.maturedFen - parts.maturedFen).toUint88();
        ages.youngerFen = (ages.youngerFen - parts.youngerFen).toUint64();
        ages.youngestFen = (ages.youngestFen - parts.youngestFen).toUint64();
    }
}

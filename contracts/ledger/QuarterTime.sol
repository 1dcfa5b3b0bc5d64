// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title QuarterTime
/// @notice Calendar quarters and days in UTC+8, which has no daylight saving.
/// Quarter q = (year - 2000) * 4 + 1…4; quarter 0 never ends.
library QuarterTime {
    /// @dev China Standard Time's offset in seconds.
    uint256 internal constant OFFSET = 8 hours;
    /// @dev How late the clock of expiry runs.
    uint256 internal constant GRACE = 7 days;

    /// @notice The quarter by the clock of expiry: lots of earlier quarters are dead.
    function expiryQuarter(uint256 timestamp) internal pure returns (uint32) {
        return quarterOf(timestamp - GRACE);
    }

    /// @notice The quarter that holds Unix time `timestamp` (2000 or later).
    /// @dev Civil from days, after Howard Hinnant (https://howardhinnant.github.io/date_algorithms.html): years begin
    /// in March, so the leap day comes last.
    function quarterOf(uint256 timestamp) internal pure returns (uint32) {
        uint256 shifted = dayOf(timestamp) + 719_468;
        uint256 dayOfEra = shifted % 146_097;
        uint256 yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        uint256 dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        uint256 marchMonth = (5 * dayOfYear + 2) / 153;
        uint256 year = (shifted / 146_097) * 400 + yearOfEra;
        // March is month 0 of this calendar: January and February are its months 10 and 11, and the next civil year.
        if (marchMonth >= 10) return uint32((year + 1 - 2000) * 4 + 1);
        return uint32((year - 2000) * 4 + (marchMonth + 2) / 3 + 1);
    }

    /// @notice Days since 1970-01-01 of the civil day in UTC+8.
    function dayOf(uint256 timestamp) internal pure returns (uint256) {
        return (timestamp + OFFSET) / 1 days;
    }
}

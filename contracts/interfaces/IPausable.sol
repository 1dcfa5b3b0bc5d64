// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IPausable
/// @notice A guardian's brake on a module: it holds for at most 72 hours, lets go by itself, and cannot be pulled again
/// before seven days have passed since. Whatever gives points back to residents (release, refund) is never paused.
interface IPausable {
    /// @notice The module stands still until `until` (Unix time).
    event Paused(uint40 until);
    /// @notice The module runs again.
    event Unpaused();

    /// @notice The module is paused until `until` (Unix time).
    error PausableIsPaused(uint40 until);
    /// @notice 0 or more than 72 hours.
    error PausableBadDuration(uint40 durationSeconds);
    /// @notice The guardian may pause again only from `from` (Unix time).
    error PausableTooSoon(uint40 from);

    /// @notice Until when the module is paused (Unix time); in the past when it runs.
    function pausedUntil() external view returns (uint40);

    /// @notice Stops the module for `durationSeconds`, at most 72 hours.
    /// @dev Restricted to guardians.
    function pause(uint40 durationSeconds) external;

    /// @notice Lets the module run again. When the next pause is allowed does not change.
    /// @dev Restricted to guardians.
    function unpause() external;
}

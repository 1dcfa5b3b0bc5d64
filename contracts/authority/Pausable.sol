// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IPausable} from "../interfaces/IPausable.sol";

/// @title Pausable
/// @notice See {IPausable}.
abstract contract Pausable is IPausable, AccessManaged {
    uint40 private constant PAUSE_MAX = 72 hours;
    /// @dev From the end of one pause, as announced, to the earliest start of the next.
    uint40 private constant REST = 7 days;

    /// @inheritdoc IPausable
    uint40 public pausedUntil;
    uint40 private _nextPauseFrom;

    modifier whenNotPaused() {
        if (block.timestamp < pausedUntil) revert PausableIsPaused(pausedUntil);
        _;
    }

    /// @inheritdoc IPausable
    function pause(uint40 durationSeconds) external restricted {
        if (durationSeconds == 0 || durationSeconds > PAUSE_MAX) revert PausableBadDuration(durationSeconds);
        if (block.timestamp < _nextPauseFrom) revert PausableTooSoon(_nextPauseFrom);
        pausedUntil = uint40(block.timestamp) + durationSeconds;
        _nextPauseFrom = pausedUntil + REST;
        emit Paused(pausedUntil);
    }

    /// @inheritdoc IPausable
    function unpause() external restricted {
        pausedUntil = 0;
        emit Unpaused();
    }
}

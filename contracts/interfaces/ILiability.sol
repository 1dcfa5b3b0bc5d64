// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProgrammeId} from "./Types.sol";

/// @title ILiability
/// @notice What the clearing book asks the points ledger.
interface ILiability {
    /// @notice Value of the programme's supply in fen, rounded up.
    function liabilityFen(ProgrammeId programmeId) external view returns (uint256);
}

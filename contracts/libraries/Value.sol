// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Value
/// @notice Turns minor units into fen and back at a par in micro-fen a point. The rounding is in the name.
library Value {
    /// @dev Minor units a point (1e2) times micro-fen a fen (1e6).
    uint256 internal constant MICROFEN_MINOR = 1e8;

    /// @notice Whole fen in `minor` units at `par`.
    function toFenDown(uint256 minor, uint256 par) internal pure returns (uint256) {
        return minor * par / MICROFEN_MINOR;
    }

    /// @notice Fen in `minor` units at `par`, a started one counted whole.
    function toFenUp(uint256 minor, uint256 par) internal pure returns (uint256) {
        return (minor * par + MICROFEN_MINOR - 1) / MICROFEN_MINOR;
    }

    /// @notice Minor units that `fen` buy at `par`, which is not 0.
    function toMinorDown(uint256 fen, uint256 par) internal pure returns (uint256) {
        return fen * MICROFEN_MINOR / par;
    }
}

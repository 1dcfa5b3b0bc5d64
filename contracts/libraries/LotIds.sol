// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LotId, ProgrammeId} from "../interfaces/Types.sol";

/// @title LotIds
/// @notice A lot's id is `programme << 32 | quarter`.
library LotIds {
    /// @notice The lot of a programme and an expiry quarter.
    function lotOf(ProgrammeId programmeId, uint32 expiryQuarter) internal pure returns (LotId) {
        return LotId.wrap((uint64(ProgrammeId.unwrap(programmeId)) << 32) | expiryQuarter);
    }

    /// @notice The lot's programme.
    function programme(LotId id) internal pure returns (ProgrammeId) {
        return ProgrammeId.wrap(uint32(LotId.unwrap(id) >> 32));
    }

    /// @notice The lot's expiry quarter.
    function quarter(LotId id) internal pure returns (uint32) {
        return uint32(LotId.unwrap(id));
    }

    /// @notice The lot as an ERC-6909 token id.
    function token(LotId id) internal pure returns (uint256) {
        return LotId.unwrap(id);
    }

    /// @notice Whether an ERC-6909 token id can be a lot's.
    function isLot(uint256 tokenId) internal pure returns (bool) {
        return tokenId <= type(uint64).max;
    }
}

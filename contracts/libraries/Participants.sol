// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProgrammeId} from "../interfaces/Types.sol";

/// @title Participants
/// @notice Ids of those who have a position in the clearing book: `kind << 32 | id`.
library Participants {
    /// @notice Money that debtors paid into the treasury account and that is not yet paid out.
    uint64 internal constant POOL = 3 << 32;
    /// @notice Value that expired.
    uint64 internal constant TREASURY = 4 << 32;

    uint64 private constant PROGRAMME = 1;
    uint64 private constant MERCHANT = 2;
    uint64 private constant KIND_SHIFT = 32;

    function ofProgramme(ProgrammeId programme) internal pure returns (uint64) {
        return PROGRAMME << KIND_SHIFT | ProgrammeId.unwrap(programme);
    }

    function ofMerchant(uint32 merchantId) internal pure returns (uint64) {
        return MERCHANT << KIND_SHIFT | merchantId;
    }

    /// @notice Whether it is a programme; 0 is none.
    function isProgramme(uint64 participant) internal pure returns (bool) {
        return participant >> KIND_SHIFT == PROGRAMME && uint32(participant) != 0;
    }

    /// @notice Whether it is a merchant; 0 is none.
    function isMerchant(uint64 participant) internal pure returns (bool) {
        return participant >> KIND_SHIFT == MERCHANT && uint32(participant) != 0;
    }

    /// @notice Id of the merchant that the participant is.
    function merchantOf(uint64 participant) internal pure returns (uint32) {
        return uint32(participant);
    }
}

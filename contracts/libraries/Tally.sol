// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Posting} from "../interfaces/Types.sol";

/// @title Tally
/// @notice Sums a batch's debits and credits by participant in memory, so that the clearing book is written, and says
/// so, once a participant a batch.
library Tally {
    /// @param postings Room; the first `length` entries are in use, each participant once.
    struct Sums {
        Posting[] postings;
        uint256 length;
    }

    uint32 private constant PROGRAMME = 1;
    uint32 private constant MERCHANT = 2;
    uint256 private constant FIRST_ROOM = 8;

    /// @notice Participant id of a programme.
    function programme(uint32 id) internal pure returns (uint64) {
        return (uint64(PROGRAMME) << 32) | id;
    }

    /// @notice Participant id of a merchant.
    function merchant(uint32 id) internal pure returns (uint64) {
        return (uint64(MERCHANT) << 32) | id;
    }

    /// @notice Adds `delta` fen to what the participant's position changes by.
    function add(Sums memory sums, uint64 participant, int256 delta) internal pure {
        // A batch has few participants: a search beats a map in storage.
        uint256 length = sums.length;
        for (uint256 i; i < length; ++i) {
            Posting memory posting = sums.postings[i];
            if (posting.participant == participant) {
                posting.delta += delta;
                return;
            }
        }
        if (length == sums.postings.length) _grow(sums);
        sums.postings[length] = Posting(participant, delta);
        sums.length = length + 1;
    }

    /// @notice The sums as an array of exactly their length.
    function done(Sums memory sums) internal pure returns (Posting[] memory postings) {
        postings = new Posting[](sums.length);
        for (uint256 i; i < postings.length; ++i) {
            postings[i] = sums.postings[i];
        }
    }

    function _grow(Sums memory sums) private pure {
        Posting[] memory old = sums.postings;
        Posting[] memory room = new Posting[](old.length == 0 ? FIRST_ROOM : 2 * old.length);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
        sums.postings = room;
    }
}

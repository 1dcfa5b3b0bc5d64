// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Programme, ProgrammeState} from "../interfaces/Types.sol";

/// @title ProgrammeCache
/// @notice Asks the ledger for each programme once a batch. Only what does not change within a batch may be read from
/// it: not the supply.
library ProgrammeCache {
    /// @dev More programmes than this in one batch are asked for every time: right, but dearer.
    uint256 private constant ROOM = 16;

    struct Cache {
        uint32[ROOM] ids;
        Programme[ROOM] programmes;
        uint256 length;
    }

    /// @notice The programme; its state is UNKNOWN if there is none.
    function get(Cache memory cache, IPointsLedger ledger, uint32 id) internal view returns (Programme memory programme) {
        uint256 length = cache.length;
        for (uint256 i; i < length; ++i) {
            if (cache.ids[i] == id) return cache.programmes[i];
        }
        programme = ledger.programme(id);
        // Unknown ones are not kept: whoever signs orders for them must not crowd out the others.
        if (length < ROOM && programme.state != ProgrammeState.UNKNOWN) {
            cache.ids[length] = id;
            cache.programmes[length] = programme;
            cache.length = length + 1;
        }
    }

    /// @notice Whether the programme's points can be spent now.
    function isSpendable(Programme memory programme) internal view returns (bool) {
        return programme.spendableUntil == 0 || block.timestamp < programme.spendableUntil;
    }
}

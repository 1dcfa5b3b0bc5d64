// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Merchant, Posting, Programme, ProgrammeState} from "../interfaces/Types.sol";

/// @title Tabs
/// @notice What a batch of orders remembers of each programme and merchant it meets: their terms, asked for once, and
/// the fen run up for them, posted to the book once.
/// @dev Only what no order of a batch can change is remembered: not the supply.
library Tabs {
    /// @param terms As the ledger has them.
    struct ProgrammeTab {
        uint32 id;
        Programme terms;
        int256 fen;
    }

    /// @param terms As the book has them.
    struct MerchantTab {
        uint32 id;
        Merchant terms;
        int256 fen;
    }

    /// @dev Tab 0 of each array stays empty and stands for whatever is not registered; `…Count` tells how many others
    /// follow. The last one found is tried first.
    struct Batch {
        ProgrammeTab[] programmes;
        uint256 programmeCount;
        uint256 lastProgramme;
        MerchantTab[] merchants;
        uint256 merchantCount;
        uint256 lastMerchant;
    }

    uint64 private constant PROGRAMME = 1 << 32;
    uint64 private constant MERCHANT = 2 << 32;
    uint256 private constant ROOM = 4;

    /// @notice Opens the tabs of a batch.
    function open(Batch memory batch) internal pure {
        batch.programmes = new ProgrammeTab[](ROOM);
        batch.merchants = new MerchantTab[](ROOM);
    }

    /// @notice The place of the programme's tab in `programmes`; 0 if there is no such programme.
    /// @dev A place, not the tab: a function that returns a struct allocates one each time it is called.
    function programme(Batch memory batch, IPointsLedger ledger, uint32 id) internal view returns (uint256 place) {
        place = batch.lastProgramme;
        if (batch.programmes[place].id == id) return place;
        for (place = 1; place <= batch.programmeCount; ++place) {
            if (batch.programmes[place].id == id) {
                batch.lastProgramme = place;
                return place;
            }
        }
        Programme memory terms = ledger.programme(id);
        // Unknown ones are not remembered: orders that name thousands of them would slow down every search.
        if (terms.state == ProgrammeState.UNKNOWN) return 0;
        if (place == batch.programmes.length) batch.programmes = _grown(batch.programmes);
        batch.programmes[place] = ProgrammeTab(id, terms, 0);
        batch.programmeCount = place;
        batch.lastProgramme = place;
    }

    /// @notice The place of the merchant's tab in `merchants`; 0 if there is no such merchant, or it is retired.
    function merchant(Batch memory batch, IClearingBook book, uint32 id) internal view returns (uint256 place) {
        place = batch.lastMerchant;
        if (batch.merchants[place].id == id) return place;
        for (place = 1; place <= batch.merchantCount; ++place) {
            if (batch.merchants[place].id == id) {
                batch.lastMerchant = place;
                return place;
            }
        }
        Merchant memory terms = book.merchant(id);
        if (terms.key == address(0)) return 0;
        addMerchant(batch, id, terms);
    }

    /// @notice Opens a tab for a merchant that has none yet, registered or not: what was paid to one that has retired
    /// since can still be refunded.
    function addMerchant(Batch memory batch, uint32 id, Merchant memory terms) internal pure {
        uint256 place = ++batch.merchantCount;
        if (place == batch.merchants.length) batch.merchants = _grown(batch.merchants);
        batch.merchants[place] = MerchantTab(id, terms, 0);
        batch.lastMerchant = place;
    }

    /// @notice Whether the programme's points can be spent now.
    function isSpendable(Programme memory terms) internal view returns (bool) {
        return terms.spendableUntil == 0 || block.timestamp < terms.spendableUntil;
    }

    /// @notice Turns what was run up round: debits become credits.
    function negate(Batch memory batch) internal pure {
        for (uint256 place = 1; place <= batch.programmeCount; ++place) {
            batch.programmes[place].fen = -batch.programmes[place].fen;
        }
        for (uint256 place = 1; place <= batch.merchantCount; ++place) {
            batch.merchants[place].fen = -batch.merchants[place].fen;
        }
    }

    /// @notice What was run up, one posting a participant.
    function postings(Batch memory batch) internal pure returns (Posting[] memory all) {
        all = new Posting[](batch.programmeCount + batch.merchantCount);
        for (uint256 i; i < batch.programmeCount; ++i) {
            ProgrammeTab memory tab = batch.programmes[i + 1];
            all[i] = Posting(programmeParticipant(tab.id), tab.fen);
        }
        for (uint256 i; i < batch.merchantCount; ++i) {
            MerchantTab memory tab = batch.merchants[i + 1];
            all[batch.programmeCount + i] = Posting(merchantParticipant(tab.id), tab.fen);
        }
    }

    /// @notice Participant id of a programme in the clearing book.
    function programmeParticipant(uint32 id) internal pure returns (uint64) {
        return PROGRAMME | id;
    }

    /// @notice Participant id of a merchant in the clearing book.
    function merchantParticipant(uint32 id) internal pure returns (uint64) {
        return MERCHANT | id;
    }

    function _grown(ProgrammeTab[] memory old) private pure returns (ProgrammeTab[] memory room) {
        room = new ProgrammeTab[](2 * old.length);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
    }

    function _grown(MerchantTab[] memory old) private pure returns (MerchantTab[] memory room) {
        room = new MerchantTab[](2 * old.length);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
    }
}

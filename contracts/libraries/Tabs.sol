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
    /// @param terms As the ledger has them; the state of one that is not registered is UNKNOWN.
    struct ProgrammeTab {
        uint32 id;
        Programme terms;
        int256 fen;
    }

    /// @param terms As the book has them; the key of one that is not registered is 0.
    struct MerchantTab {
        uint32 id;
        Merchant terms;
        int256 fen;
    }

    /// @dev The first `…Count` entries of an array are in use; the last one met is tried first.
    struct Batch {
        ProgrammeTab[] programmes;
        uint256 programmeCount;
        ProgrammeTab lastProgramme;
        MerchantTab[] merchants;
        uint256 merchantCount;
        MerchantTab lastMerchant;
    }

    uint64 private constant PROGRAMME = 1 << 32;
    uint64 private constant MERCHANT = 2 << 32;
    uint256 private constant FIRST_ROOM = 8;

    /// @notice The programme's tab.
    function programme(Batch memory batch, IPointsLedger ledger, uint32 id) internal view returns (ProgrammeTab memory tab) {
        tab = batch.lastProgramme;
        // Id 0 is no programme, so the empty tab of a new batch never passes for one that was met.
        if (tab.id == id && id != 0) return tab;
        for (uint256 i; i < batch.programmeCount; ++i) {
            tab = batch.programmes[i];
            if (tab.id == id) {
                batch.lastProgramme = tab;
                return tab;
            }
        }
        tab = ProgrammeTab(id, ledger.programme(id), 0);
        // Unknown ones are not remembered: orders that name thousands of them would slow down every search.
        if (tab.terms.state == ProgrammeState.UNKNOWN) return tab;
        if (batch.programmeCount == batch.programmes.length) batch.programmes = _grown(batch.programmes);
        batch.programmes[batch.programmeCount++] = tab;
        batch.lastProgramme = tab;
    }

    /// @notice The merchant's tab.
    function merchant(Batch memory batch, IClearingBook book, uint32 id) internal view returns (MerchantTab memory tab) {
        tab = batch.lastMerchant;
        if (tab.id == id && id != 0) return tab;
        for (uint256 i; i < batch.merchantCount; ++i) {
            tab = batch.merchants[i];
            if (tab.id == id) {
                batch.lastMerchant = tab;
                return tab;
            }
        }
        tab = MerchantTab(id, book.merchant(id), 0);
        if (tab.terms.key == address(0)) return tab;
        if (batch.merchantCount == batch.merchants.length) batch.merchants = _grown(batch.merchants);
        batch.merchants[batch.merchantCount++] = tab;
        batch.lastMerchant = tab;
    }

    /// @notice Whether the programme's points can be spent now.
    function isSpendable(Programme memory terms) internal view returns (bool) {
        return terms.spendableUntil == 0 || block.timestamp < terms.spendableUntil;
    }

    /// @notice Turns what was run up round: debits become credits.
    function negate(Batch memory batch) internal pure {
        for (uint256 i; i < batch.programmeCount; ++i) {
            batch.programmes[i].fen = -batch.programmes[i].fen;
        }
        for (uint256 i; i < batch.merchantCount; ++i) {
            batch.merchants[i].fen = -batch.merchants[i].fen;
        }
    }

    /// @notice What was run up, one posting a participant.
    function postings(Batch memory batch) internal pure returns (Posting[] memory all) {
        all = new Posting[](batch.programmeCount + batch.merchantCount);
        for (uint256 i; i < batch.programmeCount; ++i) {
            all[i] = Posting(programmeParticipant(batch.programmes[i].id), batch.programmes[i].fen);
        }
        for (uint256 i; i < batch.merchantCount; ++i) {
            all[batch.programmeCount + i] =
                Posting(merchantParticipant(batch.merchants[i].id), batch.merchants[i].fen);
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
        room = new ProgrammeTab[](2 * old.length + FIRST_ROOM);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
    }

    function _grown(MerchantTab[] memory old) private pure returns (MerchantTab[] memory room) {
        room = new MerchantTab[](2 * old.length + FIRST_ROOM);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Merchant, Posting, Programme, ProgrammeState, REDEEMABLE} from "../interfaces/Types.sol";

/// @title Tabs
/// @notice What a batch of orders remembers of each programme and merchant it meets: their terms, asked for once, and
/// the fen run up for them, posted to the book once.
/// @dev Only what no order of a batch can change is remembered: not the supply.
library Tabs {
    /// @param terms As the ledger has them.
    /// @param redeemable Whether merchants can be paid with it now.
    struct ProgrammeTab {
        uint32 id;
        bool redeemable;
        Programme terms;
        int256 fen;
    }

    /// @param terms As the book has them.
    struct MerchantTab {
        uint32 id;
        Merchant terms;
        int256 fen;
    }

    /// @dev `programme` and `merchant` are the tabs last turned to, `previous` is the programme's before, for exchanges
    /// go to and fro; the first `…Count` entries of the arrays are all of them. To turn to a tab and then to read it is
    /// cheap; a function that returned it would allocate a new one each time it is called.
    struct Batch {
        ProgrammeTab programme;
        ProgrammeTab previous;
        ProgrammeTab[] programmes;
        uint256 programmeCount;
        MerchantTab merchant;
        MerchantTab[] merchants;
        uint256 merchantCount;
    }

    uint64 private constant PROGRAMME = 1 << 32;
    uint64 private constant MERCHANT = 2 << 32;
    uint256 private constant FIRST_ROOM = 4;

    /// @notice Turns to the programme's tab. Returns false, and stays where it was, if there is no such programme.
    function turnToProgramme(Batch memory batch, IPointsLedger ledger, uint256 id) internal view returns (bool) {
        // The empty tabs of a new batch have id 0, as no programme has.
        if (batch.programme.id == id) return id != 0;
        if (batch.previous.id == id && id != 0) {
            (batch.programme, batch.previous) = (batch.previous, batch.programme);
            return true;
        }
        for (uint256 i; i < batch.programmeCount; ++i) {
            if (batch.programmes[i].id == id) {
                (batch.programme, batch.previous) = (batch.programmes[i], batch.programme);
                return true;
            }
        }
        Programme memory terms = ledger.programme(uint32(id));
        // Unknown ones get no tab: orders that name thousands of them would slow down every search.
        if (terms.state == ProgrammeState.UNKNOWN) return false;
        if (batch.programmeCount == batch.programmes.length) batch.programmes = _grown(batch.programmes);
        bool redeemable = terms.flags & REDEEMABLE != 0 && isSpendable(terms);
        (batch.programme, batch.previous) = (ProgrammeTab(uint32(id), redeemable, terms, 0), batch.programme);
        batch.programmes[batch.programmeCount++] = batch.programme;
        return true;
    }

    /// @notice Turns to two different programmes, `previous` and `programme`, as an exchange needs them. Returns false if
    /// one of them does not exist.
    function turnToPair(Batch memory batch, IPointsLedger ledger, uint256 previous, uint256 programme)
        internal
        view
        returns (bool)
    {
        if (batch.programme.id == programme && batch.previous.id == previous) {
            return programme != 0 && previous != 0;
        }
        return turnToProgramme(batch, ledger, previous) && turnToProgramme(batch, ledger, programme);
    }

    /// @notice Turns to the merchant's tab. Returns false, and stays where it was, if there is no such merchant, or it has
    /// retired.
    function turnToMerchant(Batch memory batch, IClearingBook book, uint32 id) internal view returns (bool) {
        if (batch.merchant.id == id) return id != 0;
        for (uint256 i; i < batch.merchantCount; ++i) {
            if (batch.merchants[i].id == id) {
                batch.merchant = batch.merchants[i];
                return true;
            }
        }
        Merchant memory terms = book.merchant(id);
        if (terms.key == address(0)) return false;
        addMerchant(batch, id, terms);
        return true;
    }

    /// @notice Opens a tab for a merchant that has none in this batch and turns to it, registered or not: what was paid
    /// to one that has retired since can still be refunded.
    function addMerchant(Batch memory batch, uint32 id, Merchant memory terms) internal pure {
        if (batch.merchantCount == batch.merchants.length) batch.merchants = _grown(batch.merchants);
        batch.merchant = MerchantTab(id, terms, 0);
        batch.merchants[batch.merchantCount++] = batch.merchant;
    }

    /// @notice Whether the programme's points can be spent now.
    function isSpendable(Programme memory terms) internal view returns (bool) {
        return terms.spendableUntil == 0 || block.timestamp < terms.spendableUntil;
    }

    /// @notice What was run up, one posting a participant.
    function postings(Batch memory batch) internal pure returns (Posting[] memory all) {
        all = new Posting[](batch.programmeCount + batch.merchantCount);
        for (uint256 i; i < batch.programmeCount; ++i) {
            ProgrammeTab memory tab = batch.programmes[i];
            all[i] = Posting(programmeParticipant(tab.id), tab.fen);
        }
        for (uint256 i; i < batch.merchantCount; ++i) {
            MerchantTab memory tab = batch.merchants[i];
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

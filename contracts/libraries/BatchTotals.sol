// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Merchant, Posting, Programme, ProgrammeId, ProgrammeState, REDEEMABLE} from "../interfaces/Types.sol";
import {QuarterTime} from "../ledger/QuarterTime.sol";
import {Participants} from "./Participants.sol";

/// @title BatchTotals
/// @notice What a batch of orders remembers of each programme and merchant it meets: their terms, loaded once, and the sum of
/// fen debited or credited, posted to the book once.
/// @dev Only what no order of a batch can change is remembered: not the supply.
library BatchTotals {
    /// @param redeemable Whether merchants can be paid with it now.
    /// @param terms As the ledger has them.
    struct ProgrammeTotal {
        ProgrammeId id;
        bool redeemable;
        Programme terms;
        int256 fen;
    }

    /// @param terms As the book has them.
    struct MerchantTotal {
        uint32 id;
        Merchant terms;
        int256 fen;
    }

    /// @dev `programme` and `merchant` are those last loaded, `previous` is the programme before, for exchanges go to and fro;
    /// the first `…Count` entries of the arrays are all of them; behind the receipts' hashes is room for their tree; `dayQuarter` is the quarter of `day`. To load a
    /// total and then to read it is cheap; a function that returned it would allocate a new one each time it is called.
    struct Batch {
        ProgrammeTotal programme;
        ProgrammeTotal previous;
        ProgrammeTotal[] programmes;
        uint256 programmeCount;
        MerchantTotal merchant;
        MerchantTotal[] merchants;
        uint256 merchantCount;
        bytes32[] receipts;
        uint256 receiptCount;
        uint256 day;
        uint32 dayQuarter;
    }

    ProgrammeId private constant NO_PROGRAMME = ProgrammeId.wrap(0);
    uint256 private constant FIRST_ROOM = 4;

    /// @notice Loads the programme. Returns false, and loads nothing, if there is no such programme.
    function loadProgramme(Batch memory batch, IPointsLedger ledger, ProgrammeId id) internal view returns (bool) {
        // The empty totals of a new batch have id 0, as no programme has.
        if (id == NO_PROGRAMME) return false;
        if (batch.programme.id == id) return true;
        if (batch.previous.id == id) {
            (batch.programme, batch.previous) = (batch.previous, batch.programme);
            return true;
        }
        for (uint256 i; i < batch.programmeCount; ++i) {
            if (batch.programmes[i].id == id) {
                (batch.programme, batch.previous) = (batch.programmes[i], batch.programme);
                return true;
            }
        }
        Programme memory terms = ledger.programme(id);
        // Unknown ones get no total: orders that name thousands of them would slow down every search.
        if (terms.state == ProgrammeState.UNKNOWN) return false;
        if (batch.programmeCount == batch.programmes.length) batch.programmes = _grown(batch.programmes);
        bool redeemable = terms.flags & REDEEMABLE != 0 && isOpen(terms);
        (batch.programme, batch.previous) = (ProgrammeTotal(id, redeemable, terms, 0), batch.programme);
        batch.programmes[batch.programmeCount++] = batch.programme;
        return true;
    }

    /// @notice Loads two different programmes, `previous` and `programme`, as an exchange needs them. Returns false if one of
    /// them does not exist.
    function loadPair(Batch memory batch, IPointsLedger ledger, ProgrammeId previous, ProgrammeId programme)
        internal
        view
        returns (bool)
    {
        if (batch.programme.id == programme && batch.previous.id == previous) {
            return programme != NO_PROGRAMME && previous != NO_PROGRAMME;
        }
        return loadProgramme(batch, ledger, previous) && loadProgramme(batch, ledger, programme);
    }

    /// @notice Loads the merchant. Returns false, and loads nothing, if there is no such merchant, or it has retired.
    function loadMerchant(Batch memory batch, IClearingBook book, uint32 id) internal view returns (bool) {
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

    /// @notice Adds a merchant that is not in this batch and loads it, registered or not: what was paid to one that has retired
    /// since can still be refunded.
    function addMerchant(Batch memory batch, uint32 id, Merchant memory terms) internal pure {
        if (batch.merchantCount == batch.merchants.length) batch.merchants = _grown(batch.merchants);
        batch.merchant = MerchantTotal(id, terms, 0);
        batch.merchants[batch.merchantCount++] = batch.merchant;
    }

    /// @notice Whether new orders may take the programme's points now: not frozen, and within its spending time.
    function isOpen(Programme memory terms) internal view returns (bool) {
        return
            block.timestamp >= terms.frozenUntil
                && (terms.spendableUntil == 0 || block.timestamp < terms.spendableUntil);
    }

    /// @notice The calendar quarter of a time, computed once for orders of the same day.
    function quarterOf(Batch memory batch, uint256 timestamp) internal pure returns (uint32) {
        uint256 day = QuarterTime.dayOf(timestamp);
        if (day != batch.day) (batch.day, batch.dayQuarter) = (day, QuarterTime.quarterOf(timestamp));
        return batch.dayQuarter;
    }

    /// @notice The sums, one posting a participant.
    function postings(Batch memory batch) internal pure returns (Posting[] memory all) {
        all = new Posting[](batch.programmeCount + batch.merchantCount);
        for (uint256 i; i < batch.programmeCount; ++i) {
            ProgrammeTotal memory total = batch.programmes[i];
            all[i] = Posting(Participants.ofProgramme(total.id), total.fen);
        }
        for (uint256 i; i < batch.merchantCount; ++i) {
            MerchantTotal memory total = batch.merchants[i];
            all[batch.programmeCount + i] = Posting(Participants.ofMerchant(total.id), total.fen);
        }
    }

    function _grown(ProgrammeTotal[] memory old) private pure returns (ProgrammeTotal[] memory room) {
        room = new ProgrammeTotal[](2 * old.length + FIRST_ROOM);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
    }

    function _grown(MerchantTotal[] memory old) private pure returns (MerchantTotal[] memory room) {
        room = new MerchantTotal[](2 * old.length + FIRST_ROOM);
        for (uint256 i; i < old.length; ++i) {
            room[i] = old[i];
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim, Due, IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Programme, ProgrammeId} from "../interfaces/Types.sol";

/// @title BookReader
/// @notice For tests only: reads both books in one call, so that a test can compare all of it after each step.
contract BookReader {
    /// @dev Who and what is asked about in `everything`.
    /// @param words A token id for each word of nonces.
    /// @param debtors Beside `owedIds`: who may owe of which lot.
    struct Asked {
        IPointsLedger ledger;
        IClearingBook book;
        address[] holders;
        uint256[] ids;
        uint256[] words;
        uint64[] participants;
        ProgrammeId[] programmes;
        uint32[] merchants;
        address[] debtors;
        uint256[] owedIds;
    }

    /// @dev Values found so far.
    struct Found {
        uint256[] values;
        uint256 count;
    }

    uint256 private constant OF_HOLDER = 3;
    uint256 private constant OF_LOT = 2;
    uint256 private constant OF_PROGRAMME = 16;
    uint256 private constant OF_CLAIM = 5;

    /// @notice All that changes from step to step of a random life, as words in a fixed order: see `lives/comparison.py`.
    function everything(Asked calldata asked) external view returns (uint256[] memory) {
        uint256 size = asked.holders.length * (asked.ids.length + asked.words.length + OF_HOLDER);
        size += asked.ids.length * OF_LOT + asked.participants.length + asked.programmes.length * OF_PROGRAMME;
        size += (asked.merchants.length + 1) * OF_CLAIM + asked.debtors.length;
        Found memory found = Found(new uint256[](size), 0);
        for (uint256 i; i < asked.holders.length; ++i) {
            _addHolder(found, asked, asked.holders[i]);
        }
        for (uint256 i; i < asked.ids.length; ++i) {
            _add(found, asked.ledger.totalSupply(asked.ids[i]));
            _add(found, asked.ledger.redeemed(asked.ids[i]));
        }
        for (uint256 i; i < asked.participants.length; ++i) {
            _add(found, uint256(asked.book.position(asked.participants[i])));
        }
        for (uint256 i; i < asked.programmes.length; ++i) {
            _addPoints(found, asked.ledger, asked.programmes[i]);
            _addBudget(found, asked.book, asked.programmes[i]);
        }
        for (uint256 i; i < asked.merchants.length; ++i) {
            _addClaim(found, asked.book.claim(asked.merchants[i]));
        }
        _addClaim(found, asked.book.totalClaims());
        for (uint256 i; i < asked.debtors.length; ++i) {
            _add(found, asked.ledger.owed(asked.debtors[i], asked.owedIds[i]));
        }
        return found.values;
    }

    function _add(Found memory found, uint256 value) private pure {
        found.values[found.count++] = value;
    }

    function _addHolder(Found memory found, Asked calldata asked, address holder) private view {
        for (uint256 i; i < asked.ids.length; ++i) {
            _add(found, asked.ledger.balanceOf(holder, asked.ids[i]));
        }
        for (uint256 i; i < asked.words.length; ++i) {
            (uint32 base, uint32 window) = asked.ledger.nonceState(holder, asked.words[i]);
            _add(found, (uint256(window) << 32) | base);
        }
        (uint32 quarter, uint64 fen) = asked.ledger.rebirth(holder);
        _add(found, uint160(asked.ledger.successor(holder)));
        _add(found, quarter);
        _add(found, fen);
    }

    function _addPoints(Found memory found, IPointsLedger ledger, ProgrammeId id) private view {
        Programme memory programme = ledger.programme(id);
        (,, uint64 mintedFen, uint64 revokedFen) = ledger.ceilings(id);
        _add(found, programme.supply);
        _add(found, uint256(programme.state));
        _add(found, programme.spendableUntil);
        _add(found, programme.frozenUntil);
        _add(found, ledger.swept(id));
        _add(found, ledger.liabilityFen(id));
        _add(found, mintedFen);
        _add(found, revokedFen);
    }

    function _addBudget(Found memory found, IClearingBook book, ProgrammeId id) private view {
        (int256 fundingFen, uint256 appropriatedFen, bool overdue) = book.fundingOf(id);
        Due memory due = book.due(id);
        _add(found, uint256(fundingFen));
        _add(found, appropriatedFen);
        _add(found, overdue ? 1 : 0);
        _add(found, book.paid(id));
        _add(found, due.fen);
        _add(found, due.olderFen);
        _add(found, due.dueBy);
        _add(found, due.waivedUntil);
    }

    function _addClaim(Found memory found, Claim memory claim) private pure {
        _add(found, claim.maturedFen);
        _add(found, claim.youngerFen);
        _add(found, claim.youngestFen);
        _add(found, claim.lockedFen);
        _add(found, claim.payableFen);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {ClearingTerms, IClearingBook} from "../interfaces/IClearingBook.sol";
import {Merchant} from "../interfaces/Types.sol";
import {Postings} from "./Postings.sol";
import {TreasuryAccount} from "./TreasuryAccount.sol";

/// @title ClearingBook
/// @notice See {IClearingBook}.
/// @dev Its ideas lie in what it inherits: {Positions}, who owes what; {Appropriations}, what the budget makes available;
/// {Cycles}, what is due when; {TreasuryAccount}, what is paid; {OrderLocks}; {Postings}, what the modules may post.
///
/// Storage, which proofs rest on and which never changes (n words of a struct follow each other, low bits first):
///
///     0   authority 160, AccessManaged's flag 8
///     1   position of a programme, the pool or the treasury, by participant
///     2   account by merchant: matured 88, younger 64, youngest 64, period 40; locked 96, paid in cycle 96, cycle 64
///     3   all merchants' matured 88, younger 64, youngest 64, period 40
///     4   all merchants' locked
///     5   budget by programme: appropriated 128, paid 128; reclaimed 128
///     6   year by programme and fiscal year: recorded 96, lapsed 96, whether it lapsed 8
///     7   fiscal years by programme, ascending, 32 each
///     8   used documents by programme, fiscal year and hash
///     9   programmes, in the order of their first appropriation, 32 each
///     10  dues by programme: due 96, older 96, waived until 40
///     11  last cycle 64, its date 40
///     12  payment term 40, payout ceiling 96
///     13  used payment references
///     14  lock by order: merchant 32, fen 96, until 40
///     15  receipts' root by batch
///     16  last batch of receipts 64
///     17  refunded order: whether 8, kept prefix 72
///     18  merchant by id: key 160; scope 256
///     19  arbiter's key 160
contract ClearingBook is TreasuryAccount, Postings {
    uint40 private constant MATURITY_MIN = 1 days;
    uint40 private constant MATURITY_MAX = 30 days;

    mapping(uint32 id => Merchant) private _merchants;
    /// @inheritdoc IClearingBook
    address public arbiterKey;

    /// @param authority The AccessManager.
    /// @param ledger_ The points ledger, which may not be deployed yet.
    /// @param maturity_ Seconds a period lasts, 1 to 30 days.
    constructor(address authority, address ledger_, uint40 maturity_, ClearingTerms memory terms_)
        AccessManaged(authority)
    {
        if (maturity_ < MATURITY_MIN || maturity_ > MATURITY_MAX) revert ClearingBookBadTerms();
        ledger = ledger_;
        maturity = maturity_;
        _setTerms(terms_);
    }

    /// @inheritdoc IClearingBook
    function merchant(uint32 id) external view returns (Merchant memory) {
        return _merchants[id];
    }

    /// @inheritdoc IClearingBook
    function registerMerchant(uint32 id, address key, bytes32 scope) external restricted {
        if (id == 0) revert ClearingBookBadMerchant();
        Merchant memory previous = _merchants[id];
        _merchants[id] = Merchant(key, scope);
        emit MerchantRegistered(id, previous.key, previous.scope, key, scope);
    }

    /// @inheritdoc IClearingBook
    function setArbiterKey(address key) external restricted {
        emit ArbiterKeySet(arbiterKey, key);
        arbiterKey = key;
    }
}

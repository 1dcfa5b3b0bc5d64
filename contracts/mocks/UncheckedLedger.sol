// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {ISuccession} from "../interfaces/ISuccession.sol";
import {LotId} from "../interfaces/Types.sol";
import {PointsLedger} from "../ledger/PointsLedger.sol";

/// @title UncheckedLedger
/// @notice For measurements only: the ledger without its own check of what an exchange is worth, so that `make gas` shows what
/// that check costs. It believes its module.
contract UncheckedLedger is PointsLedger {
    constructor(address authority_, bytes32 salt, IClearingBook book_, ISuccession succession_)
        PointsLedger(authority_, salt, book_, succession_)
    {}

    function _checkExchange(ProgrammeRecord storage, ProgrammeRecord storage, LotId, uint64, LotId, uint64)
        internal
        pure
        override
    {}
}

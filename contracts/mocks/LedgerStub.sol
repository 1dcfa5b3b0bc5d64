// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {ILiability} from "../interfaces/ILiability.sol";
import {ProgrammeId} from "../interfaces/Types.sol";

/// @title LedgerStub
/// @notice For tests only: stands where the clearing book expects the points ledger, and does as it is told.
contract LedgerStub is ILiability {
    /// @inheritdoc ILiability
    mapping(ProgrammeId => uint256) public liabilityFen;

    function setLiability(ProgrammeId programme, uint256 fen) external {
        liabilityFen[programme] = fen;
    }

    function postBreakage(IClearingBook book, ProgrammeId programme, uint256 fen) external {
        book.postBreakage(programme, fen);
    }

    function closeCredit(IClearingBook book, ProgrammeId programme) external {
        book.closeCredit(programme);
    }
}

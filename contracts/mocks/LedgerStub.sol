// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {Programme, ProgrammeId, ProgrammeState} from "../interfaces/Types.sol";

/// @title LedgerStub
/// @notice For tests only: stands where the clearing book expects the points ledger, and does as it is told. It answers what the
/// book asks, and knows all programmes below 100.
contract LedgerStub {
    uint32 private constant UNKNOWN_FROM = 100;

    mapping(ProgrammeId => uint256) public liabilityFen;

    function setLiability(ProgrammeId programmeId, uint256 fen) external {
        liabilityFen[programmeId] = fen;
    }

    function programme(ProgrammeId programmeId) external pure returns (Programme memory terms) {
        if (ProgrammeId.unwrap(programmeId) < UNKNOWN_FROM) terms.state = ProgrammeState.ACTIVE;
    }

    function postBreakage(IClearingBook book, ProgrammeId programmeId, uint256 fen) external {
        book.postBreakage(programmeId, fen);
    }

    function closeCredit(IClearingBook book, ProgrammeId programmeId) external {
        book.closeCredit(programmeId);
    }
}

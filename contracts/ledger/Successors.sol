// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISuccessors} from "../interfaces/ISuccessors.sol";
import {LotId} from "../interfaces/Types.sol";
import {LotBook} from "./LotBook.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {LotLanes} from "./LotLanes.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";

/// @title Successors
/// @notice See {ISuccessors}.
abstract contract Successors is LotBook {
    /// @dev Who succeeded an account, and how many accounts stand before that account in its longest line.
    struct Line {
        address successor;
        uint8 predecessors;
    }

    /// @dev What was reborn for a holder in a quarter.
    struct Rebirth {
        uint32 quarter;
        uint64 fen;
    }

    uint8 private constant LINE_MAX = 16;

    /// @inheritdoc ISuccessors
    address public immutable succession;

    mapping(address holder => Line) internal _line;
    mapping(address holder => Rebirth) internal _rebirths;

    /// @inheritdoc ISuccessors
    function successor(address holder) external view returns (address) {
        return _line[holder].successor;
    }

    /// @inheritdoc ISuccessors
    function currentAccount(address holder) public view returns (address current) {
        current = holder;
        address next = _line[current].successor;
        while (next != address(0)) {
            current = next;
            next = _line[current].successor;
        }
    }

    /// @inheritdoc ISuccessors
    function succeed(address holder, address newAccount, uint256[] calldata ids) external {
        if (msg.sender != succession) revert PointsLedgerOnlySuccession(msg.sender);
        Line storage line = _line[holder];
        Line storage newLine = _line[newAccount];
        if (line.successor != address(0)) revert PointsLedgerRetired(holder);
        // Without the last condition successors could form a circle.
        bool bad = newAccount == address(0) || newAccount == address(this) || newAccount == holder
            || holder == address(this) || newLine.successor != address(0);
        if (bad) revert PointsLedgerBadSuccessor(newAccount);
        uint8 predecessors = line.predecessors + 1;
        if (predecessors >= LINE_MAX) revert PointsLedgerLineTooLong(newAccount);
        if (predecessors > newLine.predecessors) newLine.predecessors = predecessors;
        line.successor = newAccount;
        emit SuccessorSet(holder, newAccount);
        _carryRebirths(_rebirths[holder], _rebirths[newAccount]);
        _forward(holder, newAccount, ids);
    }

    /// @inheritdoc ISuccessors
    function forward(address oldAccount, uint256[] calldata ids) external {
        // The words that are named lose their nonces without an event: an auditor finds them in the calldata alone.
        PlainAccount.check();
        if (_line[oldAccount].successor == address(0)) revert PointsLedgerNotRetired(oldAccount);
        _forward(oldAccount, currentAccount(oldAccount), ids);
    }

    /// @dev An account has one cap a quarter, whichever of its predecessors used it.
    function _carryRebirths(Rebirth storage from, Rebirth storage to) private {
        if (from.quarter > to.quarter) (to.quarter, to.fen) = (from.quarter, from.fen);
        else if (from.quarter == to.quarter) to.fen += from.fen;
    }

    /// @dev Dead lots stay where they are, to be swept.
    function _forward(address from, address to, uint256[] calldata ids) private {
        uint32 quarter = _expiryQuarter();
        for (uint256 i; i < ids.length; ++i) {
            if (!LotIds.isLot(ids[i])) continue;
            LotId id = LotId.wrap(uint64(ids[i]));
            (uint64 key,) = LotLanes.locate(id);
            Lanes storage lanes = _lanes[key][from];
            lanes.word = LotLanes.spendAllNonces(lanes.word);
            uint256 amount = _balance(from, id);
            if (amount != 0 && !_isDead(id, quarter)) _move(from, to, id, amount);
        }
    }
}

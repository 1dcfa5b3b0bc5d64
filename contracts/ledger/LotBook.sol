// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC6909, IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/contracts/interfaces/draft-IERC6909.sol";

import {ILots} from "../interfaces/ILots.sol";
import {LotId, ProgrammeId, TRANSFERABLE} from "../interfaces/Types.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {Value} from "../libraries/Value.sol";
import {LotLanes} from "./LotLanes.sol";
import {Programmes} from "./Programmes.sol";
import {QuarterTime} from "./QuarterTime.sol";

/// @title LotBook
/// @notice See {ILots}.
abstract contract LotBook is Programmes {
    using LotIds for LotId;

    /// @dev A struct, so that code can hold a storage pointer to one word and hash its place once.
    struct Lanes {
        uint256 word;
    }

    /// @dev A lot's supply, and what was redeemed of it and not restored since: one word, as redemptions write both.
    struct Lot {
        uint128 supply;
        uint128 redeemed;
    }

    /// @dev Key first: a batch of grants hashes it once and not for every holder. See `LotLanes` for the word.
    mapping(uint64 key => mapping(address holder => Lanes)) internal _lanes;
    mapping(LotId id => Lot) internal _lots;
    mapping(address owner => mapping(address spender => mapping(uint256 id => uint256))) private _allowances;
    /// @inheritdoc IERC6909
    mapping(address owner => mapping(address spender => bool)) public isOperator;

    /// @inheritdoc IERC6909
    function balanceOf(address owner, uint256 id) public view returns (uint256) {
        return LotIds.isLot(id) ? _balance(owner, LotId.wrap(uint64(id))) : 0;
    }

    /// @inheritdoc IERC6909TokenSupply
    function totalSupply(uint256 id) external view returns (uint256) {
        return LotIds.isLot(id) ? _lots[LotId.wrap(uint64(id))].supply : 0;
    }

    /// @inheritdoc ILots
    function redeemed(uint256 id) external view returns (uint256) {
        return LotIds.isLot(id) ? _lots[LotId.wrap(uint64(id))].redeemed : 0;
    }

    /// @inheritdoc ILots
    function swept(ProgrammeId programmeId) external view returns (uint256) {
        return _programmes[programmeId].swept;
    }

    /// @inheritdoc ILots
    function isDead(uint256 id) external view returns (bool) {
        return !LotIds.isLot(id) || _isDead(LotId.wrap(uint64(id)), _expiryQuarter());
    }

    /// @inheritdoc IERC6909
    function allowance(address owner, address spender, uint256 id) external view returns (uint256) {
        return _allowances[owner][spender][id];
    }

    /// @inheritdoc IERC6909Metadata
    function name(uint256 id) external view returns (string memory) {
        return LotIds.isLot(id) ? _programmes[ProgrammeId.wrap(uint32(id >> 32))].name : "";
    }

    /// @inheritdoc IERC6909Metadata
    function symbol(uint256 id) external view returns (string memory) {
        return LotIds.isLot(id) ? _programmes[ProgrammeId.wrap(uint32(id >> 32))].symbol : "";
    }

    /// @inheritdoc IERC6909Metadata
    function decimals(uint256) external pure returns (uint8) {
        return 2;
    }

    /// @inheritdoc IERC6909
    function transfer(address receiver, uint256 id, uint256 amount) external returns (bool) {
        _transfer(msg.sender, receiver, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function transferFrom(address sender, address receiver, uint256 id, uint256 amount) external returns (bool) {
        if (msg.sender != sender && !isOperator[sender][msg.sender]) {
            uint256 allowed = _allowances[sender][msg.sender][id];
            // An infinite allowance stays infinite (ERC-6909).
            if (allowed != type(uint256).max) {
                if (amount > allowed) revert PointsLedgerInsufficientAllowance(msg.sender, allowed, amount, id);
                _allowances[sender][msg.sender][id] = allowed - amount;
            }
        }
        _transfer(sender, receiver, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function approve(address spender, uint256 id, uint256 amount) external returns (bool) {
        _allowances[msg.sender][spender][id] = amount;
        emit Approval(msg.sender, spender, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function setOperator(address spender, bool approved) external returns (bool) {
        isOperator[msg.sender][spender] = approved;
        emit OperatorSet(msg.sender, spender, approved);
        return true;
    }

    /// @inheritdoc ILots
    function sweep(address holder, uint256[] calldata ids) external {
        if (holder == address(this)) revert PointsLedgerEscrow();
        uint32 quarter = _expiryQuarter();
        for (uint256 i; i < ids.length; ++i) {
            uint256 amount = balanceOf(holder, ids[i]);
            if (amount == 0) continue;
            LotId id = LotId.wrap(uint64(ids[i]));
            if (!_isDead(id, quarter)) revert PointsLedgerLotAlive(ids[i]);
            _burn(holder, id, amount);
            emit Swept(holder, ids[i], amount);
            _postBreakage(id.programme(), amount);
        }
    }

    /// @dev The fen that the sum of all sweeps has gained, so that no fraction is gained by sweeping in small parts.
    function _postBreakage(ProgrammeId programmeId, uint256 amount) private {
        ProgrammeRecord storage record = _programmes[programmeId];
        uint256 before = record.swept;
        uint256 total = before + amount;
        record.swept = uint128(total);
        uint256 fen = Value.toFenDown(total, record.par) - Value.toFenDown(before, record.par);
        if (fen != 0) _book.postBreakage(programmeId, fen);
    }

    function _transfer(address sender, address receiver, uint256 id, uint256 amount) private {
        if (!LotIds.isLot(id)) revert PointsLedgerUnknownProgramme(ProgrammeId.wrap(0));
        LotId lot = LotId.wrap(uint64(id));
        ProgrammeId programmeId = lot.programme();
        if (_known(programmeId).flags & TRANSFERABLE == 0) revert PointsLedgerNotTransferable(programmeId);
        if (_isDead(lot, _expiryQuarter())) revert PointsLedgerLotDead(id);
        if (receiver == address(0) || receiver == address(this)) revert PointsLedgerBadReceiver(receiver);
        _move(sender, receiver, lot, amount);
    }

    function _expiryQuarter() internal view returns (uint32) {
        return QuarterTime.expiryQuarter(block.timestamp);
    }

    /// @dev Whether the lot's quarter is over by the clock of expiry, which stands at `quarter`.
    function _isOver(LotId id, uint32 quarter) internal pure returns (bool) {
        return id.quarter() < quarter && id.quarter() != 0;
    }

    function _isDead(LotId id, uint32 quarter) internal view returns (bool) {
        if (_isOver(id, quarter)) return true;
        uint256 spendableUntil = _programmes[id.programme()].spendableUntil;
        return spendableUntil != 0 && block.timestamp >= spendableUntil;
    }

    function _balance(address holder, LotId id) internal view returns (uint256) {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        return LotLanes.amountAt(_lanes[key][holder].word, shift);
    }

    function _debit(address holder, LotId id, uint256 amount) internal returns (bool ok) {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][holder];
        uint256 word;
        (ok, word) = LotLanes.debit(lanes.word, shift, amount);
        if (ok) lanes.word = word;
    }

    /// @dev What is credited was debited elsewhere or has raised the lot's supply, so the lane has room for it.
    function _credit(address holder, LotId id, uint256 amount) internal {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][holder];
        lanes.word = LotLanes.credit(lanes.word, shift, amount);
    }

    function _move(address from, address to, LotId id, uint256 amount) internal {
        _debitOrRevert(from, id, amount);
        _credit(to, id, amount);
        emit Transfer(msg.sender, from, to, id.token(), amount);
    }

    function _mint(address to, LotId id, uint256 amount) internal {
        _raiseSupply(id, amount);
        _credit(to, id, amount);
        emit Transfer(msg.sender, address(0), to, id.token(), amount);
    }

    function _burn(address from, LotId id, uint256 amount) internal {
        _debitOrRevert(from, id, amount);
        // What is burned was debited, and no balance exceeds the supply.
        unchecked {
            _lots[id].supply -= uint128(amount);
            _programmes[id.programme()].supply -= uint128(amount);
        }
        emit Transfer(msg.sender, from, address(0), id.token(), amount);
    }

    function _raiseSupply(LotId id, uint256 amount) internal {
        uint256 supply = _lots[id].supply + amount;
        if (supply > LotLanes.LANE_MAX) revert PointsLedgerLotFull(id.token(), supply);
        _lots[id].supply = uint128(supply);
        // A programme has fewer than 2^32 lots, each of less than 2^48.
        unchecked {
            _programmes[id.programme()].supply += uint128(amount);
        }
    }

    function _debitOrRevert(address holder, LotId id, uint256 amount) private {
        if (!_debit(holder, id, amount)) {
            revert PointsLedgerInsufficientBalance(holder, _balance(holder, id), amount, id.token());
        }
    }
}

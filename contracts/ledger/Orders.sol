// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ILedgerOrders} from "../interfaces/ILedgerOrders.sol";
import {LotId, Prefix, Verdict} from "../interfaces/Types.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {Value} from "../libraries/Value.sol";
import {Issuance} from "./Issuance.sol";
import {LotLanes} from "./LotLanes.sol";
import {QuarterTime} from "./QuarterTime.sol";

/// @title Orders
/// @notice See {ILedgerOrders}.
abstract contract Orders is Issuance {
    using LotIds for LotId;
    using PackedLots for bytes;

    /// @inheritdoc ILedgerOrders
    mapping(bytes32 holdId => bytes32) public holdCommitment;
    /// @dev The module that last began a batch, and when: expiry quarter << 224 | block number << 160 | module.
    uint256 private _exchangeBegun;
    uint256 private _redemptionBegun;
    /// @inheritdoc ILedgerOrders
    uint64 public rebirthCapFen;

    /// @inheritdoc ILedgerOrders
    function nonceState(address holder, uint256 id) external view returns (uint32 base, uint32 window) {
        if (!LotIds.isLot(id)) return (0, 0);
        (uint64 key,) = LotLanes.locate(LotId.wrap(uint64(id)));
        return LotLanes.nonceState(_lanes[key][holder].word);
    }

    /// @inheritdoc ILedgerOrders
    function rebirth(address holder) external view returns (uint32 quarter, uint64 fen) {
        return (_rebirths[holder].quarter, _rebirths[holder].fen);
    }

    /// @inheritdoc ILedgerOrders
    function beginExchange() external restricted {
        _exchangeBegun = _begin();
    }

    /// @inheritdoc ILedgerOrders
    function exchange(
        address holder,
        uint32 nonce,
        Verdict verdict,
        LotId fromId,
        uint64 amountIn,
        LotId toId,
        uint64 amountOut
    ) external returns (Verdict) {
        uint32 quarter = _admittedQuarter(_exchangeBegun);
        Lot storage toLot = _lots[toId];
        uint256 supply = toLot.supply + amountOut;
        if (verdict == Verdict.ACCEPTED && supply > LotLanes.LANE_MAX) verdict = Verdict.CAP_EXCEEDED;
        verdict = _spendFirst(holder, nonce, verdict, fromId, amountIn, quarter);
        if (verdict != Verdict.ACCEPTED) return verdict;
        ProgrammeRecord storage from = _programmes[fromId.programme()];
        ProgrammeRecord storage to = _programmes[toId.programme()];
        _checkExchange(from, to, fromId, amountIn, toId, amountOut);
        _credit(holder, toId, amountOut);
        // Debited above; and a programme has fewer than 2^32 lots, each of less than 2^48.
        unchecked {
            _lots[fromId].supply -= amountIn;
            from.supply -= amountIn;
            toLot.supply = uint128(supply);
            to.supply += amountOut;
        }
        emit Transfer(msg.sender, holder, address(0), fromId.token(), amountIn);
        emit Transfer(msg.sender, address(0), holder, toId.token(), amountOut);
        return Verdict.ACCEPTED;
    }

    /// @inheritdoc ILedgerOrders
    function beginRedemption() external restricted {
        _redemptionBegun = _begin();
    }

    /// @inheritdoc ILedgerOrders
    function spend(address holder, uint32 nonce, bytes calldata lots, Verdict verdict) external returns (Verdict) {
        verdict = _spend(holder, nonce, lots, verdict, _admittedQuarter(_redemptionBegun));
        if (verdict != Verdict.ACCEPTED) return verdict;
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            _subtractRedeemed(id, amount);
            emit Transfer(msg.sender, holder, address(0), id.token(), amount);
        }
        return Verdict.ACCEPTED;
    }

    /// @inheritdoc ILedgerOrders
    function holdLots(bytes32 holdId, address holder, uint32 nonce, bytes calldata lots, Verdict verdict)
        external
        returns (Verdict)
    {
        uint32 quarter = _admittedQuarter(_redemptionBegun);
        // A hold that is open has spent the nonce that its id binds. Should a module ever give its id to another order, that
        // order is refused in the same way and the open hold stays as it is.
        if (holdCommitment[holdId] != 0) verdict = Verdict.NONCE_SPENT;
        verdict = _spend(holder, nonce, lots, verdict, quarter);
        if (verdict != Verdict.ACCEPTED) return verdict;
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            _credit(address(this), id, amount);
            emit Transfer(msg.sender, holder, address(this), id.token(), amount);
        }
        holdCommitment[holdId] = _commitment(holder, lots);
        return Verdict.ACCEPTED;
    }

    /// @inheritdoc ILedgerOrders
    function finishHold(bytes32 holdId, address holder, bytes calldata lots, Prefix kept) external returns (bool) {
        _admittedQuarter(_redemptionBegun);
        if (holdCommitment[holdId] != _commitment(holder, lots)) return false;
        bool whole = kept == lots.all();
        // All of them are a prefix of themselves.
        if (!whole && !lots.isPrefix(kept)) revert PointsLedgerBadPrefix(kept);
        delete holdCommitment[holdId];
        address receiver = whole ? holder : currentAccount(holder);
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            uint256 captured = PackedLots.keptOf(i, amount, kept);
            // What is in escrow was put there, so neither debit fails.
            if (captured != 0) {
                _debit(address(this), id, captured);
                _subtractRedeemed(id, captured);
                emit Transfer(msg.sender, address(this), address(0), id.token(), captured);
            }
            if (captured != amount) _giveBack(holder, receiver, id, amount - captured);
        }
        return true;
    }

    /// @inheritdoc ILedgerOrders
    function restore(address holder, bytes calldata lots, Prefix keptBefore, Prefix kept)
        external
        returns (address receiver)
    {
        _admittedQuarter(_redemptionBegun);
        receiver = currentAccount(holder);
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            amount = PackedLots.keptOf(i, amount, keptBefore) - PackedLots.keptOf(i, amount, kept);
            if (amount != 0) _restore(holder, receiver, id, amount);
        }
    }

    /// @inheritdoc ILedgerOrders
    function cancelNonce(uint256 id, uint32 nonce) external {
        if (!LotIds.isLot(id)) revert PointsLedgerNonceSpent(msg.sender, nonce);
        (uint64 key,) = LotLanes.locate(LotId.wrap(uint64(id)));
        Lanes storage lanes = _lanes[key][msg.sender];
        (bool fresh, uint256 word) = LotLanes.spendNonce(lanes.word, nonce);
        if (!fresh) revert PointsLedgerNonceSpent(msg.sender, nonce);
        lanes.word = word;
        emit NonceCancelled(msg.sender, id, nonce);
    }

    /// @inheritdoc ILedgerOrders
    function setRebirthCap(uint64 capFen) external restricted {
        emit RebirthCapSet(rebirthCapFen, capFen);
        rebirthCapFen = capFen;
    }

    /// @dev A module that is wrong, or a thief's, creates no value and prolongs none. Virtual so that `make gas` can measure what
    /// this rule costs, on a ledger without it.
    function _checkExchange(
        ProgrammeRecord storage from,
        ProgrammeRecord storage to,
        LotId fromId,
        uint64 amountIn,
        LotId toId,
        uint64 amountOut
    ) internal view virtual {
        // Amounts of less than 2^64 at pars of less than 2^37.
        unchecked {
            uint256 parTo = to.par;
            bool gains = parTo == 0 || amountOut * parTo > uint256(amountIn) * from.par;
            // Of a lot into itself the supply would be counted twice.
            bool same = fromId.programme() == toId.programme();
            if (gains || same || fromId.quarter() != toId.quarter()) {
                revert PointsLedgerBadExchange(fromId, amountIn, toId, amountOut);
            }
        }
    }

    function _begin() private view returns (uint256) {
        return (uint256(_expiryQuarter()) << 224) | _callerAndBlock();
    }

    function _callerAndBlock() private view returns (uint256) {
        return (block.number << 160) | uint160(msg.sender);
    }

    /// @dev The expiry quarter now, if the authority said yes to this module earlier in this block.
    function _admittedQuarter(uint256 begun) private view returns (uint32 quarter) {
        quarter = uint32(begun >> 224);
        if (begun != (uint256(quarter) << 224) | _callerAndBlock()) revert PointsLedgerNotBegun(msg.sender);
    }

    /// @dev Nonce, then the module's verdict, then the debit of all lots or none.
    function _spend(address holder, uint32 nonce, bytes calldata lots, Verdict verdict, uint32 quarter)
        private
        returns (Verdict)
    {
        (LotId id, uint256 amount) = lots.at(0);
        verdict = _spendFirst(holder, nonce, verdict, id, amount, quarter);
        if (verdict != Verdict.ACCEPTED) return verdict;
        uint256 count = lots.count();
        for (uint256 i = 1; i < count; ++i) {
            (id, amount) = lots.at(i);
            bool dead = _isDead(id, quarter);
            if (!dead && _debit(holder, id, amount)) continue;
            // Undone, not checked beforehand: an id may appear twice.
            for (uint256 j; j < i; ++j) {
                (id, amount) = lots.at(j);
                _credit(holder, id, amount);
            }
            return dead ? Verdict.LOT_DEAD : Verdict.INSUFFICIENT;
        }
        return Verdict.ACCEPTED;
    }

    /// @dev The nonce and the first lot share a word, which is written once.
    function _spendFirst(address holder, uint32 nonce, Verdict verdict, LotId id, uint256 amount, uint32 quarter)
        private
        returns (Verdict)
    {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][holder];
        (bool fresh, uint256 word) = LotLanes.spendNonce(lanes.word, nonce);
        if (!fresh) return Verdict.NONCE_SPENT;
        if (verdict == Verdict.ACCEPTED) {
            bool enough = true;
            if (_isDead(id, quarter)) verdict = Verdict.LOT_DEAD;
            else (enough, word) = LotLanes.debit(word, shift, amount);
            if (!enough) verdict = Verdict.INSUFFICIENT;
        }
        lanes.word = word;
        return verdict;
    }

    /// @dev keccak256(abi.encodePacked(holder, lots)), without leaving the encoding in memory.
    function _commitment(address holder, bytes calldata lots) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, shl(96, holder))
            calldatacopy(add(m, 20), lots.offset, lots.length)
            result := keccak256(m, add(20, lots.length))
        }
    }

    /// @dev What is redeemed was debited, and no balance exceeds the supply.
    function _subtractRedeemed(LotId id, uint256 amount) private {
        unchecked {
            Lot memory lot = _lots[id];
            lot.supply -= uint128(amount);
            lot.redeemed += uint128(amount);
            _lots[id] = lot;
            _programmes[id.programme()].supply -= uint128(amount);
        }
    }

    /// @dev From escrow to the receiver, unchanged; what the holder and its successors owe of the lot is collected.
    function _giveBack(address holder, address receiver, LotId id, uint256 amount) private {
        _move(address(this), receiver, id, amount);
        _collectOfLine(holder, receiver, id);
    }

    function _restore(address holder, address receiver, LotId id, uint256 amount) private {
        uint256 redeemed = _lots[id].redeemed;
        if (amount > redeemed) revert PointsLedgerNotRedeemed(id, amount, redeemed);
        _lots[id].redeemed = uint128(redeemed - amount);
        uint256 reborn;
        if (_isOver(id, _expiryQuarter())) reborn = _reborn(receiver, id, amount);
        if (reborn == amount) return;
        _mint(receiver, id, amount - reborn);
        _collectOfLine(holder, receiver, id);
    }

    /// @dev Mints as much of `amount` as the receiver's cap and the lot have room for in the current quarter's lot, and
    /// counts it against the cap. Nothing is reborn where the programme's spending time is over: it would be dead again.
    function _reborn(address receiver, LotId id, uint256 amount) private returns (uint256 reborn) {
        uint32 quarter = QuarterTime.quarterOf(block.timestamp);
        LotId rebornId = LotIds.lotOf(id.programme(), quarter);
        if (_isDead(rebornId, quarter)) return 0;
        Rebirth memory used = _rebirths[receiver];
        if (used.quarter != quarter) used = Rebirth(quarter, 0);
        uint256 leftFen = rebirthCapFen > used.fen ? rebirthCapFen - used.fen : 0;
        uint256 par = _programmes[id.programme()].par;
        uint256 most = Value.toMinorDown(leftFen, par);
        uint256 room = LotLanes.LANE_MAX - _lots[rebornId].supply;
        if (most > room) most = room;
        reborn = most < amount ? most : amount;
        if (reborn == 0) return 0;
        // Counted rounded up, so that many small rebirths cannot slip past the cap.
        used.fen += uint64(Value.toFenUp(reborn, par));
        _rebirths[receiver] = used;
        emit LotReborn(receiver, id.token(), rebornId.token(), reborn);
        _mint(receiver, rebornId, reborn);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {ExchangeOrder, IExchange} from "../interfaces/IExchange.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {
    EXCHANGEABLE_IN,
    EXCHANGEABLE_OUT,
    LotId,
    Programme,
    ProgrammeId,
    ProgrammeState,
    Verdict
} from "../interfaces/Types.sol";
import {QuarterTime} from "../ledger/QuarterTime.sol";
import {BatchTotals} from "../libraries/BatchTotals.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";
import {OrderBatch} from "../orders/OrderBatch.sol";

/// @title Exchange
/// @notice See {IExchange}.
contract Exchange is IExchange, OrderBatch {
    using BatchTotals for BatchTotals.Batch;
    using LotIds for LotId;

    /// @dev What the checks worked out for an order: what it gets.
    struct Terms {
        LotId toId;
        uint256 amountOut;
        uint256 fen;
        bool residentCapped;
        bool inflowCapped;
    }

    /// @dev Fen that flowed on `day`.
    struct Flow {
        uint64 day;
        int64 fen;
    }

    uint64 private _residentCapFen;
    mapping(ProgrammeId programme => uint64 fen) private _inflowCaps;
    mapping(ProgrammeId programme => Flow) private _inflows;
    mapping(address holder => Flow) private _outflows;

    constructor(address authority_, IPointsLedger ledger_) AccessManaged(authority_) OrderBatch(ledger_) {}

    /// @inheritdoc IExchange
    function execute(bytes calldata packed) external whenNotPaused {
        PlainAccount.check();
        ledger.beginExchange();
        BatchTotals.Batch memory batch;
        _each(packed, Form(Encoding.EXCHANGE_BYTES, false, 0), batch, _execute);
        if (batch.programmeCount != 0) book.post(batch.postings());
    }

    /// @inheritdoc IExchange
    function setInflowCap(ProgrammeId programme, uint64 capFen) external restricted {
        emit InflowCapSet(programme, _inflowCaps[programme], capFen);
        _inflowCaps[programme] = capFen;
    }

    /// @inheritdoc IExchange
    function setResidentCap(uint64 capFen) external restricted {
        emit ResidentCapSet(_residentCapFen, capFen);
        _residentCapFen = capFen;
    }

    /// @inheritdoc IExchange
    function inflow(ProgrammeId programme) external view returns (uint64 capFen, int64 netFen) {
        return (_inflowCaps[programme], int64(_today(_inflows[programme])));
    }

    /// @inheritdoc IExchange
    function outflow(address holder) external view returns (uint64 capFen, uint64 usedFen) {
        return (_residentCapFen, uint64(uint256(_today(_outflows[holder]))));
    }

    function _execute(bytes calldata packed, bytes calldata, bytes calldata signature, BatchTotals.Batch memory batch)
        private
    {
        ExchangeOrder memory order = ExchangeOrder({
            holder: address(uint160(Encoding.read(packed, 0, 20))),
            fromId: LotId.wrap(uint64(Encoding.read(packed, 20, 8))),
            amount: uint64(Encoding.read(packed, 28, 8)),
            toProgramme: ProgrammeId.wrap(uint32(Encoding.read(packed, 36, 4))),
            minOut: uint64(Encoding.read(packed, 40, 8)),
            nonce: uint32(Encoding.read(packed, 48, 4)),
            deadline: uint40(Encoding.read(packed, 52, 5))
        });
        if (order.amount == 0) return _rejectMalformed(packed);
        bytes32 orderId = TypedData.digest(_domain, TypedData.exchangeOrder(order));
        Verdict verdict = _signedBy(order.holder, orderId, signature);
        Terms memory terms;
        if (verdict == Verdict.ACCEPTED) {
            verdict = _checkTerms(order, terms, batch);
            verdict = ledger.exchange(
                order.holder, order.nonce, verdict, order.fromId, order.amount, terms.toId, uint64(terms.amountOut)
            );
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        int256 fen = int256(terms.fen);
        _count(order, terms, fen);
        // The two programmes are still loaded. A few hundred orders of less than 2^64 fen each.
        unchecked {
            batch.previous.fen -= fen;
            batch.programme.fen += fen;
        }
        emit Exchanged(orderId, order.holder, uint64(terms.fen));
    }

    /// @dev What comes after the nonce and before the lot. Fills in `terms`.
    function _checkTerms(ExchangeOrder memory order, Terms memory terms, BatchTotals.Batch memory batch)
        private
        view
        returns (Verdict)
    {
        if (block.timestamp > order.deadline) return Verdict.EXPIRED;
        ProgrammeId fromProgramme = order.fromId.programme();
        if (!batch.loadPair(ledger, fromProgramme, order.toProgramme)) return Verdict.UNKNOWN_PROGRAMME;
        if (fromProgramme == order.toProgramme) return Verdict.FORBIDDEN;
        Programme memory from = batch.previous.terms;
        Programme memory to = batch.programme.terms;
        // Par 0 needs no check of its own: the ledger gives such a programme no exchange flag.
        bool allowed = from.flags & EXCHANGEABLE_OUT != 0 && BatchTotals.isOpen(from) && to.flags & EXCHANGEABLE_IN != 0
            && to.state == ProgrammeState.ACTIVE && BatchTotals.isOpen(to);
        if (!allowed) return Verdict.FORBIDDEN;
        uint256 fen = Value.toFenDown(order.amount, from.par);
        uint256 amountOut = Value.toMinorDown(fen, to.par);
        if (amountOut == 0) return Verdict.NO_VALUE;
        if (amountOut < order.minOut) return Verdict.BELOW_MINIMUM;
        if (amountOut > type(uint48).max || fen > uint64(type(int64).max)) return Verdict.CAP_EXCEEDED;
        terms.toId = LotIds.lotOf(order.toProgramme, order.fromId.quarter());
        terms.amountOut = amountOut;
        terms.fen = fen;
        return _isWithinCaps(order, terms, int256(fen)) ? Verdict.ACCEPTED : Verdict.CAP_EXCEEDED;
    }

    /// @dev Keeps in `terms` which caps there are, for the count that follows.
    function _isWithinCaps(ExchangeOrder memory order, Terms memory terms, int256 fen) private view returns (bool) {
        uint256 cap = _residentCapFen;
        terms.residentCapped = cap != 0;
        if (cap != 0 && _today(_outflows[order.holder]) + fen > int256(cap)) return false;
        cap = _inflowCaps[order.toProgramme];
        terms.inflowCapped = cap != 0;
        return cap == 0 || _today(_inflows[order.toProgramme]) + fen <= int256(cap);
    }

    /// @dev Nothing is counted where there is no cap: a count costs each resident a slot.
    function _count(ExchangeOrder memory order, Terms memory terms, int256 fen) private {
        if (terms.residentCapped) _add(_outflows[order.holder], fen);
        if (terms.inflowCapped) _add(_inflows[order.toProgramme], fen);
        ProgrammeId from = order.fromId.programme();
        if (_inflowCaps[from] != 0) _add(_inflows[from], -fen);
    }

    function _add(Flow storage flow, int256 fen) private {
        int256 sum = _today(flow) + fen;
        // Beyond these it makes no difference.
        if (sum < type(int64).min) sum = type(int64).min;
        if (sum > type(int64).max) sum = type(int64).max;
        (flow.day, flow.fen) = (uint64(QuarterTime.dayOf(block.timestamp)), int64(sum));
    }

    /// @dev Fen that flowed today.
    function _today(Flow storage flow) private view returns (int256) {
        return flow.day == QuarterTime.dayOf(block.timestamp) ? flow.fen : int256(0);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Pausable} from "../authority/Pausable.sol";
import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {ExchangeOrder, IExchange} from "../interfaces/IExchange.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {EXCHANGEABLE_IN, EXCHANGEABLE_OUT, Programme, ProgrammeState, Verdict} from "../interfaces/Types.sol";
import {QuarterTime} from "../ledger/QuarterTime.sol";
import {Packed} from "../libraries/Packed.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {Tabs} from "../libraries/Tabs.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";

/// @title Exchange
/// @notice See {IExchange}.
contract Exchange is IExchange, Pausable {
    using Tabs for Tabs.Batch;

    /// @dev What went through a day's cap. A replaced module starts again from 0: caps slow a drain, they are no book.
    struct Flow {
        uint64 capFen;
        uint64 day;
        uint64 usedFen;
    }

    /// @dev What the checks worked out for an order, and what acting on it needs again.
    struct Terms {
        uint64 toId;
        uint64 amountOut;
        uint64 fen;
        Tabs.ProgrammeTab from;
        Tabs.ProgrammeTab to;
    }

    uint256 private constant ORDER_BYTES = 57;
    uint256 private constant SIGNATURE_LENGTH_BYTES = 2;

    IPointsLedger public immutable ledger;
    IClearingBook public immutable book;
    bytes32 private immutable _domain;

    uint64 private _residentCapFen;
    mapping(uint32 programme => Flow) private _inflows;
    /// @dev `capFen` is unused here: the residents' cap is one for all.
    mapping(address holder => Flow) private _outflows;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_) AccessManaged(authority_) {
        ledger = ledger_;
        book = book_;
        _domain = ledger_.domainSeparator();
    }

    /// @inheritdoc IExchange
    function execute(bytes calldata packed) external whenNotPaused {
        ledger.beginExchange();
        Tabs.Batch memory tabs;
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 end = _endOfOrder(packed, cursor);
            if (end > packed.length) {
                emit Rejected(keccak256(packed[cursor:]), address(0), Verdict.MALFORMED);
                break;
            }
            _execute(Packed.slice(packed, cursor, end - cursor), tabs);
            cursor = end;
        }
        if (tabs.programmeCount != 0) book.post(tabs.postings());
    }

    /// @inheritdoc IExchange
    function setInflowCap(uint32 programme, uint64 capFen) external restricted {
        _inflows[programme].capFen = capFen;
        emit InflowCapSet(programme, capFen);
    }

    /// @inheritdoc IExchange
    function setResidentCap(uint64 capFen) external restricted {
        _residentCapFen = capFen;
        emit ResidentCapSet(capFen);
    }

    /// @inheritdoc IExchange
    function inflow(uint32 programme) external view returns (uint64 capFen, uint64 usedFen) {
        Flow memory flow = _inflows[programme];
        return (flow.capFen, _usedToday(flow));
    }

    /// @inheritdoc IExchange
    function outflow(address holder) external view returns (uint64 capFen, uint64 usedFen) {
        Flow memory flow = _outflows[holder];
        return (_residentCapFen, _usedToday(flow));
    }

    /// @dev Where the order at `cursor` ends: beyond the batch's end if it is not whole.
    function _endOfOrder(bytes calldata packed, uint256 cursor) private pure returns (uint256 end) {
        // No part of an order is longer than 2^16 bytes.
        unchecked {
            end = cursor + ORDER_BYTES + SIGNATURE_LENGTH_BYTES;
            if (end > packed.length) return end;
            end += Packed.read(packed, cursor + ORDER_BYTES, SIGNATURE_LENGTH_BYTES);
        }
    }

    function _unpack(bytes calldata packed) private pure returns (ExchangeOrder memory) {
        return ExchangeOrder({
            holder: address(uint160(Packed.read(packed, 0, 20))),
            fromId: uint64(Packed.read(packed, 20, 8)),
            amount: uint64(Packed.read(packed, 28, 8)),
            toProgramme: uint32(Packed.read(packed, 36, 4)),
            minOut: uint64(Packed.read(packed, 40, 8)),
            nonce: uint32(Packed.read(packed, 48, 4)),
            deadline: uint40(Packed.read(packed, 52, 5))
        });
    }

    function _execute(bytes calldata packed, Tabs.Batch memory tabs) private {
        ExchangeOrder memory order = _unpack(packed);
        bytes32 orderId = TypedData.digest(_domain, TypedData.exchangeOrder(order));
        Verdict verdict = _checkForm(order, orderId, packed);
        Terms memory terms;
        if (verdict == Verdict.ACCEPTED) {
            verdict = _checkTerms(order, terms, tabs);
            verdict = ledger.exchange(
                order.holder, order.nonce, verdict, order.fromId, order.amount, terms.toId, terms.amountOut
            );
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        _countFlows(order.toProgramme, order.holder, terms.fen);
        terms.from.fen -= int256(uint256(terms.fen));
        terms.to.fen += int256(uint256(terms.fen));
        emit Exchanged(
            orderId, order.holder, order.fromId, order.amount, terms.toId, terms.amountOut, terms.fen
        );
    }

    /// @dev What comes before the nonce.
    function _checkForm(ExchangeOrder memory order, bytes32 orderId, bytes calldata packed)
        private
        view
        returns (Verdict)
    {
        if (order.amount == 0) return Verdict.MALFORMED;
        uint256 offset = ORDER_BYTES + SIGNATURE_LENGTH_BYTES;
        bytes calldata signature = Packed.slice(packed, offset, packed.length - offset);
        return SignatureCheck.isValid(order.holder, orderId, signature) ? Verdict.ACCEPTED : Verdict.BAD_SIGNATURE;
    }

    /// @dev What comes after the nonce and before the lot. Fills in `terms`.
    function _checkTerms(ExchangeOrder memory order, Terms memory terms, Tabs.Batch memory tabs)
        private
        view
        returns (Verdict)
    {
        if (block.timestamp > order.deadline) return Verdict.EXPIRED;
        uint32 fromProgramme = uint32(order.fromId >> 32);
        terms.from = tabs.programme(ledger, fromProgramme);
        terms.to = tabs.programme(ledger, order.toProgramme);
        Programme memory from = terms.from.terms;
        Programme memory to = terms.to.terms;
        if (from.state == ProgrammeState.UNKNOWN || to.state == ProgrammeState.UNKNOWN) {
            return Verdict.UNKNOWN_PROGRAMME;
        }
        // Par 0 needs no check of its own: the ledger gives such a programme no exchange flag.
        bool allowed = fromProgramme != order.toProgramme && from.flags & EXCHANGEABLE_OUT != 0
            && Tabs.isSpendable(from) && to.flags & EXCHANGEABLE_IN != 0 && to.state == ProgrammeState.ACTIVE;
        if (!allowed) return Verdict.FORBIDDEN;
        uint256 fen = Value.toFenDown(order.amount, from.par);
        uint256 amountOut = Value.toMinorDown(fen, to.par);
        if (amountOut == 0) return Verdict.NO_VALUE;
        if (amountOut < order.minOut) return Verdict.BELOW_MINIMUM;
        bool fits = amountOut <= type(uint48).max && fen <= type(uint64).max
            && _fitsFlows(order.toProgramme, order.holder, fen);
        if (!fits) return Verdict.CAP_EXCEEDED;
        terms.toId = (uint64(order.toProgramme) << 32) | uint32(order.fromId);
        terms.amountOut = uint64(amountOut);
        terms.fen = uint64(fen);
        return Verdict.ACCEPTED;
    }

    function _fitsFlows(uint32 toProgramme, address holder, uint256 fen) private view returns (bool) {
        uint256 residentCapFen = _residentCapFen;
        if (residentCapFen != 0 && _usedToday(_outflows[holder]) + fen > residentCapFen) return false;
        Flow memory into = _inflows[toProgramme];
        return into.capFen == 0 || _usedToday(into) + fen <= into.capFen;
    }

    /// @dev Nothing is counted where no cap is set: a count would cost each resident a slot.
    function _countFlows(uint32 toProgramme, address holder, uint64 fen) private {
        if (_residentCapFen != 0) _count(_outflows[holder], fen);
        Flow storage into = _inflows[toProgramme];
        if (into.capFen != 0) _count(into, fen);
    }

    function _count(Flow storage flow, uint64 fen) private {
        Flow memory now_ = flow;
        now_.usedFen = _usedToday(now_) + fen;
        now_.day = _today();
        (flow.day, flow.usedFen) = (now_.day, now_.usedFen);
    }

    function _usedToday(Flow memory flow) private view returns (uint64) {
        return flow.day == _today() ? flow.usedFen : 0;
    }

    function _today() private view returns (uint64) {
        return uint64(QuarterTime.dayOf(block.timestamp));
    }
}

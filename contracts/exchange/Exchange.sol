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

    /// @dev What the checks worked out for an order: what it gets, and what its holder and its programme will have used of
    /// their caps.
    struct Terms {
        uint256 toId;
        uint256 amountOut;
        uint256 fen;
        uint256 outflowFen;
        uint256 inflowFen;
    }

    /// @dev What is the same for all orders of a call.
    struct Day {
        uint256 number;
        uint256 residentCapFen;
    }

    uint256 private constant ORDER_BYTES = 57;
    uint256 private constant SIGNATURE_LENGTH_BYTES = 2;

    IPointsLedger public immutable ledger;
    IClearingBook public immutable book;
    bytes32 private immutable _domain;

    uint64 private _residentCapFen;
    mapping(uint32 programme => uint64 fen) private _inflowCaps;
    /// @dev What went through a cap on its last day: day << 64 | fen. A replaced module starts again from 0: caps slow a
    /// drain, they are no book.
    mapping(uint32 programme => uint256) private _inflows;
    mapping(address holder => uint256) private _outflows;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_) AccessManaged(authority_) {
        ledger = ledger_;
        book = book_;
        _domain = ledger_.domainSeparator();
    }

    /// @inheritdoc IExchange
    function execute(bytes calldata packed) external whenNotPaused {
        ledger.beginExchange();
        Tabs.Batch memory tabs;
        Day memory day = Day(QuarterTime.dayOf(block.timestamp), _residentCapFen);
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 end = _endOfOrder(packed, cursor);
            if (end > packed.length) {
                emit Rejected(keccak256(packed[cursor:]), address(0), Verdict.MALFORMED);
                break;
            }
            _execute(Packed.slice(packed, cursor, end - cursor), tabs, day);
            cursor = end;
        }
        if (tabs.programmeCount != 0) book.post(tabs.postings());
    }

    /// @inheritdoc IExchange
    function setInflowCap(uint32 programme, uint64 capFen) external restricted {
        _inflowCaps[programme] = capFen;
        emit InflowCapSet(programme, capFen);
    }

    /// @inheritdoc IExchange
    function setResidentCap(uint64 capFen) external restricted {
        _residentCapFen = capFen;
        emit ResidentCapSet(capFen);
    }

    /// @inheritdoc IExchange
    function inflow(uint32 programme) external view returns (uint64 capFen, uint64 usedFen) {
        return (_inflowCaps[programme], uint64(_used(_inflows[programme], QuarterTime.dayOf(block.timestamp))));
    }

    /// @inheritdoc IExchange
    function outflow(address holder) external view returns (uint64 capFen, uint64 usedFen) {
        return (_residentCapFen, uint64(_used(_outflows[holder], QuarterTime.dayOf(block.timestamp))));
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

    function _execute(bytes calldata packed, Tabs.Batch memory tabs, Day memory day) private {
        ExchangeOrder memory order = ExchangeOrder({
            holder: address(uint160(Packed.read(packed, 0, 20))),
            fromId: uint64(Packed.read(packed, 20, 8)),
            amount: uint64(Packed.read(packed, 28, 8)),
            toProgramme: uint32(Packed.read(packed, 36, 4)),
            minOut: uint64(Packed.read(packed, 40, 8)),
            nonce: uint32(Packed.read(packed, 48, 4)),
            deadline: uint40(Packed.read(packed, 52, 5))
        });
        bytes32 orderId = TypedData.digest(_domain, TypedData.exchangeOrder(order));
        Verdict verdict = _checkForm(order, orderId, packed);
        Terms memory terms;
        if (verdict == Verdict.ACCEPTED) {
            verdict = _checkTerms(order, terms, tabs, day);
            verdict = ledger.exchange(
                order.holder,
                order.nonce,
                verdict,
                order.fromId,
                order.amount,
                uint64(terms.toId),
                uint64(terms.amountOut)
            );
        }
        if (verdict != Verdict.ACCEPTED) {
            emit Rejected(orderId, order.holder, verdict);
            return;
        }
        _count(order, terms, day);
        // The two tabs are still turned to. A few hundred orders of less than 2^64 fen each.
        unchecked {
            tabs.previous.fen -= int256(terms.fen);
            tabs.programme.fen += int256(terms.fen);
        }
        emit Exchanged(
            orderId,
            order.holder,
            order.fromId,
            order.amount,
            uint64(terms.toId),
            uint64(terms.amountOut),
            uint64(terms.fen)
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
    function _checkTerms(ExchangeOrder memory order, Terms memory terms, Tabs.Batch memory tabs, Day memory day)
        private
        view
        returns (Verdict)
    {
        if (block.timestamp > order.deadline) return Verdict.EXPIRED;
        if (!tabs.turnToPair(ledger, order.fromId >> 32, order.toProgramme)) return Verdict.UNKNOWN_PROGRAMME;
        if (order.fromId >> 32 == order.toProgramme) return Verdict.FORBIDDEN;
        Programme memory from = tabs.previous.terms;
        Programme memory to = tabs.programme.terms;
        // Par 0 needs no check of its own: the ledger gives such a programme no exchange flag.
        bool allowed = from.flags & EXCHANGEABLE_OUT != 0 && Tabs.isSpendable(from) && to.flags & EXCHANGEABLE_IN != 0
            && to.state == ProgrammeState.ACTIVE;
        if (!allowed) return Verdict.FORBIDDEN;
        uint256 fen = Value.toFenDown(order.amount, from.par);
        uint256 amountOut = Value.toMinorDown(fen, to.par);
        if (amountOut == 0) return Verdict.NO_VALUE;
        if (amountOut < order.minOut) return Verdict.BELOW_MINIMUM;
        if (amountOut > type(uint48).max || fen > type(uint64).max) return Verdict.CAP_EXCEEDED;
        terms.toId = (uint256(order.toProgramme) << 32) | uint32(order.fromId);
        terms.amountOut = amountOut;
        terms.fen = fen;
        return _checkCaps(order, terms, day);
    }

    /// @dev Nothing is counted where there is no cap: a count costs each resident a slot.
    function _checkCaps(ExchangeOrder memory order, Terms memory terms, Day memory day) private view returns (Verdict) {
        if (day.residentCapFen != 0) {
            terms.outflowFen = _used(_outflows[order.holder], day.number) + terms.fen;
            if (terms.outflowFen > day.residentCapFen) return Verdict.CAP_EXCEEDED;
        }
        uint256 inflowCapFen = _inflowCaps[order.toProgramme];
        if (inflowCapFen != 0) {
            terms.inflowFen = _used(_inflows[order.toProgramme], day.number) + terms.fen;
            if (terms.inflowFen > inflowCapFen) return Verdict.CAP_EXCEEDED;
        }
        return Verdict.ACCEPTED;
    }

    function _count(ExchangeOrder memory order, Terms memory terms, Day memory day) private {
        if (terms.outflowFen != 0) _outflows[order.holder] = (day.number << 64) | terms.outflowFen;
        if (terms.inflowFen != 0) _inflows[order.toProgramme] = (day.number << 64) | terms.inflowFen;
    }

    /// @dev Fen that `flow` says were used on `day`.
    function _used(uint256 flow, uint256 day) private pure returns (uint256) {
        return flow >> 64 == day ? uint64(flow) : 0;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingBook, Obligation} from "../interfaces/IClearingBook.sol";
import {Merchant, Posting} from "../interfaces/Types.sol";
import {Tabs} from "../libraries/Tabs.sol";

/// @title ClearingBook
/// @notice See {IClearingBook}.
contract ClearingBook is IClearingBook, AccessManaged {
    /// @dev One fiscal year's appropriations to one programme, in fen.
    struct Year {
        uint128 recordedFen;
        uint128 lapsedFen;
    }

    struct Prefix {
        bool refunded;
        uint8 keptLots;
        uint64 lastAmount;
    }

    /// @dev Bounds the sums, so that no later addition can overflow.
    uint256 private constant APPROPRIATION_MAX = type(uint96).max;

    /// @inheritdoc IClearingBook
    mapping(uint64 participant => int256 fen) public position;
    /// @inheritdoc IClearingBook
    mapping(uint32 programme => uint256 fen) public appropriated;
    /// @inheritdoc IClearingBook
    mapping(uint32 programme => uint256 fen) public paid;
    mapping(uint32 programme => mapping(uint32 fiscalYear => Year)) private _years;
    /// @dev Ascending.
    mapping(uint32 programme => uint32[]) private _fiscalYears;
    mapping(uint32 id => Merchant) private _merchants;
    /// @inheritdoc IClearingBook
    mapping(uint64 batch => bytes32) public receiptsRoot;
    /// @inheritdoc IClearingBook
    uint64 public lastReceiptsBatch;

    /// @inheritdoc IClearingBook
    mapping(bytes32 orderId => Prefix) public keptPrefix;
    /// @inheritdoc IClearingBook
    mapping(uint64 participant => uint256 fen) public lockedFen;
    /// @inheritdoc IClearingBook
    mapping(uint32 merchantId => uint256 fen) public disputedFen;

    constructor(address authority_) AccessManaged(authority_) {}

    /// @inheritdoc IClearingBook
    function fundingFen(uint32 programme) external view returns (int256) {
        return
            int256(appropriated[programme]) - int256(paid[programme]) + position[Tabs.programmeParticipant(programme)];
    }

    /// @inheritdoc IClearingBook
    function appropriation(uint32 programme, uint32 fiscalYear)
        external
        view
        returns (uint256 recordedFen, uint256 lapsedFen, uint256 leftFen)
    {
        Year memory year = _years[programme][fiscalYear];
        return (year.recordedFen, year.lapsedFen, _leftFen(programme, fiscalYear));
    }

    /// @inheritdoc IClearingBook
    function freeFen(uint32 merchantId) public view returns (uint256) {
        uint64 participant = Tabs.merchantParticipant(merchantId);
        return _aboveZero(position[participant] - int256(lockedFen[participant] + disputedFen[merchantId]));
    }

    /// @inheritdoc IClearingBook
    function owedFen(uint32 programme) public view returns (uint256) {
        uint64 participant = Tabs.programmeParticipant(programme);
        return _aboveZero(-position[participant] - int256(lockedFen[participant]));
    }

    /// @inheritdoc IClearingBook
    function merchant(uint32 id) external view returns (Merchant memory) {
        return _merchants[id];
    }

    /// @inheritdoc IClearingBook
    function recordAppropriation(uint32 programme, uint32 fiscalYear, uint256 fen, bytes32 documentHash)
        external
        restricted
    {
        if (fen == 0 || fen > APPROPRIATION_MAX || fiscalYear == 0) {
            revert ClearingBookBadAppropriation(fiscalYear, fen);
        }
        Year storage year = _years[programme][fiscalYear];
        if (year.recordedFen == 0) _insertYear(_fiscalYears[programme], fiscalYear);
        year.recordedFen += uint128(fen);
        appropriated[programme] += fen;
        emit AppropriationRecorded(programme, fiscalYear, fen, documentHash);
    }

    /// @inheritdoc IClearingBook
    function lapse(uint32 programme, uint32 fiscalYear) external restricted {
        uint256 fen = _leftFen(programme, fiscalYear);
        if (fen == 0) revert ClearingBookNothingToLapse(programme, fiscalYear);
        _years[programme][fiscalYear].lapsedFen += uint128(fen);
        appropriated[programme] -= fen;
        emit AppropriationLapsed(programme, fiscalYear, fen);
    }

    /// @inheritdoc IClearingBook
    function registerMerchant(uint32 id, address key, bytes32 scope) external restricted {
        if (id == 0) revert ClearingBookBadMerchant();
        _merchants[id] = Merchant(key, scope);
        emit MerchantRegistered(id, key, scope);
    }

    /// @inheritdoc IClearingBook
    function post(Posting[] calldata postings) external restricted {
        _post(postings);
    }

    /// @inheritdoc IClearingBook
    function postReceipts(Posting[] calldata postings, bytes32 root) external restricted returns (uint64 batch) {
        _post(postings);
        batch = ++lastReceiptsBatch;
        receiptsRoot[batch] = root;
    }

    /// @inheritdoc IClearingBook
    function postRefund(
        Posting[] calldata postings,
        bytes32 orderId,
        uint32 merchantId,
        uint8 keptLots,
        uint64 lastAmount
    ) external restricted {
        uint256 coveredFen = freeFen(merchantId);
        int256 before = position[Tabs.merchantParticipant(merchantId)];
        keptPrefix[orderId] = Prefix(true, keptLots, lastAmount);
        _post(postings);
        uint256 neededFen = uint256(before - position[Tabs.merchantParticipant(merchantId)]);
        if (neededFen > coveredFen) revert ClearingBookNotCovered(merchantId, neededFen, coveredFen);
    }

    /// @inheritdoc IClearingBook
    function lock(Obligation[] calldata obligations) external restricted {
        for (uint256 i; i < obligations.length; ++i) {
            Obligation calldata obligation = obligations[i];
            (uint32 programme, uint32 merchantId, uint256 fen) =
                (obligation.programme, obligation.merchant, obligation.fen);
            uint64 payer = Tabs.programmeParticipant(programme);
            uint64 payee = Tabs.merchantParticipant(merchantId);
            if (fen > owedFen(programme)) revert ClearingBookNotFree(payer, fen, owedFen(programme));
            if (fen > freeFen(merchantId)) revert ClearingBookNotFree(payee, fen, freeFen(merchantId));
            lockedFen[payer] += fen;
            lockedFen[payee] += fen;
            emit Locked(programme, merchantId, fen);
        }
    }

    /// @inheritdoc IClearingBook
    function pay(uint32 programme, uint32 merchantId, uint256 fen) external restricted {
        uint64 payer = Tabs.programmeParticipant(programme);
        uint64 payee = Tabs.merchantParticipant(merchantId);
        _unlock(payer, fen);
        _unlock(payee, fen);
        paid[programme] += fen;
        _move(payer, int256(fen));
        _move(payee, -int256(fen));
        emit Paid(programme, merchantId, fen);
        emit PaidChanged(programme, paid[programme]);
    }

    /// @inheritdoc IClearingBook
    function lockDisputed(uint32 merchantId, uint256 fen) external restricted {
        if (fen > freeFen(merchantId)) {
            revert ClearingBookNotFree(Tabs.merchantParticipant(merchantId), fen, freeFen(merchantId));
        }
        disputedFen[merchantId] += fen;
        emit DisputedChanged(merchantId, disputedFen[merchantId]);
    }

    /// @inheritdoc IClearingBook
    function freeDisputed(uint32 merchantId, uint256 fen) external restricted {
        uint256 current = disputedFen[merchantId];
        if (fen > current) revert ClearingBookNotLocked(Tabs.merchantParticipant(merchantId), fen, current);
        disputedFen[merchantId] = current - fen;
        emit DisputedChanged(merchantId, current - fen);
    }

    function _post(Posting[] calldata postings) private {
        int256 sum;
        for (uint256 i; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            if (posting.delta == 0) continue;
            sum += posting.delta;
            _move(posting.participant, posting.delta);
        }
        if (sum != 0) revert ClearingBookUnbalanced(sum);
    }

    function _move(uint64 participant, int256 delta) private {
        int256 current = position[participant] + delta;
        position[participant] = current;
        emit PositionChanged(participant, delta, current);
    }

    function _unlock(uint64 participant, uint256 fen) private {
        uint256 current = lockedFen[participant];
        if (fen > current) revert ClearingBookNotLocked(participant, fen, current);
        lockedFen[participant] = current - fen;
    }

    function _aboveZero(int256 fen) private pure returns (uint256) {
        return fen > 0 ? uint256(fen) : 0;
    }

    /// @dev Payments consume the oldest year first: what is left of a year is what they have not reached.
    function _leftFen(uint32 programme, uint32 fiscalYear) private view returns (uint256) {
        uint32[] storage fiscalYears = _fiscalYears[programme];
        uint256 unmatchedFen = paid[programme];
        for (uint256 i; i < fiscalYears.length && fiscalYears[i] <= fiscalYear; ++i) {
            Year memory year = _years[programme][fiscalYears[i]];
            uint256 fen = year.recordedFen - year.lapsedFen;
            if (fiscalYears[i] == fiscalYear) return fen > unmatchedFen ? fen - unmatchedFen : 0;
            unmatchedFen = unmatchedFen > fen ? unmatchedFen - fen : 0;
        }
        return 0;
    }

    /// @dev Keeps the years ascending; there is one a year, and it is nearly always the last.
    function _insertYear(uint32[] storage fiscalYears, uint32 fiscalYear) private {
        fiscalYears.push(fiscalYear);
        for (uint256 i = fiscalYears.length - 1; i > 0 && fiscalYears[i - 1] > fiscalYear; --i) {
            fiscalYears[i] = fiscalYears[i - 1];
            fiscalYears[i - 1] = fiscalYear;
        }
    }
}

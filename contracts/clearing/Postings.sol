// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {Posting, Prefix, ProgrammeId} from "../interfaces/Types.sol";
import {Claims} from "../libraries/Claims.sol";
import {Participants} from "../libraries/Participants.sol";
import {Appropriations} from "./Appropriations.sol";
import {OrderLocks} from "./OrderLocks.sol";

/// @title Postings
/// @notice Part of the clearing book: what the modules and the ledger post, each to its own participants and with its own
/// signs.
abstract contract Postings is Appropriations, OrderLocks {
    using Claims for Claims.Ages;
    using SafeCast for int256;
    using SafeCast for uint256;

    struct RefundedOrder {
        bool refunded;
        Prefix kept;
    }

    /// @inheritdoc IClearingBook
    mapping(uint64 batch => bytes32) public receiptsRoot;
    /// @inheritdoc IClearingBook
    uint64 public lastReceiptsBatch;
    /// @inheritdoc IClearingBook
    mapping(bytes32 orderId => RefundedOrder) public keptPrefix;

    modifier onlyLedger() {
        if (msg.sender != ledger) revert ClearingBookOnlyLedger(msg.sender);
        _;
    }

    /// @inheritdoc IClearingBook
    function post(Posting[] calldata postings) external restricted {
        int256 sum;
        for (uint256 i; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            if (!Participants.isProgramme(posting.participant)) _badPosting(posting);
            sum += posting.delta;
            if (posting.delta != 0) _move(posting.participant, posting.delta);
        }
        if (sum != 0) revert ClearingBookUnbalanced(sum);
    }

    /// @inheritdoc IClearingBook
    function postReceipts(Posting[] calldata postings, bytes32 root) external restricted returns (uint64 batch) {
        int256 sum;
        for (uint256 i; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            (uint64 participant, int256 delta) = (posting.participant, posting.delta);
            sum += delta;
            if (Participants.isProgramme(participant) && delta <= 0) {
                if (delta != 0) _move(participant, delta);
            } else if (Participants.isMerchant(participant) && delta >= 0) {
                if (delta != 0) _credit(Participants.merchantOf(participant), uint256(delta));
            } else {
                _badPosting(posting);
            }
        }
        if (sum != 0) revert ClearingBookUnbalanced(sum);
        batch = ++lastReceiptsBatch;
        receiptsRoot[batch] = root;
    }

    /// @inheritdoc IClearingBook
    function postRefund(
        Posting[] calldata postings,
        bytes32 orderId,
        uint32 merchantId,
        Prefix kept,
        uint40 orderTime,
        bool byArbiter
    ) external restricted {
        uint256 fen = _refundedFen(postings, merchantId);
        keptPrefix[orderId] = RefundedOrder(true, kept);
        _unlockRefunded(orderId, fen);
        uint40 earnedIn = _periodAt(orderTime);
        Claims.Ages memory ages = _currentAges(merchantId);
        uint256 coveredFen = ages.earnedBy(earnedIn);
        if (!byArbiter) {
            coveredFen = Math.min(coveredFen, Math.saturatingSub(ages.total(), _accounts[merchantId].lockedFen));
        }
        if (fen > coveredFen) revert ClearingBookNotCovered(merchantId, fen, coveredFen);
        if (fen != 0) _debit(merchantId, ages, ages.draw(fen, earnedIn));
        for (uint256 i; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            if (posting.delta > 0) _move(posting.participant, posting.delta);
        }
    }

    /// @inheritdoc IClearingBook
    function postBreakage(ProgrammeId programme, uint256 fen) external onlyLedger {
        if (fen != 0) _moveToTreasury(programme, fen);
    }

    /// @inheritdoc IClearingBook
    function closeCredit(ProgrammeId programme) external onlyLedger {
        uint256 fen = _aboveZero(position(Participants.ofProgramme(programme)));
        if (fen != 0) _moveToTreasury(programme, fen);
    }

    function _moveToTreasury(ProgrammeId programme, uint256 fen) private {
        _move(Participants.ofProgramme(programme), -fen.toInt256());
        _move(Participants.TREASURY, fen.toInt256());
    }

    /// @dev Fen that a refund's postings, which are checked here, take from the merchant.
    function _refundedFen(Posting[] calldata postings, uint32 merchantId) private pure returns (uint256 fen) {
        int256 sum;
        uint64 payer = Participants.ofMerchant(merchantId);
        for (uint256 i; i < postings.length; ++i) {
            Posting calldata posting = postings[i];
            (uint64 participant, int256 delta) = (posting.participant, posting.delta);
            sum += delta;
            if (participant == payer && merchantId != 0 && delta <= 0) fen += uint256(-delta);
            else if (!Participants.isProgramme(participant) || delta < 0) _badPosting(posting);
        }
        if (sum != 0) revert ClearingBookUnbalanced(sum);
    }

    function _badPosting(Posting calldata posting) private pure {
        revert ClearingBookBadPosting(posting.participant, posting.delta);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Merchant, Posting} from "./Types.sol";

/// @notice What a programme must pay a merchant.
/// @param fen More than 0.
struct Obligation {
    uint32 programme;
    uint32 merchant;
    uint128 fen;
}

/// @title IClearingBook
/// @notice The book of what institutions owe each other, in fen: a position for each programme and merchant, what the
/// finance bureau appropriated and what was paid, the merchants' keys, and the receipts of redemptions.
///
/// A participant is (1 << 32) | programme or (2 << 32) | merchant. The sum of all positions is 0 after every call.
/// Like the ledger it is never upgraded; modules post to it with a role and are replaced by moving that role.
///
/// Trust: a module that posts is trusted to move value only as signed orders say; the book guarantees the zero sum.
interface IClearingBook {
    /// @notice A position changed; at most one event a participant a call.
    event PositionChanged(uint64 indexed participant, int256 delta, int256 position);
    /// @notice The finance bureau made `fen` more available to the programme from this fiscal year's budget.
    event AppropriationRecorded(uint32 indexed programme, uint32 fiscalYear, uint256 fen, bytes32 documentHash);
    /// @notice What was left of a fiscal year's appropriations, `fen`, is no longer available.
    event AppropriationLapsed(uint32 indexed programme, uint32 fiscalYear, uint256 fen);
    /// @notice All that was ever paid for the programme is now `paid` fen.
    event PaidChanged(uint32 indexed programme, uint256 paid);
    /// @notice A merchant was registered or changed; key 0 retires it.
    event MerchantRegistered(uint32 indexed id, address key, bytes32 scope);

    /// @notice `fen` that the programme owes the merchant are locked for payment.
    event Locked(uint32 indexed programme, uint32 indexed merchant, uint256 fen);
    /// @notice The programme paid the merchant `fen` that were locked.
    event Paid(uint32 indexed programme, uint32 indexed merchant, uint256 fen);
    /// @notice Disputes now lock `disputedFen` of the merchant's value.
    event DisputedChanged(uint32 indexed merchant, uint256 disputedFen);

    /// @notice The postings' sum is not 0.
    error ClearingBookUnbalanced(int256 sum);
    /// @notice Merchant id 0.
    error ClearingBookBadMerchant();
    /// @notice An appropriation of 0, or of no fiscal year, or beyond 2^128.
    error ClearingBookBadAppropriation(uint32 fiscalYear, uint256 fen);
    /// @notice The merchant's value that is not locked does not cover the refund.
    error ClearingBookNotCovered(uint32 merchantId, uint256 neededFen, uint256 freeFen);
    /// @notice The participant's position has less than `neededFen` that is not locked.
    error ClearingBookNotFree(uint64 participant, uint256 neededFen, uint256 freeFen);
    /// @notice Less is locked than was to be paid or freed.
    error ClearingBookNotLocked(uint64 participant, uint256 neededFen, uint256 lockedFen);
    /// @notice Nothing is left to lapse.
    error ClearingBookNothingToLapse(uint32 programme, uint32 fiscalYear);

    /// @notice Net position of a participant in fen; below 0 it owes.
    function position(uint64 participant) external view returns (int256);

    /// @notice Fen appropriated to the programme, less what lapsed.
    function appropriated(uint32 programme) external view returns (uint256);

    /// @notice Fen paid to merchants for the programme.
    function paid(uint32 programme) external view returns (uint256);

    /// @notice appropriated - paid + position, in fen: what the points outstanding may be worth. May be below 0, which
    /// stops minting and nothing else.
    function fundingFen(uint32 programme) external view returns (int256);

    /// @notice What was recorded and has lapsed, and what is still left, of one fiscal year. Payments consume the
    /// oldest fiscal year first.
    function appropriation(uint32 programme, uint32 fiscalYear)
        external
        view
        returns (uint256 recordedFen, uint256 lapsedFen, uint256 leftFen);

    /// @notice The merchant's key and scope.
    function merchant(uint32 id) external view returns (Merchant memory);

    /// @notice Root of the receipts tree of a batch; batches count from 1.
    function receiptsRoot(uint64 batch) external view returns (bytes32);

    /// @notice Number of the last receipts batch.
    function lastReceiptsBatch() external view returns (uint64);

    /// @notice The prefix that a refunded order keeps. `refunded` is false as long as it keeps everything.
    function keptPrefix(bytes32 orderId) external view returns (bool refunded, uint8 keptLots, uint64 lastAmount);

    /// @notice Fen of the participant's position that are listed for payment: to a merchant, or by a programme.
    function lockedFen(uint64 participant) external view returns (uint256);

    /// @notice Fen of the merchant's position that disputes lock.
    function disputedFen(uint32 merchantId) external view returns (uint256);

    /// @notice Fen of the merchant's position that are locked neither for payment nor by a dispute: what a refund may draw
    /// on, and what the next cycle pays.
    function freeFen(uint32 merchantId) external view returns (uint256);

    /// @notice Fen that the programme owes and that are not listed for payment yet.
    function owedFen(uint32 programme) external view returns (uint256);

    /// @notice Records an appropriation.
    /// @param documentHash Hash of the document that grants it.
    /// @dev Restricted to the finance bureau.
    function recordAppropriation(uint32 programme, uint32 fiscalYear, uint256 fen, bytes32 documentHash) external;

    /// @notice Ends a fiscal year's appropriations: what is left of them lapses, what was paid stays.
    /// @dev Restricted to the finance bureau.
    function lapse(uint32 programme, uint32 fiscalYear) external;

    /// @notice Registers a merchant or changes its key or scope. Key 0 retires it: no order names it any more.
    /// @dev Restricted.
    function registerMerchant(uint32 id, address key, bytes32 scope) external;

    /// @notice Applies postings whose sum is 0; each participant once.
    /// @dev Restricted to modules.
    function post(Posting[] calldata postings) external;

    /// @notice As `post`, and stores the root of a batch's receipts.
    /// @dev Restricted to redemption.
    /// @return batch Number of the receipts batch.
    function postReceipts(Posting[] calldata postings, bytes32 root) external returns (uint64 batch);

    /// @notice As `post`, for a refund: the order keeps this shorter prefix from now on, and the merchant's debit among
    /// the postings must be covered by value that is not locked.
    /// @dev Restricted to redemption, which has compared the prefixes.
    function postRefund(
        Posting[] calldata postings,
        bytes32 orderId,
        uint32 merchantId,
        uint8 keptLots,
        uint64 lastAmount
    ) external;

    /// @notice Locks what programmes must pay merchants. Each must owe, and each must be owed, that much freely.
    /// @dev Restricted to settlement.
    function lock(Obligation[] calldata obligations) external;

    /// @notice Records that a programme paid a merchant what was locked: their positions move towards 0 and `paid` rises,
    /// which leaves the programme's funding as it was.
    /// @dev Restricted to settlement.
    function pay(uint32 programme, uint32 merchantId, uint256 fen) external;

    /// @notice Locks `fen` of the merchant's free value for a dispute.
    /// @dev Restricted to disputes.
    function lockDisputed(uint32 merchantId, uint256 fen) external;

    /// @notice Frees `fen` that disputes lock.
    /// @dev Restricted to disputes.
    function freeDisputed(uint32 merchantId, uint256 fen) external;
}

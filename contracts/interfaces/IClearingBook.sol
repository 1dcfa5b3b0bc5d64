// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Merchant, Posting, Prefix, ProgrammeId} from "./Types.sol";

/// @notice A merchant's claim, in fen.
/// @param maturedFen Can be paid out, but for what is locked.
/// @param youngerFen Of the period before this one; matures when this period ends.
/// @param youngestFen Of this period; matures when the next one ends.
/// @param lockedFen What the consumer arbiter locked for disputed orders.
/// @param payableFen What a payout may take now: matured, not locked, within what is left of the cycle's ceiling.
struct Claim {
    uint256 maturedFen;
    uint256 youngerFen;
    uint256 youngestFen;
    uint256 lockedFen;
    uint256 payableFen;
}

/// @notice What a programme has to pay into the treasury account, in fen.
/// @param fen Due of the cycle last opened.
/// @param olderFen Left over from cycles before; its date has passed.
/// @param dueBy Last Unix second at which `fen` is not overdue.
/// @param waivedUntil Unix time until which the council waives the consequence of being overdue.
struct Due {
    uint96 fen;
    uint96 olderFen;
    uint40 dueBy;
    uint40 waivedUntil;
}

/// @notice What a city may choose about clearing.
/// @param paymentTerm Seconds from the opening of a cycle to the date its dues are due by; the next cycle cannot open before
/// that. 1 to 90 days.
/// @param payoutCeilingFen The most a merchant is paid out a cycle; 0 means no ceiling. What is paid while there is none
/// does not count towards one that is set later.
struct ClearingTerms {
    uint40 paymentTerm;
    uint96 payoutCeilingFen;
}

/// @title IClearingBook
/// @notice The book of what institutions owe each other, in fen: a position of each programme, a claim of each merchant, the
/// pool (money that debtors paid into the finance bureau's treasury account and that is not yet paid out) and the
/// treasury (value that expired), what was appropriated and paid, the merchants' keys, and the receipts of redemptions.
///
/// A participant is (1 << 32) | programme, (2 << 32) | merchant, 3 << 32 for the pool or 4 << 32 for the treasury. The sum of
/// all positions is 0 after every call; the position of a merchant is its whole claim and never below 0, the pool's is never
/// above 0, the treasury's never below 0.
///
/// **Claims mature.** Time is cut into periods of `maturity` seconds (period = Unix time / maturity). What a merchant earned
/// in period p can be paid out from the beginning of period p + 2: after at least one and at most two times `maturity`. A
/// refund of an order of period p draws on what was earned in p or before, youngest first: of an order that has
/// matured, on matured value alone.
///
/// **Cycle.** `openCycle` states what is due in all (matured claims less what lies in the pool, at most what the programmes
/// that ever had an appropriation owe) and each debtor's due amount
/// (largest remainder over what the programmes owe, ties to the programme appropriated to first) and date. A programme is
/// overdue if of what it still owes 10 yuan or more are due from an earlier date, and then does not mint unless the council
/// waived that. `fund` books what a debtor paid into the treasury account, `payout` what a merchant is paid from it.
///
/// **Once only.** An appropriation's document counts once for a programme and year, a fiscal year lapses once, a payment
/// reference is used once, an order is locked once.
///
/// Like the ledger it is never upgraded; modules post to it with a role and are replaced by moving that role.
/// Trust: a module that posts is trusted to move value only as signed orders say; the book guarantees the zero sum, the
/// signs above, and that no payout exceeds a matured claim that is not locked. Finance is trusted that what it books
/// happened; its acts wait a day at the AccessManager, where another organisation can cancel them.
interface IClearingBook {
    /// @notice A position changed; at most one event a participant and posting.
    event PositionChanged(uint64 indexed participant, int256 delta, int256 position);
    /// @notice Finance made `fen` more available to the programme from this fiscal year's budget; all that is available is now
    /// `appropriatedFen`.
    event AppropriationRecorded(
        ProgrammeId indexed programme,
        uint32 fiscalYear,
        uint256 fen,
        bytes32 indexed documentHash,
        uint256 appropriatedFen
    );
    /// @notice `fen` of what was left of a fiscal year's appropriations are no longer available.
    event AppropriationLapsed(ProgrammeId indexed programme, uint32 fiscalYear, uint256 fen, uint256 appropriatedFen);
    /// @notice Finance took back expired value: the programme owes `fen` less, and has `fen` less available.
    event AppropriationReclaimed(
        ProgrammeId indexed programme,
        uint256 fen,
        bytes32 indexed paymentReference,
        uint256 appropriatedFen
    );
    /// @notice A cycle was opened over `totalFen`, due by `dueBy`.
    event CycleOpened(uint64 indexed cycle, uint256 totalFen, uint40 dueBy);
    /// @notice The programme has to pay `fen` by the cycle's date, and `olderFen` have been due from earlier.
    event DueSet(uint64 indexed cycle, ProgrammeId indexed programme, uint96 fen, uint96 olderFen);
    /// @notice The programme paid `fen` into the treasury account; all that it ever paid is now `paidFen`.
    event Funded(ProgrammeId indexed programme, uint256 fen, bytes32 indexed paymentReference, uint256 paidFen);
    /// @notice The merchant is to be paid `fen` from the treasury account. What a bank pays follows these events.
    event PaidOut(uint32 indexed merchant, uint256 fen, bytes32 indexed paymentReference);
    /// @notice `fen` of the merchant's claim are locked for a disputed order until `until`.
    event OrderLocked(
        bytes32 indexed orderId,
        uint32 indexed merchant,
        uint256 fen,
        uint40 until,
        bytes32 complaintHash
    );
    /// @notice `fen` are no longer locked for the order: they are refunded, or the lock's time is over.
    event OrderUnlocked(bytes32 indexed orderId, uint32 indexed merchant, uint256 fen);
    /// @notice The council waives the consequence of being overdue until `until`.
    event WaiverSet(ProgrammeId indexed programme, uint40 previousUntil, uint40 until);
    /// @notice The consumer arbiter's key, whose signature refunds a locked order in the merchant's place.
    event ArbiterKeySet(address previousKey, address key);
    /// @notice The city chose other terms.
    event ClearingTermsSet(ClearingTerms previous, ClearingTerms current);
    /// @notice A merchant was registered or changed; key 0 retires it.
    event MerchantRegistered(uint32 indexed id, address previousKey, bytes32 previousScope, address key, bytes32 scope);

    /// @notice The postings do not sum to 0.
    error ClearingBookUnbalanced(int256 sum);
    /// @notice This caller may not post to this participant, or not with this sign.
    error ClearingBookBadPosting(uint64 participant, int256 delta);
    /// @notice Only the points ledger may.
    error ClearingBookOnlyLedger(address caller);
    /// @notice No fen, more than 10^15 in the year, no fiscal year, or one that has lapsed.
    error ClearingBookBadAppropriation(uint32 fiscalYear, uint256 fen);
    /// @notice The ledger knows no such programme.
    error ClearingBookUnknownProgramme(ProgrammeId programme);
    /// @notice This document's appropriation to the programme and year is recorded.
    error ClearingBookDocumentUsed(ProgrammeId programme, uint32 fiscalYear, bytes32 documentHash);
    /// @notice Nothing of the year is left and free, or it has lapsed.
    error ClearingBookNothingToLapse(ProgrammeId programme, uint32 fiscalYear);
    /// @notice The payment reference was used, or is 0.
    error ClearingBookReferenceUsed(bytes32 paymentReference);
    /// @notice No fen, or more than can be funded, paid out, taken back or locked.
    error ClearingBookBadAmount(uint256 fen, uint256 most);
    /// @notice The bytes are no packed payouts: none, or a length that is no multiple of 12.
    error ClearingBookBadPayouts(uint256 length);
    /// @notice Too early: possible from `from` (Unix time) on.
    error ClearingBookTooEarly(uint256 from);
    /// @notice Nothing is owed beyond what the pool holds.
    error ClearingBookNothingDue();
    /// @notice The merchant's claim does not cover a refund.
    error ClearingBookNotCovered(uint32 merchant, uint256 fen, uint256 coveredFen);
    /// @notice The order was locked before.
    error ClearingBookOrderLocked(bytes32 orderId);
    /// @notice The order is not locked, or not any more.
    error ClearingBookOrderNotLocked(bytes32 orderId);
    /// @notice The merchant's id is 0.
    error ClearingBookBadMerchant();
    /// @notice Terms out of their bounds.
    error ClearingBookBadTerms();

    // ----------------------------------------------------------------------------------------------------- views

    /// @notice The points ledger that this book belongs to.
    function ledger() external view returns (address);

    /// @notice Seconds a period lasts.
    function maturity() external view returns (uint40);

    /// @notice Signed fen of a participant; for a merchant its whole claim.
    function position(uint64 participant) external view returns (int256);

    /// @notice What the ledger asks before it mints: fen available beyond what the programme paid and owes (appropriated - paid
    /// + position), all that was appropriated, and whether it is overdue.
    function fundingOf(ProgrammeId programme)
        external
        view
        returns (int256 fundingFen, uint256 appropriatedFen, bool overdue);

    /// @notice What is available to the programme: recorded less lapsed less taken back.
    function appropriated(ProgrammeId programme) external view returns (uint256);

    /// @notice All that the programme ever paid.
    function paid(ProgrammeId programme) external view returns (uint256);

    /// @notice A fiscal year's appropriations: recorded, lapsed, and left. Payments and what was taken back consume the oldest
    /// year first.
    function appropriation(ProgrammeId programme, uint32 fiscalYear)
        external
        view
        returns (uint256 recordedFen, uint256 lapsedFen, uint256 leftFen);

    /// @notice The programmes that ever had an appropriation, in the order of their first.
    function programmes() external view returns (ProgrammeId[] memory);

    /// @notice What the programme has to pay.
    function due(ProgrammeId programme) external view returns (Due memory);

    /// @notice The merchant's claim now.
    function claim(uint32 merchantId) external view returns (Claim memory);

    /// @notice All merchants' claims now, in the same parts; `payableFen` is what lies in the pool.
    function totalClaims() external view returns (Claim memory);

    /// @notice The cycle last opened, 0 before the first, and the date by which its dues are due.
    function lastCycle() external view returns (uint64 cycle, uint40 dueBy);

    /// @notice What is locked for the order, and until when; `until` stays when the lock is over.
    function orderLock(bytes32 orderId) external view returns (uint32 merchantId, uint96 fen, uint40 until);

    /// @notice The merchant's key and scope.
    function merchant(uint32 id) external view returns (Merchant memory);

    /// @notice The consumer arbiter's key.
    function arbiterKey() external view returns (address);

    /// @notice The terms in force.
    function terms() external view returns (ClearingTerms memory);

    /// @notice Root of the receipts of a batch.
    function receiptsRoot(uint64 batch) external view returns (bytes32);

    /// @notice Number of the last batch of receipts.
    function lastReceiptsBatch() external view returns (uint64);

    /// @notice The prefix of the signed lots that a refunded order keeps, and whether it was ever refunded.
    function keptPrefix(bytes32 orderId) external view returns (bool refunded, Prefix kept);

    // --------------------------------------------------------------------------------------------------- modules

    /// @notice Moves value between programmes.
    /// @dev Restricted to exchange.
    function post(Posting[] calldata postings) external;

    /// @notice Debits programmes, credits merchants' youngest claims, and stores the receipts' root.
    /// @dev Restricted to redemption.
    /// @return batch Its number, counted from 1.
    function postReceipts(Posting[] calldata postings, bytes32 root) external returns (uint64 batch);

    /// @notice Credits programmes from the merchant's claim for an order that now keeps `kept` of its lots, and first frees what
    /// is locked for that order, up to the fen refunded. Unless `byArbiter`, what is left of the claim must cover the
    /// merchant's other locks.
    /// @dev Restricted to redemption.
    /// @param orderTime Unix time at which the order landed.
    function postRefund(
        Posting[] calldata postings,
        bytes32 orderId,
        uint32 merchantId,
        Prefix kept,
        uint40 orderTime,
        bool byArbiter
    ) external;

    /// @notice Locks `fen` of the merchant's claim, present or to come, for an order, once, for 60 days.
    /// @dev Restricted to redemption, which has checked the arbiter, the receipt and that `fen` is at most its value.
    function lockOrder(bytes32 orderId, uint32 merchantId, uint96 fen, bytes32 complaintHash) external;

    /// @notice Debits the programme and credits the treasury with value that expired.
    /// @dev Only the points ledger.
    function postBreakage(ProgrammeId programme, uint256 fen) external;

    /// @notice Moves what is owed to a programme that has closed, if anything, to the treasury.
    /// @dev Only the points ledger.
    function closeCredit(ProgrammeId programme) external;

    // ---------------------------------------------------------------------------------------------------- anyone

    /// @notice Opens a cycle: see above. Anyone may call, once the last cycle's date has passed.
    function openCycle() external returns (uint64 cycle);

    /// @notice Ends the lock of an order whose time is over, in favour of the merchant.
    function unlockOrder(bytes32 orderId) external;

    // --------------------------------------------------------------------------------------------------- finance

    /// @notice Records an appropriation to a programme that is registered: at most 10^15 fen a year.
    /// @param documentHash Hash of the document that grants it; counts once for a programme and year.
    /// @dev Restricted to finance.
    function recordAppropriation(ProgrammeId programme, uint32 fiscalYear, uint256 fen, bytes32 documentHash) external;

    /// @notice Ends a fiscal year's appropriations, once: takes what is left of them, at most the free funding
    /// (fundingFen less the value of the supply, rounded up).
    /// @dev Restricted to finance.
    function lapse(ProgrammeId programme, uint32 fiscalYear) external;

    /// @notice Takes back expired value that the programme owes the treasury: position up, treasury down, appropriated down.
    /// At most what it owes, what the treasury has, and what is appropriated.
    /// @dev Restricted to finance.
    function reclaim(ProgrammeId programme, uint256 fen, bytes32 paymentReference) external;

    /// @notice Books what the programme paid into the treasury account: position up, pool down. At most what it owes.
    /// @dev Restricted to finance.
    function fund(ProgrammeId programme, uint256 fen, bytes32 paymentReference) external;

    /// @notice Books payouts from the treasury account: packed (merchant 4 | fen 8)*. Each merchant is paid at most what is
    /// payable to it, and nothing beyond what lies in the pool; who is left with 0 is passed over without an event. Reverts if that is everyone.
    /// @dev Restricted to finance.
    /// @return fen All that is paid out.
    function payout(bytes calldata packed, bytes32 paymentReference) external returns (uint256 fen);

    /// @notice Books a payment from a programme to a merchant: `fund` and `payout` in one, and nothing less than `fen`.
    /// @dev Restricted to finance.
    function payDirectly(ProgrammeId programme, uint32 merchantId, uint256 fen, bytes32 paymentReference) external;

    // --------------------------------------------------------------------------------------- registrar and council

    /// @notice Registers a merchant, or changes its key or scope; key 0 retires it.
    /// @dev Restricted to the registrar, whose acts wait a day.
    function registerMerchant(uint32 id, address key, bytes32 scope) external;

    /// @notice Waives the consequence of being overdue, for at most 90 days from now (else ClearingBookBadTerms); 0 ends a
    /// waiver.
    /// @dev Restricted to the council.
    function setWaiver(ProgrammeId programme, uint40 until) external;

    /// @notice Sets the consumer arbiter's key.
    /// @dev Restricted to the council.
    function setArbiterKey(address key) external;

    /// @notice Chooses other terms.
    /// @dev Restricted to the council.
    function setTerms(ClearingTerms calldata newTerms) external;
}

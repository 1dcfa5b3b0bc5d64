// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC6909, IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/contracts/interfaces/draft-IERC6909.sol";
import {Programme, ProgrammeState, Verdict} from "./Types.sol";

/// @title IPointsLedger
/// @notice The book of points of a city: balances, escrow, supply, programmes, order nonces and landed batches.
///
/// A token id is `programme << 32 | quarter`: the points of one programme that expire together, a *lot*. Quarter
/// q = (year - 2000) * 4 + 1…4; a lot is dead from the first second after its quarter in UTC+8. Quarter 0 never
/// expires and exists only in programmes of par 0. Ids beyond 64 bits, or of an unknown programme, have balance 0 and
/// cannot be moved. Amounts are minor units: 1 point = 100. The supply of a lot never exceeds 2^48 - 1, so no balance does,
/// and no transfer, hold, capture or release can fail because somebody has too much.
///
/// The ledger is never upgraded. Modules (issuance, exchange, redemption) act on it with a role of the AccessManager
/// and are replaced by moving that role. It holds whatever must outlive a module: nonces, landed batches, open holds.
///
/// Escrow: a hold moves its lots to the ledger's own address, so `balanceOf(address(this), id)` is the open escrow of
/// `id`, and the sum of all balances is always the supply. Every change of a balance emits ERC-6909's `Transfer`
/// (mint from, burn to address 0), so the events alone give back every balance.
///
/// Trust: a module with a role is trusted to have checked the signatures of whom it acts for. The ledger itself
/// guarantees that no batch lands twice, no nonce is spent twice, no lot goes below 0, no dead lot is spent and only
/// what was put in escrow leaves it.
interface IPointsLedger is IERC6909Metadata, IERC6909TokenSupply, IERC5267 {
    // ---------------------------------------------------------------------------------------------------- events

    /// @notice A programme was opened. Its par and flags never change.
    /// @param par Micro-fen a point.
    event ProgrammeRegistered(uint32 indexed programme, uint64 par, uint8 flags, bytes32 spendScope);

    /// @notice `key` may sign for `programme` from now on (`active`), or no longer.
    event IssuerKeySet(uint32 indexed programme, address indexed key, bool active);

    /// @notice Another rulebook is in force for future deeds.
    event RulebookSet(uint32 indexed programme, uint32 version, bytes32 rulebookHash);

    /// @notice The programme moved on in its life: 1 active, 2 closing, 3 closed.
    event ProgrammeStateSet(uint32 indexed programme, ProgrammeState state);

    /// @notice A batch of an issuer landed; its number can never land again.
    event BatchLanded(uint32 indexed programme, uint64 indexed number, bytes32 evidenceRoot);

    /// @notice A dead lot was burned.
    event Swept(address indexed holder, uint256 indexed id, uint256 amount);

    /// @notice Lots of `holder` went to escrow under `holdId`, the digest of the hold order.
    /// @param lots Packed: (id 8 | amount 8)*.
    event HoldOpened(bytes32 indexed holdId, address indexed holder, bytes lots);

    /// @notice The hold is over: the first `keptLots` lots were burned, whole but the last, of which `lastAmount` was;
    /// the rest went back to `receiver`, the holder or a successor.
    event HoldClosed(bytes32 indexed holdId, address indexed receiver, uint8 keptLots, uint64 lastAmount);

    /// @notice Part of a lot that died while it was held, or before it was refunded, came back in the current
    /// quarter's lot.
    event LotReborn(address indexed holder, uint256 indexed deadId, uint256 indexed id, uint256 amount);

    /// @notice The most that may be reborn for one holder in a quarter changed.
    event RebirthCapSet(uint64 capFen);

    /// @notice `holder` spent a nonce without an order, so that no order that uses it can land any more.
    event NonceCancelled(address indexed holder, uint256 indexed id, uint32 nonce);

    /// @notice `holder` has given way to `successor` for good.
    event SuccessorSet(address indexed holder, address indexed successor);

    /// @notice A desk asked to move `holder` to `successor`; nothing happens before `executableFrom` (Unix time).
    event MigrationRequested(address indexed holder, address indexed successor, uint256[] ids, uint40 executableFrom);

    /// @notice The council agreed to the pending migration of `holder`.
    event MigrationApproved(address indexed holder);

    /// @notice The holder refused the migration a desk had asked for.
    event MigrationCancelled(address indexed holder);

    // ---------------------------------------------------------------------------------------------------- errors

    /// @notice The programme is not registered.
    error PointsLedgerUnknownProgramme(uint32 programme);
    /// @notice The id is taken, or is 0.
    error PointsLedgerProgrammeExists(uint32 programme);
    /// @notice Par is above 1e11 micro-fen a point (¥1,000), beyond which a basket's value might not fit 64 bits.
    error PointsLedgerParTooHigh(uint64 par);
    /// @notice A flag bit without meaning, or a flag that par 0 forbids (exchange and redemption).
    error PointsLedgerBadFlags(uint8 flags);
    /// @notice A programme's state moves forward only, one step at a time.
    error PointsLedgerBadState(uint32 programme, ProgrammeState current, ProgrammeState wanted);
    /// @notice Too early to close: holds and refunds may still be open until `from` (Unix time).
    error PointsLedgerTooEarly(uint256 from);
    /// @notice Rulebook versions only rise.
    error PointsLedgerBadRulebook(uint32 version, uint32 current);
    /// @notice Issuer key 0.
    error PointsLedgerBadKey();
    /// @notice The programme does not mint: it is closing or closed.
    error PointsLedgerNotActive(uint32 programme);
    /// @notice The lot is over, or its programme is beyond its spending time.
    error PointsLedgerLotDead(uint256 id);
    /// @notice The lot is still alive and cannot be swept.
    error PointsLedgerLotAlive(uint256 id);
    /// @notice Quarter 0 in a programme that has a par.
    error PointsLedgerBadQuarter(uint32 programme, uint32 quarter);
    /// @notice The batch landed before.
    error PointsLedgerBatchLanded(uint32 programme, uint64 number);
    /// @notice The batch was made void.
    error PointsLedgerBatchVoid(uint32 programme, uint64 number);
    /// @notice Evidence roots 0 and 1 stand for "unused" and "void".
    error PointsLedgerBadRoot(bytes32 root);
    /// @notice No grants, or a length that is no multiple of 28.
    error PointsLedgerBadGrants(uint256 length);
    /// @notice The grant that begins at byte `offset` names account 0 or the ledger, or grants nothing.
    error PointsLedgerBadGrant(uint256 offset);
    /// @notice The lot's supply would be `supply`, which is more than 2^48 - 1 minor units.
    error PointsLedgerLotFull(uint256 id, uint256 supply);
    /// @notice The revoked total of a leaf only rises.
    error PointsLedgerBadRevocation(bytes32 leaf, uint64 revokedTotal, uint64 current);
    /// @notice The caller has not begun a batch of this kind in this block.
    error PointsLedgerNotBegun(address caller);
    /// @notice The kept prefix does not fit the lots.
    error PointsLedgerBadPrefix(uint8 keptLots, uint64 lastAmount);
    /// @notice The nonce is spent, or 64 or more above the base.
    error PointsLedgerNonceSpent(address holder, uint32 nonce);
    /// @notice Address 0, the ledger, or for a successor: the holder itself or an account that gave way once.
    error PointsLedgerBadReceiver(address receiver);
    /// @notice The programme's points cannot be handed on.
    error PointsLedgerNotTransferable(uint32 programme);
    /// @notice The sender has less.
    error PointsLedgerInsufficientBalance(address holder, uint256 balance, uint256 needed, uint256 id);
    /// @notice The spender may move less.
    error PointsLedgerInsufficientAllowance(address spender, uint256 allowance, uint256 needed, uint256 id);
    /// @notice The holder has given way already; `forward` moves what is left.
    error PointsLedgerRetired(address holder);
    /// @notice The account has no successor.
    error PointsLedgerNotRetired(address holder);
    /// @notice No such migration is pending, it lacks the council's approval, or it differs from what was asked.
    error PointsLedgerNoMigration(address holder);
    /// @notice The ledger's escrow is no account to sweep or migrate.
    error PointsLedgerEscrow();

    // ----------------------------------------------------------------------------------------------------- views

    /// @notice EIP-712 domain separator of all orders and batches: name "Tongdui", version "1", chain id, this address
    /// and the deployment's salt. Fixed at construction.
    function domainSeparator() external view returns (bytes32);

    /// @notice The programme's parameters and state; all zero when unknown.
    function programme(uint32 programmeId) external view returns (Programme memory);

    /// @notice Minor units of the programme outstanding over all lots.
    function programmeSupply(uint32 programmeId) external view returns (uint256);

    /// @notice Whether `key` may sign batches of the programme.
    function isIssuerKey(uint32 programmeId, address key) external view returns (bool);

    /// @notice Nonce base and window of the holder's word to which token `id` belongs (its programme and year).
    /// A nonce n is free when base <= n < base + 32 and bit n - base of the window is 0, or base + 32 <= n < base + 64.
    function nonceState(address holder, uint256 id) external view returns (uint32 base, uint32 window);

    /// @notice Whether lot `id` can no longer be spent: its quarter is over, or its programme's spending time is.
    function isDead(uint256 id) external view returns (bool);

    /// @notice 0 unused, 1 landed, 2 void.
    function batchState(uint32 programmeId, uint64 number) external view returns (uint8);

    /// @notice Evidence root of a landed batch; 0 if it has not landed.
    function batchRoot(uint32 programmeId, uint64 number) external view returns (bytes32);

    /// @notice Minor units revoked of the grant with this evidence leaf so far.
    function revokedTotal(bytes32 leaf) external view returns (uint64);

    /// @notice keccak256(abi.encodePacked(holder, lots)) of an open hold; 0 if no such hold is open.
    function holdCommitment(bytes32 holdId) external view returns (bytes32);

    /// @notice The account to which `holder` gave way, 0 if none.
    function successor(address holder) external view returns (address);

    /// @notice The end of the chain of successors that begins at `holder`, at most 16 steps on.
    function currentAccount(address holder) external view returns (address);

    /// @notice The most that may be reborn for one holder in a quarter, in fen.
    function rebirthCapFen() external view returns (uint64);

    // -------------------------------------------------------------------------------------------------- issuance

    /// @notice Mints one batch: the packed `grants` (address 20 | uint64 amount 8, big-endian) of one lot.
    /// Checks, in order: authority, programme known, active, quarter allowed, quarter not over, root, batch unused,
    /// grants' length, each grant, the lot's supply.
    /// @dev Restricted to issuance, which has checked the issuer's signature and then checks the funding.
    /// @return amount Minor units minted.
    /// @return supply Minor units of the programme outstanding now.
    /// @return par Micro-fen a point.
    function mint(uint32 programmeId, uint32 quarter, uint64 number, bytes32 evidenceRoot, bytes calldata grants)
        external
        returns (uint256 amount, uint256 supply, uint64 par);

    /// @notice Makes an unused batch number void for good. Reverts if it landed or is void.
    /// @dev Restricted to issuance.
    function voidBatch(uint32 programmeId, uint64 number) external;

    /// @notice Raises the revoked total of a grant to `total` and takes the difference from `holder`, or from the
    /// account to which it gave way, as far as it has that much of `id`. Takes dead lots too.
    /// @dev Restricted to issuance, which has checked evidence, bound and signature.
    /// @return account Whose points were taken.
    /// @return taken Minor units burned.
    /// @return shortfall Minor units of the difference that were not there.
    function revoke(bytes32 leaf, uint64 total, address holder, uint256 id)
        external
        returns (address account, uint64 taken, uint64 shortfall);

    // -------------------------------------------------------------------------------------------------- exchange

    /// @notice Admits the calling module to `exchange` until the end of this block. The authority is asked here, once
    /// a batch, and not again for each order.
    /// @dev Restricted to exchange.
    /// Warning: a role taken away takes effect for a module that began a batch in the same block when the next begins.
    function beginExchange() external;

    /// @notice One signed order: spends the nonce in the word of `fromId`, burns `amountIn` of `fromId` and mints
    /// `amountOut` of `toId`. Checks, in order: nonce, the module's own `verdict`, room in lot `toId` (CAP_EXCEEDED), lot
    /// alive, balance.
    /// @param verdict What the module's own checks said; anything but ACCEPTED spends the nonce and nothing else.
    /// @return The verdict on the order; nothing moved unless it is ACCEPTED.
    function exchange(
        address holder,
        uint32 nonce,
        Verdict verdict,
        uint64 fromId,
        uint64 amountIn,
        uint64 toId,
        uint64 amountOut
    ) external returns (Verdict);

    // ------------------------------------------------------------------------------------------------ redemption

    /// @notice Admits the calling module to `spend`, `hold`, `closeHold` and `restore` until the end of this block.
    /// @dev Restricted to redemption. See `beginExchange` for the warning.
    function beginRedemption() external;

    /// @notice One signed order: spends the nonce in the word of the first lot and burns all `lots` or none.
    /// Checks, in order: nonce, the module's own `verdict`, each lot alive and its balance, in the signed order.
    /// @param lots Packed: (id 8 | amount 8)*, at least one; the same id may appear twice.
    function spend(address holder, uint32 nonce, bytes calldata lots, Verdict verdict) external returns (Verdict);

    /// @notice As `spend`, but the lots go to escrow under `holdId`, the digest of an order with this nonce. An id that is
    /// open is refused like a spent nonce.
    function hold(bytes32 holdId, address holder, uint32 nonce, bytes calldata lots, Verdict verdict)
        external
        returns (Verdict);

    /// @notice Ends a hold: burns the kept prefix of its lots and gives the rest back to the holder or its successor.
    /// Lots that died meanwhile are captured all the same; given back they are reborn in the current quarter, within the
    /// holder's cap and the room in the current quarter's lot, and beyond either come back dead.
    /// @param keptLots How many lots are kept in part or whole; 0 releases everything.
    /// @param lastAmount Minor units kept of the last kept lot (1 to its amount; 0 if keptLots is 0).
    /// @return Whether the hold was open and committed to this holder and these lots; if not, nothing happened.
    function closeHold(bytes32 holdId, address holder, bytes calldata lots, uint8 keptLots, uint64 lastAmount)
        external
        returns (bool);

    /// @notice For a refund: mints back to `holder` or its successor what lies between the prefix of `lots` that was kept
    /// before and the shorter one that is kept from now on, reborn where lots died meanwhile as in `closeHold`. Reverts with
    /// PointsLedgerLotFull where so much was minted since that the lot has no room for it; then a smaller refund may land.
    /// @return The account that received them.
    function restore(
        address holder,
        bytes calldata lots,
        uint8 keptLotsBefore,
        uint64 lastAmountBefore,
        uint8 keptLots,
        uint64 lastAmount
    ) external returns (address);

    // ----------------------------------------------------------------------------------------------------- anyone

    /// @notice Spends the caller's own nonce of the word to which `id` belongs, so that an order using it is dead.
    function cancelNonce(uint256 id, uint32 nonce) external;

    /// @notice Burns what `holder` has of the dead lots `ids`. Anyone may call. Reverts if one is alive.
    function sweep(address holder, uint256[] calldata ids) external;

    /// @notice Moves the caller's living lots `ids`, whatever the flags of their programmes, to `newAccount` and makes
    /// that the caller's successor for good: releases and refunds follow it. Mint does not; see `forward`.
    /// Nonces stay behind. Dead lots stay behind and can be swept.
    /// Warning: cannot be undone; the account can never again become anyone's successor.
    function migrate(address newAccount, uint256[] calldata ids) external;

    /// @notice Moves the living lots `ids` of an account that gave way to the end of its chain of successors.
    /// Anyone may call.
    function forward(address oldAccount, uint256[] calldata ids) external;

    /// @notice A desk asks to move a holder who lost the key. Replaces a request of the same holder.
    /// @dev Restricted to desks.
    function requestMigration(address holder, address newAccount, uint256[] calldata ids) external;

    /// @notice The council agrees to the pending request, which is named in full lest another be put in its place.
    /// @dev Restricted to the council.
    function approveMigration(address holder, address newAccount, uint256[] calldata ids) external;

    /// @notice The holder refuses the migration a desk asked for.
    function cancelMigration() external;

    /// @notice Carries out a migration that a desk asked for at least seven days ago and the council approved.
    /// Anyone may call.
    function executeMigration(address holder, address newAccount, uint256[] calldata ids) external;

    // ---------------------------------------------------------------------------------------------------- council

    /// @notice Opens a programme. To revalue points open a new series beside the old one: par never changes.
    /// @param programmeId Not 0 and not taken.
    /// @param par Micro-fen a point, at most 1e11; 0 for an eligibility score, which can be neither exchanged nor
    /// redeemed.
    /// @param flags See `Programme`.
    /// @param spendScope See `Programme`.
    /// @param programmeName Name of its tokens (ERC-6909 metadata).
    /// @param programmeSymbol Symbol of its tokens.
    function registerProgramme(
        uint32 programmeId,
        uint64 par,
        uint8 flags,
        bytes32 spendScope,
        string calldata programmeName,
        string calldata programmeSymbol
    ) external;

    /// @notice Lets `key` sign for the programme, or stops it. Several keys may be active, so a rotation loses no
    /// batch in flight.
    function setIssuerKey(uint32 programmeId, address key, bool active) external;

    /// @notice Puts another rulebook in force. Versions only rise.
    function setRulebook(uint32 programmeId, uint32 version, bytes32 rulebookHash) external;

    /// @notice Moves a programme on: active to closing (no mint, no exchange in; points stay spendable for 365 days),
    /// closing to closed (120 days after spending ended, when no hold or refund can be open).
    function setState(uint32 programmeId, ProgrammeState state) external;

    /// @notice Sets the most that may be reborn for one holder in a quarter, in fen.
    function setRebirthCap(uint64 capFen) external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LotId, Prefix, Verdict} from "./Types.sol";

/// @title ILedgerOrders
/// @notice What the modules ask of the ledger for signed orders: nonces, escrow, and what refunds restore.
///
/// Exchange and redemption act with a role of the AccessManager and are replaced by moving it. The ledger holds whatever must
/// outlive them: nonces, open holds, and how much of each lot refunds may restore.
///
/// Trust: a module with a role is trusted to have checked whom it acts for. The ledger itself guarantees that no nonce is spent
/// twice, no lot goes below 0, no dead lot is spent, only what was put in escrow leaves it, no exchange gives more value than
/// it takes or another expiry, and no more of a lot is restored than was redeemed of it. A module cannot mint.
interface ILedgerOrders {
    /// @notice Part of a lot that died before it was refunded came back in the current quarter's lot.
    event LotReborn(address indexed holder, uint256 indexed deadId, uint256 indexed id, uint256 amount);
    /// @notice The most that may be reborn for one holder in a quarter changed.
    event RebirthCapSet(uint64 previousCapFen, uint64 capFen);
    /// @notice `holder` spent a nonce without an order, so that no order that uses it can land any more.
    event NonceCancelled(address indexed holder, uint256 indexed id, uint32 nonce);

    /// @notice The caller has not begun a batch of this kind in this block.
    error PointsLedgerNotBegun(address caller);
    /// @notice The kept prefix does not fit the lots.
    error PointsLedgerBadPrefix(Prefix kept);
    /// @notice The nonce is spent, or 64 or more above the base.
    error PointsLedgerNonceSpent(address holder, uint32 nonce);
    /// @notice What would be given is worth more than what is taken, expires in another quarter, has no par, or is of the same
    /// programme.
    error PointsLedgerBadExchange(LotId fromId, uint256 amountIn, LotId toId, uint256 amountOut);
    /// @notice More of the lot would be restored than was redeemed of it.
    error PointsLedgerNotRedeemed(LotId id, uint256 amount, uint256 redeemed);

    /// @notice Nonce base and window of the holder's word to which token `id` belongs (its programme and year).
    /// A nonce n is free when base <= n < base + 32 and bit n - base of the window is 0, or base + 32 <= n < base + 64.
    function nonceState(address holder, uint256 id) external view returns (uint32 base, uint32 window);

    /// @notice keccak256(abi.encodePacked(holder, lots)) of an open hold; 0 if no such hold is open.
    function holdCommitment(bytes32 holdId) external view returns (bytes32);

    /// @notice The most that may be reborn for one holder in a quarter, in fen.
    function rebirthCapFen() external view returns (uint64);

    /// @notice What was reborn for a holder, in fen, in the quarter given.
    function rebirth(address holder) external view returns (uint32 quarter, uint64 fen);

    /// @notice Admits the calling module to `exchange` until the end of this block. The authority is asked here, once
    /// a batch, and not again for each order.
    /// @dev Restricted to exchange.
    /// Warning: a role taken away takes effect for a module that began a batch in the same block when the next begins.
    function beginExchange() external;

    /// @notice One signed order: spends the nonce in the word of `fromId`, burns `amountIn` of `fromId` and mints
    /// `amountOut` of `toId`. Checks, in order: nonce, the module's own `verdict`, room in lot `toId` (CAP_EXCEEDED), lot
    /// alive, balance. Reverts if an accepted order would gain value or change its quarter, which no module that computes
    /// as the standard says ever asks for.
    /// @param verdict What the module's own checks said; anything but ACCEPTED spends the nonce and nothing else.
    /// @return The verdict on the order; nothing moved unless it is ACCEPTED.
    function exchange(
        address holder,
        uint32 nonce,
        Verdict verdict,
        LotId fromId,
        uint64 amountIn,
        LotId toId,
        uint64 amountOut
    ) external returns (Verdict);

    /// @notice Admits the calling module to `spend`, `holdLots`, `finishHold` and `restore` until the end of this block.
    /// @dev Restricted to redemption. See `beginExchange` for the warning.
    function beginRedemption() external;

    /// @notice One signed order: spends the nonce in the word of the first lot and burns all `lots` or none.
    /// Checks, in order: nonce, the module's own `verdict`, each lot alive and its balance, in the signed order.
    /// @param lots Packed: (id 8 | amount 8)*, at least one; the same id may appear twice.
    function spend(address holder, uint32 nonce, bytes calldata lots, Verdict verdict) external returns (Verdict);

    /// @notice As `spend`, but the lots go to escrow under `holdId`, the digest of an order with this nonce. An id that is
    /// open is refused like a spent nonce.
    function holdLots(bytes32 holdId, address holder, uint32 nonce, bytes calldata lots, Verdict verdict)
        external
        returns (Verdict);

    /// @notice Ends a hold: burns the kept prefix of its lots and gives the rest back, unchanged, to the holder or its
    /// successor. What the holder and those who succeeded it owe of a lot is collected from what comes back.
    /// @return Whether the hold was open and committed to this holder and these lots; if not, nothing happened.
    function finishHold(bytes32 holdId, address holder, bytes calldata lots, Prefix kept) external returns (bool);

    /// @notice For a refund: mints back to `holder` or its successor what lies between the prefix of `lots` that was kept
    /// before and the shorter one that is kept from now on. A lot that died meanwhile comes back in the current quarter's,
    /// within the receiver's cap and the room in that lot; beyond either, and where the programme's spending time is over,
    /// it comes back dead. Reverts where more of a lot would be restored than was redeemed, or where so much was
    /// minted since that the lot has no room; then a smaller refund may land.
    /// @return The account that received them.
    function restore(address holder, bytes calldata lots, Prefix keptBefore, Prefix kept) external returns (address);

    /// @notice Spends the caller's own nonce of the word to which `id` belongs, so that an order using it is dead.
    function cancelNonce(uint256 id, uint32 nonce) external;

    /// @notice Sets the most that may be reborn for one holder in a quarter, in fen.
    /// @dev Restricted to the council.
    function setRebirthCap(uint64 capFen) external;
}

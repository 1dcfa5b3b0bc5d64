// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/contracts/interfaces/draft-IERC6909.sol";

import {ProgrammeId} from "./Types.sol";

/// @title ILots
/// @notice Who has how much of which lot.
///
/// A token id is `programme << 32 | quarter`: the points of one programme that expire together, a *lot*. Quarter
/// q = (year - 2000) * 4 + 1…4, counted in UTC+8. Quarter 0 never expires and exists only in programmes of par 0. Ids beyond
/// 64 bits, or of an unknown programme, have balance 0 and cannot be moved. Amounts are minor units: 1 point = 100. The supply
/// of a lot never exceeds 2^48 - 1, so no balance does, and no transfer, hold, capture or release can fail because somebody
/// has too much.
///
/// **Expiry.** The promised day is the last of the quarter; the ledger's clock runs 7 days late, always, so that neither a
/// pause nor a stopped chain costs anybody a point: a lot is dead from 7 days after its quarter, or from the end of its
/// programme's spending time. Anyone may sweep a dead lot; its value goes to the treasury, to the fen over all sweeps of the
/// programme.
///
/// Escrow: a hold moves its lots to the ledger's own address, so `balanceOf(address(this), id)` is the open escrow of
/// `id`, and the sum of all balances is always the supply. Every change of a balance emits ERC-6909's `Transfer`
/// (mint from, burn to address 0), so the events alone give back every balance.
interface ILots is IERC6909Metadata, IERC6909TokenSupply {
    /// @notice A dead lot was burned.
    event Swept(address indexed holder, uint256 indexed id, uint256 amount);

    /// @notice The lot is over, or its programme is beyond its spending time.
    error PointsLedgerLotDead(uint256 id);
    /// @notice The lot is still alive and cannot be swept.
    error PointsLedgerLotAlive(uint256 id);
    /// @notice The lot's supply would be `supply`, which is more than 2^48 - 1 minor units.
    error PointsLedgerLotFull(uint256 id, uint256 supply);
    /// @notice Address 0 or the ledger itself.
    error PointsLedgerBadReceiver(address receiver);
    /// @notice The programme's points cannot be handed on.
    error PointsLedgerNotTransferable(ProgrammeId programme);
    /// @notice The sender has less.
    error PointsLedgerInsufficientBalance(address holder, uint256 balance, uint256 needed, uint256 id);
    /// @notice The spender may move less.
    error PointsLedgerInsufficientAllowance(address spender, uint256 allowance, uint256 needed, uint256 id);
    /// @notice Lots in escrow outlive their quarter.
    error PointsLedgerEscrow();

    /// @notice Whether lot `id` can no longer be spent.
    function isDead(uint256 id) external view returns (bool);

    /// @notice Minor units of the lot that were redeemed and not restored since: the most that refunds can restore of it.
    function redeemed(uint256 id) external view returns (uint256);

    /// @notice Minor units of the programme swept so far.
    function swept(ProgrammeId programmeId) external view returns (uint256);

    /// @notice Burns what `holder` has of the dead lots `ids`. Anyone may call. Reverts if one is alive.
    function sweep(address holder, uint256[] calldata ids) external;
}

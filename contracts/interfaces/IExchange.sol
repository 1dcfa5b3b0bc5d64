// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IOrders} from "./IOrders.sol";
import {IPausable} from "./IPausable.sol";
import {LotId, ProgrammeId} from "./Types.sol";

/// @notice What a resident signs to turn points of one programme into another's.
/// @param holder Whose points.
/// @param fromId Lot that is given.
/// @param amount Minor units given.
/// @param toProgramme Programme that is wanted; the expiry quarter stays the same.
/// @param minOut Least minor units wanted.
/// @param nonce Free in the word of `fromId`.
/// @param deadline Last Unix second at which it may land.
struct ExchangeOrder {
    address holder;
    LotId fromId;
    uint64 amount;
    ProgrammeId toProgramme;
    uint64 minOut;
    uint32 nonce;
    uint40 deadline;
}

/// @title IExchange
/// @notice Exchanges points between programmes at their fixed pars, without spread.
///
/// fen = floor(amount * parFrom / 1e8); out = floor(fen * 1e8 / parTo). The same fen leaves the position of the one
/// programme and enters the other's; dust stays with the latter. A lot keeps its expiry quarter.
///
/// The caps of a day (UTC+8) bound what a resident exchanges, and what a programme takes in less what it gives out: points that
/// go to and fro use up nobody's cap. A replaced module starts again from 0: caps slow a drain, they are no book.
///
/// A batch is packed: holder 20 | fromId 8 | amount 8 | toProgramme 4 | minOut 8 | nonce 4 | deadline 5 | sigLen 2 | sig.
///
/// Checks, in order: MALFORMED (amount 0), BAD_SIGNATURE, NONCE_SPENT, EXPIRED, UNKNOWN_PROGRAMME, FORBIDDEN (same
/// programme, flags, from: frozen or spending time over, to: frozen or not active), NO_VALUE, BELOW_MINIMUM, CAP_EXCEEDED
/// (out, resident a day, programme a day, supply of the lot that is wanted), LOT_DEAD, INSUFFICIENT. All after NONCE_SPENT
/// spend the nonce, so a retry cannot land twice.
interface IExchange is IOrders, IPausable {
    /// @notice The order landed. The ledger's two Transfers directly before it have the lots and amounts.
    /// @param orderId EIP-712 digest of the order.
    /// @param fen Value that moved between the two programmes' positions.
    event Exchanged(bytes32 indexed orderId, address indexed holder, uint64 fen);
    /// @notice A programme takes in at most `capFen` a day more than it gives out (0: no cap).
    event InflowCapSet(ProgrammeId indexed programme, uint64 previousCapFen, uint64 capFen);
    /// @notice A resident exchanges at most `capFen` a day (0: no cap).
    event ResidentCapSet(uint64 previousCapFen, uint64 capFen);

    /// @notice Executes a packed batch. Anyone may relay it.
    /// Warning: reverts as a whole if paused, or if the gas left could not pay for a contract wallet's check.
    function execute(bytes calldata packed) external;

    /// @notice Caps what a programme takes in a day, net, in fen; 0 means no cap.
    /// @dev Restricted to the council.
    function setInflowCap(ProgrammeId programme, uint64 capFen) external;

    /// @notice Caps what a resident exchanges a day, in fen; 0 means no cap.
    /// @dev Restricted to the council.
    function setResidentCap(uint64 capFen) external;

    /// @notice The programme's cap a day and what it took in today, net, in fen. Nothing is counted while there is no cap.
    function inflow(ProgrammeId programme) external view returns (uint64 capFen, int64 netFen);

    /// @notice The resident's cap a day and what was exchanged today, in fen. Nothing is counted while there is no cap.
    function outflow(address holder) external view returns (uint64 capFen, uint64 usedFen);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IPausable} from "./IPausable.sol";
import {Verdict} from "./Types.sol";

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
    uint64 fromId;
    uint64 amount;
    uint32 toProgramme;
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
/// A batch is packed: holder 20 | fromId 8 | amount 8 | toProgramme 4 | minOut 8 | nonce 4 | deadline 5 | sigLen 2 | sig.
/// A bad order is skipped with `Rejected` and never sinks its neighbours; bytes at the end that are no whole order are
/// rejected as one MALFORMED order of holder 0 whose id is their keccak256.
///
/// Checks, in order: MALFORMED (amount 0), BAD_SIGNATURE, NONCE_SPENT, EXPIRED, UNKNOWN_PROGRAMME, FORBIDDEN (same
/// programme, par 0, flags, from: spending time over, to: not active), NO_VALUE, BELOW_MINIMUM, CAP_EXCEEDED (out,
/// resident a day, programme a day, supply of the lot that is wanted), LOT_DEAD, INSUFFICIENT. All after NONCE_SPENT spend
/// the nonce, so a retry cannot land twice.
interface IExchange is IPausable {
    /// @notice The order landed.
    /// @param orderId EIP-712 digest of the order.
    /// @param fen Value that moved between the two programmes' positions.
    event Exchanged(
        bytes32 indexed orderId,
        address indexed holder,
        uint64 fromId,
        uint64 amountIn,
        uint64 toId,
        uint64 amountOut,
        uint64 fen
    );
    /// @notice The order was skipped.
    event Rejected(bytes32 indexed orderId, address indexed holder, Verdict code);
    /// @notice A programme takes in at most `capFen` a day (0: no cap).
    event InflowCapSet(uint32 indexed programme, uint64 capFen);
    /// @notice A resident exchanges at most `capFen` a day (0: no cap).
    event ResidentCapSet(uint64 capFen);

    /// @notice Executes a packed batch. Anyone may relay it.
    /// Warning: reverts as a whole if paused, or if the gas left could not pay for a contract wallet's check.
    function execute(bytes calldata packed) external;

    /// @notice Caps what a programme takes in a day (UTC+8), in fen; 0 means no cap.
    /// @dev Restricted to the council.
    function setInflowCap(uint32 programme, uint64 capFen) external;

    /// @notice Caps what a resident exchanges a day (UTC+8), in fen; 0 means no cap.
    /// @dev Restricted to the council.
    function setResidentCap(uint64 capFen) external;

    /// @notice The programme's cap a day and what it took in today, in fen.
    function inflow(uint32 programme) external view returns (uint64 capFen, uint64 usedFen);

    /// @notice The resident's cap a day and what was exchanged today, in fen. Nothing is counted while there is no cap.
    function outflow(address holder) external view returns (uint64 capFen, uint64 usedFen);
}

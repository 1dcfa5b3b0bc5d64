// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IClearingBook} from "./IClearingBook.sol";
import {IPointsLedger} from "./IPointsLedger.sol";
import {Verdict} from "./Types.sol";

/// @title IOrders
/// @notice What the modules that execute batches of signed orders share.
///
/// A bad order is skipped with `Rejected` and never sinks its neighbours. A malformed one bears the keccak256 of its bytes as its
/// id, and holder 0: no order that could be valid has that id. Bytes at the end that are no whole order are rejected as
/// one malformed order.
///
/// Trust: anyone may relay anything; a relay can delay or withhold, and land early, what it holds. Only plain accounts relay.
interface IOrders {
    /// @notice The order was skipped.
    event Rejected(bytes32 indexed orderId, address indexed holder, Verdict code);

    /// @notice The points ledger on which orders act.
    function ledger() external view returns (IPointsLedger);

    /// @notice The clearing book to which they are posted.
    function book() external view returns (IClearingBook);
}

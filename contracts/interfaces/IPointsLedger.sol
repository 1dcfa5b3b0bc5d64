// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

import {IIssuance} from "./IIssuance.sol";
import {ILedgerOrders} from "./ILedgerOrders.sol";
import {ILots} from "./ILots.sol";
import {IProgrammes} from "./IProgrammes.sol";
import {ISuccessors} from "./ISuccessors.sol";

/// @title IPointsLedger
/// @notice The book of points of a city: programmes, lots, batches, orders' nonces and escrow, successors. Each idea has an
/// interface of its own. Never upgraded.
interface IPointsLedger is IProgrammes, ILots, IIssuance, ILedgerOrders, ISuccessors, IERC5267 {
    /// @notice The constructor's book or succession belongs to another ledger.
    error PointsLedgerWrongParts();

    /// @notice EIP-712 domain separator of all that is signed: name "Tongdui", version "2", chain id, this address
    /// and the deployment's salt. Fixed at construction.
    function domainSeparator() external view returns (bytes32);

    /// @notice The clearing book that belongs to this ledger.
    function clearingBook() external view returns (address);
}

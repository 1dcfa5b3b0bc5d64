// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Claim, IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {ProgrammeId} from "../interfaces/Types.sol";

/// @title BookReader
/// @notice For tests only: reads much of both books in one call, so that a test can compare all of it after each step.
contract BookReader {
    function balances(IPointsLedger ledger, address[] calldata holders, uint256[] calldata ids)
        external
        view
        returns (uint256[] memory all)
    {
        all = new uint256[](holders.length * ids.length);
        for (uint256 i; i < holders.length; ++i) {
            for (uint256 j; j < ids.length; ++j) {
                all[i * ids.length + j] = ledger.balanceOf(holders[i], ids[j]);
            }
        }
    }

    function nonces(IPointsLedger ledger, address[] calldata holders, uint256[] calldata ids)
        external
        view
        returns (uint256[] memory all)
    {
        all = new uint256[](holders.length * ids.length);
        for (uint256 i; i < holders.length; ++i) {
            for (uint256 j; j < ids.length; ++j) {
                (uint32 base, uint32 window) = ledger.nonceState(holders[i], ids[j]);
                all[i * ids.length + j] = (uint256(window) << 32) | base;
            }
        }
    }

    function supplies(IPointsLedger ledger, uint256[] calldata ids) external view returns (uint256[] memory all) {
        all = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            all[i] = ledger.totalSupply(ids[i]);
        }
    }

    function redeemed(IPointsLedger ledger, uint256[] calldata ids) external view returns (uint256[] memory all) {
        all = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            all[i] = ledger.redeemed(ids[i]);
        }
    }

    function positions(IClearingBook book, uint64[] calldata ids) external view returns (int256[] memory all) {
        all = new int256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            all[i] = book.position(ids[i]);
        }
    }

    function claims(IClearingBook book, uint32[] calldata ids) external view returns (Claim[] memory all) {
        all = new Claim[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            all[i] = book.claim(ids[i]);
        }
    }

    function programmes(IPointsLedger ledger, IClearingBook book, ProgrammeId[] calldata ids)
        external
        view
        returns (uint256[] memory supply, uint256[] memory appropriated, uint256[] memory paid)
    {
        supply = new uint256[](ids.length);
        appropriated = new uint256[](ids.length);
        paid = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            supply[i] = ledger.programme(ids[i]).supply;
            appropriated[i] = book.appropriated(ids[i]);
            paid[i] = book.paid(ids[i]);
        }
    }
}

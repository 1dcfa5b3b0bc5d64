// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {IRefundDesk, Receipt} from "../interfaces/IRefundDesk.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {Tabs} from "../libraries/Tabs.sol";
import {Value} from "../libraries/Value.sol";

/// @title RefundDesk
/// @notice See {IRefundDesk}: what redemption and disputes share.
abstract contract RefundDesk is IRefundDesk {
    using PackedLots for bytes;
    using Tabs for Tabs.Batch;

    IPointsLedger public immutable ledger;
    IClearingBook public immutable book;
    bytes32 internal immutable _domain;

    constructor(IPointsLedger ledger_, IClearingBook book_) {
        ledger = ledger_;
        book = book_;
        _domain = ledger_.domainSeparator();
    }

    /// @dev That the order landed as the receipt says and paid with these lots.
    function _checkReceipt(Receipt calldata receipt, uint64 batch, bytes32[] calldata proof, bytes calldata paid)
        internal
        view
    {
        (bytes32 lotsHash,) = paid.hash();
        if (lotsHash != receipt.lotsHash) revert RefundDeskWrongLots(receipt.orderId);
        bytes32 leaf = ReceiptsTree.leaf(
            receipt.orderId, receipt.holder, receipt.merchant, receipt.lotsHash, receipt.fen, receipt.time
        );
        if (!MerkleProof.verifyCalldata(proof, book.receiptsRoot(batch), leaf)) {
            revert RefundDeskBadProof(receipt.orderId, batch);
        }
    }

    /// @dev Shortens the order's kept prefix and gives back what lies behind it. The merchant's value must cover it.
    function _refund(Receipt calldata receipt, bytes calldata paid, uint8 keptLots, uint64 lastAmount)
        internal
        returns (uint256 fen)
    {
        (uint8 keptBefore, uint64 lastBefore) = _keptPrefix(receipt.orderId, paid);
        bool shorter = keptLots < keptBefore || (keptLots == keptBefore && lastAmount < lastBefore);
        if (!shorter || !paid.isPrefix(keptLots, lastAmount)) revert RefundDeskBadPrefix(keptLots, lastAmount);
        Tabs.Batch memory tabs;
        fen = _runUp(paid, keptBefore, lastBefore, -1, tabs) - _runUp(paid, keptLots, lastAmount, 1, tabs);
        tabs.addMerchant(receipt.merchant, book.merchant(receipt.merchant));
        tabs.merchant.fen = -int256(fen);
        book.postRefund(tabs.postings(), receipt.orderId, receipt.merchant, keptLots, lastAmount);
        ledger.beginRedemption();
        address receiver = ledger.restore(receipt.holder, paid, keptBefore, lastBefore, keptLots, lastAmount);
        emit Refunded(receipt.orderId, receiver, receipt.merchant, keptLots, lastAmount, uint64(fen));
    }

    /// @dev What the order keeps so far: all it paid, or the prefix that an earlier refund left.
    function _keptPrefix(bytes32 orderId, bytes calldata paid) internal view returns (uint8, uint64) {
        (bool refunded, uint8 keptLots, uint64 lastAmount) = book.keptPrefix(orderId);
        if (refunded) return (keptLots, lastAmount);
        (uint256 all, uint64 last) = paid.all();
        return (uint8(all), last);
    }

    /// @dev Debits each lot's programme what the floor of the running sum gains by the lot, or credits it back if `sign`
    /// is -1.
    /// Warning: all programmes must be known, as those of lots that were spent or held are; of an unknown one the tab that
    /// happens to be open would be debited.
    /// @return fen The sum of the debits.
    function _runUp(bytes calldata lots, uint256 keptLots, uint64 lastAmount, int256 sign, Tabs.Batch memory tabs)
        internal
        view
        returns (uint256 fen)
    {
        uint256 microfenMinor;
        for (uint256 i; i < keptLots; ++i) {
            (uint256 id, uint256 amount) = lots.at(i);
            tabs.turnToProgramme(ledger, id >> 32);
            // A few lots of less than 2^64 at pars of less than 2^37, and a few hundred orders a call.
            unchecked {
                microfenMinor += (i + 1 == keptLots ? lastAmount : amount) * tabs.programme.terms.par;
                uint256 upToHere = microfenMinor / Value.MICROFEN_MINOR;
                tabs.programme.fen -= sign * int256(upToHere - fen);
                fen = upToHere;
            }
        }
    }
}

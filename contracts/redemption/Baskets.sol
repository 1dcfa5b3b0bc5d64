// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRedemption} from "../interfaces/IRedemption.sol";
import {LotId, Prefix, Programme, Verdict} from "../interfaces/Types.sol";
import {BatchTotals} from "../libraries/BatchTotals.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {Value} from "../libraries/Value.sol";
import {OrderBatch} from "../orders/OrderBatch.sol";

/// @title Baskets
/// @notice What baskets of lots are worth, whom that debits, and the receipts of what was paid.
abstract contract Baskets is IRedemption, OrderBatch {
    using BatchTotals for BatchTotals.Batch;
    using LotIds for LotId;
    using PackedLots for bytes;

    uint256 private constant ORDER_FEN_MIN = 10;

    /// @dev Room for as many receipts as the bytes could hold orders.
    function _newBatch(bytes calldata packed, uint256 headBytes)
        internal
        pure
        returns (BatchTotals.Batch memory batch)
    {
        batch.receipts = ReceiptsTree.newNodes(packed.length / (headBytes + PackedLots.LOT_BYTES));
    }

    /// @dev Writes the book once a call: each participant's sum, and the root of the receipts.
    function _post(BatchTotals.Batch memory batch) internal {
        if (batch.receiptCount == 0) return;
        bytes32 root = ReceiptsTree.root(batch.receipts, batch.receiptCount);
        uint64 number = book.postReceipts(batch.postings(), root);
        emit RedemptionBatch(number, root, uint32(batch.receiptCount));
    }

    /// @dev Checks what comes after the nonce and before the lots' own state, and computes the lots' value.
    function _checkTerms(uint32 merchantId, uint40 deadline, bytes calldata lots, BatchTotals.Batch memory batch)
        internal
        view
        returns (Verdict, uint256 fen)
    {
        if (block.timestamp > deadline) return (Verdict.EXPIRED, 0);
        if (!batch.loadMerchant(book, merchantId)) return (Verdict.UNKNOWN_MERCHANT, 0);
        uint256 microfenMinor;
        uint256 count = lots.count();
        for (uint256 i; i < count; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            if (!batch.loadProgramme(ledger, id.programme())) return (Verdict.UNKNOWN_PROGRAMME, 0);
            Programme memory programme = batch.programme.terms;
            if (!batch.programme.redeemable) return (Verdict.FORBIDDEN, 0);
            bytes32 scope = programme.spendScope;
            if (scope != 0 && scope & batch.merchant.terms.scope == 0) return (Verdict.OUT_OF_SCOPE, 0);
            // A few lots of less than 2^64 at pars of less than 2^37.
            unchecked {
                microfenMinor += amount * programme.par;
            }
        }
        fen = microfenMinor / Value.MICROFEN_MINOR;
        return (fen < ORDER_FEN_MIN ? Verdict.NO_VALUE : Verdict.ACCEPTED, fen);
    }

    /// @dev What a prefix is worth. Lots of no programme, which no hold can have, are worth nothing.
    function _valueOf(bytes calldata lots, Prefix kept, BatchTotals.Batch memory batch)
        internal
        view
        returns (uint256)
    {
        uint256 microfenMinor;
        (uint256 keptLots,) = PackedLots.parts(kept);
        for (uint256 i; i < keptLots; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            if (!batch.loadProgramme(ledger, id.programme())) continue;
            // As in `_checkTerms`.
            unchecked {
                microfenMinor += PackedLots.keptOf(i, amount, kept) * batch.programme.terms.par;
            }
        }
        return microfenMinor / Value.MICROFEN_MINOR;
    }

    /// @dev Debits each lot's programme what the floor of the running sum gains by the lot, or credits it back if `sign`
    /// is -1.
    /// Warning: all programmes must be known, as those of lots that were spent or held are; of an unknown one the programme
    /// loaded before would be debited.
    /// @return fen The sum of the debits.
    function _accrue(bytes calldata lots, Prefix kept, int256 sign, BatchTotals.Batch memory batch)
        internal
        view
        returns (uint256 fen)
    {
        uint256 microfenMinor;
        (uint256 keptLots,) = PackedLots.parts(kept);
        for (uint256 i; i < keptLots; ++i) {
            (LotId id, uint256 amount) = lots.at(i);
            batch.loadProgramme(ledger, id.programme());
            // A few lots of less than 2^64 at pars of less than 2^37, and a few hundred orders a call.
            unchecked {
                microfenMinor += PackedLots.keptOf(i, amount, kept) * batch.programme.terms.par;
                uint256 upToHere = microfenMinor / Value.MICROFEN_MINOR;
                batch.programme.fen -= sign * int256(upToHere - fen);
                fen = upToHere;
            }
        }
    }

    /// @dev Debits the programmes of kept lots worth `fen`, credits the merchant, which is loaded, and keeps the receipt.
    function _pay(
        bytes32 orderId,
        address holder,
        bytes calldata lots,
        Prefix kept,
        bytes32 lotsHash,
        uint256 fen,
        BatchTotals.Batch memory batch
    ) internal view {
        uint32 merchantId = batch.merchant.id;
        unchecked {
            if (lots.length == PackedLots.LOT_BYTES) {
                // The programme of the only lot, as most orders have, is still loaded.
                batch.programme.fen -= int256(fen);
            } else {
                _accrue(lots, kept, 1, batch);
            }
            batch.merchant.fen += int256(fen);
            batch.receipts[batch.receiptCount++] =
                ReceiptsTree.leaf(orderId, holder, merchantId, lotsHash, fen, block.timestamp);
        }
    }

    /// @dev Whether the loaded merchant is this one, or can be loaded, and signed `digest`.
    function _isMerchants(uint32 merchantId, bytes32 digest, bytes calldata signature, BatchTotals.Batch memory batch)
        internal
        view
        returns (bool)
    {
        return batch.loadMerchant(book, merchantId)
            && _signedBy(batch.merchant.terms.key, digest, signature) == Verdict.ACCEPTED;
    }

    function _unpackMerchantTerms(bytes calldata packed)
        internal
        pure
        returns (uint32 merchantId, uint32 nonce, uint40 deadline)
    {
        // merchant 4 | nonce 4 | deadline 5
        uint256 terms = Encoding.read(packed, 20, 13);
        return (uint32(terms >> 72), uint32(terms >> 40), uint40(terms));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "../authority/Pausable.sol";
import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IOrders} from "../interfaces/IOrders.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {Verdict} from "../interfaces/Types.sol";
import {BatchTotals} from "../libraries/BatchTotals.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";

/// @title OrderBatch
/// @notice See {IOrders}.
abstract contract OrderBatch is IOrders, Pausable {
    /// @dev How the orders of a batch are packed: see `Encoding`.
    struct Form {
        uint256 headBytes;
        bool hasLots;
        uint256 tailBytes;
    }

    /// @inheritdoc IOrders
    IPointsLedger public immutable ledger;
    /// @inheritdoc IOrders
    IClearingBook public immutable book;
    bytes32 internal immutable _domain;

    constructor(IPointsLedger ledger_) {
        ledger = ledger_;
        book = IClearingBook(ledger_.clearingBook());
        _domain = ledger_.domainSeparator();
    }

    /// @dev Hands each order of a batch, its lots and its signature to `executeOne`.
    function _each(
        bytes calldata packed,
        Form memory form,
        BatchTotals.Batch memory batch,
        function(bytes calldata, bytes calldata, bytes calldata, BatchTotals.Batch memory) internal executeOne
    ) internal {
        uint256 cursor;
        while (cursor < packed.length) {
            uint256 lotBytes = form.hasLots ? Encoding.lotBytesAt(packed, cursor, form.headBytes) : 0;
            uint256 length = Encoding.lengthAt(packed, cursor, form.headBytes, lotBytes, form.tailBytes);
            // No more is left than the batch has bytes, and no order is longer than that.
            unchecked {
                if (length > packed.length - cursor) {
                    _rejectMalformed(Encoding.slice(packed, cursor, packed.length - cursor));
                    break;
                }
                bytes calldata order = Encoding.slice(packed, cursor, length);
                bytes calldata signature = Encoding.signatureOf(order, form.headBytes + lotBytes + form.tailBytes);
                executeOne(order, Encoding.slice(order, form.headBytes, lotBytes), signature, batch);
                cursor += length;
            }
        }
    }

    function _rejectMalformed(bytes calldata order) internal {
        emit Rejected(keccak256(order), address(0), Verdict.MALFORMED);
    }

    /// @dev What comes before the nonce.
    function _signedBy(address holder, bytes32 orderId, bytes calldata signature) internal view returns (Verdict) {
        return SignatureCheck.isValid(holder, orderId, signature) ? Verdict.ACCEPTED : Verdict.BAD_SIGNATURE;
    }
}

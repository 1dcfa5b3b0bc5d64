// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {IRedemption} from "../interfaces/IRedemption.sol";
import {Verdict} from "../interfaces/Types.sol";
import {BatchTotals} from "../libraries/BatchTotals.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {OrderBatch} from "../orders/OrderBatch.sol";
import {Holds} from "./Holds.sol";
import {Refunds} from "./Refunds.sol";

/// @title Redemption
/// @notice See {IRedemption}. Holds and refunds have files of their own.
contract Redemption is Holds, Refunds {
    using PackedLots for bytes;

    constructor(address authority_, IPointsLedger ledger_) AccessManaged(authority_) OrderBatch(ledger_) {}

    /// @inheritdoc IRedemption
    function execute(bytes calldata packed) external whenNotPaused {
        PlainAccount.check();
        ledger.beginRedemption();
        BatchTotals.Batch memory batch = _newBatch(packed, Encoding.REDEEM_HEAD_BYTES);
        _each(packed, Form(Encoding.REDEEM_HEAD_BYTES, true, 0), batch, _redeem);
        _post(batch);
    }

    function _redeem(
        bytes calldata packed,
        bytes calldata lots,
        bytes calldata signature,
        BatchTotals.Batch memory batch
    ) private {
        (bytes32 lotsHash, bool sound) = lots.hash();
        if (!sound) return _rejectMalformed(packed);
        address holder = address(uint160(Encoding.read(packed, 0, 20)));
        (uint32 merchantId, uint32 nonce, uint40 deadline) = _unpackMerchantTerms(packed);
        bytes32 orderId =
            TypedData.digest(_domain, TypedData.redeemOrder(holder, merchantId, lotsHash, nonce, deadline));
        Verdict verdict = _signedBy(holder, orderId, signature);
        uint256 fen;
        if (verdict == Verdict.ACCEPTED) {
            (verdict, fen) = _checkTerms(merchantId, deadline, lots, batch);
            verdict = ledger.spend(holder, nonce, lots, verdict);
        }
        if (verdict == Verdict.ACCEPTED) {
            _pay(orderId, holder, lots, lots.all(), lotsHash, fen, batch);
            emit Redeemed(orderId, merchantId, uint64(fen), lotsHash);
        } else {
            emit Rejected(orderId, holder, verdict);
        }
    }
}

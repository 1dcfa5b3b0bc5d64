// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ExchangeOrder} from "../interfaces/IExchange.sol";
import {Revocation} from "../interfaces/IIssuance.sol";
import {HoldOrder} from "../interfaces/IRedemption.sol";
import {Words} from "./Words.sol";

/// @title TypedData
/// @notice EIP-712 struct hashes of all that is signed. `digest` binds one to the ledger's domain.
library TypedData {
    bytes32 internal constant MINT_BATCH =
        keccak256("MintBatch(uint32 programme,uint32 quarter,uint64 number,bytes32 evidenceRoot,bytes32 grantsHash)");
    bytes32 internal constant VOID_BATCH = keccak256("VoidBatch(uint32 programme,uint64 number)");
    bytes32 internal constant REVOCATION =
        keccak256("Revocation(uint32 programme,uint64 number,bytes32 leaf,uint64 revokedTotal,uint16 reason)");
    bytes32 internal constant EXCHANGE_ORDER = keccak256(
        "ExchangeOrder(address holder,uint64 fromId,uint64 amount,uint32 toProgramme,uint64 minOut,uint32 nonce,uint40 deadline)"
    );
    bytes32 internal constant REDEEM_ORDER = keccak256(
        "RedeemOrder(address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline)Lot(uint64 id,uint64 amount)"
    );
    bytes32 internal constant HOLD_ORDER = keccak256(
        "HoldOrder(address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline,uint40 captureBy,bool cancellable)Lot(uint64 id,uint64 amount)"
    );
    bytes32 internal constant CAPTURE = keccak256("Capture(bytes32 orderId,uint8 lots,uint64 lastAmount)");
    bytes32 internal constant RELEASE = keccak256("Release(bytes32 orderId)");
    bytes32 internal constant REFUND = keccak256("Refund(bytes32 orderId,uint8 lots,uint64 lastAmount)");
    bytes32 internal constant DISPUTE = keccak256("Dispute(bytes32 orderId)");
    bytes32 internal constant CONTEST = keccak256("Contest(bytes32 orderId)");
    bytes32 internal constant SETTLEMENT =
        keccak256("Settlement(uint64 cycle,uint32 programme,uint32 merchant,uint64 fen,bytes32 reference)");

    /// @notice What is signed: the struct hash under the domain.
    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domainSeparator, structHash);
    }

    function mintBatch(uint32 programme, uint32 quarter, uint64 number, bytes32 evidenceRoot, bytes32 grantsHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(MINT_BATCH, programme, quarter, number, evidenceRoot, grantsHash));
    }

    function voidBatch(uint32 programme, uint64 number) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOID_BATCH, programme, number));
    }

    function revocation(Revocation calldata r) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOCATION, r.programme, r.number, r.leaf, r.revokedTotal, r.reason));
    }

    function exchangeOrder(ExchangeOrder memory o) internal pure returns (bytes32) {
        return
            Words.hash(
                EXCHANGE_ORDER, uint160(o.holder), o.fromId, o.amount, o.toProgramme, o.minOut, o.nonce, o.deadline
            );
    }

    function redeemOrder(address holder, uint32 merchant, bytes32 lotsHash, uint32 nonce, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return Words.hash(REDEEM_ORDER, uint160(holder), merchant, lotsHash, nonce, deadline);
    }

    function holdOrder(HoldOrder memory o) internal pure returns (bytes32) {
        return Words.hash(
            HOLD_ORDER,
            uint160(o.holder),
            o.merchant,
            uint256(o.lotsHash),
            o.nonce,
            o.deadline,
            o.captureBy,
            o.cancellable ? 1 : 0
        );
    }

    function capture(bytes32 orderId, uint8 keptLots, uint64 lastAmount) internal pure returns (bytes32) {
        return keccak256(abi.encode(CAPTURE, orderId, keptLots, lastAmount));
    }

    function release(bytes32 orderId) internal pure returns (bytes32) {
        return keccak256(abi.encode(RELEASE, orderId));
    }

    function refund(bytes32 orderId, uint8 keptLots, uint64 lastAmount) internal pure returns (bytes32) {
        return keccak256(abi.encode(REFUND, orderId, keptLots, lastAmount));
    }

    function dispute(bytes32 orderId) internal pure returns (bytes32) {
        return keccak256(abi.encode(DISPUTE, orderId));
    }

    function contest(bytes32 orderId) internal pure returns (bytes32) {
        return keccak256(abi.encode(CONTEST, orderId));
    }

    function settlement(uint64 cycle, uint32 programme, uint32 merchant, uint128 fen, bytes32 paymentReference)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SETTLEMENT, cycle, programme, merchant, fen, paymentReference));
    }
}

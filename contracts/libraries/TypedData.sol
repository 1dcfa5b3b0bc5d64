// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ExchangeOrder} from "../interfaces/IExchange.sol";
import {Batch} from "../interfaces/IIssuance.sol";
import {HoldOrder} from "../interfaces/IRedemption.sol";
import {LotId, Prefix, ProgrammeId} from "../interfaces/Types.sol";
import {PackedLots} from "./PackedLots.sol";
import {Words} from "./Words.sol";

/// @title TypedData
/// @notice EIP-712 struct hashes of all that is signed. `digest` binds one to the ledger's domain.
library TypedData {
    bytes32 internal constant MINT_BATCH =
        keccak256("MintBatch(uint32 programme,uint32 quarter,uint64 number,bytes32 evidenceRoot,bytes32 grantsHash)");
    bytes32 internal constant VOID_BATCH = keccak256("VoidBatch(uint32 programme,uint64 number)");
    bytes32 internal constant REVOCATION =
        keccak256("Revocation(uint32 programme,uint64 number,bytes32 revocationsHash)");
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
    bytes32 internal constant ARBITER_REFUND = keccak256("ArbiterRefund(bytes32 orderId,uint8 lots,uint64 lastAmount)");
    bytes32 internal constant SUCCESSION =
        keccak256("Succession(address oldAccount,address newAccount,uint40 deadline)");
    bytes32 internal constant OBJECTION = keccak256("Objection(address oldAccount,address newAccount)");

    /// @notice What is signed: the struct hash under the domain.
    function digest(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domainSeparator, structHash);
    }

    function mintBatch(Batch calldata b) internal pure returns (bytes32) {
        return keccak256(abi.encode(MINT_BATCH, b.programme, b.quarter, b.number, b.evidenceRoot, keccak256(b.grants)));
    }

    function voidBatch(ProgrammeId programme, uint64 number) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOID_BATCH, programme, number));
    }

    function revocation(ProgrammeId programme, uint64 number, bytes32 revocationsHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOCATION, programme, number, revocationsHash));
    }

    function exchangeOrder(ExchangeOrder memory o) internal pure returns (bytes32) {
        return Words.hash(
            EXCHANGE_ORDER,
            uint160(o.holder),
            LotId.unwrap(o.fromId),
            o.amount,
            ProgrammeId.unwrap(o.toProgramme),
            o.minOut,
            o.nonce,
            o.deadline
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

    function capture(bytes32 orderId, Prefix kept) internal pure returns (bytes32) {
        return _ofPrefix(CAPTURE, orderId, kept);
    }

    function release(bytes32 orderId) internal pure returns (bytes32) {
        return keccak256(abi.encode(RELEASE, orderId));
    }

    function refund(bytes32 orderId, Prefix kept) internal pure returns (bytes32) {
        return _ofPrefix(REFUND, orderId, kept);
    }

    function arbiterRefund(bytes32 orderId, Prefix kept) internal pure returns (bytes32) {
        return _ofPrefix(ARBITER_REFUND, orderId, kept);
    }

    function succession(address oldAccount, address newAccount, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(SUCCESSION, oldAccount, newAccount, deadline));
    }

    function objection(address oldAccount, address newAccount) internal pure returns (bytes32) {
        return keccak256(abi.encode(OBJECTION, oldAccount, newAccount));
    }

    function _ofPrefix(bytes32 typeHash, bytes32 orderId, Prefix kept) private pure returns (bytes32) {
        (uint256 lots, uint256 lastAmount) = PackedLots.parts(kept);
        return keccak256(abi.encode(typeHash, orderId, lots, lastAmount));
    }
}

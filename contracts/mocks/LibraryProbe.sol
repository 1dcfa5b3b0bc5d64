// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ExchangeOrder} from "../interfaces/IExchange.sol";
import {EvidenceLeaf, Revocation} from "../interfaces/IIssuance.sol";
import {HoldOrder} from "../interfaces/IRedemption.sol";
import {Receipt} from "../interfaces/IRefundDesk.sol";
import {LotLanes} from "../ledger/LotLanes.sol";
import {QuarterTime} from "../ledger/QuarterTime.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";

/// @title LibraryProbe
/// @notice For tests only: opens the internal libraries, so that the shared vectors reach the very code that modules run.
contract LibraryProbe {
    using PackedLots for bytes;

    function domainSeparator(uint256 chainId, address ledger, bytes32 salt) external pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
        );
        return keccak256(abi.encode(typeHash, keccak256("Tongdui"), keccak256("1"), chainId, ledger, salt));
    }

    function digest(bytes32 domain, bytes32 structHash) external pure returns (bytes32) {
        return TypedData.digest(domain, structHash);
    }

    function mintBatch(uint32 programme, uint32 quarter, uint64 number, bytes32 evidenceRoot, bytes32 grantsHash)
        external
        pure
        returns (bytes32)
    {
        return TypedData.mintBatch(programme, quarter, number, evidenceRoot, grantsHash);
    }

    function voidBatch(uint32 programme, uint64 number) external pure returns (bytes32) {
        return TypedData.voidBatch(programme, number);
    }

    function revocation(Revocation calldata r) external pure returns (bytes32) {
        return TypedData.revocation(r);
    }

    function exchangeOrder(ExchangeOrder calldata order) external pure returns (bytes32) {
        return TypedData.exchangeOrder(order);
    }

    function redeemOrder(address holder, uint32 merchant, bytes calldata lots, uint32 nonce, uint40 deadline)
        external
        pure
        returns (bytes32)
    {
        return TypedData.redeemOrder(holder, merchant, lotsHash(lots), nonce, deadline);
    }

    function holdOrder(HoldOrder calldata order) external pure returns (bytes32) {
        return TypedData.holdOrder(order);
    }

    function capture(bytes32 orderId, uint8 lots, uint64 lastAmount) external pure returns (bytes32) {
        return TypedData.capture(orderId, lots, lastAmount);
    }

    function release(bytes32 orderId) external pure returns (bytes32) {
        return TypedData.release(orderId);
    }

    function refund(bytes32 orderId, uint8 lots, uint64 lastAmount) external pure returns (bytes32) {
        return TypedData.refund(orderId, lots, lastAmount);
    }

    function dispute(bytes32 orderId) external pure returns (bytes32) {
        return TypedData.dispute(orderId);
    }

    function contest(bytes32 orderId) external pure returns (bytes32) {
        return TypedData.contest(orderId);
    }

    function settlement(uint64 cycle, uint32 programme, uint32 merchant, uint64 fen, bytes32 paymentReference)
        external
        pure
        returns (bytes32)
    {
        return TypedData.settlement(cycle, programme, merchant, fen, paymentReference);
    }

    function lotsHash(bytes calldata lots) public pure returns (bytes32 result) {
        (result,) = lots.hash();
    }

    function prefixHash(bytes calldata lots, uint256 keptLots, uint64 lastAmount) external pure returns (bytes32) {
        return lots.hash(keptLots, lastAmount);
    }

    function toFenDown(uint256 minor, uint256 par) external pure returns (uint256) {
        return Value.toFenDown(minor, par);
    }

    function toFenUp(uint256 minor, uint256 par) external pure returns (uint256) {
        return Value.toFenUp(minor, par);
    }

    function toMinorDown(uint256 fen, uint256 par) external pure returns (uint256) {
        return Value.toMinorDown(fen, par);
    }

    function quarterOf(uint256 timestamp) external pure returns (uint32) {
        return QuarterTime.quarterOf(timestamp);
    }

    function receiptLeaf(Receipt calldata r) external pure returns (bytes32) {
        return ReceiptsTree.leaf(r.orderId, r.holder, r.merchant, r.lotsHash, r.fen, r.time);
    }

    function receiptsRoot(bytes32[] calldata leaves) external pure returns (bytes32) {
        bytes32[] memory nodes = ReceiptsTree.newNodes(leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            nodes[i] = leaves[i];
        }
        return ReceiptsTree.root(nodes, leaves.length);
    }

    function evidenceLeaf(EvidenceLeaf calldata leaf) external pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(leaf))));
    }

    function locate(uint256 id) external pure returns (uint64 key, uint256 shift) {
        return LotLanes.locate(id);
    }

    function credit(uint256 word, uint256 shift, uint256 amount) external pure returns (uint256) {
        return LotLanes.credit(word, shift, amount);
    }

    function debit(uint256 word, uint256 shift, uint256 amount) external pure returns (bool, uint256) {
        return LotLanes.debit(word, shift, amount);
    }

    function spendNonce(uint256 word, uint32 nonce) external pure returns (bool, uint256) {
        return LotLanes.spendNonce(word, nonce);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ExchangeOrder} from "../interfaces/IExchange.sol";
import {Batch} from "../interfaces/IIssuance.sol";
import {HoldOrder, Receipt} from "../interfaces/IRedemption.sol";
import {LotId, Prefix, ProgrammeId} from "../interfaces/Types.sol";
import {LotLanes} from "../ledger/LotLanes.sol";
import {QuarterTime} from "../ledger/QuarterTime.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {ReceiptsTree} from "../libraries/ReceiptsTree.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";

/// @notice The evidence behind one grant, which the contracts know by its tree's root alone; hash =
/// keccak256(bytes.concat(keccak256(abi.encode(leaf)))), as in OpenZeppelin's StandardMerkleTree.
struct EvidenceLeaf {
    bytes32 grantId;
    address account;
    uint256 tokenId;
    uint64 amount;
    bytes32 activityCode;
    uint32 rulebookVersion;
    bytes32 commitment;
}

/// @title LibraryProbe
/// @notice For tests only: opens the internal libraries, so that the shared vectors reach the very code that modules run.
contract LibraryProbe {
    using PackedLots for bytes;

    function domainSeparator(uint256 chainId, address ledger, bytes32 salt) external pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
        );
        return keccak256(abi.encode(typeHash, keccak256("Tongdui"), keccak256("2"), chainId, ledger, salt));
    }

    function digest(bytes32 domain, bytes32 structHash) external pure returns (bytes32) {
        return TypedData.digest(domain, structHash);
    }

    function mintBatch(Batch calldata batch) external pure returns (bytes32) {
        return TypedData.mintBatch(batch);
    }

    function voidBatch(ProgrammeId programme, uint64 number) external pure returns (bytes32) {
        return TypedData.voidBatch(programme, number);
    }

    function revocation(ProgrammeId programme, uint64 number, bytes calldata revocations)
        external
        pure
        returns (bytes32)
    {
        return TypedData.revocation(programme, number, keccak256(revocations));
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

    function capture(bytes32 orderId, Prefix kept) external pure returns (bytes32) {
        return TypedData.capture(orderId, kept);
    }

    function release(bytes32 orderId) external pure returns (bytes32) {
        return TypedData.release(orderId);
    }

    function refund(bytes32 orderId, Prefix kept) external pure returns (bytes32) {
        return TypedData.refund(orderId, kept);
    }

    function arbiterRefund(bytes32 orderId, Prefix kept) external pure returns (bytes32) {
        return TypedData.arbiterRefund(orderId, kept);
    }

    function succession(address oldAccount, address newAccount, uint40 deadline) external pure returns (bytes32) {
        return TypedData.succession(oldAccount, newAccount, deadline);
    }

    function objection(address oldAccount, address newAccount) external pure returns (bytes32) {
        return TypedData.objection(oldAccount, newAccount);
    }

    function lotsHash(bytes calldata lots) public pure returns (bytes32 result) {
        (result,) = lots.hash();
    }

    function prefixHash(bytes calldata lots, Prefix kept) external pure returns (bytes32) {
        return lots.hash(kept);
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

    function expiryQuarter(uint256 timestamp) external pure returns (uint32) {
        return QuarterTime.expiryQuarter(timestamp);
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

    function recover(bytes32 digest_, bytes calldata signature) external pure returns (address) {
        return SignatureCheck.recover(digest_, signature);
    }

    function isValid(address signer, bytes32 digest_, bytes calldata signature) external view returns (bool) {
        return SignatureCheck.isValid(signer, digest_, signature);
    }

    function locate(LotId id) external pure returns (uint64 key, uint256 shift) {
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

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingBook, Obligation} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Netting} from "../libraries/Netting.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {Tabs} from "../libraries/Tabs.sol";
import {TypedData} from "../libraries/TypedData.sol";

/// @title Settlement
/// @notice See {ISettlement}.
contract Settlement is ISettlement, AccessManaged {
    IClearingBook public immutable book;
    bytes32 private immutable _domain;

    /// @inheritdoc ISettlement
    uint64 public lastCycle;
    /// @inheritdoc ISettlement
    address public financeKey;
    mapping(uint64 cycle => Line[]) private _lines;
    mapping(uint32 programme => mapping(bytes32 paymentReference => bool)) private _usedReferences;

    constructor(address authority_, IPointsLedger ledger_, IClearingBook book_) AccessManaged(authority_) {
        book = book_;
        _domain = ledger_.domainSeparator();
    }

    /// @inheritdoc ISettlement
    function lines(uint64 cycle) external view returns (Line[] memory) {
        return _lines[cycle];
    }

    /// @inheritdoc ISettlement
    function closeCycle(uint32[] calldata programmes, uint32[] calldata merchants)
        external
        restricted
        returns (uint64 cycle)
    {
        _checkAscending(programmes);
        _checkAscending(merchants);
        _checkComplete(programmes, merchants);
        (uint256[] memory claims, uint256 total) = _claims(merchants);
        if (total == 0) revert SettlementNothingToPay();
        uint256[] memory shares = Netting.split(total, _debts(programmes));
        Obligation[] memory obligations = Netting.fill(programmes, shares, merchants, claims);
        cycle = ++lastCycle;
        for (uint256 i; i < obligations.length; ++i) {
            Obligation memory obligation = obligations[i];
            _lines[cycle].push(Line(obligation.programme, obligation.merchant, obligation.fen, false));
        }
        emit CycleClosed(cycle, obligations.length, total);
        book.lock(obligations);
    }

    /// @inheritdoc ISettlement
    function settle(uint64 cycle, uint256 line, bytes32 paymentReference, bytes calldata signature) external {
        if (line >= _lines[cycle].length) revert SettlementNoLine(cycle, line);
        Line storage stored = _lines[cycle][line];
        (uint32 programme, uint32 merchant, uint128 fen) = (stored.programme, stored.merchant, stored.fen);
        if (stored.settled) revert SettlementSettled(cycle, line);
        if (_usedReferences[programme][paymentReference]) revert SettlementReferenceUsed(programme, paymentReference);
        bytes32 digest =
            TypedData.digest(_domain, TypedData.settlement(cycle, programme, merchant, fen, paymentReference));
        address signer = _signerOf(merchant, digest, signature);
        if (signer == address(0)) revert SettlementBadSignature(cycle, line);
        stored.settled = true;
        _usedReferences[programme][paymentReference] = true;
        emit Settled(cycle, programme, merchant, fen, paymentReference, signer);
        book.pay(programme, merchant, fen);
    }

    /// @inheritdoc ISettlement
    function setFinanceKey(address key) external restricted {
        financeKey = key;
        emit FinanceKeySet(key);
    }

    function _signerOf(uint32 merchant, bytes32 digest, bytes calldata signature) private view returns (address) {
        address payee = book.merchant(merchant).key;
        if (SignatureCheck.isValid(payee, digest, signature)) return payee;
        return SignatureCheck.isValid(financeKey, digest, signature) ? financeKey : address(0);
    }

    function _checkAscending(uint32[] calldata ids) private pure {
        for (uint256 i = 1; i < ids.length; ++i) {
            if (ids[i] <= ids[i - 1]) revert SettlementUnsorted(ids[i]);
        }
    }

    /// @dev All positions sum to 0, so whoever is left out shows, unless those left out balance each other.
    function _checkComplete(uint32[] calldata programmes, uint32[] calldata merchants) private view {
        int256 sum;
        for (uint256 i; i < programmes.length; ++i) {
            sum += book.position(Tabs.programmeParticipant(programmes[i]));
        }
        for (uint256 i; i < merchants.length; ++i) {
            sum += book.position(Tabs.merchantParticipant(merchants[i]));
        }
        if (sum != 0) revert SettlementIncomplete(sum);
    }

    function _claims(uint32[] calldata merchants) private view returns (uint256[] memory claims, uint256 total) {
        claims = new uint256[](merchants.length);
        for (uint256 i; i < merchants.length; ++i) {
            claims[i] = book.freeFen(merchants[i]);
            total += claims[i];
        }
    }

    function _debts(uint32[] calldata programmes) private view returns (uint256[] memory debts) {
        debts = new uint256[](programmes.length);
        for (uint256 i; i < programmes.length; ++i) {
            debts[i] = book.owedFen(programmes[i]);
        }
    }
}

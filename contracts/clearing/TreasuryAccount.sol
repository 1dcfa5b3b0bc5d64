// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Claim, IClearingBook} from "../interfaces/IClearingBook.sol";
import {ProgrammeId} from "../interfaces/Types.sol";
import {Claims} from "../libraries/Claims.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {Participants} from "../libraries/Participants.sol";
import {Cycles} from "./Cycles.sol";

/// @title TreasuryAccount
/// @notice Part of the clearing book: money that went into the treasury account, out of it, and past it.
abstract contract TreasuryAccount is Cycles {
    using Claims for Claims.Ages;
    using SafeCast for uint256;

    mapping(bytes32 paymentReference => bool) private _usedReferences;

    /// @inheritdoc IClearingBook
    function claim(uint32 merchantId) external view returns (Claim memory) {
        Account memory account = _accounts[merchantId];
        account.ages.age(_periodAt(block.timestamp));
        Claims.Ages memory ages = account.ages;
        uint256 payableFen = _payableFen(account, _cycle, _terms.payoutCeilingFen);
        return Claim(ages.maturedFen, ages.youngerFen, ages.youngestFen, account.lockedFen, payableFen);
    }

    /// @inheritdoc IClearingBook
    function fund(ProgrammeId programme, uint256 fen, bytes32 paymentReference) external restricted {
        _useReference(paymentReference);
        _pay(programme, fen, paymentReference);
        _move(Participants.POOL, -fen.toInt256());
    }

    /// @inheritdoc IClearingBook
    function payout(bytes calldata packed, bytes32 paymentReference) external restricted returns (uint256 fen) {
        if (packed.length == 0 || packed.length % Encoding.PAYOUT_BYTES != 0) {
            revert ClearingBookBadPayouts(packed.length);
        }
        _useReference(paymentReference);
        uint256 poolFen = _poolFen();
        for (uint256 i; i < packed.length; i += Encoding.PAYOUT_BYTES) {
            uint256 most = Math.min(Encoding.read(packed, i + 4, 8), poolFen - fen);
            fen += _payOut(uint32(Encoding.read(packed, i, 4)), most, paymentReference);
        }
        if (fen == 0) revert ClearingBookBadAmount(0, poolFen);
        _debitTotal(Claims.Parts({maturedFen: fen, youngerFen: 0, youngestFen: 0}));
        _move(Participants.POOL, fen.toInt256());
    }

    /// @inheritdoc IClearingBook
    function payDirectly(ProgrammeId programme, uint32 merchantId, uint256 fen, bytes32 paymentReference)
        external
        restricted
    {
        _useReference(paymentReference);
        _pay(programme, fen, paymentReference);
        uint256 paidFen = _payOut(merchantId, fen, paymentReference);
        if (paidFen != fen) revert ClearingBookBadAmount(fen, paidFen);
        _debitTotal(Claims.Parts({maturedFen: fen, youngerFen: 0, youngestFen: 0}));
    }

    /// @inheritdoc IClearingBook
    function reclaim(ProgrammeId programme, uint256 fen, bytes32 paymentReference) external restricted {
        _useReference(paymentReference);
        // Roundings may have a programme owe a few fen more than it has available.
        uint256 most = Math.min(Math.min(_debtFen(programme), _treasuryFen()), _budgets[programme].appropriatedFen);
        if (fen == 0 || fen > most) revert ClearingBookBadAmount(fen, most);
        _takeBack(programme, fen, paymentReference);
        _move(Participants.ofProgramme(programme), fen.toInt256());
        _move(Participants.TREASURY, -fen.toInt256());
    }

    function _useReference(bytes32 paymentReference) private {
        if (paymentReference == 0 || _usedReferences[paymentReference]) {
            revert ClearingBookReferenceUsed(paymentReference);
        }
        _usedReferences[paymentReference] = true;
    }

    /// @dev Books what the programme paid, wherever to.
    function _pay(ProgrammeId programme, uint256 fen, bytes32 paymentReference) private {
        uint256 debtFen = _debtFen(programme);
        if (fen == 0 || fen > debtFen) revert ClearingBookBadAmount(fen, debtFen);
        _lowerDue(programme, fen);
        uint128 paidFen = _budgets[programme].paidFen + fen.toUint128();
        _budgets[programme].paidFen = paidFen;
        emit Funded(programme, fen, paymentReference, paidFen);
        _move(Participants.ofProgramme(programme), fen.toInt256());
    }

    /// @dev Pays the merchant what is payable, at most `most`, and returns it; leaves the sums over all merchants as they are.
    function _payOut(uint32 merchantId, uint256 most, bytes32 paymentReference) private returns (uint256 fen) {
        (uint64 cycle, uint256 ceilingFen) = (_cycle, _terms.payoutCeilingFen);
        Account memory account = _accounts[merchantId];
        account.ages.age(_periodAt(block.timestamp));
        fen = Math.min(most, _payableFen(account, cycle, ceilingFen));
        if (fen == 0) return 0;
        if (ceilingFen != 0) {
            _accounts[merchantId].paidFen = (_paidFen(account, cycle) + fen).toUint96();
            _accounts[merchantId].cycle = cycle;
        }
        account.ages.maturedFen -= uint88(fen);
        _storeAges(merchantId, account.ages, -fen.toInt256());
        emit PaidOut(merchantId, fen, paymentReference);
    }

    /// @dev Matured, not locked, and within what is left of the cycle's ceiling.
    function _payableFen(Account memory account, uint64 cycle, uint256 ceilingFen) private pure returns (uint256 fen) {
        fen = Math.saturatingSub(account.ages.maturedFen, account.lockedFen);
        if (ceilingFen != 0) fen = Math.min(fen, Math.saturatingSub(ceilingFen, _paidFen(account, cycle)));
    }

    function _paidFen(Account memory account, uint64 cycle) private pure returns (uint256) {
        return account.cycle == cycle ? account.paidFen : 0;
    }
}

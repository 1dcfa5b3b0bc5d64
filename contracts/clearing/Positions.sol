// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Claim, IClearingBook} from "../interfaces/IClearingBook.sol";
import {ProgrammeId} from "../interfaces/Types.sol";
import {Claims} from "../libraries/Claims.sol";
import {Participants} from "../libraries/Participants.sol";

/// @title Positions
/// @notice Part of the clearing book: what each participant owes or is owed.
///
/// A programme, the pool and the treasury have a signed position. A merchant has a claim by age instead, whose sum is its
/// position; beside it stand the sums over all merchants, so that a cycle need not visit them.
abstract contract Positions is IClearingBook, AccessManaged {
    using Claims for Claims.Ages;
    using SafeCast for uint256;

    /// @dev Two words.
    /// @param lockedFen Locked for disputed orders; may exceed the claim.
    /// @param paidFen Paid out in `cycle` while there was a ceiling.
    struct Account {
        Claims.Ages ages;
        uint96 lockedFen;
        uint96 paidFen;
        uint64 cycle;
    }

    /// @inheritdoc IClearingBook
    uint40 public immutable maturity;

    /// @dev Of programmes, the pool and the treasury.
    mapping(uint64 participant => int256 fen) private _positions;
    mapping(uint32 merchantId => Account) internal _accounts;
    /// @dev The sums over all merchants.
    Claims.Ages private _totalAges;
    uint256 private _totalLockedFen;

    /// @inheritdoc IClearingBook
    function position(uint64 participant) public view returns (int256) {
        if (!Participants.isMerchant(participant)) return _positions[participant];
        return _accounts[Participants.merchantOf(participant)].ages.total().toInt256();
    }

    /// @inheritdoc IClearingBook
    function totalClaims() external view returns (Claim memory) {
        Claims.Ages memory ages = _currentTotal();
        return Claim(ages.maturedFen, ages.youngerFen, ages.youngestFen, _totalLockedFen, _poolFen());
    }

    /// @dev Changes the position of a programme, the pool or the treasury.
    function _move(uint64 participant, int256 delta) internal {
        int256 current = _positions[participant] + delta;
        _positions[participant] = current;
        emit PositionChanged(participant, delta, current);
    }

    /// @dev Adds to the merchant's youngest claim.
    function _credit(uint32 merchantId, uint256 fen) internal {
        Claims.Ages memory ages = _currentAges(merchantId);
        ages.earn(fen);
        _storeAges(merchantId, ages, fen.toInt256());
        ages = _currentTotal();
        ages.earn(fen);
        _totalAges = ages;
    }

    /// @dev Takes from the merchant's claim, which is up to date, and the same parts from the sums.
    function _debit(uint32 merchantId, Claims.Ages memory ages, Claims.Parts memory parts) internal {
        ages.take(parts);
        _storeAges(merchantId, ages, -(parts.maturedFen + parts.youngerFen + parts.youngestFen).toInt256());
        _debitTotal(parts);
    }

    function _debitTotal(Claims.Parts memory parts) internal {
        Claims.Ages memory total = _currentTotal();
        total.take(parts);
        _totalAges = total;
    }

    function _storeAges(uint32 merchantId, Claims.Ages memory ages, int256 delta) internal {
        _accounts[merchantId].ages = ages;
        emit PositionChanged(Participants.ofMerchant(merchantId), delta, ages.total().toInt256());
    }

    function _lock(uint32 merchantId, uint96 fen) internal {
        _accounts[merchantId].lockedFen += fen;
        _totalLockedFen += fen;
    }

    function _unlock(uint32 merchantId, uint96 fen) internal {
        _accounts[merchantId].lockedFen -= fen;
        _totalLockedFen -= fen;
    }

    function _currentAges(uint32 merchantId) internal view returns (Claims.Ages memory ages) {
        ages = _accounts[merchantId].ages;
        ages.age(_periodAt(block.timestamp));
    }

    function _currentTotal() internal view returns (Claims.Ages memory ages) {
        ages = _totalAges;
        ages.age(_periodAt(block.timestamp));
    }

    function _periodAt(uint256 timestamp) internal view returns (uint40) {
        return uint40(timestamp / maturity);
    }

    /// @dev What the programme owes.
    function _debtFen(ProgrammeId programme) internal view returns (uint256) {
        return _aboveZero(-_positions[Participants.ofProgramme(programme)]);
    }

    /// @dev Money in the treasury account that is not yet paid out.
    function _poolFen() internal view returns (uint256) {
        return _aboveZero(-_positions[Participants.POOL]);
    }

    function _treasuryFen() internal view returns (uint256) {
        return _aboveZero(_positions[Participants.TREASURY]);
    }

    function _aboveZero(int256 fen) internal pure returns (uint256) {
        return fen > 0 ? uint256(fen) : 0;
    }
}

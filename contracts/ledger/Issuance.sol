// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, IIssuance} from "../interfaces/IIssuance.sol";
import {LotId, ProgrammeId, ProgrammeState} from "../interfaces/Types.sol";
import {Encoding} from "../libraries/Encoding.sol";
import {LotIds} from "../libraries/LotIds.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {TypedData} from "../libraries/TypedData.sol";
import {Value} from "../libraries/Value.sol";
import {LotLanes} from "./LotLanes.sol";
import {QuarterTime} from "./QuarterTime.sol";
import {Successors} from "./Successors.sol";

/// @title Issuance
/// @notice See {IIssuance}.
abstract contract Issuance is Successors {
    using LotIds for LotId;

    bytes32 private constant VOID = bytes32(uint256(1));
    uint32 private constant QUARTERS_AHEAD = 40;

    /// @dev Struct hash of a landed batch, `VOID` for a void one. A storage proof of this slot proves a grant.
    mapping(ProgrammeId programmeId => mapping(uint64 number => bytes32)) public batchWord;
    mapping(ProgrammeId programmeId => mapping(uint64 number => mapping(uint32 index => uint64))) public revokedTotal;
    mapping(address debtor => mapping(LotId id => uint256)) private _owed;

    /// @inheritdoc IIssuance
    function owed(address account, uint256 id) external view returns (uint256) {
        return LotIds.isLot(id) ? _owed[account][LotId.wrap(uint64(id))] : 0;
    }

    /// @inheritdoc IIssuance
    function mint(Batch calldata batch, bytes calldata signature) external {
        PlainAccount.check();
        ProgrammeRecord storage record = _knownAndNotFrozen(batch.programme);
        if (record.state != ProgrammeState.ACTIVE) revert PointsLedgerNotActive(batch.programme);
        LotId id = _checkQuarter(batch, record.par);
        bytes32 word = TypedData.mintBatch(batch);
        address signer = _checkIssuer(batch.programme, word, signature);
        _checkUnused(batch.programme, batch.number);
        batchWord[batch.programme][batch.number] = word;
        uint256 amount = _creditGrants(id, batch.grants);
        _raiseSupply(id, amount);
        _checkFunding(batch.programme, record, amount);
        emit BatchMinted(
            batch.programme,
            batch.number,
            batch.quarter,
            batch.evidenceRoot,
            uint32(batch.grants.length / Encoding.GRANT_BYTES),
            amount,
            signer,
            word
        );
    }

    /// @inheritdoc IIssuance
    function voidBatch(ProgrammeId programmeId, uint64 number, bytes calldata signature) external {
        PlainAccount.check();
        _knownAndNotFrozen(programmeId);
        address signer = _checkIssuer(programmeId, TypedData.voidBatch(programmeId, number), signature);
        _checkUnused(programmeId, number);
        batchWord[programmeId][number] = VOID;
        emit BatchVoided(programmeId, number, signer);
    }

    /// @inheritdoc IIssuance
    function revoke(Batch calldata batch, bytes calldata revocations, bytes calldata signature) external {
        PlainAccount.check();
        ProgrammeRecord storage record = _knownAndNotFrozen(batch.programme);
        if (batchWord[batch.programme][batch.number] != TypedData.mintBatch(batch)) {
            revert PointsLedgerWrongBatch(batch.programme, batch.number);
        }
        uint256 length = revocations.length;
        if (length == 0 || length % Encoding.REVOCATION_BYTES != 0) revert PointsLedgerBadRevocations(length);
        _checkIssuer(
            batch.programme, TypedData.revocation(batch.programme, batch.number, keccak256(revocations)), signature
        );
        LotId id = LotIds.lotOf(batch.programme, batch.quarter);
        bool dead = _isDead(id, _expiryQuarter());
        uint256 amount;
        for (uint256 offset; offset < length; offset += Encoding.REVOCATION_BYTES) {
            amount += _revoke(batch, id, dead, Encoding.read(revocations, offset, Encoding.REVOCATION_BYTES));
        }
        _countRevoked(batch.programme, record, Value.toFenUp(amount, record.par));
    }

    /// @inheritdoc IIssuance
    function collect(address debtor, uint256 id) external {
        if (LotIds.isLot(id)) _collect(debtor, currentAccount(debtor), LotId.wrap(uint64(id)));
    }

    /// @dev Collects what each of the line that begins at `holder` owes of the lot from what its end, `receiver`, has.
    function _collectOfLine(address holder, address receiver, LotId id) internal {
        _collect(holder, receiver, id);
        while (holder != receiver) {
            holder = _line[holder].successor;
            _collect(holder, receiver, id);
        }
    }

    /// @dev Burns of `account` what `debtor` owes of the lot, as far as it is there. Of a dead lot nothing is owed any more.
    function _collect(address debtor, address account, LotId id) private {
        uint256 debt = _owed[debtor][id];
        if (debt == 0 || _isDead(id, _expiryQuarter())) return;
        uint256 balance = _balance(account, id);
        uint256 amount = balance < debt ? balance : debt;
        if (amount == 0) return;
        _owed[debtor][id] = debt - amount;
        _burn(account, id, amount);
        emit OwedCollected(debtor, id.token(), account, amount);
    }

    /// @dev One of the packed revocations: grant index 4 | revoked total 8 | reason 2.
    /// @return rise Minor units by which the grant's total rose.
    function _revoke(Batch calldata batch, LotId id, bool dead, uint256 packed) private returns (uint64 rise) {
        uint32 index = uint32(packed >> 80);
        uint64 total = uint64(packed >> 16);
        (address account, uint64 granted) = _grantAt(batch.grants, index);
        uint64 before = revokedTotal[batch.programme][batch.number][index];
        if (total <= before || total > granted) revert PointsLedgerBadRevocation(index, total, before, granted);
        revokedTotal[batch.programme][batch.number][index] = total;
        rise = total - before;
        account = currentAccount(account);
        uint64 taken;
        uint64 rest;
        if (!dead) {
            uint256 balance = _balance(account, id);
            taken = balance < rise ? uint64(balance) : rise;
            rest = rise - taken;
            if (taken != 0) _burn(account, id, taken);
            if (rest != 0) _owed[account][id] += rest;
        }
        emit Revoked(batch.programme, batch.number, index, total, uint16(packed), account, taken, rest);
    }

    /// @dev An index beyond the grants names a grant of nothing.
    function _grantAt(bytes calldata grants, uint256 index) private pure returns (address account, uint64 amount) {
        uint256 offset = index * Encoding.GRANT_BYTES;
        if (offset >= grants.length) return (address(0), 0);
        uint256 grant = Encoding.read(grants, offset, Encoding.GRANT_BYTES);
        return (address(uint160(grant >> 64)), uint64(grant));
    }

    function _checkQuarter(Batch calldata batch, uint64 par) private view returns (LotId id) {
        id = LotIds.lotOf(batch.programme, batch.quarter);
        bool bad =
            batch.quarter == 0 ? par != 0 : batch.quarter > QuarterTime.quarterOf(block.timestamp) + QUARTERS_AHEAD;
        if (bad) revert PointsLedgerBadQuarter(batch.programme, batch.quarter);
        if (_isDead(id, _expiryQuarter())) revert PointsLedgerLotDead(id.token());
    }

    function _checkIssuer(ProgrammeId programmeId, bytes32 structHash, bytes calldata signature)
        private
        view
        returns (address signer)
    {
        signer = SignatureCheck.recover(TypedData.digest(_domain(), structHash), signature);
        if (signer == address(0) || !isIssuerKey(programmeId, signer)) {
            revert PointsLedgerBadIssuer(programmeId, signer);
        }
    }

    function _checkUnused(ProgrammeId programmeId, uint64 number) private view {
        bytes32 word = batchWord[programmeId][number];
        if (word == VOID) revert PointsLedgerBatchVoid(programmeId, number);
        if (word != 0) revert PointsLedgerBatchLanded(programmeId, number);
    }

    function _checkFunding(ProgrammeId programmeId, ProgrammeRecord storage record, uint256 amount) private {
        uint256 par = record.par;
        if (par == 0) return;
        (int256 fundingFen, uint256 appropriatedFen, bool overdue) = _book.fundingOf(programmeId);
        _countMinted(programmeId, record, Value.toFenUp(amount, par), appropriatedFen);
        if (overdue) revert PointsLedgerOverdue(programmeId);
        // Supply * par <= funding * 1e8 says the same as: the value rounded up is at most the funding.
        uint256 neededFen = Value.toFenUp(record.supply, par);
        if (int256(neededFen) > fundingFen) revert PointsLedgerFundingExceeded(programmeId, neededFen, fundingFen);
    }

    function _creditGrants(LotId id, bytes calldata grants) private returns (uint256 total) {
        if (grants.length == 0 || grants.length % Encoding.GRANT_BYTES != 0) {
            revert PointsLedgerBadGrants(grants.length);
        }
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        mapping(address => Lanes) storage holders = _lanes[key];
        uint256 offset;
        while (offset < grants.length) {
            uint256 grant = Encoding.read(grants, offset, Encoding.GRANT_BYTES);
            address account = address(uint160(grant >> 64));
            uint256 amount = uint64(grant);
            if (account == address(0) || account == address(this) || amount == 0) revert PointsLedgerBadGrant(offset);
            // Checked by the lot's supply once all are credited: no lane holds more than that.
            Lanes storage lanes = holders[account];
            lanes.word = LotLanes.credit(lanes.word, shift, amount);
            emit Transfer(msg.sender, address(0), account, id.token(), amount);
            // Bounded by the calldata, and by 2^64 a grant.
            unchecked {
                total += amount;
                offset += Encoding.GRANT_BYTES;
            }
        }
    }

    function _domain() internal view virtual returns (bytes32);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {IProgrammes} from "../interfaces/IProgrammes.sol";
import {
    EXCHANGEABLE_IN,
    EXCHANGEABLE_OUT,
    Programme,
    ProgrammeId,
    ProgrammeState,
    REDEEMABLE,
    TRANSFERABLE
} from "../interfaces/Types.sol";
import {Value} from "../libraries/Value.sol";
import {QuarterTime} from "./QuarterTime.sol";

/// @title Programmes
/// @notice See {IProgrammes}.
abstract contract Programmes is IPointsLedger, AccessManaged {
    /// @dev What a programme is in storage: what orders read is in the first slot, what they write in the second.
    struct ProgrammeRecord {
        uint64 par;
        uint8 flags;
        ProgrammeState state;
        uint40 spendableUntil;
        uint40 frozenUntil;
        uint40 freezableFrom;
        uint32 rulebookVersion;
        uint128 supply;
        uint128 swept;
        Ceilings ceilings;
        bytes32 rulebookHash;
        bytes32 spendScope;
        string name;
        string symbol;
    }

    /// @dev In one slot: the ceilings chosen, and what `day` has used of them.
    struct Ceilings {
        uint48 mintFen;
        uint48 revokeFen;
        uint32 day;
        uint64 mintedFen;
        uint64 revokedFen;
    }

    uint64 private constant PAR_MAX = 1e11;
    uint40 private constant SPENDING_AFTER_CLOSING = 365 days;
    /// @dev The longest refund (90 days) and the longest lock of a disputed order (60 days).
    uint256 private constant CLOSED_AFTER_SPENDING = 150 days;
    uint40 private constant KEY_WAIT = 7 days;
    uint40 private constant FREEZE = 72 hours;
    uint40 private constant FREEZE_REST = 7 days;
    uint40 private constant LONG_FREEZE_MAX = 90 days;
    uint256 private constant MINT_SHARE = 10;
    uint256 private constant REVOKE_SHARE = 100;

    IClearingBook internal immutable _book;

    mapping(ProgrammeId programmeId => ProgrammeRecord) internal _programmes;
    /// @inheritdoc IProgrammes
    mapping(ProgrammeId programmeId => mapping(address key => uint40)) public issuerKeyActiveFrom;

    /// @inheritdoc IProgrammes
    function programme(ProgrammeId programmeId) external view returns (Programme memory) {
        ProgrammeRecord storage record = _programmes[programmeId];
        return Programme({
            par: record.par,
            flags: record.flags,
            state: record.state,
            rulebookVersion: record.rulebookVersion,
            rulebookHash: record.rulebookHash,
            spendScope: record.spendScope,
            supply: record.supply,
            spendableUntil: record.spendableUntil,
            frozenUntil: record.frozenUntil
        });
    }

    /// @inheritdoc IProgrammes
    function isIssuerKey(ProgrammeId programmeId, address key) public view returns (bool) {
        uint40 from = issuerKeyActiveFrom[programmeId][key];
        return from != 0 && block.timestamp >= from;
    }

    /// @inheritdoc IProgrammes
    function liabilityFen(ProgrammeId programmeId) external view returns (uint256) {
        ProgrammeRecord storage record = _programmes[programmeId];
        return Value.toFenUp(record.supply, record.par);
    }

    /// @inheritdoc IProgrammes
    function ceilings(ProgrammeId programmeId)
        external
        view
        returns (uint48 mintFen, uint48 revokeFen, uint64 mintedFen, uint64 revokedFen)
    {
        Ceilings memory current = _ceilingsToday(_programmes[programmeId]);
        return (current.mintFen, current.revokeFen, current.mintedFen, current.revokedFen);
    }

    /// @inheritdoc IProgrammes
    function registerProgramme(
        ProgrammeId programmeId,
        uint64 par,
        uint8 flags,
        bytes32 spendScope,
        address issuerKey,
        string calldata programmeName,
        string calldata programmeSymbol
    ) external restricted {
        ProgrammeRecord storage record = _programmes[programmeId];
        if (programmeId == ProgrammeId.wrap(0) || record.state != ProgrammeState.UNKNOWN) {
            revert PointsLedgerProgrammeExists(programmeId);
        }
        if (par > PAR_MAX) revert PointsLedgerParTooHigh(par);
        uint8 allowed = par == 0 ? TRANSFERABLE : TRANSFERABLE | EXCHANGEABLE_IN | EXCHANGEABLE_OUT | REDEEMABLE;
        if (flags & ~allowed != 0) revert PointsLedgerBadFlags(flags);
        record.par = par;
        record.flags = flags;
        record.state = ProgrammeState.ACTIVE;
        record.spendScope = spendScope;
        record.name = programmeName;
        record.symbol = programmeSymbol;
        emit ProgrammeRegistered(programmeId, par, flags, spendScope);
        emit ProgrammeStateSet(programmeId, ProgrammeState.UNKNOWN, ProgrammeState.ACTIVE);
        _addKey(programmeId, issuerKey, uint40(block.timestamp));
    }

    /// @inheritdoc IProgrammes
    function addIssuerKey(ProgrammeId programmeId, address key) external restricted {
        _known(programmeId);
        _addKey(programmeId, key, uint40(block.timestamp) + KEY_WAIT);
    }

    /// @inheritdoc IProgrammes
    function removeIssuerKey(ProgrammeId programmeId, address key) external restricted {
        uint40 previous = issuerKeyActiveFrom[programmeId][key];
        if (previous == 0) revert PointsLedgerBadKey(key);
        delete issuerKeyActiveFrom[programmeId][key];
        emit IssuerKeySet(programmeId, key, previous, 0);
    }

    /// @inheritdoc IProgrammes
    function setRulebook(ProgrammeId programmeId, uint32 version, bytes32 rulebookHash) external restricted {
        ProgrammeRecord storage record = _known(programmeId);
        if (version <= record.rulebookVersion) revert PointsLedgerBadRulebook(version, record.rulebookVersion);
        emit RulebookSet(programmeId, record.rulebookVersion, record.rulebookHash, version, rulebookHash);
        record.rulebookVersion = version;
        record.rulebookHash = rulebookHash;
    }

    /// @inheritdoc IProgrammes
    function setState(ProgrammeId programmeId, ProgrammeState state) external restricted {
        ProgrammeRecord storage record = _known(programmeId);
        ProgrammeState current = record.state;
        if (current == ProgrammeState.ACTIVE && state == ProgrammeState.CLOSING) {
            record.spendableUntil = uint40(block.timestamp) + SPENDING_AFTER_CLOSING;
        } else if (current == ProgrammeState.CLOSING && state == ProgrammeState.CLOSED) {
            uint256 from = record.spendableUntil + CLOSED_AFTER_SPENDING;
            if (block.timestamp < from) revert PointsLedgerTooEarly(from);
            _book.closeCredit(programmeId);
        } else {
            revert PointsLedgerBadState(programmeId, current, state);
        }
        record.state = state;
        emit ProgrammeStateSet(programmeId, current, state);
    }

    /// @inheritdoc IProgrammes
    function setCeilings(ProgrammeId programmeId, uint48 mintFen, uint48 revokeFen) external restricted {
        Ceilings storage current = _known(programmeId).ceilings;
        emit CeilingsSet(programmeId, current.mintFen, current.revokeFen, mintFen, revokeFen);
        current.mintFen = mintFen;
        current.revokeFen = revokeFen;
    }

    /// @inheritdoc IProgrammes
    function freeze(ProgrammeId programmeId) external restricted {
        ProgrammeRecord storage record = _known(programmeId);
        if (block.timestamp < record.freezableFrom) revert PointsLedgerTooEarly(record.freezableFrom);
        uint40 until = uint40(block.timestamp) + FREEZE;
        record.freezableFrom = until + FREEZE_REST;
        // The council may have frozen it for longer.
        if (until > record.frozenUntil) _setFrozenUntil(programmeId, record, until);
    }

    /// @inheritdoc IProgrammes
    function setFrozenUntil(ProgrammeId programmeId, uint40 until) external restricted {
        if (until > block.timestamp + LONG_FREEZE_MAX) revert PointsLedgerTooLong(until);
        _setFrozenUntil(programmeId, _known(programmeId), until);
    }

    function _setFrozenUntil(ProgrammeId programmeId, ProgrammeRecord storage record, uint40 until) private {
        emit FrozenUntilSet(programmeId, record.frozenUntil, until);
        record.frozenUntil = until;
    }

    function _addKey(ProgrammeId programmeId, address key, uint40 activeFrom) private {
        if (key == address(0) || issuerKeyActiveFrom[programmeId][key] != 0) revert PointsLedgerBadKey(key);
        issuerKeyActiveFrom[programmeId][key] = activeFrom;
        emit IssuerKeySet(programmeId, key, 0, activeFrom);
    }

    function _known(ProgrammeId programmeId) internal view returns (ProgrammeRecord storage record) {
        record = _programmes[programmeId];
        if (record.state == ProgrammeState.UNKNOWN) revert PointsLedgerUnknownProgramme(programmeId);
    }

    function _knownAndNotFrozen(ProgrammeId programmeId) internal view returns (ProgrammeRecord storage record) {
        record = _known(programmeId);
        if (block.timestamp < record.frozenUntil) revert PointsLedgerFrozen(programmeId, record.frozenUntil);
    }

    /// @dev Counts what is minted against the day's ceiling.
    function _countMinted(ProgrammeId programmeId, ProgrammeRecord storage record, uint256 fen, uint256 appropriatedFen)
        internal
    {
        Ceilings memory current = _ceilingsToday(record);
        current.mintedFen = _within(programmeId, current.mintedFen + fen, current.mintFen, appropriatedFen / MINT_SHARE);
        record.ceilings = current;
    }

    /// @dev Counts what is revoked against the day's ceiling.
    function _countRevoked(ProgrammeId programmeId, ProgrammeRecord storage record, uint256 fen) internal {
        Ceilings memory current = _ceilingsToday(record);
        uint256 defaultFen = _book.appropriated(programmeId) / REVOKE_SHARE;
        current.revokedFen = _within(programmeId, current.revokedFen + fen, current.revokeFen, defaultFen);
        record.ceilings = current;
    }

    function _within(ProgrammeId programmeId, uint256 fen, uint256 chosenFen, uint256 defaultFen)
        private
        pure
        returns (uint64)
    {
        uint256 ceilingFen = chosenFen != 0 ? chosenFen : defaultFen;
        if (ceilingFen > type(uint64).max) ceilingFen = type(uint64).max;
        if (fen > ceilingFen) revert PointsLedgerCeilingExceeded(programmeId, fen, ceilingFen);
        return uint64(fen);
    }

    function _ceilingsToday(ProgrammeRecord storage record) private view returns (Ceilings memory current) {
        current = record.ceilings;
        uint32 today = uint32(QuarterTime.dayOf(block.timestamp));
        if (current.day != today) (current.day, current.mintedFen, current.revokedFen) = (today, 0, 0);
    }
}

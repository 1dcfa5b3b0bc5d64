// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Programme, ProgrammeId, ProgrammeState} from "./Types.sol";

/// @title IProgrammes
/// @notice The programmes of a city, who signs for them, and what bounds them.
///
/// A programme's par and flags never change: to revalue points, rate future deeds otherwise (rulebook) or open a new series
/// beside the old one. Its state moves forward: active; closing (no mint, no exchange in; its points can be spent for 365 days
/// more); closed (150 days after spending ended, when no hold, refund or dispute can be open).
///
/// **Freeze.** The guardian stops a programme for 72 hours, and again 7 days after that at the earliest; the council for up to
/// 90 days. Frozen, it mints, exchanges, revokes and makes void nothing, and no new order redeems or holds its points.
/// Captures, releases, refunds, transfers and cancelled nonces go on.
///
/// **Ceilings.** What a programme mints and what it revokes in a day (UTC+8) is bounded in fen, each batch's value rounded up.
/// Unless the council chose others: a tenth of what is appropriated for minting, a hundredth for revoking.
///
/// **Issuer keys** are plain keys. One that the council adds may sign 7 days later; one that it removes no longer does at once.
/// The first key of a programme comes with its registration and may sign at once: a programme without appropriation
/// mints no value.
interface IProgrammes {
    /// @notice A programme was opened. Its par and flags never change.
    /// @param par Micro-fen a point.
    event ProgrammeRegistered(ProgrammeId indexed programme, uint64 par, uint8 flags, bytes32 spendScope);
    /// @notice `key` may sign for `programme` from `activeFrom` (Unix time) on; 0: no longer.
    event IssuerKeySet(
        ProgrammeId indexed programme,
        address indexed key,
        uint40 previousActiveFrom,
        uint40 activeFrom
    );
    /// @notice Another rulebook is in force for future deeds.
    event RulebookSet(
        ProgrammeId indexed programme,
        uint32 previousVersion,
        bytes32 previousHash,
        uint32 version,
        bytes32 rulebookHash
    );
    /// @notice The programme moved on in its life: 1 active, 2 closing, 3 closed.
    event ProgrammeStateSet(ProgrammeId indexed programme, ProgrammeState previousState, ProgrammeState state);
    /// @notice The programme is frozen until `until` (Unix time).
    event FrozenUntilSet(ProgrammeId indexed programme, uint40 previousUntil, uint40 until);
    /// @notice Other ceilings a day, in fen; 0 stands for the default.
    event CeilingsSet(
        ProgrammeId indexed programme,
        uint48 previousMintFen,
        uint48 previousRevokeFen,
        uint48 mintFen,
        uint48 revokeFen
    );

    /// @notice The programme is not registered.
    error PointsLedgerUnknownProgramme(ProgrammeId programme);
    /// @notice The id is taken, or is 0.
    error PointsLedgerProgrammeExists(ProgrammeId programme);
    /// @notice Par is above 1e11 micro-fen a point (¥1,000), beyond which a basket's value might not fit 64 bits.
    error PointsLedgerParTooHigh(uint64 par);
    /// @notice A flag bit without meaning, or a flag that par 0 forbids (exchange and redemption).
    error PointsLedgerBadFlags(uint8 flags);
    /// @notice A programme's state moves forward only, one step at a time.
    error PointsLedgerBadState(ProgrammeId programme, ProgrammeState current, ProgrammeState wanted);
    /// @notice Too early: possible from `from` (Unix time) on.
    error PointsLedgerTooEarly(uint256 from);
    /// @notice Longer than 90 days from now.
    error PointsLedgerTooLong(uint40 until);
    /// @notice Rulebook versions only rise.
    error PointsLedgerBadRulebook(uint32 version, uint32 current);
    /// @notice Key 0, one that is there already, or one that is not there.
    error PointsLedgerBadKey(address key);
    /// @notice The programme is frozen until `until` (Unix time).
    error PointsLedgerFrozen(ProgrammeId programme, uint40 until);
    /// @notice The day's ceiling, in fen, would be exceeded.
    error PointsLedgerCeilingExceeded(ProgrammeId programme, uint256 fen, uint256 ceilingFen);

    /// @notice The programme's parameters and state; all zero when unknown.
    function programme(ProgrammeId programmeId) external view returns (Programme memory);

    /// @notice Whether `key` may sign for the programme now.
    function isIssuerKey(ProgrammeId programmeId, address key) external view returns (bool);

    /// @notice Unix time from which `key` may sign for the programme; 0: never.
    function issuerKeyActiveFrom(ProgrammeId programmeId, address key) external view returns (uint40);

    /// @notice Value of the programme's supply in fen, rounded up.
    function liabilityFen(ProgrammeId programmeId) external view returns (uint256);

    /// @notice The ceilings a day as the council chose them (0: the default), and what of them today has used, in fen.
    function ceilings(ProgrammeId programmeId)
        external
        view
        returns (uint48 mintFen, uint48 revokeFen, uint64 mintedFen, uint64 revokedFen);

    /// @notice Opens a programme.
    /// @param programmeId Not 0 and not taken.
    /// @param par Micro-fen a point, at most 1e11; 0 for an eligibility score, which can be neither exchanged nor
    /// redeemed.
    /// @param flags See `Programme`.
    /// @param spendScope See `Programme`.
    /// @param issuerKey Its first key, which may sign at once.
    /// @param programmeName Name of its tokens (ERC-6909 metadata).
    /// @param programmeSymbol Symbol of its tokens.
    /// @dev Restricted to the council.
    function registerProgramme(
        ProgrammeId programmeId,
        uint64 par,
        uint8 flags,
        bytes32 spendScope,
        address issuerKey,
        string calldata programmeName,
        string calldata programmeSymbol
    ) external;

    /// @notice Lets `key` sign for the programme in 7 days. Several keys may be active, so a rotation loses no batch in
    /// flight.
    /// @dev Restricted to the council.
    function addIssuerKey(ProgrammeId programmeId, address key) external;

    /// @notice Stops `key` from signing for the programme at once.
    /// @dev Restricted to the council.
    function removeIssuerKey(ProgrammeId programmeId, address key) external;

    /// @notice Puts another rulebook in force. Versions only rise.
    /// @dev Restricted to the council.
    function setRulebook(ProgrammeId programmeId, uint32 version, bytes32 rulebookHash) external;

    /// @notice Moves a programme on: active to closing, closing to closed. What it is owed when it closes goes to the treasury.
    /// @dev Restricted to the council.
    function setState(ProgrammeId programmeId, ProgrammeState state) external;

    /// @notice Chooses what the programme mints and revokes a day at most, in fen; 0 for the default.
    /// @dev Restricted to the council.
    function setCeilings(ProgrammeId programmeId, uint48 mintFen, uint48 revokeFen) external;

    /// @notice Freezes the programme for 72 hours from now.
    /// @dev Restricted to the guardian.
    function freeze(ProgrammeId programmeId) external;

    /// @notice Freezes the programme until `until`, at most 90 days from now, or ends its freeze (0).
    /// @dev Restricted to the council.
    function setFrozenUntil(ProgrammeId programmeId, uint40 until) external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Number of a programme; 0 is none.
type ProgrammeId is uint32;

/// @notice A lot: `programme << 32 | expiry quarter`. Its token id has the same value.
type LotId is uint64;

/// @notice A prefix of an order's lots: `lots << 64 | lastAmount`, the first `lots` of them, whole but the last, of
/// which `lastAmount` minor units are kept; 0 is nothing.
type Prefix is uint72;

using {programmeEquals as ==, programmeDiffers as !=} for ProgrammeId global;
using {prefixEquals as ==, prefixDiffers as !=} for Prefix global;

/// @notice What became of one order of a batch; the codes of `Rejected`.
/// Checks run in the order in which the modules document them, which is not the order of the codes.
/// MALFORMED, BAD_SIGNATURE and NONCE_SPENT leave the nonce as it was; every other code has spent it.
enum Verdict {
    ACCEPTED,
    MALFORMED,
    BAD_SIGNATURE,
    NONCE_SPENT,
    EXPIRED,
    UNKNOWN_PROGRAMME,
    FORBIDDEN,
    LOT_DEAD,
    INSUFFICIENT,
    BELOW_MINIMUM,
    CAP_EXCEEDED,
    NO_VALUE,
    UNKNOWN_MERCHANT,
    OUT_OF_SCOPE,
    NOT_HELD,
    BAD_CAPTURE_TIME
}

/// @notice Life of a programme. It only ever moves forward.
enum ProgrammeState {
    UNKNOWN,
    ACTIVE,
    CLOSING,
    CLOSED
}

/// @notice A programme as the ledger knows it.
/// @param par Value of one point in micro-fen (1e6 micro-fen = 1 fen). Never changes.
/// @param flags Bits: 1 transferable, 2 exchangeable in, 4 exchangeable out, 8 redeemable. Never change.
/// @param state Where it stands in its life.
/// @param rulebookVersion Version of the rulebook in force.
/// @param rulebookHash Hash of the rulebook in force.
/// @param spendScope Bits of the merchant scopes in which its points may be spent; 0 means anywhere.
/// @param supply Minor units outstanding over all its lots, those in escrow and those not yet swept included.
/// @param spendableUntil Unix time from which no lot of it can be spent; 0 until it starts closing.
/// @param frozenUntil Unix time until which nothing of it is minted, exchanged, redeemed, held, revoked or made void.
struct Programme {
    uint64 par;
    uint8 flags;
    ProgrammeState state;
    uint32 rulebookVersion;
    bytes32 rulebookHash;
    bytes32 spendScope;
    uint128 supply;
    uint40 spendableUntil;
    uint40 frozenUntil;
}

/// @notice A change of one participant's clearing position.
/// @param participant (1 << 32) | programme, or (2 << 32) | merchant.
/// @param delta Signed fen.
struct Posting {
    uint64 participant;
    int256 delta;
}

/// @notice A merchant as the clearing book knows it.
/// @param key Signs captures, releases and refunds; an account or an ERC-1271 contract. Zero: unknown or retired.
/// @param scope Bits of the scopes it sells in.
struct Merchant {
    address key;
    bytes32 scope;
}

// Flag bits of a programme.
uint8 constant TRANSFERABLE = 1;
uint8 constant EXCHANGEABLE_IN = 2;
uint8 constant EXCHANGEABLE_OUT = 4;
uint8 constant REDEEMABLE = 8;

function programmeEquals(ProgrammeId a, ProgrammeId b) pure returns (bool) {
    return ProgrammeId.unwrap(a) == ProgrammeId.unwrap(b);
}

function programmeDiffers(ProgrammeId a, ProgrammeId b) pure returns (bool) {
    return ProgrammeId.unwrap(a) != ProgrammeId.unwrap(b);
}

function prefixEquals(Prefix a, Prefix b) pure returns (bool) {
    return Prefix.unwrap(a) == Prefix.unwrap(b);
}

function prefixDiffers(Prefix a, Prefix b) pure returns (bool) {
    return Prefix.unwrap(a) != Prefix.unwrap(b);
}

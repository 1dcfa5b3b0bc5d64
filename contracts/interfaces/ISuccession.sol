// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Where a succession stands.
enum SuccessionState {
    NONE,
    REQUESTED,
    CONFIRMED,
    OBJECTED,
    ALLOWED
}

/// @notice A succession under way.
/// @param newAccount Who shall succeed.
/// @param state Where it stands.
/// @param since Unix time of the last step.
/// @param desk The desk that asked.
struct Request {
    address newAccount;
    SuccessionState state;
    uint40 since;
    address desk;
}

/// @title ISuccession
/// @notice The one way by which an account comes to have a successor: lost keys, merged accounts, changes of custody, heirs.
///
/// A desk requests, with the new account's signed consent; a clerk of another desk confirms; 7 days later, and for 30 days,
/// anyone executes. The old key's objection, at any time before, sends it to the council, whose word is final: it allows
/// (then anyone executes within 30 days) or refuses. A request that is not confirmed, and one that is not executed,
/// lapses after 30 days; one that waits for the council does not. One request at a time for each holder.
///
/// Trust: two desks together can move an account whose holder says nothing for 7 days. An objection by the old key, a thief's
/// too, is heard by the council.
interface ISuccession {
    /// @notice A desk asks.
    event SuccessionRequested(address indexed holder, address indexed newAccount, address indexed desk);
    /// @notice Another desk confirms; executable from `executableFrom` (Unix time) on for 30 days.
    event SuccessionConfirmed(address indexed holder, address indexed desk, uint40 executableFrom);
    /// @notice The old key objects.
    event SuccessionObjected(address indexed holder);
    /// @notice The council's word.
    event SuccessionDecided(address indexed holder, bool allowed);
    /// @notice It was carried out.
    event SuccessionExecuted(address indexed holder, address indexed newAccount);

    /// @notice No such request stands in a state that allows this.
    error SuccessionBadState(address holder, SuccessionState state);
    /// @notice Not the signature of `account`, or its consent has run out.
    error SuccessionBadSignature(address account);
    /// @notice The desk that asked cannot confirm.
    error SuccessionSameDesk(address desk);
    /// @notice Possible from `from` (Unix time) on.
    error SuccessionTooEarly(uint40 from);
    /// @notice It lapsed at `at` (Unix time).
    error SuccessionLapsed(uint40 at);

    /// @notice The points ledger that this contract belongs to.
    function ledger() external view returns (address);

    /// @notice The request that stands for `holder`.
    function request(address holder) external view returns (Request memory);

    /// @notice Asks that `newAccount` succeed `holder`.
    /// @param deadline Last Unix second at which the consent counts.
    /// @param consent Of Succession(address oldAccount,address newAccount,uint40 deadline) by the new account, a plain one or
    /// an ERC-1271 wallet, under the ledger's domain.
    /// @dev Restricted to desks.
    function requestSuccession(address holder, address newAccount, uint40 deadline, bytes calldata consent) external;

    /// @notice Confirms a request of another desk, naming the new account lest another be put in its place.
    /// @dev Restricted to desks.
    function confirm(address holder, address newAccount) external;

    /// @notice The holder objects: as the caller, or by a signature of Objection(address oldAccount,address newAccount).
    function objectTo(address holder, bytes calldata signature) external;

    /// @notice The council's word on a request that was objected to.
    /// @dev Restricted to the council.
    function decide(address holder, address newAccount, bool allowed) external;

    /// @notice Carries it out and forwards the lots `ids`. Anyone may call, and anyone may forward further lots.
    function execute(address holder, uint256[] calldata ids) external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {ISuccession, Request, SuccessionState} from "../interfaces/ISuccession.sol";
import {PlainAccount} from "../libraries/PlainAccount.sol";
import {SignatureCheck} from "../libraries/SignatureCheck.sol";
import {TypedData} from "../libraries/TypedData.sol";

/// @title Succession
/// @notice See {ISuccession}.
contract Succession is ISuccession, AccessManaged {
    uint40 private constant OBJECTION_TIME = 7 days;
    uint40 private constant LAPSES_AFTER = 30 days;

    /// @inheritdoc ISuccession
    address public immutable ledger;

    mapping(address holder => Request) private _requests;

    /// @param ledger_ The ledger's address, which is deployed after this.
    constructor(address authority_, address ledger_) AccessManaged(authority_) {
        ledger = ledger_;
    }

    /// @inheritdoc ISuccession
    function request(address holder) external view returns (Request memory) {
        return _requests[holder];
    }

    /// @inheritdoc ISuccession
    function requestSuccession(address holder, address newAccount, uint40 deadline, bytes calldata consent)
        external
        restricted
    {
        Request storage current = _requests[holder];
        if (_stands(current)) revert SuccessionBadState(holder, current.state);
        bytes32 digest = _digest(TypedData.succession(holder, newAccount, deadline));
        if (block.timestamp > deadline || !SignatureCheck.isValid(newAccount, digest, consent)) {
            revert SuccessionBadSignature(newAccount);
        }
        _requests[holder] = Request(newAccount, SuccessionState.REQUESTED, uint40(block.timestamp), msg.sender);
        emit SuccessionRequested(holder, newAccount, msg.sender);
    }

    /// @inheritdoc ISuccession
    function confirm(address holder, address newAccount) external restricted {
        Request storage current = _in(holder, SuccessionState.REQUESTED);
        _checkNewAccount(holder, newAccount, current);
        _checkNotLapsed(current.since + LAPSES_AFTER);
        if (current.desk == msg.sender) revert SuccessionSameDesk(msg.sender);
        current.state = SuccessionState.CONFIRMED;
        current.since = uint40(block.timestamp);
        emit SuccessionConfirmed(holder, msg.sender, current.since + OBJECTION_TIME);
    }

    /// @inheritdoc ISuccession
    function objectTo(address holder, bytes calldata signature) external {
        Request storage current = _requests[holder];
        if (current.state != SuccessionState.REQUESTED) _in(holder, SuccessionState.CONFIRMED);
        if (msg.sender != holder) {
            PlainAccount.check();
            bytes32 digest = _digest(TypedData.objection(holder, current.newAccount));
            if (!SignatureCheck.isValid(holder, digest, signature)) revert SuccessionBadSignature(holder);
        }
        current.state = SuccessionState.OBJECTED;
        current.since = uint40(block.timestamp);
        emit SuccessionObjected(holder);
    }

    /// @inheritdoc ISuccession
    function decide(address holder, address newAccount, bool allowed) external restricted {
        Request storage current = _in(holder, SuccessionState.OBJECTED);
        _checkNewAccount(holder, newAccount, current);
        emit SuccessionDecided(holder, allowed);
        if (allowed) {
            current.state = SuccessionState.ALLOWED;
            current.since = uint40(block.timestamp);
        } else {
            delete _requests[holder];
        }
    }

    /// @inheritdoc ISuccession
    function execute(address holder, uint256[] calldata ids) external {
        PlainAccount.check();
        Request memory current = _requests[holder];
        uint40 from = current.since;
        if (current.state != SuccessionState.ALLOWED) {
            _in(holder, SuccessionState.CONFIRMED);
            from += OBJECTION_TIME;
        }
        if (block.timestamp < from) revert SuccessionTooEarly(from);
        _checkNotLapsed(from + LAPSES_AFTER);
        delete _requests[holder];
        emit SuccessionExecuted(holder, current.newAccount);
        IPointsLedger(ledger).succeed(holder, current.newAccount, ids);
    }

    /// @dev Whether a request is under way: none, or one that lapsed, gives way to a new one.
    function _stands(Request storage current) private view returns (bool) {
        SuccessionState state = current.state;
        if (state == SuccessionState.NONE) return false;
        if (state == SuccessionState.OBJECTED) return true;
        uint40 wait = state == SuccessionState.CONFIRMED ? OBJECTION_TIME : 0;
        return block.timestamp < current.since + wait + LAPSES_AFTER;
    }

    function _in(address holder, SuccessionState wanted) private view returns (Request storage current) {
        current = _requests[holder];
        if (current.state != wanted) revert SuccessionBadState(holder, current.state);
    }

    function _checkNewAccount(address holder, address newAccount, Request storage current) private view {
        if (current.newAccount != newAccount) revert SuccessionBadState(holder, current.state);
    }

    function _checkNotLapsed(uint40 at) private view {
        if (block.timestamp >= at) revert SuccessionLapsed(at);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return TypedData.digest(IPointsLedger(ledger).domainSeparator(), structHash);
    }
}

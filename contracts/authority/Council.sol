// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {ICouncil} from "../interfaces/ICouncil.sol";

/// @title Council
/// @notice See {ICouncil}.
contract Council is ICouncil {
    /// @dev `needed` approvals were there when the delay began that ends at `executableFrom`.
    struct Proposal {
        bool proposed;
        bool executed;
        uint8 needed;
        uint40 executableFrom;
    }

    uint256 private constant MEMBERS_MAX = 32;
    uint40 private constant DELAY_MIN = 1 hours;
    uint40 private constant DELAY_MAX = 30 days;
    uint40 private constant LAPSES_AFTER = 30 days;

    /// @inheritdoc ICouncil
    uint8 public threshold;
    /// @inheritdoc ICouncil
    uint40 public delaySeconds;
    address[] private _members;
    /// @dev Each joining has a number of its own, so that who leaves and joins again brings back no old approval.
    mapping(address member => uint256 joining) private _joinings;
    uint256 private _lastJoining;
    mapping(bytes32 id => Proposal) private _proposals;
    mapping(bytes32 id => mapping(address member => uint256 joining)) private _approvedIn;

    modifier onlyMember() {
        if (!isMember(msg.sender)) revert CouncilNotMember(msg.sender);
        _;
    }

    modifier onlySelf() {
        if (msg.sender != address(this)) revert CouncilOnlySelf();
        _;
    }

    constructor(address[] memory members_, uint8 newThreshold, uint40 newDelaySeconds) {
        for (uint256 i; i < members_.length; ++i) {
            _addMember(members_[i]);
        }
        _setRules(newThreshold, newDelaySeconds);
    }

    /// @inheritdoc ICouncil
    function members() external view returns (address[] memory) {
        return _members;
    }

    /// @inheritdoc ICouncil
    function isMember(address account) public view returns (bool) {
        return _joinings[account] != 0;
    }

    /// @inheritdoc ICouncil
    function hasApproved(bytes32 id, address member) public view returns (bool) {
        return isMember(member) && _approvedIn[id][member] == _joinings[member];
    }

    /// @inheritdoc ICouncil
    function approvals(bytes32 id) public view returns (uint256 count) {
        uint256 length = _members.length;
        for (uint256 i; i < length; ++i) {
            if (hasApproved(id, _members[i])) ++count;
        }
    }

    /// @inheritdoc ICouncil
    function executableFrom(bytes32 id) external view returns (uint40) {
        return _proposals[id].executableFrom;
    }

    /// @inheritdoc ICouncil
    function propose(address target, bytes calldata data, bytes32 salt) external onlyMember returns (bytes32 id) {
        id = _id(target, data, salt);
        if (_proposals[id].proposed) revert CouncilProposalExists(id);
        _proposals[id].proposed = true;
        emit Proposed(id, msg.sender, target, data, salt);
        _approve(id);
    }

    /// @inheritdoc ICouncil
    function approve(bytes32 id) external onlyMember {
        _checkOpen(_proposals[id], id);
        _approve(id);
    }

    /// @inheritdoc ICouncil
    function withdrawApproval(bytes32 id) external onlyMember {
        _checkOpen(_proposals[id], id);
        if (!hasApproved(id, msg.sender)) revert CouncilApprovalIs(id, msg.sender, false);
        delete _approvedIn[id][msg.sender];
        if (!_isEnough(_proposals[id], approvals(id))) _proposals[id].executableFrom = 0;
        emit ApprovalWithdrawn(id, msg.sender);
    }

    /// @inheritdoc ICouncil
    function execute(address target, bytes calldata data, bytes32 salt) external returns (bytes memory result) {
        bytes32 id = _id(target, data, salt);
        _checkExecutable(id);
        if (target.code.length == 0) revert CouncilNoContract(target);
        _proposals[id].executed = true;
        emit Executed(id);
        result = Address.functionCall(target, data);
    }

    /// @inheritdoc ICouncil
    function setMember(address account, bool member) external onlySelf {
        if (member) _addMember(account);
        else _removeMember(account);
        _checkRules(threshold, delaySeconds);
    }

    /// @inheritdoc ICouncil
    function setRules(uint8 newThreshold, uint40 newDelaySeconds) external onlySelf {
        _setRules(newThreshold, newDelaySeconds);
    }

    function _id(address target, bytes calldata data, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(target, data, salt));
    }

    function _approve(bytes32 id) private {
        if (hasApproved(id, msg.sender)) revert CouncilApprovalIs(id, msg.sender, true);
        Proposal storage proposal = _proposals[id];
        // Members may have left since the delay began, and their approvals with them: then it begins anew.
        if (approvals(id) < proposal.needed) proposal.executableFrom = 0;
        _approvedIn[id][msg.sender] = _joinings[msg.sender];
        emit Approved(id, msg.sender);
        if (proposal.executableFrom == 0 && approvals(id) >= threshold) {
            proposal.needed = threshold;
            proposal.executableFrom = uint40(block.timestamp) + delaySeconds;
            emit Queued(id, proposal.executableFrom);
        }
    }

    /// @dev Whether `count` approvals carry the proposal, by the rules in force and by those under which its delay began.
    function _isEnough(Proposal memory proposal, uint256 count) private view returns (bool) {
        return count >= threshold && count >= proposal.needed;
    }

    function _checkExecutable(bytes32 id) private view {
        Proposal memory proposal = _proposals[id];
        _checkOpen(proposal, id);
        uint256 count = approvals(id);
        // Counted again: members may have left, or the threshold may have risen, since the delay began.
        if (proposal.executableFrom == 0 || !_isEnough(proposal, count)) {
            revert CouncilNotApproved(id, count, threshold);
        }
        if (block.timestamp < proposal.executableFrom) revert CouncilTooEarly(id, proposal.executableFrom);
        uint40 lapsedAt = proposal.executableFrom + LAPSES_AFTER;
        if (block.timestamp >= lapsedAt) revert CouncilLapsed(id, lapsedAt);
    }

    function _checkOpen(Proposal memory proposal, bytes32 id) private pure {
        if (!proposal.proposed || proposal.executed) revert CouncilNoProposal(id);
    }

    function _addMember(address account) private {
        if (account == address(0) || isMember(account)) revert CouncilBadMember(account);
        _members.push(account);
        _joinings[account] = ++_lastJoining;
        emit MemberSet(account, true);
    }

    function _removeMember(address account) private {
        if (!isMember(account)) revert CouncilBadMember(account);
        uint256 i;
        while (_members[i] != account) ++i;
        _members[i] = _members[_members.length - 1];
        _members.pop();
        delete _joinings[account];
        emit MemberSet(account, false);
    }

    function _setRules(uint8 newThreshold, uint40 newDelaySeconds) private {
        _checkRules(newThreshold, newDelaySeconds);
        threshold = newThreshold;
        delaySeconds = newDelaySeconds;
        emit RulesSet(newThreshold, newDelaySeconds);
    }

    function _checkRules(uint8 newThreshold, uint40 newDelaySeconds) private view {
        uint256 count = _members.length;
        bool bad = newThreshold == 0 || newThreshold > count || count > MEMBERS_MAX || newDelaySeconds < DELAY_MIN
            || newDelaySeconds > DELAY_MAX;
        if (bad) revert CouncilBadRules(newThreshold, count, newDelaySeconds);
    }
}

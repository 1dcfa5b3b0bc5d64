// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {ICouncil} from "../interfaces/ICouncil.sol";

/// @title Council
/// @notice See {ICouncil}.
contract Council is ICouncil {
    struct Proposal {
        bool proposed;
        bool executed;
        uint40 executableFrom;
    }

    uint256 private constant MEMBERS_MAX = 32;
    uint40 private constant LAPSES_AFTER = 30 days;

    /// @inheritdoc ICouncil
    uint8 public threshold;
    /// @inheritdoc ICouncil
    uint40 public delaySeconds;
    address[] private _members;
    mapping(bytes32 id => Proposal) private _proposals;
    /// @inheritdoc ICouncil
    mapping(bytes32 id => mapping(address member => bool)) public hasApproved;

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
        uint256 length = _members.length;
        for (uint256 i; i < length; ++i) {
            if (_members[i] == account) return true;
        }
        return false;
    }

    /// @inheritdoc ICouncil
    function approvals(bytes32 id) public view returns (uint256 count) {
        uint256 length = _members.length;
        for (uint256 i; i < length; ++i) {
            if (hasApproved[id][_members[i]]) ++count;
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
        if (!hasApproved[id][msg.sender]) revert CouncilApprovalIs(id, msg.sender, false);
        hasApproved[id][msg.sender] = false;
        if (approvals(id) < threshold) _proposals[id].executableFrom = 0;
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
        _checkRules(threshold);
    }

    /// @inheritdoc ICouncil
    function setRules(uint8 newThreshold, uint40 newDelaySeconds) external onlySelf {
        _setRules(newThreshold, newDelaySeconds);
    }

    function _id(address target, bytes calldata data, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(target, data, salt));
    }

    function _approve(bytes32 id) private {
        if (hasApproved[id][msg.sender]) revert CouncilApprovalIs(id, msg.sender, true);
        hasApproved[id][msg.sender] = true;
        emit Approved(id, msg.sender);
        if (_proposals[id].executableFrom == 0 && approvals(id) >= threshold) {
            _proposals[id].executableFrom = uint40(block.timestamp) + delaySeconds;
            emit Queued(id, _proposals[id].executableFrom);
        }
    }

    function _checkExecutable(bytes32 id) private view {
        Proposal memory proposal = _proposals[id];
        _checkOpen(proposal, id);
        uint256 count = approvals(id);
        // Counted again: members may have left, or the threshold may have risen, since the delay began.
        if (proposal.executableFrom == 0 || count < threshold) revert CouncilNotApproved(id, count, threshold);
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
        emit MemberSet(account, true);
    }

    function _removeMember(address account) private {
        uint256 last = _members.length - 1;
        for (uint256 i; i <= last; ++i) {
            if (_members[i] != account) continue;
            _members[i] = _members[last];
            _members.pop();
            emit MemberSet(account, false);
            return;
        }
        revert CouncilBadMember(account);
    }

    function _setRules(uint8 newThreshold, uint40 newDelaySeconds) private {
        _checkRules(newThreshold);
        threshold = newThreshold;
        delaySeconds = newDelaySeconds;
        emit RulesSet(newThreshold, newDelaySeconds);
    }

    function _checkRules(uint8 newThreshold) private view {
        uint256 count = _members.length;
        if (newThreshold == 0 || newThreshold > count || count > MEMBERS_MAX) revert CouncilBadRules(newThreshold, count);
    }
}

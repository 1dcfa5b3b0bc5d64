// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ICouncil
/// @notice The agencies' council: M of N members approve a call, wait, and let anyone carry it out. It is the only
/// admin of the AccessManager, so programmes, caps, modules and roles change by its hand alone.
///
/// A proposal is (target, data, salt); its id is keccak256(abi.encode(target, data, salt)), and none is made twice: the
/// same call again takes another salt. Approvals count while their givers are members; who leaves and joins again has
/// approved nothing. Once `threshold` of them are there the delay runs; if one is withdrawn, or its giver leaves, before
/// the call is carried out and fewer are left, it stops, and starts anew with the approval that makes them enough again.
/// If the threshold rises meanwhile, more approvals are needed and the delay runs on. A proposal lapses 30 days after its
/// delay is over.
///
/// Trust: `threshold` members together can do everything that the AccessManager's admin can.
interface ICouncil {
    /// @notice A member proposed a call.
    event Proposed(bytes32 indexed id, address indexed member, address target, bytes data, bytes32 salt);
    /// @notice A member approved.
    event Approved(bytes32 indexed id, address indexed member);
    /// @notice A member took the approval back.
    event ApprovalWithdrawn(bytes32 indexed id, address indexed member);
    /// @notice Enough members approve: the call may be carried out from `from` (Unix time) on.
    event Queued(bytes32 indexed id, uint40 from);
    /// @notice The call was carried out.
    event Executed(bytes32 indexed id);
    /// @notice An account joined or left the council.
    event MemberSet(address indexed account, bool member);
    /// @notice `threshold` approvals are needed from now on, and `delaySeconds` between them and the act.
    event RulesSet(uint8 threshold, uint40 delaySeconds);

    /// @notice The caller is no member.
    error CouncilNotMember(address caller);
    /// @notice The council alone may do this, by a proposal.
    error CouncilOnlySelf();
    /// @notice There is, or was, such a proposal.
    error CouncilProposalExists(bytes32 id);
    /// @notice There is no such proposal, or it was carried out.
    error CouncilNoProposal(bytes32 id);
    /// @notice The member has approved already (`true`), or has not (`false`).
    error CouncilApprovalIs(bytes32 id, address member, bool approved);
    /// @notice Too few approvals.
    error CouncilNotApproved(bytes32 id, uint256 approvals, uint8 threshold);
    /// @notice The delay runs until `from` (Unix time).
    error CouncilTooEarly(bytes32 id, uint40 from);
    /// @notice The proposal lapsed at `at` (Unix time).
    error CouncilLapsed(bytes32 id, uint40 at);
    /// @notice The threshold would be 0 or more than the members, there would be more than 32 members, or the delay would
    /// be shorter than an hour, in which nobody can object, or longer than 30 days, in which nothing can be mended.
    error CouncilBadRules(uint8 threshold, uint256 members, uint40 delaySeconds);
    /// @notice Address 0, or a change that changes nothing.
    error CouncilBadMember(address account);
    /// @notice There is no contract at the target.
    error CouncilNoContract(address target);

    /// @notice Approvals needed.
    function threshold() external view returns (uint8);
    /// @notice Seconds between the last approval and the act: 3,600 to 2,592,000.
    function delaySeconds() external view returns (uint40);
    /// @notice The members, in no order that means anything.
    function members() external view returns (address[] memory);
    /// @notice Whether `account` is a member.
    function isMember(address account) external view returns (bool);
    /// @notice How many members approve the proposal.
    function approvals(bytes32 id) external view returns (uint256);
    /// @notice Whether `member` is a member and has approved as the one it is now.
    function hasApproved(bytes32 id, address member) external view returns (bool);
    /// @notice From when the call may be carried out (Unix time); 0 while approvals are missing.
    function executableFrom(bytes32 id) external view returns (uint40);

    /// @notice Proposes a call and approves it. Members only.
    /// @param salt Tells equal calls apart.
    /// @return id The proposal's id.
    function propose(address target, bytes calldata data, bytes32 salt) external returns (bytes32 id);

    /// @notice Approves. Members only.
    function approve(bytes32 id) external;

    /// @notice Takes the caller's approval back. Members only.
    function withdrawApproval(bytes32 id) external;

    /// @notice Carries out an approved call whose delay is over. Anyone may. A call that reverts stays open.
    /// @return What the call returned.
    function execute(address target, bytes calldata data, bytes32 salt) external returns (bytes memory);

    /// @notice Adds or removes a member. Only the council itself.
    function setMember(address account, bool member) external;

    /// @notice Sets how many must approve and how long to wait: an hour to 30 days. Only the council itself.
    function setRules(uint8 newThreshold, uint40 newDelaySeconds) external;
}

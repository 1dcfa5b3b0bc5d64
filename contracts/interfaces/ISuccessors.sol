// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISuccessors
/// @notice Which account succeeded which. How an account comes to have a successor is `ISuccession`'s business.
///
/// Releases, refunds and revocations follow successors; mints do not, and what lands on a retired account anyone may forward.
/// At most sixteen accounts stand in a line, so that following one is bounded.
interface ISuccessors {
    /// @notice `holder` has given way to `successor` for good.
    event SuccessorSet(address indexed holder, address indexed successor);

    /// @notice Only the succession contract may.
    error PointsLedgerOnlySuccession(address caller);
    /// @notice Address 0, the ledger, the holder itself, or an account that has a successor.
    error PointsLedgerBadSuccessor(address successor);
    /// @notice The line would be longer than sixteen.
    error PointsLedgerLineTooLong(address successor);
    /// @notice The holder has a successor already; `forward` moves what is left.
    error PointsLedgerRetired(address holder);
    /// @notice The account has no successor.
    error PointsLedgerNotRetired(address holder);

    /// @notice The contract by which accounts come to have successors.
    function succession() external view returns (address);

    /// @notice The account that succeeded `holder`, 0 if none.
    function successor(address holder) external view returns (address);

    /// @notice The end of the line of successors that begins at `holder`.
    function currentAccount(address holder) external view returns (address);

    /// @notice Makes `newAccount` the successor of `holder`, carries over what was reborn for it this quarter, and forwards
    /// `ids`.
    /// @dev Only the succession contract.
    function succeed(address holder, address newAccount, uint256[] calldata ids) external;

    /// @notice Moves the living lots `ids` of a retired account, whatever the flags of their programmes, to the end of its line,
    /// and spends every nonce of the words to which they belong, so that the old key signs nothing more there. Anyone may
    /// call.
    function forward(address oldAccount, uint256[] calldata ids) external;
}

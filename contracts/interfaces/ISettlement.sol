// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISettlement
/// @notice Monthly cycles in which programmes pay merchants what the book says they owe. Only merchants receive money, each
/// debtor pays from its own account, the operator never holds any; credits between programmes carry forward.
///
/// Closing a cycle nets all at once. With m(j) the free value of merchant j, d(i) what programme i owes and has not been
/// listed for yet, M = sum m and D = sum d: programme i pays floor(M * d(i) / D), and the fen that are left over go one
/// each to the programmes with the largest remainders (M * d(i) mod D; ties: lower id). Merchants are then filled in
/// ascending order of ids, from programmes in ascending order of ids. What is listed is locked: a refund cannot draw on
/// it.
///
/// Whoever knows the positions can compute a cycle; nobody has to trust it.
interface ISettlement {
    /// @notice A line of a cycle.
    /// @param settled Whether it was paid.
    struct Line {
        uint32 programme;
        uint32 merchant;
        uint128 fen;
        bool settled;
    }

    /// @notice A cycle was closed with `lines` payments to make, of `fen` in all.
    event CycleClosed(uint64 indexed cycle, uint256 lines, uint256 fen);
    /// @notice A line was paid under the payer's `paymentReference`; `signer` confirms it: the payee's key or the finance
    /// bureau's.
    event Settled(
        uint64 indexed cycle,
        uint32 indexed programme,
        uint32 indexed merchant,
        uint256 fen,
        bytes32 paymentReference,
        address signer
    );
    /// @notice The finance bureau confirms with this key.
    event FinanceKeySet(address indexed key);

    /// @notice The ids do not ascend.
    error SettlementUnsorted(uint32 id);
    /// @notice The participants listed are not all: their positions sum to this, not to 0.
    error SettlementIncomplete(int256 sum);
    /// @notice No merchant has free value.
    error SettlementNothingToPay();
    /// @notice There is no such line.
    error SettlementNoLine(uint64 cycle, uint256 line);
    /// @notice The line was paid.
    error SettlementSettled(uint64 cycle, uint256 line);
    /// @notice The payer used the reference before.
    error SettlementReferenceUsed(uint32 programme, bytes32 paymentReference);
    /// @notice Neither the payee's nor the finance bureau's signature.
    error SettlementBadSignature(uint64 cycle, uint256 line);

    /// @notice Number of the last cycle; they count from 1.
    function lastCycle() external view returns (uint64);

    /// @notice The lines of a cycle.
    function lines(uint64 cycle) external view returns (Line[] memory);

    /// @notice The key with which the finance bureau confirms payments.
    function financeKey() external view returns (address);

    /// @notice Closes a cycle over all participants whose position is not 0.
    /// @param programmes Ascending ids; must include every programme whose position is not 0.
    /// @param merchants Ascending ids; must include every merchant whose position is not 0.
    /// @return cycle Its number.
    /// @dev Restricted to the finance bureau. About 25,000 to 75,000 gas a line.
    function closeCycle(uint32[] calldata programmes, uint32[] calldata merchants) external returns (uint64 cycle);

    /// @notice Records that a line was paid.
    /// @param paymentReference Unique to the payer, such as the bank's.
    /// @param signature Of Settlement(uint64 cycle,uint32 programme,uint32 merchant,uint64 fen,bytes32 reference) by the
    /// merchant's key or the finance bureau's.
    function settle(uint64 cycle, uint256 line, bytes32 paymentReference, bytes calldata signature) external;

    /// @notice Sets the finance bureau's key.
    /// @dev Restricted to the council.
    function setFinanceKey(address key) external;
}

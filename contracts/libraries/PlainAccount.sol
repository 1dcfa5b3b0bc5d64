// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title PlainAccount
/// @notice Only plain accounts relay what others have signed, so that every signed byte lies in a transaction's calldata, where
/// an auditor finds it without the execution trace of a node.
library PlainAccount {
    /// @notice The caller is a contract.
    error PlainAccountNeeded(address caller);

    /// @notice Reverts unless the caller began the transaction.
    function check() internal view {
        // Not a question of authority, for which tx.origin must not be used.
        if (msg.sender != tx.origin) revert PlainAccountNeeded(msg.sender);
    }
}

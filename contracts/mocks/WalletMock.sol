// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title WalletMock
/// @notice For tests only: a contract wallet (ERC-1271) that is honest, or hostile in one of the ways that exist.
contract WalletMock is IERC1271 {
    enum Mode {
        HONEST,
        REFUSES,
        REVERTS,
        BURNS_ALL_GAS,
        ANSWERS_AT_LENGTH,
        REVERTS_AT_LENGTH,
        ANSWERS_SHORT,
        ANSWERS_DIRTY,
        USES_MUCH_GAS
    }

    /// @dev As much as fits well into the gas that a check is given.
    uint256 private constant LENGTH = 100_000;

    address public immutable owner;
    Mode public mode;

    constructor(address owner_) {
        owner = owner_;
    }

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    /// @notice Calls on the wallet's behalf, so that it can cancel and transfer.
    function call(address target, bytes calldata data) external {
        _call(target, data);
    }

    /// @notice Calls several times in one transaction, as a module does that begins a batch.
    function callAll(address target, bytes[] calldata data) external {
        for (uint256 i; i < data.length; ++i) {
            _call(target, data[i]);
        }
    }

    function _call(address target, bytes calldata data) private {
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        if (mode == Mode.REFUSES) return 0xffffffff;
        if (mode == Mode.REVERTS) revert("no");
        if (mode == Mode.BURNS_ALL_GAS) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (mode == Mode.ANSWERS_AT_LENGTH) {
            assembly ("memory-safe") {
                mstore(0, magic)
                return(0, LENGTH)
            }
        }
        if (mode == Mode.REVERTS_AT_LENGTH) {
            assembly ("memory-safe") {
                mstore(0, magic)
                revert(0, LENGTH)
            }
        }
        if (mode == Mode.ANSWERS_SHORT) {
            assembly ("memory-safe") {
                mstore(0, magic)
                return(0, 31)
            }
        }
        if (mode == Mode.ANSWERS_DIRTY) {
            assembly ("memory-safe") {
                mstore(0, or(magic, 1))
                return(0, 32)
            }
        }
        if (mode == Mode.USES_MUCH_GAS) {
            // A passkey check in Solidity costs about this; a wallet like that must work.
            uint256 start = gasleft();
            while (start - gasleft() < 80_000) {}
        }
        return ECDSA.recover(hash, signature) == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

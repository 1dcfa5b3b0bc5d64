// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {Encoding} from "./Encoding.sol";

/// @title SignatureCheck
/// @notice Checks the signature of an account or of a contract wallet (ERC-1271) so that no wallet can sink a batch.
/// OpenZeppelin's SignatureChecker forwards all gas and copies whatever the wallet returns.
library SignatureCheck {
    /// @dev Half of the order of secp256k1: above it lies the second, malleable form of every signature (EIP-2).
    uint256 private constant LOW_S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    /// @dev Gas a wallet may burn.
    uint256 internal constant WALLET_GAS = 100_000;
    /// @dev What must be there before the call: the wallet's gas, the 1/64 that EIP-150 keeps back, and a cold call.
    uint256 private constant GAS_NEEDED = WALLET_GAS + WALLET_GAS / 63 + 5_000;

    /// @notice The gas left could not give the wallet its due; to reject the order would be unfair.
    error SignatureCheckOutOfGas(uint256 gasLeft, uint256 gasNeeded);

    /// @notice Who signed `digest` with r ‖ s ‖ v; 0 if the length, v or s (high) is wrong.
    function recover(bytes32 digest, bytes calldata signature) internal pure returns (address signer) {
        if (signature.length != 65) return address(0);
        uint256 s = Encoding.read(signature, 32, 32);
        if (s > LOW_S_MAX) return address(0);
        bytes32 r = bytes32(Encoding.read(signature, 0, 32));
        return ecrecover(digest, uint8(Encoding.read(signature, 64, 1)), r, bytes32(s));
    }

    /// @notice Whether `signer`, an account or a contract wallet, signed `digest`. Never for signer 0.
    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0)) return false;
        if (recover(digest, signature) == signer) return true;
        return signer.code.length != 0 && _isValidForWallet(signer, digest, signature);
    }

    function _isValidForWallet(address wallet, bytes32 digest, bytes calldata signature) private view returns (bool) {
        bytes memory data = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        uint256 gasLeft = gasleft();
        if (gasLeft < GAS_NEEDED) revert SignatureCheckOutOfGas(gasLeft, GAS_NEEDED);
        bool ok;
        bytes32 answer;
        uint256 walletGas = WALLET_GAS;
        // Solidity's own call would copy all return data, at our expense; this reads 32 bytes of it.
        assembly ("memory-safe") {
            ok := staticcall(walletGas, wallet, add(data, 32), mload(data), 0, 32)
            ok := and(ok, gt(returndatasize(), 31))
            answer := mload(0)
        }
        return ok && answer == bytes32(IERC1271.isValidSignature.selector);
    }
}

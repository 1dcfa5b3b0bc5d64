// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Obligation} from "../interfaces/IClearingBook.sol";

/// @title Netting
/// @notice Who pays whom: deterministic, exact to the fen.
library Netting {
    /// @notice Splits `total` over debts by largest remainder. Ties go to the lower index.
    /// @param debts Their sum is at least `total` and not 0.
    /// @return shares Sum exactly to `total`; none exceeds its debt.
    function split(uint256 total, uint256[] memory debts) internal pure returns (uint256[] memory shares) {
        uint256 sum;
        for (uint256 i; i < debts.length; ++i) {
            sum += debts[i];
        }
        shares = new uint256[](debts.length);
        uint256[] memory remainders = new uint256[](debts.length);
        uint256 left = total;
        for (uint256 i; i < debts.length; ++i) {
            shares[i] = total * debts[i] / sum;
            remainders[i] = total * debts[i] % sum;
            left -= shares[i];
        }
        for (; left != 0; --left) {
            uint256 largest = _indexOfLargest(remainders);
            ++shares[largest];
            remainders[largest] = 0;
        }
    }

    /// @notice Fills the merchants' claims, in order, from the programmes' shares, in order.
    /// @param shares What each programme pays; sums to the same as `claims`.
    /// @param claims What each merchant receives.
    function fill(
        uint32[] calldata programmes,
        uint256[] memory shares,
        uint32[] calldata merchants,
        uint256[] memory claims
    ) internal pure returns (Obligation[] memory obligations) {
        // Each step uses up a share or a claim.
        obligations = new Obligation[](programmes.length + merchants.length);
        uint256 count;
        uint256 i;
        for (uint256 j; j < merchants.length; ++j) {
            uint256 claim = claims[j];
            while (claim != 0) {
                uint256 fen = claim < shares[i] ? claim : shares[i];
                if (fen != 0) obligations[count++] = Obligation(programmes[i], merchants[j], uint128(fen));
                claim -= fen;
                shares[i] -= fen;
                if (claim != 0) ++i;
            }
        }
        // Shortens the array to what is in use; memory is not given back.
        assembly ("memory-safe") {
            mstore(obligations, count)
        }
    }

    function _indexOfLargest(uint256[] memory values) private pure returns (uint256 largest) {
        for (uint256 i = 1; i < values.length; ++i) {
            if (values[i] > values[largest]) largest = i;
        }
    }
}

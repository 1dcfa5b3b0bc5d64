// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Netting
/// @notice Who owes how much of a sum: deterministic, exact to the fen.
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

    function _indexOfLargest(uint256[] memory values) private pure returns (uint256 largest) {
        for (uint256 i = 1; i < values.length; ++i) {
            if (values[i] > values[largest]) largest = i;
        }
    }
}

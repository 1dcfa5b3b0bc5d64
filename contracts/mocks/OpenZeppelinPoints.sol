// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC6909TokenSupply} from "@openzeppelin/contracts/token/ERC6909/extensions/draft-ERC6909TokenSupply.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @title OpenZeppelinPoints
/// @notice For measurements only: the nearest thing to our ledger that one builds from OpenZeppelin's parts in an
/// afternoon. ERC-6909 with supply, batched mint, and signed orders with sequential nonces, each of which leaves an event of its
/// own; no roles, programmes, expiry, evidence, caps, positions or receipts, so each of its operations does less than ours.
contract OpenZeppelinPoints is ERC6909TokenSupply, EIP712("OpenZeppelinPoints", "1"), Nonces {
    struct Order {
        address holder;
        uint256 id;
        uint256 amount;
        uint256 toId;
        uint256 toAmount;
        uint256 nonce;
        uint256 deadline;
        bytes signature;
    }

    bytes32 private constant ORDER = keccak256(
        "Order(address holder,uint256 id,uint256 amount,uint256 toId,uint256 toAmount,uint256 nonce,uint256 deadline)"
    );

    mapping(bytes32 orderId => uint256 amount) public held;

    event OrderExecuted(bytes32 indexed orderId, address indexed holder, uint256 amount);

    error OpenZeppelinPointsBadOrder(bytes32 orderId);

    function mint(address[] calldata accounts, uint256 id, uint256[] calldata amounts) external {
        for (uint256 i; i < accounts.length; ++i) {
            _mint(accounts[i], id, amounts[i]);
        }
    }

    function redeem(Order[] calldata orders) external {
        for (uint256 i; i < orders.length; ++i) {
            _check(orders[i]);
            _burn(orders[i].holder, orders[i].id, orders[i].amount);
        }
    }

    function exchange(Order[] calldata orders) external {
        for (uint256 i; i < orders.length; ++i) {
            _check(orders[i]);
            _burn(orders[i].holder, orders[i].id, orders[i].amount);
            _mint(orders[i].holder, orders[i].toId, orders[i].toAmount);
        }
    }

    function hold(Order[] calldata orders) external {
        for (uint256 i; i < orders.length; ++i) {
            bytes32 orderId = _check(orders[i]);
            held[orderId] = orders[i].amount;
            _transfer(orders[i].holder, address(this), orders[i].id, orders[i].amount);
        }
    }

    /// @notice `signatures` are `merchant`'s of the orders' ids. As with ours, the orders come again whole.
    function capture(Order[] calldata orders, address merchant, bytes[] calldata signatures) external {
        for (uint256 i; i < orders.length; ++i) {
            bytes32 orderId = orderIdOf(orders[i]);
            if (ECDSA.recover(orderId, signatures[i]) != merchant) revert OpenZeppelinPointsBadOrder(orderId);
            uint256 amount = held[orderId];
            delete held[orderId];
            _burn(address(this), orders[i].id, amount);
            emit OrderExecuted(orderId, orders[i].holder, amount);
        }
    }

    function orderIdOf(Order calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    ORDER, order.holder, order.id, order.amount, order.toId, order.toAmount, order.nonce, order.deadline
                )
            )
        );
    }

    function _check(Order calldata order) private returns (bytes32 orderId) {
        orderId = orderIdOf(order);
        bool signed = ECDSA.recover(orderId, order.signature) == order.holder;
        if (!signed || block.timestamp > order.deadline) revert OpenZeppelinPointsBadOrder(orderId);
        _useCheckedNonce(order.holder, order.nonce);
        emit OrderExecuted(orderId, order.holder, order.amount);
    }
}

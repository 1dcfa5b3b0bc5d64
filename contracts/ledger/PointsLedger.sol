// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC6909, IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/contracts/interfaces/draft-IERC6909.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {ISuccession} from "../interfaces/ISuccession.sol";
import {Orders} from "./Orders.sol";

/// @title PointsLedger
/// @notice See {IPointsLedger}. From the ground up: {Programmes}, {LotBook}, {Successors}, {Issuance}, {Orders}.
contract PointsLedger is Orders {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)");

    /// @inheritdoc IPointsLedger
    bytes32 public immutable domainSeparator;
    bytes32 private immutable _salt;
    uint256 private immutable _chainId;

    /// @param authority_ The AccessManager.
    /// @param salt Random id of the deployment, so that nothing signed for one installation replays in another.
    /// @param book_ The clearing book, deployed before for the address of this ledger.
    /// @param succession_ The succession contract, deployed before for the address of this ledger.
    constructor(address authority_, bytes32 salt, IClearingBook book_, ISuccession succession_)
        AccessManaged(authority_)
    {
        if (book_.ledger() != address(this) || succession_.ledger() != address(this)) revert PointsLedgerWrongParts();
        _book = book_;
        succession = address(succession_);
        _salt = salt;
        _chainId = block.chainid;
        domainSeparator = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("Tongdui"), keccak256("2"), block.chainid, address(this), salt)
        );
    }

    /// @inheritdoc IPointsLedger
    function clearingBook() external view returns (address) {
        return address(_book);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC6909).interfaceId
            || interfaceId == type(IERC6909Metadata).interfaceId || interfaceId == type(IERC6909TokenSupply).interfaceId;
    }

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (hex"1f", "Tongdui", "2", _chainId, address(this), _salt, new uint256[](0));
    }

    function _domain() internal view override returns (bytes32) {
        return domainSeparator;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {IERC6909, IERC6909Metadata, IERC6909TokenSupply} from "@openzeppelin/contracts/interfaces/draft-IERC6909.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IPointsLedger} from "../interfaces/IPointsLedger.sol";
import {
    EXCHANGEABLE_IN,
    EXCHANGEABLE_OUT,
    Programme,
    ProgrammeState,
    REDEEMABLE,
    TRANSFERABLE,
    Verdict
} from "../interfaces/Types.sol";
import {Packed} from "../libraries/Packed.sol";
import {PackedLots} from "../libraries/PackedLots.sol";
import {Value} from "../libraries/Value.sol";
import {LotLanes} from "./LotLanes.sol";
import {QuarterTime} from "./QuarterTime.sol";

/// @title PointsLedger
/// @notice See {IPointsLedger}.
contract PointsLedger is IPointsLedger, AccessManaged {
    /// @dev What a programme is in storage: what orders read is in the first slot, what they write in the second.
    struct ProgrammeRecord {
        uint64 par;
        uint8 flags;
        ProgrammeState state;
        uint40 spendableUntil;
        uint32 rulebookVersion;
        uint256 supply;
        bytes32 rulebookHash;
        bytes32 spendScope;
        string name;
        string symbol;
    }

    /// @dev A struct, so that code can hold a storage pointer to one word and hash its place once.
    struct Lanes {
        uint256 word;
    }

    /// @dev What was reborn for a holder in a quarter.
    struct Rebirth {
        uint32 quarter;
        uint64 fen;
    }

    /// @dev What a desk asked for: `terms` is keccak256(abi.encode(newAccount, ids)).
    struct Migration {
        bytes32 terms;
        uint40 executableFrom;
        bool approved;
    }

    uint64 private constant PAR_MAX = 1e11;
    uint256 private constant GRANT_BYTES = 28;
    uint256 private constant SPENDING_AFTER_CLOSING = 365 days;
    /// @dev The longest hold (30 days) and then the longest refund (90 days).
    uint256 private constant CLOSED_AFTER_SPENDING = 120 days;
    uint256 private constant MIGRATION_WAIT = 7 days;
    /// @dev Bounds the gas of following successors. Whoever has more than this many gets the rest by `forward`.
    uint256 private constant SUCCESSORS_FOLLOWED = 16;
    bytes32 private constant VOID = bytes32(uint256(1));
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)");

    /// @inheritdoc IPointsLedger
    bytes32 public immutable domainSeparator;
    bytes32 private immutable _salt;

    /// @dev Key first: a batch of grants hashes it once and not for every holder. See `LotLanes` for the word.
    mapping(uint64 key => mapping(address holder => Lanes)) private _lanes;
    /// @inheritdoc IERC6909TokenSupply
    mapping(uint256 id => uint256) public totalSupply;
    mapping(uint32 programmeId => ProgrammeRecord) private _programmes;
    /// @inheritdoc IPointsLedger
    mapping(uint32 programmeId => mapping(address key => bool)) public isIssuerKey;
    /// @dev Evidence root of a landed batch, `VOID` for a void one. A storage proof of this slot proves a grant.
    mapping(uint32 programmeId => mapping(uint64 number => bytes32)) private _batches;
    /// @inheritdoc IPointsLedger
    mapping(bytes32 leaf => uint64) public revokedTotal;
    /// @inheritdoc IPointsLedger
    mapping(bytes32 holdId => bytes32) public holdCommitment;
    /// @inheritdoc IPointsLedger
    mapping(address holder => address) public successor;
    mapping(address holder => Migration) private _migrations;
    mapping(address holder => Rebirth) private _rebirths;
    mapping(address owner => mapping(address spender => mapping(uint256 id => uint256))) private _allowances;
    /// @inheritdoc IERC6909
    mapping(address owner => mapping(address spender => bool)) public isOperator;
    /// @dev The module that last began a batch, and when: quarter << 224 | block number << 160 | module.
    uint256 private _exchangeBegun;
    uint256 private _redemptionBegun;
    /// @inheritdoc IPointsLedger
    uint64 public rebirthCapFen;

    /// @param authority_ The AccessManager.
    /// @param salt Random id of the deployment, so that nothing signed for one installation replays in another.
    constructor(address authority_, bytes32 salt) AccessManaged(authority_) {
        _salt = salt;
        domainSeparator = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("Tongdui"), keccak256("1"), block.chainid, address(this), salt)
        );
    }

    // ----------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IERC6909
    function balanceOf(address owner, uint256 id) public view returns (uint256) {
        if (id > type(uint64).max) return 0;
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        return LotLanes.amountAt(_lanes[key][owner].word, shift);
    }

    /// @inheritdoc IERC6909
    function allowance(address owner, address spender, uint256 id) external view returns (uint256) {
        return _allowances[owner][spender][id];
    }

    /// @inheritdoc IERC6909Metadata
    function name(uint256 id) external view returns (string memory) {
        return id > type(uint64).max ? "" : _programmes[uint32(id >> 32)].name;
    }

    /// @inheritdoc IERC6909Metadata
    function symbol(uint256 id) external view returns (string memory) {
        return id > type(uint64).max ? "" : _programmes[uint32(id >> 32)].symbol;
    }

    /// @inheritdoc IERC6909Metadata
    function decimals(uint256) external pure returns (uint8) {
        return 2;
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
        return (hex"1f", "Tongdui", "1", block.chainid, address(this), _salt, new uint256[](0));
    }

    /// @inheritdoc IPointsLedger
    function programme(uint32 programmeId) external view returns (Programme memory) {
        ProgrammeRecord storage record = _programmes[programmeId];
        return Programme({
            par: record.par,
            flags: record.flags,
            state: record.state,
            rulebookVersion: record.rulebookVersion,
            rulebookHash: record.rulebookHash,
            spendScope: record.spendScope,
            supply: uint128(record.supply),
            spendableUntil: record.spendableUntil
        });
    }

    /// @inheritdoc IPointsLedger
    function programmeSupply(uint32 programmeId) external view returns (uint256) {
        return _programmes[programmeId].supply;
    }

    /// @inheritdoc IPointsLedger
    function nonceState(address holder, uint256 id) external view returns (uint32 base, uint32 window) {
        if (id > type(uint64).max) return (0, 0);
        (uint64 key,) = LotLanes.locate(id);
        return LotLanes.nonceState(_lanes[key][holder].word);
    }

    /// @inheritdoc IPointsLedger
    function isDead(uint256 id) external view returns (bool) {
        return id > type(uint64).max || _isDead(id, _currentQuarter());
    }

    /// @inheritdoc IPointsLedger
    function batchState(uint32 programmeId, uint64 number) external view returns (uint8) {
        bytes32 root = _batches[programmeId][number];
        return root == 0 ? 0 : root == VOID ? 2 : 1;
    }

    /// @inheritdoc IPointsLedger
    function batchRoot(uint32 programmeId, uint64 number) external view returns (bytes32) {
        bytes32 root = _batches[programmeId][number];
        return root == VOID ? bytes32(0) : root;
    }

    /// @inheritdoc IPointsLedger
    function currentAccount(address holder) public view returns (address) {
        for (uint256 i; i < SUCCESSORS_FOLLOWED; ++i) {
            address next = successor[holder];
            if (next == address(0)) return holder;
            holder = next;
        }
        return holder;
    }

    // -------------------------------------------------------------------------------------------------- issuance

    /// @inheritdoc IPointsLedger
    function mint(uint32 programmeId, uint32 quarter, uint64 number, bytes32 evidenceRoot, bytes calldata grants)
        external
        restricted
        returns (uint256 amount, uint256 supply, uint64 par)
    {
        ProgrammeRecord storage record = _known(programmeId);
        par = record.par;
        uint256 id = _id(programmeId, quarter);
        if (record.state != ProgrammeState.ACTIVE) revert PointsLedgerNotActive(programmeId);
        if (quarter == 0 && par != 0) revert PointsLedgerBadQuarter(programmeId, quarter);
        if (_isDead(id, _currentQuarter())) revert PointsLedgerLotDead(id);
        _landBatch(programmeId, number, evidenceRoot);
        amount = _creditGrants(id, grants);
        _raiseLot(id, amount);
        supply = record.supply + amount;
        record.supply = supply;
    }

    /// @inheritdoc IPointsLedger
    function voidBatch(uint32 programmeId, uint64 number) external restricted {
        _known(programmeId);
        _checkBatchUnused(programmeId, number);
        _batches[programmeId][number] = VOID;
    }

    /// @inheritdoc IPointsLedger
    function revoke(bytes32 leaf, uint64 total, address holder, uint256 id)
        external
        restricted
        returns (address account, uint64 taken, uint64 shortfall)
    {
        uint64 before = revokedTotal[leaf];
        if (total <= before) revert PointsLedgerBadRevocation(leaf, total, before);
        revokedTotal[leaf] = total;
        account = currentAccount(holder);
        uint256 balance = balanceOf(account, id);
        uint64 rise = total - before;
        taken = balance < rise ? uint64(balance) : rise;
        shortfall = rise - taken;
        if (taken != 0) _burn(account, id, taken);
    }

    // -------------------------------------------------------------------------------------------------- exchange

    /// @inheritdoc IPointsLedger
    function beginExchange() external restricted {
        _exchangeBegun = _begin();
    }

    /// @inheritdoc IPointsLedger
    function exchange(
        address holder,
        uint32 nonce,
        Verdict verdict,
        uint64 fromId,
        uint64 amountIn,
        uint64 toId,
        uint64 amountOut
    ) external returns (Verdict) {
        uint256 quarter = _quarterBegun(_exchangeBegun);
        uint256 supply = totalSupply[toId] + amountOut;
        if (verdict == Verdict.ACCEPTED && supply > LotLanes.LANE_MAX) verdict = Verdict.CAP_EXCEEDED;
        verdict = _spendFirst(holder, nonce, verdict, fromId, amountIn, quarter);
        if (verdict != Verdict.ACCEPTED) return verdict;
        _credit(holder, toId, amountOut);
        _subtractSupply(fromId, amountIn);
        totalSupply[toId] = supply;
        // A programme has fewer than 2^32 lots, each of less than 2^48.
        unchecked {
            _programmes[uint32(toId >> 32)].supply += amountOut;
        }
        emit Transfer(msg.sender, holder, address(0), fromId, amountIn);
        emit Transfer(msg.sender, address(0), holder, toId, amountOut);
        return Verdict.ACCEPTED;
    }

    // ------------------------------------------------------------------------------------------------ redemption

    /// @inheritdoc IPointsLedger
    function beginRedemption() external restricted {
        _redemptionBegun = _begin();
    }

    /// @inheritdoc IPointsLedger
    function spend(address holder, uint32 nonce, bytes calldata lots, Verdict verdict) external returns (Verdict) {
        verdict = _spend(holder, nonce, lots, verdict, _quarterBegun(_redemptionBegun));
        if (verdict != Verdict.ACCEPTED) return verdict;
        uint256 count = PackedLots.count(lots);
        for (uint256 i; i < count; ++i) {
            (uint256 id, uint256 amount) = PackedLots.at(lots, i);
            _subtractSupply(id, amount);
            emit Transfer(msg.sender, holder, address(0), id, amount);
        }
        return Verdict.ACCEPTED;
    }

    /// @inheritdoc IPointsLedger
    function hold(bytes32 holdId, address holder, uint32 nonce, bytes calldata lots, Verdict verdict)
        external
        returns (Verdict)
    {
        uint256 quarter = _quarterBegun(_redemptionBegun);
        // A hold that is open has spent the nonce that its id binds. Should a module ever give its id to another order, that
        // order is refused in the same way and the open hold stays as it is.
        if (holdCommitment[holdId] != 0) verdict = Verdict.NONCE_SPENT;
        verdict = _spend(holder, nonce, lots, verdict, quarter);
        if (verdict != Verdict.ACCEPTED) return verdict;
        uint256 count = PackedLots.count(lots);
        for (uint256 i; i < count; ++i) {
            (uint256 id, uint256 amount) = PackedLots.at(lots, i);
            _credit(address(this), id, amount);
            emit Transfer(msg.sender, holder, address(this), id, amount);
        }
        holdCommitment[holdId] = _commitment(holder, lots);
        emit HoldOpened(holdId, holder, lots);
        return Verdict.ACCEPTED;
    }

    /// @inheritdoc IPointsLedger
    function closeHold(bytes32 holdId, address holder, bytes calldata lots, uint8 keptLots, uint64 lastAmount)
        external
        returns (bool)
    {
        uint256 quarter = _quarterBegun(_redemptionBegun);
        if (holdCommitment[holdId] != _commitment(holder, lots)) return false;
        if (!PackedLots.isPrefix(lots, keptLots, lastAmount)) revert PointsLedgerBadPrefix(keptLots, lastAmount);
        delete holdCommitment[holdId];
        address receiver = currentAccount(holder);
        uint256 count = PackedLots.count(lots);
        for (uint256 i; i < count; ++i) {
            (uint256 id, uint256 amount) = PackedLots.at(lots, i);
            uint256 kept = PackedLots.keptOf(i, amount, keptLots, lastAmount);
            if (kept != 0) _burn(address(this), id, kept);
            if (kept != amount) _release(receiver, id, amount - kept, quarter);
        }
        emit HoldClosed(holdId, receiver, keptLots, lastAmount);
        return true;
    }

    /// @inheritdoc IPointsLedger
    function restore(
        address holder,
        bytes calldata lots,
        uint8 keptLotsBefore,
        uint64 lastAmountBefore,
        uint8 keptLots,
        uint64 lastAmount
    ) external returns (address receiver) {
        uint256 quarter = _quarterBegun(_redemptionBegun);
        receiver = currentAccount(holder);
        uint256 count = PackedLots.count(lots);
        for (uint256 i; i < count; ++i) {
            (uint256 id, uint256 amount) = PackedLots.at(lots, i);
            amount = PackedLots.keptOf(i, amount, keptLotsBefore, lastAmountBefore)
                - PackedLots.keptOf(i, amount, keptLots, lastAmount);
            if (amount == 0) continue;
            (uint256 rebornId, uint256 reborn) = _reborn(receiver, id, amount, quarter);
            if (reborn != 0) _mint(receiver, rebornId, reborn);
            if (reborn != amount) _mint(receiver, id, amount - reborn);
        }
    }

    // ---------------------------------------------------------------------------------------------------- anyone

    /// @inheritdoc IERC6909
    function transfer(address receiver, uint256 id, uint256 amount) external returns (bool) {
        _transfer(msg.sender, receiver, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function transferFrom(address sender, address receiver, uint256 id, uint256 amount) external returns (bool) {
        if (msg.sender != sender && !isOperator[sender][msg.sender]) {
            uint256 allowed = _allowances[sender][msg.sender][id];
            // An infinite allowance stays infinite (ERC-6909).
            if (allowed != type(uint256).max) {
                if (amount > allowed) revert PointsLedgerInsufficientAllowance(msg.sender, allowed, amount, id);
                _allowances[sender][msg.sender][id] = allowed - amount;
            }
        }
        _transfer(sender, receiver, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function approve(address spender, uint256 id, uint256 amount) external returns (bool) {
        _allowances[msg.sender][spender][id] = amount;
        emit Approval(msg.sender, spender, id, amount);
        return true;
    }

    /// @inheritdoc IERC6909
    function setOperator(address spender, bool approved) external returns (bool) {
        isOperator[msg.sender][spender] = approved;
        emit OperatorSet(msg.sender, spender, approved);
        return true;
    }

    /// @inheritdoc IPointsLedger
    function cancelNonce(uint256 id, uint32 nonce) external {
        if (id > type(uint64).max) revert PointsLedgerUnknownProgramme(0);
        (uint64 key,) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][msg.sender];
        (bool fresh, uint256 word) = LotLanes.spendNonce(lanes.word, nonce);
        if (!fresh) revert PointsLedgerNonceSpent(msg.sender, nonce);
        lanes.word = word;
        emit NonceCancelled(msg.sender, id, nonce);
    }

    /// @inheritdoc IPointsLedger
    function sweep(address holder, uint256[] calldata ids) external {
        // Lots in escrow outlive their quarter.
        if (holder == address(this)) revert PointsLedgerEscrow();
        uint256 quarter = _currentQuarter();
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            uint256 amount = balanceOf(holder, id);
            if (amount == 0) continue;
            if (!_isDead(id, quarter)) revert PointsLedgerLotAlive(id);
            _burn(holder, id, amount);
            emit Swept(holder, id, amount);
        }
    }

    /// @inheritdoc IPointsLedger
    function migrate(address newAccount, uint256[] calldata ids) external {
        _setSuccessor(msg.sender, newAccount);
        _moveLiving(msg.sender, newAccount, ids);
    }

    /// @inheritdoc IPointsLedger
    function forward(address oldAccount, uint256[] calldata ids) external {
        if (successor[oldAccount] == address(0)) revert PointsLedgerNotRetired(oldAccount);
        _moveLiving(oldAccount, currentAccount(oldAccount), ids);
    }

    /// @inheritdoc IPointsLedger
    function requestMigration(address holder, address newAccount, uint256[] calldata ids) external restricted {
        _checkSuccessor(holder, newAccount);
        uint40 executableFrom = uint40(block.timestamp + MIGRATION_WAIT);
        _migrations[holder] = Migration(_terms(newAccount, ids), executableFrom, false);
        emit MigrationRequested(holder, newAccount, ids, executableFrom);
    }

    /// @inheritdoc IPointsLedger
    function approveMigration(address holder, address newAccount, uint256[] calldata ids) external restricted {
        Migration storage migration = _migrations[holder];
        if (migration.terms != _terms(newAccount, ids)) revert PointsLedgerNoMigration(holder);
        migration.approved = true;
        emit MigrationApproved(holder);
    }

    /// @inheritdoc IPointsLedger
    function cancelMigration() external {
        if (_migrations[msg.sender].terms == 0) revert PointsLedgerNoMigration(msg.sender);
        delete _migrations[msg.sender];
        emit MigrationCancelled(msg.sender);
    }

    /// @inheritdoc IPointsLedger
    function executeMigration(address holder, address newAccount, uint256[] calldata ids) external {
        Migration memory migration = _migrations[holder];
        if (!migration.approved || migration.terms != _terms(newAccount, ids)) revert PointsLedgerNoMigration(holder);
        if (block.timestamp < migration.executableFrom) revert PointsLedgerTooEarly(migration.executableFrom);
        delete _migrations[holder];
        _setSuccessor(holder, newAccount);
        _moveLiving(holder, newAccount, ids);
    }

    // --------------------------------------------------------------------------------------------------- council

    /// @inheritdoc IPointsLedger
    function registerProgramme(
        uint32 programmeId,
        uint64 par,
        uint8 flags,
        bytes32 spendScope,
        string calldata programmeName,
        string calldata programmeSymbol
    ) external restricted {
        ProgrammeRecord storage record = _programmes[programmeId];
        if (programmeId == 0 || record.state != ProgrammeState.UNKNOWN) {
            revert PointsLedgerProgrammeExists(programmeId);
        }
        if (par > PAR_MAX) revert PointsLedgerParTooHigh(par);
        uint8 allowed = par == 0 ? TRANSFERABLE : TRANSFERABLE | EXCHANGEABLE_IN | EXCHANGEABLE_OUT | REDEEMABLE;
        if (flags & ~allowed != 0) revert PointsLedgerBadFlags(flags);
        record.par = par;
        record.flags = flags;
        record.state = ProgrammeState.ACTIVE;
        record.spendScope = spendScope;
        record.name = programmeName;
        record.symbol = programmeSymbol;
        emit ProgrammeRegistered(programmeId, par, flags, spendScope);
        emit ProgrammeStateSet(programmeId, ProgrammeState.ACTIVE);
    }

    /// @inheritdoc IPointsLedger
    function setIssuerKey(uint32 programmeId, address key, bool active) external restricted {
        _known(programmeId);
        if (key == address(0)) revert PointsLedgerBadKey();
        isIssuerKey[programmeId][key] = active;
        emit IssuerKeySet(programmeId, key, active);
    }

    /// @inheritdoc IPointsLedger
    function setRulebook(uint32 programmeId, uint32 version, bytes32 rulebookHash) external restricted {
        ProgrammeRecord storage record = _known(programmeId);
        if (version <= record.rulebookVersion) revert PointsLedgerBadRulebook(version, record.rulebookVersion);
        record.rulebookVersion = version;
        record.rulebookHash = rulebookHash;
        emit RulebookSet(programmeId, version, rulebookHash);
    }

    /// @inheritdoc IPointsLedger
    function setState(uint32 programmeId, ProgrammeState state) external restricted {
        ProgrammeRecord storage record = _known(programmeId);
        ProgrammeState current = record.state;
        if (current == ProgrammeState.ACTIVE && state == ProgrammeState.CLOSING) {
            record.spendableUntil = uint40(block.timestamp + SPENDING_AFTER_CLOSING);
        } else if (current == ProgrammeState.CLOSING && state == ProgrammeState.CLOSED) {
            uint256 from = record.spendableUntil + CLOSED_AFTER_SPENDING;
            if (block.timestamp < from) revert PointsLedgerTooEarly(from);
        } else {
            revert PointsLedgerBadState(programmeId, current, state);
        }
        record.state = state;
        emit ProgrammeStateSet(programmeId, state);
    }

    /// @inheritdoc IPointsLedger
    function setRebirthCap(uint64 capFen) external restricted {
        rebirthCapFen = capFen;
        emit RebirthCapSet(capFen);
    }

    // --------------------------------------------------------------------------------------------------- batches

    function _landBatch(uint32 programmeId, uint64 number, bytes32 evidenceRoot) private {
        if (uint256(evidenceRoot) <= uint256(VOID)) revert PointsLedgerBadRoot(evidenceRoot);
        _checkBatchUnused(programmeId, number);
        _batches[programmeId][number] = evidenceRoot;
        emit BatchLanded(programmeId, number, evidenceRoot);
    }

    function _checkBatchUnused(uint32 programmeId, uint64 number) private view {
        bytes32 root = _batches[programmeId][number];
        if (root == VOID) revert PointsLedgerBatchVoid(programmeId, number);
        if (root != 0) revert PointsLedgerBatchLanded(programmeId, number);
    }

    function _creditGrants(uint256 id, bytes calldata grants) private returns (uint256 total) {
        if (grants.length == 0 || grants.length % GRANT_BYTES != 0) revert PointsLedgerBadGrants(grants.length);
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        mapping(address => Lanes) storage holders = _lanes[key];
        uint256 offset;
        while (offset < grants.length) {
            uint256 grant = Packed.read(grants, offset, GRANT_BYTES);
            address account = address(uint160(grant >> 64));
            uint256 amount = uint64(grant);
            if (account == address(0) || account == address(this) || amount == 0) revert PointsLedgerBadGrant(offset);
            // Checked by the lot's supply once all are credited: no lane holds more than that.
            Lanes storage lanes = holders[account];
            lanes.word = LotLanes.credit(lanes.word, shift, amount);
            emit Transfer(msg.sender, address(0), account, id, amount);
            // Bounded by the calldata, and by 2^64 a grant.
            unchecked {
                total += amount;
                offset += GRANT_BYTES;
            }
        }
    }

    // ---------------------------------------------------------------------------------------------------- orders

    function _begin() private view returns (uint256) {
        return (_currentQuarter() << 224) | _callerNow();
    }

    function _callerNow() private view returns (uint256) {
        return (block.number << 160) | uint160(msg.sender);
    }

    /// @dev The current quarter, if the authority said yes to this module earlier in this block.
    function _quarterBegun(uint256 begun) private view returns (uint256 quarter) {
        quarter = begun >> 224;
        if (begun != (quarter << 224) | _callerNow()) revert PointsLedgerNotBegun(msg.sender);
    }

    /// @dev Nonce, then the module's verdict, then the debit of all lots or none.
    function _spend(address holder, uint32 nonce, bytes calldata lots, Verdict verdict, uint256 quarter)
        private
        returns (Verdict)
    {
        (uint256 id, uint256 amount) = PackedLots.at(lots, 0);
        verdict = _spendFirst(holder, nonce, verdict, id, amount, quarter);
        if (verdict != Verdict.ACCEPTED) return verdict;
        uint256 count = PackedLots.count(lots);
        for (uint256 i = 1; i < count; ++i) {
            (id, amount) = PackedLots.at(lots, i);
            bool dead = _isDead(id, quarter);
            if (!dead && _debit(holder, id, amount)) continue;
            // Undone, not checked beforehand: an id may appear twice.
            for (uint256 j; j < i; ++j) {
                (id, amount) = PackedLots.at(lots, j);
                _credit(holder, id, amount);
            }
            return dead ? Verdict.LOT_DEAD : Verdict.INSUFFICIENT;
        }
        return Verdict.ACCEPTED;
    }

    /// @dev The nonce and the first lot share a word, which is written once.
    function _spendFirst(address holder, uint32 nonce, Verdict verdict, uint256 id, uint256 amount, uint256 quarter)
        private
        returns (Verdict)
    {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][holder];
        (bool fresh, uint256 word) = LotLanes.spendNonce(lanes.word, nonce);
        if (!fresh) return Verdict.NONCE_SPENT;
        if (verdict == Verdict.ACCEPTED) {
            bool enough = true;
            if (_isDead(id, quarter)) verdict = Verdict.LOT_DEAD;
            else (enough, word) = LotLanes.debit(word, shift, amount);
            if (!enough) verdict = Verdict.INSUFFICIENT;
        }
        lanes.word = word;
        return verdict;
    }

    function _commitment(address holder, bytes calldata lots) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(holder, lots));
    }

    /// @dev Gives `amount` of `id` back from escrow, reborn where the lot has died.
    function _release(address receiver, uint256 id, uint256 amount, uint256 quarter) private {
        (uint256 rebornId, uint256 reborn) = _reborn(receiver, id, amount, quarter);
        if (reborn != 0) {
            _burn(address(this), id, reborn);
            _mint(receiver, rebornId, reborn);
        }
        if (reborn != amount) _move(address(this), receiver, id, amount - reborn);
    }

    /// @dev How much of `amount` comes back in the current quarter's lot instead of its own, and counts it against the
    /// holder's cap. Lots of a programme whose spending time is over are not reborn: they would be dead again.
    function _reborn(address holder, uint256 id, uint256 amount, uint256 quarter)
        private
        returns (uint256 rebornId, uint256 reborn)
    {
        if (!_isOver(id, quarter)) return (0, 0);
        rebornId = _id(uint32(id >> 32), uint32(quarter));
        if (_isDead(rebornId, quarter)) return (0, 0);
        Rebirth memory used = _rebirths[holder];
        if (used.quarter != quarter) used = Rebirth(uint32(quarter), 0);
        uint256 leftFen = rebirthCapFen > used.fen ? rebirthCapFen - used.fen : 0;
        uint256 par = _programmes[uint32(id >> 32)].par;
        uint256 most = Value.toMinorDown(leftFen, par);
        uint256 room = _roomOf(rebornId);
        if (most > room) most = room;
        reborn = most < amount ? most : amount;
        // Counted rounded up, so that many small rebirths cannot slip past the cap.
        used.fen += uint64(Value.toFenUp(reborn, par));
        _rebirths[holder] = used;
        if (reborn != 0) emit LotReborn(holder, id, rebornId, reborn);
    }

    // --------------------------------------------------------------------------------------------------- accounts

    function _terms(address newAccount, uint256[] calldata ids) private pure returns (bytes32) {
        return keccak256(abi.encode(newAccount, ids));
    }

    function _checkSuccessor(address holder, address newAccount) private view {
        if (successor[holder] != address(0)) revert PointsLedgerRetired(holder);
        // Without the last condition successors could form a circle.
        bool bad = newAccount == address(0) || newAccount == address(this) || newAccount == holder
            || successor[newAccount] != address(0);
        if (bad) revert PointsLedgerBadReceiver(newAccount);
    }

    function _setSuccessor(address holder, address newAccount) private {
        _checkSuccessor(holder, newAccount);
        successor[holder] = newAccount;
        emit SuccessorSet(holder, newAccount);
    }

    /// @dev Dead lots stay: a lot may have died since the migration was asked for.
    function _moveLiving(address from, address to, uint256[] calldata ids) private {
        uint256 quarter = _currentQuarter();
        for (uint256 i; i < ids.length; ++i) {
            uint256 amount = balanceOf(from, ids[i]);
            if (amount == 0 || _isDead(ids[i], quarter)) continue;
            _move(from, to, ids[i], amount);
        }
    }

    function _transfer(address sender, address receiver, uint256 id, uint256 amount) private {
        uint256 balance = balanceOf(sender, id);
        if (id > type(uint64).max) revert PointsLedgerUnknownProgramme(0);
        uint32 programmeId = uint32(id >> 32);
        if (_known(programmeId).flags & TRANSFERABLE == 0) revert PointsLedgerNotTransferable(programmeId);
        if (_isDead(id, _currentQuarter())) revert PointsLedgerLotDead(id);
        if (receiver == address(0) || receiver == address(this)) revert PointsLedgerBadReceiver(receiver);
        if (amount > balance) revert PointsLedgerInsufficientBalance(sender, balance, amount, id);
        _move(sender, receiver, id, amount);
    }

    // ------------------------------------------------------------------------------------------------------ lots

    function _id(uint32 programmeId, uint32 quarter) private pure returns (uint256) {
        return (uint256(programmeId) << 32) | quarter;
    }

    function _known(uint32 programmeId) private view returns (ProgrammeRecord storage record) {
        record = _programmes[programmeId];
        if (record.state == ProgrammeState.UNKNOWN) revert PointsLedgerUnknownProgramme(programmeId);
    }

    function _currentQuarter() private view returns (uint256) {
        return QuarterTime.quarterOf(block.timestamp);
    }

    /// @dev Whether the lot's quarter ended before `quarter`, the current one, began.
    function _isOver(uint256 id, uint256 quarter) private pure returns (bool) {
        return uint32(id) < quarter && uint32(id) != 0;
    }

    function _isDead(uint256 id, uint256 quarter) private view returns (bool) {
        if (_isOver(id, quarter)) return true;
        uint256 spendableUntil = _programmes[uint32(id >> 32)].spendableUntil;
        return spendableUntil != 0 && block.timestamp >= spendableUntil;
    }

    function _debit(address holder, uint256 id, uint256 amount) private returns (bool ok) {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][holder];
        uint256 word;
        (ok, word) = LotLanes.debit(lanes.word, shift, amount);
        if (ok) lanes.word = word;
    }

    /// @dev What is credited was debited elsewhere or has raised the lot's supply, so the lane has room for it.
    function _credit(address holder, uint256 id, uint256 amount) private {
        (uint64 key, uint256 shift) = LotLanes.locate(id);
        Lanes storage lanes = _lanes[key][holder];
        lanes.word = LotLanes.credit(lanes.word, shift, amount);
    }

    function _debitOrRevert(address holder, uint256 id, uint256 amount) private {
        if (!_debit(holder, id, amount)) {
            revert PointsLedgerInsufficientBalance(holder, balanceOf(holder, id), amount, id);
        }
    }

    function _move(address from, address to, uint256 id, uint256 amount) private {
        _debitOrRevert(from, id, amount);
        _credit(to, id, amount);
        emit Transfer(msg.sender, from, to, id, amount);
    }

    function _mint(address to, uint256 id, uint256 amount) private {
        _addSupply(id, amount);
        _credit(to, id, amount);
        emit Transfer(msg.sender, address(0), to, id, amount);
    }

    function _burn(address from, uint256 id, uint256 amount) private {
        _debitOrRevert(from, id, amount);
        _subtractSupply(id, amount);
        emit Transfer(msg.sender, from, address(0), id, amount);
    }

    /// @dev What the lot can still take up.
    function _roomOf(uint256 id) private view returns (uint256) {
        return LotLanes.LANE_MAX - totalSupply[id];
    }

    function _raiseLot(uint256 id, uint256 amount) private {
        uint256 supply = totalSupply[id] + amount;
        if (supply > LotLanes.LANE_MAX) revert PointsLedgerLotFull(id, supply);
        totalSupply[id] = supply;
    }

    function _addSupply(uint256 id, uint256 amount) private {
        _raiseLot(id, amount);
        _known(uint32(id >> 32)).supply += amount;
    }

    /// @dev What is burned was debited first, and no balance exceeds the supply.
    function _subtractSupply(uint256 id, uint256 amount) private {
        unchecked {
            totalSupply[id] -= amount;
            _programmes[uint32(id >> 32)].supply -= amount;
        }
    }
}

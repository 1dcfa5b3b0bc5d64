/** Verifies receipts, as `ledger/proofs/verifying.py` does: all that a receipt says in words is computed from its proof. */
import { SLOTS } from "virtual:contracts";
import { Refusal, addressBytes, addressWord, checkSame, concat, fixed, fromHex, isBelow, keccak, same, timeText, toAddress, toHex, toNumber, word } from "./bytes.js";
import { parse } from "./document.js";
import { decodeEvent } from "./events.js";
import { headerOf } from "./header.js";
import { batchHash, checkOrder, separatorOf } from "./orders.js";
import { decode, decodeNumber, encode, encodeNumber } from "./rlp.js";
import { judge } from "./seals.js";
import { broken, prove } from "./trie.js";

/** The steps in their order; the page has words for each. */
export const STEPS = /** @type {const} */ (["format", "header", "path", "installation", "seals"]);

/**
 * @typedef {{ok: boolean, step: string, refusedAt: string | null, reason: string | null,
 *   seal: import("./seals.js").Seal | null, notes: string[], receipt: any}} Verdict
 */

/**
 * Verify a receipt. Never throws for what is wrong with it.
 * @param {unknown} value the receipt's JSON @param {string[] | null} validators the accounts trusted to seal blocks
 * @param {any} city the deployment that the reader trusts, or null @returns {Verdict}
 */
export function verify(value, validators, city) {
  /** @type {string[]} */
  const notes = [];
  /** @type {string} */
  let step = STEPS[0];
  try {
    const receipt = parse(value);
    step = "header";
    const header = headerOf(fromHex(receipt.proof.header, "proof.header"));
    checkBlock(receipt.block, header);
    step = "path";
    if (receipt.kind === "event") checkEvent(receipt, header, city, notes);
    else if (receipt.kind === "grant") checkGrant(receipt, header);
    else checkPayment(receipt, header);
    step = "installation";
    checkInstallation(receipt, city);
    if (!city) notes.push("no_city");
    step = "seals";
    const following = receipt.proof.following.map((/** @type {string} */ text) => headerOf(fromHex(text, "proof.following")));
    const seal = judge(header, following, validators);
    return { ok: true, step: "", refusedAt: null, reason: null, seal, notes, receipt };
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal("receipt", String(error));
    return { ok: false, step, refusedAt: refusal.where, reason: refusal.reason, seal: null, notes: [], receipt: null };
  }
}

/** @param {any} block @param {import("./header.js").Header} header */
function checkBlock(block, header) {
  checkSame("block.number", String(header.number), block.number);
  checkSame("block.hash", toHex(header.hash()), block.hash);
  checkSame("block.timestamp", String(header.timestamp), block.timestamp);
  checkSame("block.time", timeText(header.timestamp, "proof.header"), block.time);
}

/** @param {any} receipt @param {import("./header.js").Header} header @param {any} city @param {string[]} notes */
function checkEvent(receipt, header, city, notes) {
  const { proof, event: claimed } = receipt;
  const index = toNumber(proof.transaction_index, "proof.transaction_index");
  const path = proof.receipt_path.map((/** @type {string} */ node) => fromHex(node, "proof.receipt_path"));
  const value = prove(header.receiptsRoot, encode(encodeNumber(index)), path);
  if (!value) throw new Refusal("proof.transaction_index", "the block has no such transaction");
  const fields = decode(value.length && value[0] < 0x80 ? value.subarray(1) : value);
  if (!Array.isArray(fields) || fields.length !== 4) throw broken("the path does not lead to a receipt");
  const [status, , , logs] = fields;
  if (Array.isArray(status) || status.length !== 1 || status[0] !== 1) throw new Refusal("proof.receipt_path", "the transaction failed");
  const position = toNumber(proof.log_position, "proof.log_position");
  if (!Array.isArray(logs) || position >= BigInt(logs.length)) throw new Refusal("proof.log_position", "the transaction has no such log");
  const log = logs[Number(position)];
  if (!Array.isArray(log) || log.length !== 3) throw new Refusal("proof.receipt_path", "a log is not a list of three");
  const [address, topics, data] = log;
  if (Array.isArray(address) || !Array.isArray(topics) || Array.isArray(data)) {
    throw new Refusal("proof.receipt_path", "a log has parts of the wrong kind");
  }
  const flat = topics.map((topic) => {
    if (Array.isArray(topic)) throw new Refusal("proof.receipt_path", "a topic is a list");
    return topic;
  });
  checkSame("event.address", toAddress(address), claimed.address);
  const event = decodeEvent(claimed.contract, flat, data);
  checkSame("event.name", event.name, claimed.name);
  for (const name of new Set([...Object.keys(event.args), ...Object.keys(claimed.args)])) {
    if (event.args[name] !== claimed.args[name]) {
      throw new Refusal("event.args", `${name}: the proof says ${event.args[name]}, the receipt ${claimed.args[name]}`);
    }
  }
  checkOrder(receipt, event, city, notes);
}

/** @param {any} receipt @param {import("./header.js").Header} header */
function checkGrant(receipt, header) {
  const { leaf, batch } = receipt.grant;
  const names = ["account", "activity_code", "amount", "commitment", "grant_id", "rulebook_version", "token_id"];
  if (Object.keys(leaf).sort().join() !== names.join()) throw new Refusal("grant.leaf", "a leaf has other fields");
  if (toAddress(addressBytes(leaf.account)) !== leaf.account) {
    throw new Refusal("grant.leaf.account", "the address is not in its EIP-55 form");
  }
  const number = (/** @type {string} */ name, /** @type {number} */ bits) => word(toNumber(leaf[name], `grant.leaf.${name}`), bits, name);
  const bytes = (/** @type {string} */ name) => fixed(fromHex(leaf[name], `grant.leaf.${name}`), 32, name);
  const hash = keccak(keccak(concat(
    bytes("grant_id"), addressWord(leaf.account), number("token_id", 256), number("amount", 64), bytes("activity_code"),
    number("rulebook_version", 32), bytes("commitment"),
  )));
  const programme = toNumber(batch.programme, "grant.batch.programme");
  const quarter = toNumber(batch.quarter, "grant.batch.quarter");
  if (toNumber(leaf.token_id, "grant.leaf.token_id") !== ((programme << 32n) | quarter)) {
    throw new Refusal("grant.leaf.token_id", `the batch is of programme ${programme}, quarter ${quarter}`);
  }
  const batchNumber = toNumber(batch.number, "grant.batch.number");
  const stored = provenWord(receipt, "ledger", slot(SLOTS.batchWord, programme, batchNumber), header);
  if (!same(stored, batchHash(batch))) throw new Refusal("grant.batch", "the ledger keeps another hash of it");
  if (!leadsTo(fromHex(batch.evidence_root, "grant.batch.evidence_root"), hash, receipt.proof)) {
    throw new Refusal("grant.leaf", "the batch holds no such grant");
  }
}

/** @param {any} receipt @param {import("./header.js").Header} header */
function checkPayment(receipt, header) {
  const part = receipt.payment;
  const number = (/** @type {string} */ name, /** @type {number} */ bits) => word(toNumber(part[name], `payment.${name}`), bits, name);
  const bytes = (/** @type {string} */ name) => fixed(fromHex(part[name], `payment.${name}`), 32, name);
  number("batch", 64);
  const leaf = keccak(keccak(concat(
    bytes("order_id"), bytes("payer"), number("merchant", 32), bytes("lots_hash"), number("fen", 64), number("timestamp", 40),
  )));
  const root = provenWord(receipt, "book", slot(SLOTS.receiptsRoot, toNumber(part.batch, "payment.batch")), header);
  if (root.every((byte) => byte === 0) || !leadsTo(root, leaf, receipt.proof)) {
    throw new Refusal("payment", `receipts batch ${part.batch} has no such leaf`);
  }
  checkSame("payment.time", timeText(toNumber(part.timestamp, "payment.timestamp"), "payment.timestamp"), part.time);
}

/** The slot of a (nested) mapping's value. @param {number} base @param {...bigint} keys */
function slot(base, ...keys) {
  return keys.reduce((at, key) => keccak(concat(word(key, 256, "key"), at)), word(BigInt(base), 256, "slot"));
}

/** The word that a storage proof proves. @param {any} receipt @param {"ledger" | "book"} contract @param {Uint8Array} at @param {import("./header.js").Header} header */
function provenWord(receipt, contract, at, header) {
  const { proof, installation } = receipt;
  const nodes = (/** @type {string} */ name) => proof[name].map((/** @type {string} */ node) => fromHex(node, `proof.${name}`));
  const address = addressBytes(installation[contract]);
  const value = prove(header.stateRoot, keccak(address), nodes("account_path"));
  if (!value) throw broken(`the state has no account ${toHex(address)}`);
  const account = decode(value);
  if (!Array.isArray(account) || account.length !== 4) throw broken("an account is not a list of four");
  const [nonce, balance, storageRoot] = account.map(flat);
  decodeNumber(nonce);
  decodeNumber(balance);
  const stored = prove(storageRoot, keccak(at), nodes("storage_path"));
  return word(stored ? decodeNumber(flat(decode(stored))) : 0n, 256, "word");
}

/** @param {import("./rlp.js").Item} item */
function flat(item) {
  if (Array.isArray(item)) throw broken("a list stands where a byte string should");
  return item;
}

/** Whether the Merkle path leads from the leaf to the root. @param {Uint8Array} root @param {Uint8Array} leaf @param {any} proof */
function leadsTo(root, leaf, proof) {
  const path = proof.merkle_path.map((/** @type {string} */ text) => fromHex(text, "proof.merkle_path"));
  if (path.some((/** @type {Uint8Array} */ node) => node.length !== 32)) throw new Refusal("proof.merkle_path", "a node has not 32 bytes");
  const top = path.reduce(
    (/** @type {Uint8Array} */ node, /** @type {Uint8Array} */ sibling) => keccak(isBelow(node, sibling) ? concat(node, sibling) : concat(sibling, node)),
    leaf,
  );
  return same(top, root);
}

/** @param {any} receipt @param {any} city */
function checkInstallation(receipt, city) {
  separatorOf(receipt.installation);
  if (!city) return;
  checkSame("installation.chain_id", String(city.chain_id), receipt.installation.chain_id);
  checkSame("installation.salt", city.salt, receipt.installation.salt);
  checkSame("installation.ledger", city.contracts.PointsLedger.address, receipt.installation.ledger);
  checkSame("installation.book", city.contracts.ClearingBook.address, receipt.installation.book);
  if (receipt.kind !== "event") return;
  const { contract, address } = receipt.event;
  const past = city.replaced.filter((/** @type {any} */ one) => one.name === contract).map((/** @type {any} */ one) => one.address);
  if (!past.includes(address)) checkSame("event.address", city.contracts[contract]?.address ?? "no such contract", address);
}

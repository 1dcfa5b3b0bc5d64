/** The signed order behind an event: its EIP-712 digest, and terms that the event must have. */
import { Refusal, addressBytes, addressWord, checkSame, concat, fixed, fromHex, keccak, toAddress, toHex, toNumber, utf8, word } from "./bytes.js";
import { recover } from "./seals.js";

const LOT = "Lot(uint64 id,uint64 amount)";
const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)";
const MINT_BATCH = "MintBatch(uint32 programme,uint32 quarter,uint64 number,bytes32 evidenceRoot,bytes32 grantsHash)";
const MICROFEN_MINOR = 100_000_000n;
const LOTS_MAX = 16;

/** Each order's type, and its terms as (name, bits, or what else it is) in the order in which they are hashed. */
/** @type {Record<string, {type: string, terms: [string, number | "address" | "lots" | "bool"][]}>} */
const ORDERS = {
  ExchangeOrder: {
    type: "ExchangeOrder(address holder,uint64 fromId,uint64 amount,uint32 toProgramme,uint64 minOut,uint32 nonce,uint40 deadline)",
    terms: [["holder", "address"], ["from_id", 64], ["amount", 64], ["to_programme", 32], ["min_out", 64], ["nonce", 32], ["deadline", 40]],
  },
  RedeemOrder: {
    type: `RedeemOrder(address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline)${LOT}`,
    terms: [["holder", "address"], ["merchant", 32], ["lots", "lots"], ["nonce", 32], ["deadline", 40]],
  },
  HoldOrder: {
    type: `HoldOrder(address holder,uint32 merchant,Lot[] lots,uint32 nonce,uint40 deadline,uint40 captureBy,bool cancellable)${LOT}`,
    terms: [["holder", "address"], ["merchant", 32], ["lots", "lots"], ["nonce", 32], ["deadline", 40], ["capture_by", 40], ["cancellable", "bool"]],
  },
};

/** @typedef {{id: bigint, amount: bigint}} Lot */

/** The signing domain's separator of the installation that a receipt claims. @param {any} part */
export function separatorOf(part) {
  return keccak(concat(
    keccak(utf8(DOMAIN)), keccak(utf8("Tongdui")), keccak(utf8("2")),
    word(toNumber(part.chain_id, "installation.chain_id"), 256, "chain id"), addressWord(part.ledger),
    fixed(fromHex(part.salt, "installation.salt"), 32, "salt"),
  ));
}

/** @param {Lot[]} lots */
function lotsHash(lots) {
  const type = keccak(utf8(LOT));
  return keccak(concat(...lots.map((lot) => keccak(concat(type, word(lot.id, 64, "lot id"), word(lot.amount, 64, "lot amount"))))));
}

/** What an issuer signed for a batch. @param {any} batch */
export function batchHash(batch) {
  const at = "grant.batch";
  return keccak(concat(
    keccak(utf8(MINT_BATCH)),
    word(toNumber(batch.programme, `${at}.programme`), 32, "programme"),
    word(toNumber(batch.quarter, `${at}.quarter`), 32, "quarter"),
    word(toNumber(batch.number, `${at}.number`), 64, "batch number"),
    fixed(fromHex(batch.evidence_root, `${at}.evidence_root`), 32, "evidence root"),
    fixed(fromHex(batch.grants_hash, `${at}.grants_hash`), 32, "grants hash"),
  ));
}

/**
 * The order's digest is the event's order id, the event has the order's terms, and the value follows from the pars.
 * @param {any} receipt @param {any} event @param {any} city the deployment that the reader trusts, or null
 * @param {string[]} notes
 */
export function checkOrder(receipt, event, city, notes) {
  const part = receipt.order;
  if (part === null) return;
  if (!(event.values.orderId instanceof Uint8Array)) throw new Refusal("order", `${event.name} carries out no order`);
  const order = orderOf(part);
  const encoded = ORDERS[part.type].terms.map(([name, kind]) => {
    if (kind === "address") return addressWord(order[name]);
    if (kind === "lots") return lotsHash(order[name]);
    return word(BigInt(order[name]), kind === "bool" ? 1 : kind, name);
  });
  const struct = keccak(concat(keccak(utf8(ORDERS[part.type].type)), ...encoded));
  const digest = keccak(concat(Uint8Array.of(0x19, 1), separatorOf(receipt.installation), struct));
  checkSame("order", toHex(event.values.orderId), toHex(digest));
  checkTerms(part.type, order, event, city);
  const signature = fromHex(part.signature, "order.signature");
  if (!signature.length) notes.push("unsigned");
  else if (!isBy(order.holder, digest, signature)) throw new Refusal("order.signature", `it is not by ${order.holder}`);
}

/** @param {string} holder @param {Uint8Array} digest @param {Uint8Array} signature */
function isBy(holder, digest, signature) {
  try {
    return recover(digest, signature) === holder;
  } catch {
    return false;
  }
}

/** The order that plain words describe. @param {any} part @returns {Record<string, any>} */
function orderOf(part) {
  if (!Object.hasOwn(ORDERS, part.type)) throw new Refusal("order.type", `'${part.type}' is no order of the standard`);
  const known = ORDERS[part.type].terms;
  if (Object.keys(part.terms).sort().join() !== known.map(([name]) => name).sort().join()) {
    throw new Refusal("order.terms", `${part.type} has other terms`);
  }
  const order = Object.fromEntries(known.map(([name, kind]) => [name, termOf(part.terms[name], kind, `order.terms.${name}`)]));
  if (toAddress(addressBytes(order.holder)) !== order.holder) {
    throw new Refusal("order.terms.holder", "the address is not in its EIP-55 form");
  }
  return order;
}

/** @param {any} text @param {number | string} kind @param {string} where */
function termOf(text, kind, where) {
  if (kind === "lots") {
    if (typeof text === "string" || text.some((/** @type {any} */ lot) => Object.keys(lot).sort().join() !== "amount,id")) {
      throw new Refusal(where, "lots are not a list of id and amount");
    }
    return text.map((/** @type {any} */ lot) => ({ id: toNumber(lot.id, where), amount: toNumber(lot.amount, where) }));
  }
  if (typeof text !== "string") throw new Refusal(where, "it is not text");
  if (kind === "address") return text;
  if (kind === "bool") {
    if (text !== "true" && text !== "false") throw new Refusal(where, "it is neither true nor false");
    return text === "true";
  }
  return toNumber(text, where);
}

/** @param {string} type @param {Record<string, any>} order @param {any} event @param {any} city */
function checkTerms(type, order, event, city) {
  const { values } = event;
  /** @type {Record<string, any>} */
  const terms = { holder: addressBytes(order.holder) };
  /** @type {Lot[]} */
  let paid = [];
  if (type === "ExchangeOrder") paid = [{ id: order.from_id, amount: order.amount }];
  else {
    terms.merchant = order.merchant;
    paid = event.name === "Captured" ? keptLots(order.lots, values.kept) : order.lots;
    terms.lotsHash = paid.length ? lotsHash(paid) : null;
  }
  if (type === "HoldOrder") Object.assign(terms, { captureBy: order.capture_by, cancellable: order.cancellable });
  for (const [name, expected] of Object.entries(terms)) {
    if (Object.hasOwn(values, name) && shown(values[name]) !== shown(expected)) {
      throw new Refusal(`event.args.${name}`, `the order says ${shown(expected)}`);
    }
  }
  if (city && ["Exchanged", "Redeemed", "Captured"].includes(event.name)) checkValue(paid, values.fen, city);
}

/** @param {Lot[]} paid @param {bigint} fen @param {any} city */
function checkValue(paid, fen, city) {
  const pars = new Map(city.programmes.map((/** @type {any} */ one) => [String(one.id), BigInt(one.par_microfen)]));
  const worths = paid.map((lot) => [lot.amount, pars.get(String(lot.id >> 32n))]);
  if (worths.some(([, par]) => par === undefined)) return;
  const worth = worths.reduce((sum, [amount, par]) => sum + amount * par, 0n) / MICROFEN_MINOR;
  if (worth !== fen) throw new Refusal("event.args.fen", `the order's lots are worth ${worth} fen`);
}

/** @param {Lot[]} lots @param {unknown} kept */
function keptLots(lots, kept) {
  if (typeof kept !== "bigint") return lots;
  const count = Number(kept >> 64n);
  const last = kept & 0xffffffffffffffffn;
  if (count < 1 || count > Math.min(lots.length, LOTS_MAX) || last < 1n || last > lots[count - 1].amount) {
    throw new Refusal("event.args.kept", "it is no prefix of the order's lots");
  }
  return [...lots.slice(0, count - 1), { id: lots[count - 1].id, amount: last }];
}

/** @param {unknown} value */
const shown = (value) => (value instanceof Uint8Array ? toHex(value) : String(value));

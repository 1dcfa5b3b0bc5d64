/** Block headers, with or without the fields that later forks added, and the hash that their protocol gives them. */
import { Refusal, fixed, keccak, toAddress, toHex } from "./bytes.js";
import { decode, decodeNumber, encode, encodeNumber } from "./rlp.js";

/** Bytes of each field; null: a number; 0: bytes of any length. */
const FIELDS = [32, 32, 20, 32, 32, 32, 256, null, null, null, null, null, 0, 32, 8, null, 32, null, null, 32, 32];
const REQUIRED = 15;
const [PARENT, STATE_ROOT, RECEIPTS_ROOT, DIFFICULTY, NUMBER, TIMESTAMP, EXTRA, MIX] = [0, 3, 5, 7, 8, 11, 12, 13];
const BFT_MIX = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365";

/** @param {string} reason */
const badHeader = (reason) => new Refusal("not a block header", reason);
/** @param {string} reason */
export const badSeal = (reason) => new Refusal("the seals do not carry the block", reason);

/** A header as its RLP fields. */
export class Header {
  /** @param {Uint8Array[]} fields */
  constructor(fields) {
    this.fields = fields;
    this.parentHash = fields[PARENT];
    this.stateRoot = fields[STATE_ROOT];
    this.receiptsRoot = fields[RECEIPTS_ROOT];
    this.number = decodeNumber(fields[NUMBER]);
    this.timestamp = decodeNumber(fields[TIMESTAMP]);
    this.extra = fields[EXTRA];
  }

  /** @param {Uint8Array} extra */
  withExtra(extra) {
    return new Header(this.fields.map((field, at) => (at === EXTRA ? extra : field)));
  }

  plainHash() {
    return keccak(encode(this.fields));
  }

  /** @returns {"qbft" | "clique" | "development"} */
  consensus() {
    if (toHex(this.fields[MIX]) === BFT_MIX) return "qbft";
    const isLong = this.extra.length >= 32 + 65;
    const difficulty = decodeNumber(this.fields[DIFFICULTY]);
    const isClique = isLong && this.fields[MIX].every((byte) => byte === 0) && (difficulty === 1n || difficulty === 2n);
    return isClique ? "clique" : "development";
  }

  /** The block's hash: for QBFT that of the header with round 0 and without seals. */
  hash() {
    if (this.consensus() !== "qbft") return this.plainHash();
    return this.withExtra(encodeQbft(parseQbft(this.extra), 0n, [])).plainHash();
  }
}

/** @param {Uint8Array} data */
export function headerOf(data) {
  let items;
  try {
    items = decode(data);
  } catch (error) {
    throw badHeader(error instanceof Refusal ? error.message : String(error));
  }
  if (!Array.isArray(items) || items.length < REQUIRED || items.length > FIELDS.length) {
    throw badHeader(`it is not a list of ${REQUIRED} to ${FIELDS.length} fields`);
  }
  const fields = items.map((item, at) => {
    const size = FIELDS[at];
    if (Array.isArray(item)) throw badHeader(`field ${at} is a list`);
    if (size === null) {
      try {
        decodeNumber(item);
      } catch (error) {
        throw badHeader(`field ${at}: ${error instanceof Refusal ? error.reason : error}`);
      }
    } else if (size && item.length !== size) throw badHeader(`field ${at} has ${item.length} bytes instead of ${size}`);
    return item;
  });
  return new Header(fields);
}

/**
 * The parts of QBFT extra data.
 * @param {Uint8Array} extra
 */
export function parseQbft(extra) {
  let items;
  try {
    items = decode(extra);
    if (!Array.isArray(items) || items.length !== 5) throw badSeal("QBFT extra data is not a list of five");
    const [vanity, validators, vote, round, seals] = items;
    if (Array.isArray(vanity) || Array.isArray(round)) throw badSeal("vanity or round of QBFT extra data is a list");
    if (!Array.isArray(validators) || !Array.isArray(seals)) throw badSeal("validators or seals are not lists");
    return {
      vanity,
      validators: validators.map((item) => toAddress(exactly(item, 20))),
      raw: validators,
      vote,
      round: decodeNumber(round, 32),
      seals: seals.map((item) => exactly(item, 65)),
    };
  } catch (error) {
    if (error instanceof Refusal && error.where.startsWith("bytes are not")) throw badSeal(`QBFT extra data: ${error.message}`);
    throw error;
  }
}

/** @param {ReturnType<typeof parseQbft>} extra @param {bigint} round @param {Uint8Array[]} seals */
export function encodeQbft(extra, round, seals) {
  return encode([extra.vanity, extra.raw, extra.vote, encodeNumber(round), seals]);
}

/** @param {import("./rlp.js").Item} item @param {number} size */
function exactly(item, size) {
  if (Array.isArray(item) || item.length !== size) throw badSeal(`${size} bytes were expected in QBFT extra data`);
  return fixed(item, size, "QBFT extra data");
}

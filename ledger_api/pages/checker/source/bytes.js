/** Bytes, numbers and texts as receipts write them, and what a refusal is. */
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

export { concatBytes as concat, utf8ToBytes as utf8 };

/** A claim of a receipt does not follow from its proof: `where` names the place, as Python's verifier does. */
export class Refusal extends Error {
  /** @param {string} where @param {string} reason */
  constructor(where, reason) {
    super(`${where}: ${reason}`);
    this.where = where;
    this.reason = reason;
  }
}

/** @param {Uint8Array} data */
export const keccak = (data) => keccak_256(data);

/** @param {Uint8Array} data */
export const toHex = (data) => `0x${bytesToHex(data)}`;

/** @param {Uint8Array} a @param {Uint8Array} b */
export const same = (a, b) => a.length === b.length && a.every((value, at) => value === b[at]);

/** @param {Uint8Array} a @param {Uint8Array} b */
export function isBelow(a, b) {
  const at = a.findIndex((value, place) => value !== b[place]);
  return at >= 0 && a[at] < b[at];
}

/** The bytes of 0x and lower-case digits. @param {string} text @param {string} where */
export function fromHex(text, where) {
  if (!/^0x([0-9a-f]{2})*$/.test(text)) throw new Refusal(where, "it is not 0x and lower-case digits");
  return hexToBytes(text.slice(2));
}

/** Decimal digits in the one way to write them. @param {string} text @param {string} where */
export function toNumber(text, where) {
  if (!/^(0|[1-9][0-9]{0,77})$/.test(text)) throw new Refusal(where, `'${text}' is not a number`);
  return BigInt(text);
}

/** @param {Uint8Array} data */
export const toBig = (data) => (data.length ? BigInt(`0x${bytesToHex(data)}`) : 0n);

/** A number of at most so many bits as a word of 32 bytes. @param {bigint} value @param {number} bits @param {string} what */
export function word(value, bits, what) {
  if (value < 0n || value >> BigInt(bits)) throw new Refusal(`${what} is ${value}, which is outside 0 to 2^${bits} - 1`, "");
  return hexToBytes(value.toString(16).padStart(64, "0"));
}

/** Exactly so many bytes. @param {Uint8Array} data @param {number} length @param {string} what */
export function fixed(data, length, what) {
  if (data.length !== length) throw new Refusal(`${what} has ${data.length} bytes; it needs ${length}`, "");
  return data;
}

/** The 20 bytes of an address, whatever its case. @param {string} text */
export function addressBytes(text) {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new Refusal(`'${text}' is not an account address (0x and 40 hexadecimal digits)`, "");
  return hexToBytes(text.slice(2).toLowerCase());
}

/** The EIP-55 form of 20 bytes. @param {Uint8Array} data */
export function toAddress(data) {
  const digits = bytesToHex(fixed(data, 20, "address"));
  const mask = bytesToHex(keccak(utf8ToBytes(digits)));
  return `0x${[...digits].map((digit, at) => (mask[at] > "7" ? digit.toUpperCase() : digit)).join("")}`;
}

/** An address as a word. @param {string} text */
export const addressWord = (text) => concatBytes(new Uint8Array(12), addressBytes(text));

/** A Unix time as the city says it, UTC+8. @param {bigint} timestamp @param {string} where */
export function timeText(timestamp, where) {
  if (timestamp >= 253402271999n) throw new Refusal(where, `the time ${timestamp} is out of range`);
  return `${new Date((Number(timestamp) + 28800) * 1000).toISOString().slice(0, 19)}+08:00`;
}

/** Refuse where what is claimed is not what is proven. @param {string} where @param {unknown} proven @param {unknown} claimed */
export function checkSame(where, proven, claimed) {
  if (proven !== claimed) throw new Refusal(where, `the proof says ${proven}, the receipt ${claimed}`);
}

/** Recursive Length Prefix (yellow paper, appendix B): only the one canonical encoding is read. */
import { Refusal, concat, toBig } from "./bytes.js";

/** @typedef {Uint8Array | Item[]} Item */

const DEPTH_MAX = 64;

/** @param {number} offset @param {string} reason @returns {never} */
function malformed(offset, reason) {
  throw new Refusal(`bytes are not canonical RLP at offset ${offset}`, reason);
}

/** @param {Item} item @returns {Uint8Array} */
export function encode(item) {
  if (Array.isArray(item)) {
    const body = concat(...item.map(encode));
    return concat(prefix(body.length, 0xc0), body);
  }
  return item.length === 1 && item[0] < 0x80 ? item : concat(prefix(item.length, 0x80), item);
}

/** A number as RLP carries it: big-endian, no leading zeros, 0 is empty. @param {number | bigint} value */
export function encodeNumber(value) {
  const digits = value.toString(16);
  if (digits === "0") return new Uint8Array();
  const even = digits.length % 2 ? `0${digits}` : digits;
  return Uint8Array.from(even.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** @param {Uint8Array} data @returns {Item} */
export function decode(data) {
  const [item, end] = read(data, 0, data.length, 0);
  if (end !== data.length) malformed(end, `${data.length - end} bytes follow the item`);
  return item;
}

/** @param {Uint8Array} data @param {number} bits */
export function decodeNumber(data, bits = 256) {
  if (data[0] === 0) malformed(0, "an integer has leading zeros");
  if (data.length * 8 > bits) malformed(0, `an integer has ${data.length} bytes, at most ${bits / 8} fit`);
  return toBig(data);
}

/** @param {number} length @param {number} base */
function prefix(length, base) {
  if (length < 56) return Uint8Array.of(base + length);
  const size = encodeNumber(length);
  return concat(Uint8Array.of(base + 55 + size.length), size);
}

/** @param {Uint8Array} data @param {number} at @param {number} end @param {number} depth @returns {[Item, number]} */
function read(data, at, end, depth) {
  if (at >= end) malformed(at, "an item is missing");
  const first = data[at];
  if (first < 0x80) return [data.subarray(at, at + 1), at + 1];
  if (first < 0xc0) {
    const [start, stop] = payload(data, at, end, 0x80);
    if (stop - start === 1 && data[start] < 0x80) malformed(at, "a single small byte stands for itself");
    return [data.subarray(start, stop), stop];
  }
  if (depth >= DEPTH_MAX) malformed(at, `lists are nested more than ${DEPTH_MAX} deep`);
  let [start, stop] = payload(data, at, end, 0xc0);
  /** @type {Item[]} */
  const items = [];
  while (start < stop) {
    const [item, next] = read(data, start, stop, depth + 1);
    items.push(item);
    start = next;
  }
  return [items, stop];
}

/** @param {Uint8Array} data @param {number} at @param {number} end @param {number} base @returns {[number, number]} */
function payload(data, at, end, base) {
  const short = data[at] - base;
  let start = at + 1;
  let length = short;
  if (short > 55) {
    start = at + 1 + short - 55;
    const size = data.subarray(at + 1, Math.min(start, end));
    if (size.length !== short - 55 || size[0] === 0) malformed(at, "the length is cut or has leading zeros");
    length = Number(toBig(size));
    if (length < 56) malformed(at, "a short length is written in the long form");
  }
  if (start + length > end) malformed(at, `${length} bytes are announced, ${end - start} are there`);
  return [start, start + length];
}

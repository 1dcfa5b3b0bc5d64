/** The log that a path proves, read by the interface of the contract that it claims to be of. */
import { EVENTS } from "virtual:contracts";
import { Refusal, keccak, toAddress, toBig, toHex, utf8 } from "./bytes.js";

const WORD = 32;

/** @typedef {{name: string, values: Record<string, any>, args: Record<string, string>}} Decoded */

/**
 * The event that a log is. Events with values of no fixed size are none of an order's: `tongdui verify` reads them.
 * @param {string} contract @param {Uint8Array[]} topics @param {Uint8Array} data @returns {Decoded}
 */
export function decodeEvent(contract, topics, data) {
  const known = Object.hasOwn(EVENTS, contract) ? EVENTS[contract] : null;
  if (!known) throw new Refusal("event.contract", `'${contract}' is no contract of the standard`);
  const event = topics.length
    ? known.find((one) => toHex(keccak(utf8(`${one.name}(${one.inputs.map((input) => input.type).join()})`))) === toHex(topics[0]))
    : null;
  if (!event) throw new Refusal(`unknown event at ${contract}`, "it is not of its interface");
  const indexed = event.inputs.filter((input) => input.indexed);
  const plain = event.inputs.filter((input) => !input.indexed);
  if (plain.some((input) => /[\])]$|^(string|bytes)$/.test(input.type))) {
    throw new Refusal("event.name", "this checker reads the events of orders; tongdui verify reads all");
  }
  if (topics.length !== indexed.length + 1 || data.length !== WORD * plain.length) {
    throw new Refusal(`malformed event at ${contract}.${event.name}`, "it does not fit its interface");
  }
  /** @type {Record<string, any>} */
  const values = {};
  indexed.forEach((input, at) => (values[input.name] = valueOf(input.type, topics[at + 1])));
  plain.forEach((input, at) => (values[input.name] = valueOf(input.type, data.subarray(WORD * at, WORD * (at + 1)))));
  const args = Object.fromEntries(event.inputs.map((input) => [input.name, textOf(input.type, values[input.name])]));
  return { name: event.name, values, args };
}

/** @param {string} type @param {Uint8Array} data */
function valueOf(type, data) {
  if (type.startsWith("uint")) return toBig(data);
  if (type.startsWith("int")) return BigInt.asIntN(256, toBig(data));
  if (type === "address") return data.subarray(12);
  if (type === "bool") return data[data.length - 1] !== 0;
  return data.subarray(0, Number(type.slice("bytes".length)));
}

/** @param {string} type @param {any} value */
function textOf(type, value) {
  if (type === "address") return toAddress(value);
  return value instanceof Uint8Array ? toHex(value) : String(value);
}

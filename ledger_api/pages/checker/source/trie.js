/** Merkle-Patricia tries (yellow paper, appendix D): what a path proves for a key under a root. */
import { Refusal, keccak, same, toHex } from "./bytes.js";
import { decode, encode } from "./rlp.js";

const EMPTY_ROOT = keccak(encode(new Uint8Array()));
const BRANCH_ITEMS = 17;

/** @param {string} reason */
export const broken = (reason) => new Refusal("the trie path is broken", reason);

/**
 * The value that the nodes prove for the key, or null if they prove that there is none. Nodes that are not on the path,
 * or not in their order, are refused.
 * @param {Uint8Array} root @param {Uint8Array} key @param {Uint8Array[]} proof @returns {Uint8Array | null}
 */
export function prove(root, key, proof) {
  const nodes = new Map(proof.map((node) => [toHex(keccak(node)), node]));
  /** @type {Uint8Array[]} */
  const read = [];
  const value = walk(root, key, (digest) => {
    const node = nodes.get(toHex(digest));
    if (!node) throw broken(`node ${toHex(digest)} is missing`);
    read.push(node);
    return node;
  });
  if (read.length !== proof.length || read.some((node, at) => !same(node, proof[at]))) {
    throw broken("the proof has nodes that are not on the path, or not in their order");
  }
  return value;
}

/** @param {Uint8Array} root @param {Uint8Array} key @param {(digest: Uint8Array) => Uint8Array} nodeOf */
function walk(root, key, nodeOf) {
  if (same(root, EMPTY_ROOT)) return null;
  const nibbles = nibblesOf(key);
  let at = 0;
  /** @type {import("./rlp.js").Item} */
  let reference = root;
  for (;;) {
    const node = resolve(reference, nodeOf);
    if (!Array.isArray(node)) {
      if (node.length === 0) return null;
      throw broken("a node is neither a branch nor a leaf nor an extension");
    }
    if (node.length === BRANCH_ITEMS) {
      if (at === nibbles.length) return valueOf(node[16]);
      reference = node[nibbles[at]];
      at += 1;
      continue;
    }
    if (node.length !== 2) throw broken("a node is neither a branch nor a leaf nor an extension");
    const [part, isLeaf] = hexPrefix(node[0]);
    if (part.some((nibble, place) => nibble !== nibbles[at + place])) return null;
    at += part.length;
    if (isLeaf) return at === nibbles.length ? valueOf(node[1]) : null;
    reference = node[1];
  }
}

/** @param {import("./rlp.js").Item} reference @param {(digest: Uint8Array) => Uint8Array} nodeOf */
function resolve(reference, nodeOf) {
  if (Array.isArray(reference) || reference.length === 0) return reference;
  if (reference.length !== 32) throw broken(`a node is named by ${reference.length} bytes`);
  return decode(nodeOf(reference));
}

/** @param {import("./rlp.js").Item} item */
function valueOf(item) {
  if (Array.isArray(item)) throw broken("a value is a list");
  return item.length ? item : null;
}

/** @param {Uint8Array} key */
function nibblesOf(key) {
  return Array.from(key, (byte) => [byte >> 4, byte & 15]).flat();
}

/** @param {import("./rlp.js").Item} item @returns {[number[], boolean]} */
function hexPrefix(item) {
  if (Array.isArray(item) || item.length === 0) throw broken("a path part is not a byte string");
  const nibbles = nibblesOf(item);
  const flag = nibbles[0];
  if (flag > 3 || (flag % 2 === 0 && nibbles[1] !== 0)) throw broken("a path part has an unknown prefix");
  return [nibbles.slice(flag % 2 ? 1 : 2), flag >= 2];
}

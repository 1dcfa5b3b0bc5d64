/** Who vouches for a header: QBFT's commit seals, a Clique signer, or nobody on a development chain. */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { Refusal, addressBytes, keccak, same, toAddress, toBig } from "./bytes.js";
import { badSeal, encodeQbft, parseQbft } from "./header.js";

const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** @typedef {{kind: "quorum" | "self_named_quorum" | "depth" | "none", count: number, of: number, text: string}} Seal */

/** The account that signed a digest: r | s | v, v 27 or 28, s in the lower half. @param {Uint8Array} digest @param {Uint8Array} signature */
export function recover(digest, signature) {
  const bad = (/** @type {string} */ reason) => new Refusal("bad signature", reason);
  if (signature.length !== 65) throw bad(`${signature.length} bytes instead of 65`);
  const v = signature[64];
  if (v !== 27 && v !== 28) throw bad(`v is ${v}, not 27 or 28`);
  if (toBig(signature.subarray(32, 64)) > HALF_ORDER) throw bad("s is in the upper half of the order");
  try {
    const parsed = secp256k1.Signature.fromBytes(signature.subarray(0, 64), "compact").addRecoveryBit(v - 27);
    const point = parsed.recoverPublicKey(digest).toBytes(false);
    return toAddress(keccak(point.subarray(1)).subarray(12));
  } catch {
    throw bad("no key signs like this");
  }
}

/** Nodes write v as 0 or 1, some signers as 27 or 28. @param {Uint8Array} digest @param {Uint8Array} seal */
function sealer(digest, seal) {
  const signature = Uint8Array.from(seal);
  if (signature[64] < 2) signature[64] += 27;
  try {
    return recover(digest, signature);
  } catch (error) {
    throw badSeal(error instanceof Refusal ? error.message : String(error));
  }
}

/**
 * What vouches for a header. Without trusted validators a sealed block is taken at its own word, and the answer says so.
 * @param {import("./header.js").Header} header @param {import("./header.js").Header[]} following
 * @param {string[] | null} validators @returns {Seal}
 */
export function judge(header, following, validators) {
  switch (header.consensus()) {
    case "qbft":
      if (following.length) throw badSeal("a QBFT block needs no following ones");
      return qbft(header, validators);
    case "clique": {
      const count = clique(header, following, validators);
      return { kind: "depth", count, of: 0, text: `depth ${count}` };
    }
    default:
      if (validators) throw badSeal("the block has no seals, but validators are expected");
      if (following.length) throw badSeal("a block of a development chain gains nothing from following ones");
      return { kind: "none", count: 0, of: 0, text: "included, not sealed" };
  }
}

/** @param {import("./header.js").Header} header @param {string[] | null} validators @returns {Seal} */
function qbft(header, validators) {
  const extra = parseQbft(header.extra);
  const own = new Set(extra.validators);
  const trusted = validators ? normalised(validators) : own;
  if (!trusted.size) throw badSeal("the set of validators is empty");
  if (own.size && (own.size !== trusted.size || [...own].some((one) => !trusted.has(one)))) {
    throw badSeal("the header names other validators than those trusted");
  }
  const digest = header.withExtra(encodeQbft(extra, extra.round, [])).plainHash();
  const sealers = new Set();
  for (const seal of extra.seals) {
    const by = sealer(digest, seal);
    if (!trusted.has(by)) throw badSeal(`${by}, who sealed it, is not a validator`);
    sealers.add(by);
  }
  const quorum = Math.ceil((2 * trusted.size) / 3);
  if (sealers.size < quorum) throw badSeal(`${sealers.size} of ${trusted.size} validators sealed it; it takes ${quorum}`);
  const text = `sealed by ${sealers.size} of ${trusted.size} validators${validators ? "" : " that the block itself names"}`;
  return { kind: validators ? "quorum" : "self_named_quorum", count: sealers.size, of: trusted.size, text };
}

/** @param {import("./header.js").Header} header @param {import("./header.js").Header[]} following @param {string[] | null} validators */
function clique(header, following, validators) {
  const trusted = validators && normalised(validators);
  [header, ...following].forEach((block, at, all) => {
    if (block.consensus() !== "clique" || block.number !== header.number + BigInt(at)) {
      throw badSeal(`block ${header.number + BigInt(at)} is not the Clique block that should stand there`);
    }
    if (at && !same(block.parentHash, all[at - 1].hash())) throw badSeal(`block ${block.number} does not follow the one before`);
    const signed = block.withExtra(block.extra.subarray(0, -65)).plainHash();
    const by = sealer(signed, block.extra.subarray(-65));
    if (trusted && !trusted.has(by)) throw badSeal(`${by}, who signed block ${block.number}, is not a validator`);
  });
  return following.length;
}

/** @param {string[]} validators */
const normalised = (validators) => new Set(validators.map((one) => toAddress(addressBytes(one))));

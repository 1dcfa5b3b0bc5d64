/** The document that a receipt is: which fields it has, all known and of their types. */
import { Refusal } from "./bytes.js";

const FORMAT = "tongdui-receipt-2";

const TEXT = "text";
const TEXTS = "texts";
const ARGS = "args";
const TERMS = "terms";
const WORDS = "words";

const INSTALLATION = { chain_id: TEXT, salt: TEXT, ledger: TEXT, book: TEXT };
const BLOCK = { number: TEXT, hash: TEXT, timestamp: TEXT, time: TEXT };
const STORAGE = { header: TEXT, following: TEXTS, account_path: TEXTS, storage_path: TEXTS, merkle_path: TEXTS };
const COMMON = { kind: TEXT, format: TEXT, installation: INSTALLATION, block: BLOCK };

/** @type {Record<string, any>} */
const KINDS = {
  event: {
    ...COMMON,
    event: { contract: TEXT, address: TEXT, name: TEXT, args: ARGS },
    order: { $optional: { type: TEXT, terms: TERMS, signature: TEXT } },
    proof: { header: TEXT, following: TEXTS, transaction_index: TEXT, log_position: TEXT, receipt_path: TEXTS },
  },
  grant: {
    ...COMMON,
    grant: {
      batch: { programme: TEXT, quarter: TEXT, number: TEXT, evidence_root: TEXT, grants_hash: TEXT },
      leaf: WORDS,
    },
    proof: STORAGE,
  },
  payment: {
    ...COMMON,
    payment: {
      batch: TEXT, order_id: TEXT, payer: TEXT, merchant: TEXT, lots_hash: TEXT, fen: TEXT, timestamp: TEXT, time: TEXT,
    },
    proof: STORAGE,
  },
};

/** The receipt in a JSON value, all fields checked. @param {any} value @returns {any} */
export function parse(value) {
  const shape = isObject(value) && Object.hasOwn(KINDS, value.kind) ? KINDS[value.kind] : null;
  if (!shape) throw new Refusal("receipt", "it is no receipt of a known kind");
  check(value, shape, "receipt");
  if (value.format !== FORMAT) throw new Refusal("format", `'${value.format}' is not '${FORMAT}'`);
  return value;
}

/** @param {any} value @param {any} shape @param {string} path */
function check(value, shape, path) {
  if (shape.$optional) {
    if (value !== null) check(value, shape.$optional, path);
    return;
  }
  if (typeof shape === "string") {
    if (!TESTS[shape](value)) wrong(path, "it is not of its type");
    return;
  }
  if (!isObject(value)) wrong(path, "it is no object");
  for (const name of Object.keys(value)) if (!Object.hasOwn(shape, name)) wrong(`${path}.${name}`, "nobody knows this field");
  for (const [name, inner] of Object.entries(shape)) {
    if (!Object.hasOwn(value, name)) wrong(`${path}.${name}`, "it is missing");
    check(value[name], inner, `${path}.${name}`);
  }
}

/** @param {any} value */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
/** @param {any} value */
const isText = (value) => typeof value === "string";
/** @param {any} value */
const isWords = (value) => isObject(value) && Object.values(value).every(isText);
/** @param {(item: any) => boolean} test @returns {(value: any) => boolean} */
const listOf = (test) => (value) => Array.isArray(value) && value.every(test);
/** @param {(item: any) => boolean} test @returns {(value: any) => boolean} */
const mapOf = (test) => (value) => isObject(value) && Object.values(value).every(test);

/** @type {Record<string, (value: any) => boolean>} */
const TESTS = {
  [TEXT]: isText,
  [TEXTS]: listOf(isText),
  [WORDS]: isWords,
  [ARGS]: mapOf((item) => isText(item) || listOf(isText)(item)),
  [TERMS]: mapOf((item) => isText(item) || listOf(isWords)(item)),
};

/** @param {string} path @param {string} reason @returns {never} */
function wrong(path, reason) {
  throw new Refusal("receipt", `${path}: ${reason}`);
}

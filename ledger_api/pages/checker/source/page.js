/** The page around the verifier: takes a receipt by hand, file or drop, and unfolds the words that fit. Sends nothing. */
import { STEPS, verify } from "./verify.js";

export { verify };

const BYTES_MAX = 1_000_000;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Show what fits of a group of alternatives, hide the others. @param {string} group @param {string[]} chosen */
function choose(group, chosen) {
  for (const one of document.querySelectorAll(`[data-${group}]`)) {
    /** @type {HTMLElement} */ (one).hidden = !chosen.includes(one.getAttribute(`data-${group}`) ?? "");
  }
}

/** @param {string} text */
function check(text) {
  const { city, validators } = JSON.parse(byId("city").textContent ?? "null");
  let value = null;
  try {
    value = JSON.parse(text);
  } catch {
    // What is no JSON is no receipt: the verifier says so.
  }
  const verdict = verify(value, validators.length ? validators : null, city);
  choose("verdict", [verdict.ok ? `ok-${verdict.seal?.kind}` : "failed"]);
  const failed = verdict.ok ? STEPS.length : STEPS.indexOf(/** @type {any} */ (verdict.step));
  for (const item of document.querySelectorAll("[data-step]")) {
    const place = STEPS.indexOf(/** @type {any} */ (item.getAttribute("data-step")));
    const isWeak = verdict.ok && verdict.seal?.kind !== "quorum" && item.getAttribute("data-step") === "seals";
    const state = isWeak ? "weak" : place < failed ? "holds" : place === failed ? "fails" : "open";
    item.className = { holds: "good", fails: "bad", open: "off", weak: "off" }[state];
    for (const word of item.querySelectorAll("[data-state]")) {
      /** @type {HTMLElement} */ (word).hidden = word.getAttribute("data-state") !== state;
    }
  }
  choose("failed", verdict.ok ? [] : [verdict.step]);
  choose("note", verdict.notes);
  byId("seal").textContent = verdict.seal && verdict.seal.of ? `${verdict.seal.count} / ${verdict.seal.of}` : "";
  byId("detail").hidden = verdict.ok;
  byId("detail").textContent = verdict.ok ? "" : `${verdict.refusedAt}: ${verdict.reason}`;
  byId("facts").hidden = !verdict.ok;
  if (verdict.ok) tell(verdict.receipt);
  byId("result").hidden = false;
  byId("result").focus();
}

/** Fill in what the receipt says. @param {any} receipt */
function tell(receipt) {
  const { event, grant, payment, block } = receipt;
  choose("kind", [event ? event.name : receipt.kind]);
  const fen = event?.args.fen ?? payment?.fen;
  const minor = grant?.leaf.amount;
  fact("fact-money", fen === undefined ? "" : hundredths(fen));
  fact("fact-points", minor === undefined ? "" : hundredths(minor));
  fact("fact-time", (payment ?? block).time.replace("T", " ").replace("+08:00", ""));
  fact("fact-block", block.number);
  fact("fact-order", event?.args.orderId ?? payment?.order_id ?? "");
}

/** @param {string} id @param {string} text */
function fact(id, text) {
  byId(id).textContent = text;
  /** @type {HTMLElement} */ (byId(id).closest("div")).hidden = !text;
}

/** @param {string} text */
function hundredths(text) {
  const digits = text.padStart(3, "0");
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${whole}.${digits.slice(-2)}`;
}

/** @param {File | undefined} file */
async function take(file) {
  if (!file) return;
  const text = file.size <= BYTES_MAX ? await file.text() : "";
  /** @type {HTMLTextAreaElement} */ (byId("receipt")).value = text;
  check(text);
}

function start() {
  const field = /** @type {HTMLTextAreaElement} */ (byId("receipt"));
  const files = /** @type {HTMLInputElement} */ (byId("file"));
  byId("unscripted").hidden = true;
  byId("checker").hidden = false;
  byId("check").addEventListener("click", () => check(field.value));
  files.addEventListener("change", () => take(files.files?.[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
}

if (typeof document !== "undefined") start();

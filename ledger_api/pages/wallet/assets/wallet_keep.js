// @ts-check
/** Registers the wallet's worker once somebody presses the button that asks for it. */

const WORKER = "/wallet/worker.js";
const button = document.querySelector("#keep");

/** @param {string} url */
function trusted(url) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return url;
  const policy = types.createPolicy("tongdui", {
    createScriptURL: (/** @type {string} */ asked) => {
      if (asked !== WORKER) throw new TypeError("no worker of ours");
      return asked;
    },
  });
  return policy.createScriptURL(url);
}

async function keep() {
  await navigator.serviceWorker.register(trusted(WORKER), { scope: "/wallet" });
  await navigator.serviceWorker.ready;
  location.assign("/wallet");
}

if (button instanceof HTMLButtonElement && "serviceWorker" in navigator) {
  button.hidden = false;
  button.addEventListener("click", () => {
    button.disabled = true;
    keep().catch(() => {
      button.disabled = false;
    });
  });
}

// @ts-check
/** Registers the counter's worker, with the styles that its page for the time without a network needs. */

const WORKER = "/counter/worker.js";

/** @param {string} url */
function trusted(url) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return url;
  const policy = types.createPolicy("tongdui", {
    createScriptURL: (/** @type {string} */ asked) => {
      if (!asked.startsWith(`${WORKER}?`)) throw new TypeError("no worker of ours");
      return asked;
    },
  });
  return policy.createScriptURL(url);
}

if ("serviceWorker" in navigator) {
  const styles = [...document.querySelectorAll('link[rel="stylesheet"]')].map((one) => one.getAttribute("href") ?? "");
  const url = `${WORKER}?${new URLSearchParams(styles.map((one) => ["keep", one]))}`;
  navigator.serviceWorker.register(trusted(url), { scope: "/counter/" }).catch(() => {
    // Without a worker the browser's own page says that there is no network.
  });
}

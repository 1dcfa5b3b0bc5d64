// @ts-check
/** The counter's worker: where the network does not answer, it shows the one page that says so. It keeps nothing else. */

const worker = /** @type {any} */ (self);
const KEPT = "tongdui-counter";
const PAGE = "/counter/offline";
const STYLES = new URL(location.href).searchParams.getAll("keep");

worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(keep()));
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => kept(PAGE)));
  else if (STYLES.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => kept(new URL(request.url).pathname)));
  }
});

async function keep() {
  await caches.delete(KEPT);
  await (await caches.open(KEPT)).addAll([PAGE, ...STYLES]);
  await worker.skipWaiting();
}

/** @param {string} path */
async function kept(path) {
  return (await (await caches.open(KEPT)).match(path)) ?? Response.error();
}

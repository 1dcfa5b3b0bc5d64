// @ts-check
/** The wallet's worker, for who asked for it: keeps the wallet's first page as it was last seen, and its styles. */

const worker = /** @type {any} */ (self);
const KEPT = "tongdui-wallet";
const PAGE = "/wallet";
const HIDDEN = 'data-offline hidden';

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  if (request.method !== "GET") return;
  if (request.mode === "navigate" && path === PAGE) event.respondWith(page(request));
  else if (path.startsWith("/assets/")) event.respondWith(asset(request));
});

/** @param {Request} request */
async function page(request) {
  const box = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected && answer.type === "basic") await box.put(PAGE, answer.clone());
    return answer;
  } catch {
    const kept = await box.match(PAGE);
    if (!kept) return Response.error();
    const text = (await kept.text()).replace(HIDDEN, "data-offline");
    return new Response(text, { headers: kept.headers });
  }
}

/** @param {Request} request */
async function asset(request) {
  const box = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok) await box.put(request, answer.clone());
    return answer;
  } catch {
    return (await box.match(request)) ?? Response.error();
  }
}

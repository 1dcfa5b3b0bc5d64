// Looks again at a page that waits for something, and opens it anew once that has come: an element with `data-wait` says
// what the page shows now. Without JavaScript the page's own refresh does the same.

const EVERY_MS = 2_000;
const LOOKS_MAX = 450;

/** @type {HTMLElement | null} */
const waiting = document.querySelector("[data-wait]");

/** @param {number} left How often to look again. */
function later(left) {
  if (left > 0) setTimeout(() => look(left), EVERY_MS);
}

/** @param {number} left */
async function look(left) {
  const shown = waiting?.dataset.wait ?? "";
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const text = await answer.text();
    if (answer.ok && !text.includes(`data-wait="${shown}"`)) {
      location.reload();
      return;
    }
  } catch {
    // No network just now: the page stays as it is, and looks again.
  }
  later(left - 1);
}

if (waiting) later(LOOKS_MAX);

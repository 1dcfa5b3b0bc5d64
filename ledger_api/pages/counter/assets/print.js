// @ts-check
/** Buttons that print the page; they are hidden where no script runs, for the browser prints it as well. */

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-print]"))) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

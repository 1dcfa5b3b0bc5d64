// @ts-check
/** Buttons that read a part of the page aloud, sentence by sentence; hidden where the browser cannot. */

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-speak]"))) {
  const part = document.getElementById(button.dataset.speak ?? "");
  if (!part || !("speechSynthesis" in globalThis)) continue;
  button.hidden = false;
  button.addEventListener("click", () => {
    speechSynthesis.cancel();
    for (const line of part.innerText.split("\n").filter((one) => one.trim())) {
      const said = new SpeechSynthesisUtterance(line);
      said.lang = document.documentElement.lang.startsWith("zh") ? "zh-CN" : "en";
      said.rate = 0.85;
      speechSynthesis.speak(said);
    }
  });
}

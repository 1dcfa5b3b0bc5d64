// @ts-check
/** A screen that says PAID: two rising notes, and a tap anywhere goes on. Without this script the link does. */

const NOTES = [
  [880, 0],
  [1320, 0.16],
];

function sound() {
  const audio = new AudioContext();
  for (const [pitch, at] of NOTES) {
    const note = audio.createOscillator();
    const volume = audio.createGain();
    const begins = audio.currentTime + at;
    note.frequency.value = pitch;
    volume.gain.setValueAtTime(0.4, begins);
    volume.gain.exponentialRampToValueAtTime(0.001, begins + 0.3);
    note.connect(volume).connect(audio.destination);
    note.start(begins);
    note.stop(begins + 0.32);
  }
}

/** A page that is only shown again says nothing new, and a browser lets no sound begin without a tap before. */
const [arrival] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));

if (document.body.dataset.sound && arrival?.type === "navigate") sound();
document.addEventListener("click", () => /** @type {HTMLElement} */ (document.querySelector("[data-tap]")).click(), {
  once: true,
});

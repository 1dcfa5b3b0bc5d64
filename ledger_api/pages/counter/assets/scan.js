// @ts-check
/**
 * Reads a QR code with the camera, or from a photo, into the field it stands beside, and sends the field's form.
 *
 * Without this script the field does all the same: six digits by hand, or a scanner gun, which types and presses Enter.
 * The browser's own BarcodeDetector reads where there is one, else jsQR. No picture leaves the page.
 */

/** @typedef {(source: HTMLVideoElement | ImageBitmap, width: number, height: number) => Promise<string | null>} Reader */

const EVERY_MS = 120;
const WIDEST = 720;
const KEPT = "tongdui.camera";

/**
 * Return what reads a code from a picture.
 * @returns {Promise<Reader>}
 */
async function reader() {
  const Detector = /** @type {any} */ (globalThis).BarcodeDetector;
  if (Detector && (await Detector.getSupportedFormats()).includes("qr_code")) {
    const detector = new Detector({ formats: ["qr_code"] });
    return async (source) => (await detector.detect(source))[0]?.rawValue ?? null;
  }
  const { default: jsQR } = await import(/** @type {any} */ (new URL("./jsqr.js", import.meta.url).href));
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  return async (source, width, height) => {
    const scale = Math.min(1, WIDEST / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return jsQR(data, canvas.width, canvas.height, { inversionAttempts: "dontInvert" })?.data ?? null;
  };
}

class Scan {
  /** @param {HTMLElement} box */
  constructor(box) {
    /** @type {<T extends Element>(selector: string) => T} */
    const part = (selector) => /** @type {any} */ (box.querySelector(selector));
    this.box = box;
    this.field = /** @type {HTMLInputElement} */ (document.getElementById(box.dataset.scan ?? ""));
    this.video = /** @type {HTMLVideoElement} */ (part("video"));
    this.said = /** @type {HTMLElement} */ (part("[data-said]"));
    this.starter = /** @type {HTMLButtonElement} */ (part("[data-start]"));
    this.stopper = /** @type {HTMLButtonElement} */ (part("[data-stop]"));
    this.photo = /** @type {HTMLInputElement} */ (part("[data-photo]"));
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {Promise<Reader> | null} */
    this.reads = null;
    this.starter.addEventListener("click", () => this.start());
    this.stopper.addEventListener("click", () => this.stop());
    this.photo.addEventListener("change", () => this.read_photo());
    addEventListener("pagehide", () => this.close());
    box.hidden = false;
    this.starter.hidden = !navigator.mediaDevices?.getUserMedia;
  }

  /** @returns {Promise<Reader>} */
  read() {
    this.reads ??= reader();
    return this.reads;
  }

  async start() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1280 } },
      });
    } catch {
      this.say("denied");
      return;
    }
    sessionStorage.setItem(KEPT, "on");
    this.video.srcObject = this.stream;
    this.show(true);
    this.say("looking");
    try {
      await this.video.play();
      await this.look();
    } catch {
      // No decoder could be loaded, or the camera went away: the field is there.
      this.close();
      this.say("denied");
    }
  }

  async look() {
    const read = await this.read();
    while (this.stream) {
      const { videoWidth: width, videoHeight: height } = this.video;
      const text = width ? await read(this.video, width, height) : null;
      if (text && this.stream) {
        this.found(text);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  async read_photo() {
    const file = this.photo.files?.[0];
    if (!file) return;
    let text = null;
    try {
      const picture = await createImageBitmap(file);
      text = await (await this.read())(picture, picture.width, picture.height);
    } catch {
      // No picture, or no decoder: said below as what could not be read.
    }
    this.photo.value = "";
    if (text) this.found(text);
    else this.say("unread");
  }

  /** @param {string} text */
  found(text) {
    this.close();
    navigator.vibrate?.(80);
    this.field.value = text.slice(0, this.field.maxLength);
    this.field.form?.requestSubmit();
  }

  stop() {
    sessionStorage.removeItem(KEPT);
    this.close();
    this.say("");
    this.field.focus();
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.show(false);
  }

  /** @param {boolean} isOn */
  show(isOn) {
    this.video.hidden = this.stopper.hidden = !isOn;
    this.starter.hidden = isOn;
  }

  /** @param {"denied" | "looking" | "unread" | ""} what */
  say(what) {
    this.said.textContent = what ? (this.box.dataset[what] ?? "") : "";
  }
}

for (const box of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-scan]"))) {
  const scan = new Scan(box);
  if (sessionStorage.getItem(KEPT) === "on" && !scan.starter.hidden) scan.start();
}

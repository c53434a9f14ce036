// What screening learns about the device, and how large a millimetre is on its screen: a bank card
// held against the screen has the same size everywhere.

import { element } from "./element.js";

const CARD_MM = { width: 85.6, height: 53.98 }; // ISO/IEC 7810 ID-1
const USUAL_PX_PER_MM = 96 / 25.4;
const PX_PER_MM = { least: 2, most: 9, step: 0.01 };
const NARROW_PX = 600;
const MARGINS_PX = 44;

/** What screening asks of the device, and learns about it. */
export class Device {
  /** @type {import("./types").DeviceRule | null} */
  #wants;
  /** @type {import("./types").Translator} */
  #t;
  #notice = element("p", "notice");
  /** @type {HTMLInputElement | null} */
  #slider = null;
  /** @type {HTMLInputElement | null} */
  #skip = null;

  /**
   * @param {import("./types").DueForm} due  with what the study needs, if anything
   * @param {import("./types").Translator} t
   * @param {any} draft  what `draft` gave before
   * @param {AbortSignal} signal  ends the watching
   */
  constructor({ device, calibration }, t, draft, signal) {
    this.#wants = device;
    this.#t = t;
    this.#notice.setAttribute("role", "status");
    /** What is shown, in order. @type {HTMLElement[]} */
    this.elements = [this.#notice];
    if (calibration) this.elements.push(this.#card(draft));
    this.#look();
    window.addEventListener("resize", () => this.#look(), { signal });
  }

  /** What was set, to be kept over a refresh. */
  get draft() { return { px_per_mm: this.#scale, skipped: this.#skip?.checked ?? false }; }

  get facts() {
    return {
      window_w: window.innerWidth,
      window_h: window.innerHeight,
      screen_w: window.screen.width,
      screen_h: window.screen.height,
      device_pixel_ratio: window.devicePixelRatio,
      touch: navigator.maxTouchPoints > 0,
      mouse: this.#mouse,
      css_px_per_mm: this.#skip?.checked ? null : this.#scale,
    };
  }

  get #mouse() { return window.matchMedia("(any-pointer: fine)").matches; }

  /** Says in time what the study needs: a window can be enlarged before the form is sent. */
  #look() {
    const { min_width: width, min_height: height, pointer = "any" } = this.#wants ?? {};
    const small = window.innerWidth < (width ?? 0) || window.innerHeight < (height ?? 0);
    const words = [];
    if (small) words.push(this.#t("device_window", { width: width ?? 0, height: height ?? 0 }));
    if (pointer === "mouse" && !this.#mouse) words.push(this.#t("device_mouse"));
    if (pointer === "touch" && !navigator.maxTouchPoints) words.push(this.#t("device_touch"));
    this.#notice.textContent = words.join(" ");
    this.#notice.hidden = !words.length;
  }

  /** CSS pixels per millimetre, or null when the card was not used. */
  get #scale() { return this.#slider?.dataset.used ? Number(this.#slider.value) : null; }

  #card(draft) {
    const group = element("fieldset", "item calibration");
    const legend = element("legend", "");
    legend.textContent = this.#t("card_title");
    const text = element("p", "quiet");
    text.textContent = this.#t("card_text");
    const card = element("div", "card");
    card.setAttribute("aria-hidden", "true");
    const slider = element("input", "");
    // Upright where it would not fit lying: on a phone.
    const upright = window.innerWidth < NARROW_PX;
    const [across, down] = upright ? [CARD_MM.height, CARD_MM.width]
      : [CARD_MM.width, CARD_MM.height];
    const most = Math.min(PX_PER_MM.most, (window.innerWidth - MARGINS_PX) / across);
    Object.assign(slider, { type: "range", min: PX_PER_MM.least, max: most, step: PX_PER_MM.step });
    slider.value = draft?.px_per_mm ?? USUAL_PX_PER_MM;
    slider.setAttribute("aria-label", this.#t("card_slider"));
    if (draft?.px_per_mm) slider.dataset.used = "yes";
    const skip = element("input", "");
    skip.type = "checkbox";
    skip.checked = draft?.skipped ?? false;
    const label = element("label", "tick");
    const words = element("span", "");
    words.textContent = this.#t("card_none");
    label.append(skip, words);
    const draw = () => {
      const scale = slider.valueAsNumber;
      card.style.width = `${across * scale}px`;
      card.style.height = `${down * scale}px`;
      slider.setAttribute("aria-valuetext", `${Math.round(CARD_MM.width * scale)} px`);
      slider.disabled = skip.checked;
      card.classList.toggle("off", skip.checked);
    };
    slider.addEventListener("input", () => { slider.dataset.used = "yes"; });
    group.addEventListener("input", draw);
    group.append(legend, text, card, slider, label);
    this.#slider = slider;
    this.#skip = skip;
    draw();
    return group;
  }
}

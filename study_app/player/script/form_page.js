// A form as a page of its own: screening with the facts of the device, comprehension check,
// demographics. What is entered is kept on this device until the server has it.

import { Device } from "./device.js";
import { element } from "./element.js";
import { Form } from "./form.js";

const HEADS = {
  screening: ["screening_title", "screening_text"],
  comprehension: ["comprehension_title", "comprehension_text"],
  demographics: ["demographics_title", "demographics_text"],
};

/** The page of whichever form is due. */
export class FormPage {
  /** @type {import("./host.js").Host} */
  #host;
  /** @type {import("./types").Translator} */
  #t;
  /** @type {import("./store.js").Store} */
  #store;
  /** @type {HTMLElement} */
  #root;
  #key = ""; // of the draft
  #form;
  /** @type {Device | null} */
  #device = null;
  #send = element("button", "primary");

  /**
   * @param {import("./host.js").Host} host
   * @param {import("./types").Translator} t
   * @param {import("./store.js").Store} store
   */
  constructor(host, t, store) {
    this.#host = host;
    this.#t = t;
    this.#store = store;
    this.#root = host.find("#form-body");
    this.#form = this.#make([], {});
    this.#send.type = "submit";
    this.#send.id = "form-send";
  }

  /**
   * Shows the form that is due.
   * @param {import("./types").DueForm} due
   * @param {AbortSignal} signal
   */
  show(due, signal) {
    this.#key = `${due.form}:${due.attempt}`;
    const draft = this.#store.draft(this.#key) ?? { answers: {} };
    this.#form = this.#make(due.items, draft.answers);
    this.#device = due.form === "screening" ? new Device(due, this.#t, draft.device, signal)
      : null;
    const [title, text] = HEADS[due.form];
    this.#host.find("#form-title").textContent = this.#t(title);
    this.#host.find("#form-text").textContent = this.#t(text);
    if (this.#device) this.#form.element.append(...this.#device.elements);
    this.#send.textContent = this.#t("continue");
    const actions = element("div", "actions");
    actions.append(this.#send);
    this.#form.element.append(actions);
    this.#form.element.addEventListener("input", () => this.#keep());
    this.#root.replaceChildren(this.#form.element);
  }

  /** Resolves with {answers, device?} once the participant has sent a form without gaps. */
  async filled(signal) {
    this.#send.disabled = false;
    do await this.#host.pressed(this.#send, signal); while (!this.#form.check());
    this.#send.disabled = true;
    const { answers } = this.#form;
    return this.#device ? { answers, device: this.#device.facts } : { answers };
  }

  /** The server does not take the answers, and may name the item that is to blame. */
  refused(name) { this.#form.refuse(name); }

  /** The server has them. */
  done() { this.#store.keepDraft(this.#key, null); }

  #make(items, answers) {
    const onPress = (button, act) => this.#host.onClick(button, act);
    return new Form(items, { t: this.#t, onPress }, answers);
  }

  #keep() {
    const device = this.#device?.draft;
    this.#store.keepDraft(this.#key, { answers: this.#form.draft, device });
  }
}

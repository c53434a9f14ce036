// Which screen is shown, and the parts around the trial: progress and status line.

import { element } from "./element.js";
import { copyText, languageName, translate } from "./texts.js";

/** The pages, of which one is shown. */
export class Screens {
  /** @type {import("./host.js").Host} */
  #host;
  /** @type {import("./types").Translator} */
  #t;
  /** @type {string | null} */
  #current = null;

  /**
   * @param {import("./host.js").Host} host
   * @param {import("./types").Words} data
   * @param {import("./types").Translator} t
   */
  constructor(host, data, t) {
    this.#host = host;
    this.#t = t;
    this.speak(data);
    host.onClick(host.find("#link-copy"), () => this.#copy("#link-copy", "#link"));
    host.onClick(host.find("#code-copy"), () => this.#copy("#code-copy", ".code"));
    host.onClick(host.find("#keep-copy"), () => this.#copy("#keep-copy", "#kept-link"));
  }

  /** The name of the screen that is shown. */
  get current() { return this.#current; }

  /** Writes everything in the language of `wording`. */
  speak(wording) {
    translate(this.#host.root, this.#t);
    this.#fill("title", (part) => { part.textContent = wording.title; });
    // These two are made by the server from the study's Markdown, without raw HTML.
    this.#fill("consent", (part) => { part.innerHTML = wording.consent_html; });
    this.#fill("instructions", (part) => { part.innerHTML = wording.instructions_html; });
  }

  /** Offers the languages of the study, each in its own name, on the consent page. */
  languages(tags, chosen, choose) {
    const list = this.#host.find(".languages");
    list.hidden = tags.length < 2;
    list.replaceChildren(...tags.map((tag) => {
      const button = element("button", "");
      button.type = "button";
      button.lang = tag;
      button.textContent = languageName(tag) ?? tag;
      button.setAttribute("aria-pressed", String(tag === chosen));
      this.#host.onClick(button, () => choose(tag));
      return button;
    }));
  }

  /** Shows one screen, with the progress bar and the menu where they belong. */
  show(name, { progress = false, menu = false } = {}) {
    const before = this.#current;
    this.#current = name;
    for (const section of this.#host.root.querySelectorAll("section")) {
      section.classList.toggle("shown", section.dataset.screen?.split(" ").includes(name) ?? false);
    }
    this.#host.find(".progress").hidden = !progress;
    this.#host.find("#menu-button").hidden = !menu;
    this.#host.tell({ screen: name });
    if (before === name) return;
    this.#host.root.host.scrollTop = 0;
    if (name !== "trial") this.#host.find(`[data-screen~="${name}"] [tabindex="-1"]`)?.focus();
  }

  /** Runs `action` when the button is pressed; it is disabled meanwhile. */
  onPress(selector, action) {
    const button = this.#host.find(selector);
    this.#host.onClick(button, async () => {
      button.disabled = true;
      try {
        await action();
      } finally {
        button.disabled = false;
      }
    });
  }

  /** How far one is. */
  progress(answered, total, practice) {
    const track = this.#host.find(".track");
    const words = this.#t("progress_value", { answered, total });
    track.setAttribute("aria-valuemax", total);
    track.setAttribute("aria-valuenow", answered);
    track.setAttribute("aria-valuetext", words);
    this.#host.find(".fill").style.transform = `scaleX(${total ? answered / total : 0})`;
    this.#host.find(".count").textContent = words;
    this.#host.find(".tag").hidden = !practice;
  }

  /**
   * One quiet sentence at the foot, or nothing.
   * @param {string | null} key
   */
  status(key) {
    const line = this.#host.find(".status");
    const words = key ? this.#t(key) : "";
    if (line.textContent !== words) line.textContent = words;
    line.classList.toggle("filled", Boolean(words));
  }

  /**
   * Prepares the instructions: a check may follow; they come again after it has failed; `keep` is
   * the personal link where nothing else leads back.
   */
  instructions({ check, again, keep }) {
    this.#host.find("#instructions-again").hidden = !again;
    this.#host.find("#keep-link").hidden = !keep;
    this.#host.find("#kept-link").value = keep ?? "";
    this.#host.find("#start").textContent = this.#t(check ? "continue" : "start");
  }

  /** That somebody cannot take part, and what helps. */
  refused(title, text) {
    this.#host.find("#refused-title").textContent = this.#t(title);
    this.#host.find("#refused-text").textContent = this.#t(text);
  }

  /** Prepares the page of a break. */
  rest(answered, total) {
    this.#host.find("#break-text").textContent = this.#t("break_text", { answered, total });
  }

  /**
   * The last page, for whom it went well and for whom it did not. Who has answered everything learns
   * first that it is saved, and what is left to do; then comes what the study says.
   * @param {import("./types").LastPage} page
   * @param {{saved: boolean, forgotten: boolean}} outcome  forgotten: the device cannot show it again
   */
  lastPage({ html, code, redirect }, { saved, forgotten }) {
    this.#host.find("#forgotten").hidden = !forgotten;
    this.#fill("debrief", (part) => {
      part.innerHTML = html;
      if (saved) part.parentElement.append(part);
      else part.parentElement.prepend(part);
    });
    this.#host.find(".code").textContent = code ?? "";
    this.#host.find(".code-box").hidden = !code;
    const link = this.#host.find("#redirect");
    link.hidden = !/^https?:\/\//.test(redirect ?? "");
    if (!link.hidden) link.href = redirect;
    const left = link.hidden ? "done_close" : "done_return";
    this.#host.find(".done").hidden = !saved;
    this.#host.find("#done-text").textContent = this.#t(left);
  }

  #fill(field, write) {
    this.#host.root.querySelectorAll(`[data-field="${field}"]`).forEach(write);
  }

  async #copy(buttonSelector, sourceSelector) {
    const button = this.#host.find(buttonSelector);
    const source = this.#host.find(sourceSelector);
    if (await copyText(source.value ?? source.textContent, source)) {
      button.textContent = this.#t("copied");
      setTimeout(() => { button.textContent = this.#t(button.dataset.text); }, 2000);
    }
  }
}

// The language that somebody reads, of those that the study offers; nothing is loaded for another.

import { translator } from "./texts.js";

/** The page's data in the language of the moment. */
export class Languages {
  /** @type {import("./types").PlayerData} */
  #data;
  #own; // the language that the page came in

  /**
   * @param {import("./types").PlayerData} data
   * @param {string | null} chosen  the language chosen before, if any
   */
  constructor(data, chosen) {
    this.#own = data.language;
    this.#data = { ...data, ...wording(data, chosen) };
    /** The words of the player, in whatever language is chosen. */
    this.t = translator(this.#data.ui);
  }

  /** The page's data; its words are in the language of the moment. */
  get data() { return this.#data; }

  /**
   * Says everything in a language.
   * @param {string | null} language  null: the one that the page came in
   * @param {import("./host.js").Host} host
   * @param {import("./screens.js").Screens} screens
   */
  speak(language, host, screens) {
    const wanted = language ?? this.#own;
    if (wanted === this.#data.language) return;
    this.#data = { ...this.#data, ...wording(this.#data, wanted) };
    this.t.speak(this.#data.ui);
    host.speak(this.#data.language, this.#data.title);
    screens.speak(this.#data);
  }

  /**
   * Lets the participant choose, on the consent page.
   * @param {import("./host.js").Host} host
   * @param {import("./screens.js").Screens} screens
   * @param {import("./store.js").Store} store  keeps the choice
   */
  offer(host, screens, store) {
    const choose = (language) => {
      store.language = language;
      this.speak(language, host, screens);
      this.offer(host, screens, store);
      host.find(`.languages [lang="${language}"]`).focus();
    };
    screens.languages(this.#data.languages, this.#data.language, choose);
  }
}

/** The words of `data` in a language, if it is offered. */
function wording(data, language) {
  return data.wordings[language] ? { language, ...data.wordings[language] } : {};
}

// The language that somebody reads, of those that the study offers; nothing is loaded for another.

import { translator } from "./texts.js";

/** The page's data in the language of the moment. */
export class Languages {
  /** @type {import("./types").PlayerData} */
  #data;

  /**
   * @param {import("./types").PlayerData} data
   * @param {string | null} chosen  the language chosen before, if any
   */
  constructor(data, chosen) {
    this.#data = { ...data, ...wording(data, chosen) };
    /** The words of the player, in whatever language is chosen. */
    this.t = translator(this.#data.ui);
  }

  /** The page's data; its words are in the language of the moment. */
  get data() { return this.#data; }

  /**
   * Lets the participant choose, on the consent page.
   * @param {import("./host.js").Host} host
   * @param {import("./screens.js").Screens} screens
   * @param {import("./store.js").Store} store  keeps the choice
   */
  offer(host, screens, store) {
    const choose = (language) => {
      store.language = language;
      this.#data = { ...this.#data, ...wording(this.#data, language) };
      this.t.speak(this.#data.ui);
      host.speak(language, this.#data.title);
      screens.speak(this.#data);
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

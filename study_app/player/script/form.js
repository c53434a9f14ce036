// A form: its items as native fields with labels, errors beside the item and in a summary. What an
// answer must be is checked again by the server, which alone knows which answers are right.

import { element } from "./element.js";
import { isWord } from "./layouts/layout.js";

const LONG_TEXT = 120; // characters from which a text gets several lines

/** The items of a form, in order. */
export class Form {
  element = element("form", "form");
  /** @type {import("./types").Translator} */
  #t;
  /** @type {import("./types").Desk["onPress"]} */
  #onPress;
  /** @type {Field[]} */
  #fields;
  #summary = element("div", "summary");
  #checked = false;

  /**
   * @param {import("./types").Item[]} items  as the server sent them
   * @param {Pick<import("./types").Desk, "t" | "onPress">} desk
   * @param {Record<string, string | string[]>} draft  what `draft` gave before
   */
  constructor(items, { t, onPress }, draft) {
    this.#t = t;
    this.#onPress = onPress;
    this.#fields = items.map((item) => new Field(item, t, draft[item.name]));
    this.#summary.tabIndex = -1;
    this.#summary.hidden = true;
    this.element.noValidate = true;
    this.element.append(this.#summary, ...this.#fields.map((field) => field.element));
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.element.addEventListener("input", () => {
      if (this.#checked) this.#fields.forEach((field) => field.check());
    });
  }

  /** What was entered, right or wrong, by item. */
  get draft() {
    return Object.fromEntries(this.#fields.map(({ item, raw }) => [item.name, raw]));
  }

  /** The answers by item; what was left out is missing. */
  get answers() {
    const given = this.#fields.filter((field) => !field.isEmpty);
    return Object.fromEntries(given.map(({ item, value }) => [item.name, value]));
  }

  /** Whether the form can be sent; shows what is missing. */
  check() {
    this.#checked = true;
    const wrong = this.#fields.filter((field) => !field.check());
    this.#summary.hidden = !wrong.length;
    if (wrong.length) this.#explain(this.#t("form_look_again"), wrong);
    return !wrong.length;
  }

  /** Shows that the server does not take the answers, or the one to the item of this name. */
  refuse(name) {
    const field = this.#fields.find(({ item }) => item.name === name);
    field?.say(this.#t("form_unfit"));
    if (field) this.#explain(this.#t("form_look_again"), [field]);
    else this.#explain(this.#t("form_refused"), []);
  }

  /** Shows a sentence above the form, with links to fields. */
  #explain(words, fields) {
    const sentence = element("p", "");
    sentence.textContent = words;
    const list = element("ul", "");
    list.append(...fields.map((field) => {
      const entry = element("li", "");
      const link = element("button", "link");
      link.type = "button";
      link.textContent = field.item.prompt;
      this.#onPress(link, () => field.focus());
      entry.append(link);
      return entry;
    }));
    this.#summary.replaceChildren(sentence, ...(fields.length ? [list] : []));
    this.#summary.hidden = false;
    this.#summary.focus();
  }
}

/** One item of a form. */
class Field {
  /** @type {import("./types").Translator} */
  #t;
  #error = element("p", "error");
  /**
   * The boxes of the options, or the one field for text.
   * @type {any[]}
   */
  #inputs;

  /**
   * @param {import("./types").Item} item
   * @param {import("./types").Translator} t
   * @param {string | string[] | undefined} raw  what `raw` gave before
   */
  constructor(item, t, raw) {
    this.item = item;
    this.#t = t;
    this.#error.id = `error-${item.name}`;
    this.#error.hidden = true;
    const grouped = item.options.length > 0;
    this.element = element(grouped ? "fieldset" : "div", `item ${item.kind}`);
    const title = element(grouped ? "legend" : "label", "");
    title.textContent = item.prompt;
    if (!item.required) {
      const optional = element("span", "quiet");
      optional.textContent = ` (${t("form_optional")})`;
      title.append(optional);
    }
    const body = grouped ? this.#options() : this.#line(title);
    this.element.append(title, this.#error, body);
    this.#inputs = [...this.element.querySelectorAll("input, textarea")];
    if (raw !== undefined) this.#fill(raw);
  }

  /** What was entered: a text, or the values of the chosen options. */
  get raw() {
    if (!this.item.options.length) return this.#inputs[0].value;
    return this.#inputs.filter(({ checked }) => checked).map(({ value }) => value);
  }

  get isEmpty() { return !this.raw.length || (typeof this.raw === "string" && !this.raw.trim()); }

  /** The answer as the server takes it. */
  get value() {
    const { kind } = this.item;
    if (kind === "number") return toNumber(this.raw);
    return kind === "choices" || kind === "text" ? this.raw : this.raw[0];
  }

  focus() { (this.#inputs.find(({ checked }) => checked) ?? this.#inputs[0]).focus(); }

  /** Whether the answer can be sent; shows why it cannot. */
  check() {
    const words = this.#wrong();
    this.say(words);
    return !words;
  }

  /** Shows what is wrong with the answer; "": nothing. */
  say(words) {
    this.#error.textContent = words;
    this.#error.hidden = !words;
    const described = this.element.matches("fieldset") ? this.element : this.#inputs[0];
    if (words) described.setAttribute("aria-describedby", this.#error.id);
    else described.removeAttribute("aria-describedby");
    for (const input of this.#inputs) input.setAttribute("aria-invalid", String(Boolean(words)));
  }

  #wrong() {
    const { kind, required, low, high } = this.item;
    if (this.isEmpty) return required ? this.#t("form_missing") : "";
    if (kind !== "number") return "";
    const number = toNumber(this.raw);
    if (!Number.isFinite(number)) return this.#t("form_number");
    if ((low ?? -Infinity) <= number && number <= (high ?? Infinity)) return "";
    if (low === null) return this.#t("form_at_most", { high });
    if (high === null) return this.#t("form_at_least", { low });
    return this.#t("form_between", { low, high });
  }

  #fill(raw) {
    if (!this.item.options.length) this.#inputs[0].value = raw;
    else for (const input of this.#inputs) input.checked = raw.includes(input.value);
  }

  #options() {
    const { kind, name, options } = this.item;
    const list = element("div", "choices");
    // Numbers and other short labels stand in a row, words below each other.
    if (options.every(({ label }) => !isWord(label))) list.classList.add("caps");
    list.append(...options.map((option) => {
      const label = element("label", "tick");
      const input = element("input", "");
      input.type = kind === "choices" ? "checkbox" : "radio";
      input.name = `item-${name}`;
      input.value = option.value;
      const words = element("span", "");
      words.textContent = option.label;
      label.append(input, words);
      return label;
    }));
    return list;
  }

  #line(title) {
    const { kind, name, max_length: most, required } = this.item;
    const input = element(kind === "text" && most > LONG_TEXT ? "textarea" : "input", "");
    input.id = `item-${name}`;
    title.htmlFor = input.id;
    if (required) input.setAttribute("aria-required", "true");
    if (kind === "text") input.maxLength = most;
    if (input.matches("input")) {
      input.type = "text";
      input.autocomplete = "off";
      if (kind === "number") input.inputMode = "decimal";
    }
    return input;
  }
}

/** A number as people write it: with a comma, or in full-width digits. */
function toNumber(text) {
  const plain = text.normalize("NFKC").trim().replace(",", ".");
  return /^[+-]?\d+(\.\d*)?$/.test(plain) ? Number(plain) : NaN;
}

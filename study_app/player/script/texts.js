// Puts the words of the participant's language into the screens.

/**
 * Returns t(key, values): the sentence with its {braces} filled in. `t.speak(strings)` changes the
 * language.
 * @param {import("./types").Strings} strings
 * @returns {import("./types").Translator}
 */
export function translator(strings) {
  let words = strings;
  const t = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  t.speak = (others) => { words = others; };
  return t;
}

// Browsers differ in whether they can tell, so that the list is ours: languages written from right to
// left, and scripts that are, where a tag names one.
const RIGHT_TO_LEFT = /^(ar|arc|ckb|dv|fa|he|khw|ks|mzn|nqo|ps|sd|syr|ug|ur|yi)$/;
const RIGHT_TO_LEFT_SCRIPT = /^(adlm|arab|hebr|nkoo|rohg|syrc|thaa)$/;

/**
 * In which direction a language is written.
 * @param {string} tag  BCP 47
 * @returns {"ltr" | "rtl"}
 */
export function direction(tag) {
  const [language, ...parts] = tag.toLowerCase().split("-");
  const script = parts.find((part) => /^[a-z]{4}$/.test(part));
  const leftwards = script ? RIGHT_TO_LEFT_SCRIPT.test(script) : RIGHT_TO_LEFT.test(language);
  return leftwards ? "rtl" : "ltr";
}

/** A language's own name. */
export function languageName(tag) {
  return new Intl.DisplayNames([tag], { type: "language" }).of(tag);
}

/** Fills every [data-text] and [data-label] under root. */
export function translate(root, t) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = t(element.dataset.text);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
}

/** Copies text; without the clipboard API (plain http) by selecting it. Returns success. */
export async function copyText(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const selection = window.getSelection();
    if (source.select) source.select();
    else selection?.selectAllChildren(source);
    return document.execCommand("copy");
  }
}

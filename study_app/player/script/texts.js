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

// Makes elements.

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className  one class or several, or ""
 */
export function element(name, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

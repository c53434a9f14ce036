// How a question is answered. One class per layout, behind one interface: it is made with a desk,
// puts its controls there, and gives one answer. The desk is what the question lends it:
//   trial              the view that the server sent
//   places             the pictures in order: {figure, frame, picture, under}, see Stage
//   answers            the element for the controls; style(name, value) tells the style sheet
//   size               {width, height} of the first picture in its own pixels
//   draft              what was kept before a refresh, or null; keep(value) keeps it
//   t                  the words of the player
//   admits(event)      whether a press may count: see InputGate; notes the first one
//   follows(event)     whether a movement may count, as often as it comes; notes the first one
//   touched(event)     something was entered in a field, where everything counts: notes the first
//   give(event, answer, button)    gives the answer and locks the question
//   onPress(element, act), onPointer(element, act)    listeners: see Host

class Layout {
  #keys = new Map();

  constructor(desk) { this.desk = desk; }

  /** What has the focus when the question begins. */
  get focus() { return this.desk.answers; }

  /** A key went down outside of any field. Returns whether it was meant for this question. */
  key(event) {
    const name = keyOf(event, (key) => this.#keys.has(key));
    if (name === null || event.repeat) return false;
    this.#press(event, this.#keys.get(name));
    return true;
  }

  /**
   * A button that does `act(event, button)` when it or its key is pressed. The key is shown on it
   * unless it is what the button says.
   */
  button(label, key, act, className = "") {
    const button = element("button", className);
    button.type = "button";
    button.textContent = label;
    this.wire(button, key, act);
    if (key) button.setAttribute("aria-keyshortcuts", key);
    if (key && key.toLowerCase() !== label.toLowerCase()) button.append(keyHint(key));
    return button;
  }

  /** Makes an element a button: see `button`. */
  wire(button, key, act) {
    const entry = { act, button };
    this.desk.onPress(button, (event) => this.#press(event, entry));
    if (key) this.#keys.set(key.toLowerCase(), entry);
  }

  /** The button of an option: pressing it is the answer. */
  option(option, className = "") {
    const give = (event, button) => this.desk.give(event, option.value, button);
    const button = this.button(option.label, option.key, give, className);
    button.dataset.value = option.value;
    return button;
  }

  /** The button that gives a composed answer, made by `answer()`. */
  confirmation(answer, key = "Enter") {
    const give = (event, button) => this.desk.give(event, answer(), button);
    const button = this.button(this.desk.t("confirm"), "", give, "primary confirm");
    if (key) this.wire(button, key, give);
    return button;
  }

  #press(event, { act, button }) {
    if (!button.disabled && this.desk.admits(event)) act(event, button);
  }
}

/** The answer key of an event: the character, or the key's place on a keyboard without it. */
function keyOf(event, known) {
  const key = event.key.toLowerCase();
  if (known(key)) return key;
  // French digits need Shift, Cyrillic letters are other characters: the place of the key counts.
  const place = /^(?:Digit|Key)(.)$/.exec(event.code)?.[1].toLowerCase();
  return place && !/^[a-z0-9]$/.test(key) && known(place) ? place : null;
}

const KEY_CAPS = { Backspace: "⌫" };

function keyHint(key) {
  const hint = element("kbd", "");
  hint.textContent = KEY_CAPS[key] ?? key;
  hint.setAttribute("aria-hidden", "true");
  return hint;
}

/** Whether a label needs more room than a key cap. */
function isWord(label) {
  // A Chinese or Japanese character is about as wide as two others.
  return label.replace(/[^\u0000-\u2fff]/g, "..").length > 3;
}

// One question on the picture: shows prompt and options, takes exactly one answer. Also the
// feedback of practice, in the same place.

/** The answer key of an event: the character, or the key's place on a keyboard without it. */
function keyOf(event, known) {
  const key = event.key.toLowerCase();
  if (known(key)) return key;
  // French digits need Shift, Cyrillic letters are other characters: the place of the key counts.
  const place = /^(?:Digit|Key)(.)$/.exec(event.code)?.[1].toLowerCase();
  return place && !/^[a-z0-9]$/.test(key) && known(place) ? place : null;
}

class Question {
  #host;
  #gate;
  #frames;
  #painter;
  #answers;
  #options = new Map(); // key -> {value, button}
  #choose = null; // (event, value, button): takes the answer; null when there is nothing to answer
  #exposure = null;
  #t;

  constructor(host, gate, frames, t) {
    this.#host = host;
    this.#gate = gate;
    this.#frames = frames;
    this.#t = t;
    this.#answers = host.find(".answers");
    this.#painter = new Painter(host.find(".stage"), host.find(".picture"));
  }

  /**
   * Asks a trial; `pixels` when its picture is not shown yet. Resolves with the answer:
   * {answer, rt_ms, timing, display}.
   */
  async ask(trial, pixels, signal) {
    const painted = await this.#frames.onsetOf(() => {
      if (pixels) this.#painter.show(pixels);
      this.#render(trial);
    });
    signal.throwIfAborted();
    const exposure = new Exposure(painted);
    this.#exposure = exposure;
    this.#accept(painted.onset, trial.trial_id);
    return orAbort(new Promise((resolve) => {
      this.#choose = (event, answer, button) => {
        this.#lock(button);
        const input = this.#gate.inputOf(event);
        const timing = exposure.end(event, input, this.#frames.frameMs, this.#painter.redraws);
        const rt = tenth(event.timeStamp - painted.onset);
        resolve({ answer, rt_ms: rt, timing, display: this.#painter.display });
      };
    }), signal);
  }

  /** Shows the feedback of a practice trial until the participant goes on. */
  async feedback({ correct, text }, signal) {
    const box = element("div", "feedback");
    const words = element("p", correct ? "right" : "");
    words.setAttribute("role", "status");
    words.textContent = text;
    const button = element("button", "primary");
    button.type = "button";
    button.id = "feedback-continue";
    button.textContent = this.#t("continue");
    box.append(words, button);
    const painted = await this.#frames.onsetOf(() => {
      this.#options.clear();
      this.#answers.className = "answers";
      this.#answers.replaceChildren(box);
      button.focus();
    });
    signal.throwIfAborted();
    this.#accept(painted.onset, "continue");
    await orAbort(new Promise((resolve) => {
      this.#choose = () => {
        this.#lock(button);
        resolve();
      };
      const go = { value: null, button };
      this.#options = new Map([["enter", go], [" ", go]]);
      this.#host.onClick(button, (event) => this.#take(event, go));
    }), signal);
  }

  /** A key went down. Returns whether it was one of this question's keys. */
  key(event) {
    const key = keyOf(event, (name) => this.#options.has(name));
    if (key === null || !isPlainKey(event)) return false;
    this.#take(event, this.#options.get(key));
    return true;
  }

  /** Something was opened over the picture. */
  lookedAway() { this.#exposure?.lookedAway(); }

  /** The window has another size or pixel ratio. */
  resized() { this.#painter.refresh(); }

  /** Takes everything off the screen. */
  clear() {
    this.#gate.close();
    this.#exposure?.cancel();
    this.#exposure = null;
    this.#choose = null;
    this.#options.clear();
    this.#painter.clear();
    this.#answers.replaceChildren();
    this.#host.find(".prompt").textContent = "";
    this.#host.tell({ trialId: null, task: null, phase: null, accepting: null, rendering: null });
  }

  #take(event, { value, button }) {
    if (!this.#choose || !this.#gate.admits(event)) return;
    const choose = this.#choose;
    this.#choose = null;
    choose(event, value, button);
  }

  #accept(onset, name) {
    this.#gate.open(onset);
    setTimeout(() => {
      if (this.#choose && this.#gate.opensIn <= 0) this.#host.tell({ accepting: name });
    }, this.#gate.opensIn + 1);
  }

  #lock(button) {
    this.#gate.close();
    this.#answers.classList.add("locked");
    button.classList.add("chosen");
    this.#host.tell({ accepting: null });
  }

  #render(trial) {
    this.#host.find(".prompt").textContent = trial.prompt;
    this.#options.clear();
    const grid = trial.layout === "grid";
    this.#answers.className = `answers ${grid ? "grid" : "row"}`;
    const narrow = trial.options.filter((option) => option.label.length <= 3).length;
    this.#answers.style.setProperty("--columns", narrow > 10 ? 6 : 5);
    this.#answers.replaceChildren(...trial.options.map((option) => this.#button(option, grid)));
    this.#answers.focus({ preventScroll: true });
    this.#host.tell({
      trialId: trial.trial_id,
      task: trial.task,
      phase: trial.phase,
      accepting: null,
      rendering: this.#painter.display.rendering,
    });
  }

  #button(option, grid) {
    const button = element("button", grid && option.label.length > 3 ? "wide" : "");
    button.type = "button";
    button.textContent = option.label;
    button.dataset.value = option.value;
    const entry = { value: option.value, button };
    this.#host.onClick(button, (event) => this.#take(event, entry));
    if (option.key) {
      this.#options.set(option.key.toLowerCase(), entry);
      button.setAttribute("aria-keyshortcuts", option.key);
      if (option.key !== option.label) {
        const hint = element("kbd", "");
        hint.textContent = option.key;
        hint.setAttribute("aria-hidden", "true");
        button.append(hint);
      }
    }
    return button;
  }
}

function element(name, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

// One question on the pictures: shows prompt and layout, takes exactly one answer. Also the
// feedback of practice, in the same place.

import { element } from "./element.js";
import { BrushLayout } from "./layouts/brush.js";
import { GridLayout, RowLayout } from "./layouts/buttons.js";
import { Layout } from "./layouts/layout.js";
import { PickLayout } from "./layouts/pick.js";
import { PointLayout } from "./layouts/point.js";
import { RankLayout } from "./layouts/rank.js";
import { room } from "./layouts/room.js";
import { ScaleLayout } from "./layouts/scale.js";
import { SurveyLayout } from "./layouts/survey.js";
import { TextLayout } from "./layouts/text.js";
import { Painter } from "./painter.js";
import { isActivation, isPlainKey } from "./presses.js";
import { Stage } from "./stage.js";
import { Exposure, tenth } from "./timing.js";
import { orAbort } from "./waiting.js";

const LAYOUTS = {
  grid: GridLayout,
  row: RowLayout,
  scale: ScaleLayout,
  pictures: PickLayout,
  rank: RankLayout,
  point: PointLayout,
  brush: BrushLayout,
  text: TextLayout,
  survey: SurveyLayout,
};

/** The answer of who gave none within the response window. */
export const TIMED_OUT = "timed_out";

/** The question of the moment, or the feedback on it, or nothing. */
export class Question {
  /** @type {import("./host.js").Host} */
  #host;
  /** @type {import("./gate.js").InputGate} */
  #gate;
  /** @type {import("./timing.js").FrameClock} */
  #frames;
  /** @type {Stage} */
  #stage;
  #painter = new Painter();
  /** @type {import("./store.js").Store} */
  #store;
  /** @type {HTMLElement} */
  #screen;
  /** @type {HTMLElement} */
  #answers;
  /** @type {Layout | null} */
  #layout = null;
  /**
   * Takes the answer; null: there is nothing to answer.
   * @type {((event: Event | null, answer: string, refused: number) => void) | null}
   */
  #choose = null;
  /** @type {Exposure | null} */
  #exposure = null;
  #size = { width: 0, height: 0 }; // of the first picture
  /** All questions on the pictures of the moment. @type {import("./types").Trial[]} */
  #together = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #opening;
  /** @type {import("./types").Translator} */
  #t;

  /**
   * @param {import("./host.js").Host} host
   * @param {import("./gate.js").InputGate} gate
   * @param {import("./timing.js").FrameClock} frames
   * @param {import("./store.js").Store} store
   * @param {import("./types").Translator} t
   */
  constructor(host, gate, frames, store, t) {
    this.#host = host;
    this.#gate = gate;
    this.#frames = frames;
    this.#store = store;
    this.#t = t;
    this.#screen = host.find("[data-screen=trial]");
    this.#answers = host.find(".answers");
    this.#stage = new Stage(host.find(".places"), t);
  }

  /**
   * Which questions come on the same pictures, which have one size for all of them.
   * @param {import("./types").Trial[]} trials
   */
  about(trials) { this.#together = trials; }

  /**
   * Makes room for the pictures of a trial that are still on their way.
   * @param {import("./types").Trial} trial
   */
  expect(trial) {
    this.clear();
    this.#stage.set(trial.images.length);
    this.#arrange(trial);
  }

  /**
   * Asks a trial. Resolves with the answer. The pictures are taken away after `trial.exposure_ms`,
   * and without an answer it is TIMED_OUT after `trial.response_window_ms`, if these are set.
   * @param {import("./types").Trial} trial
   * @param {import("./types").Pixels[] | null} pixels  of its pictures; null: they are shown already
   * @param {AbortSignal} signal
   * @param {() => import("./types").Pixels[] | undefined} [next]  pictures to prepare meanwhile
   * @returns {Promise<import("./types").Answer>}
   */
  async ask(trial, pixels, signal, next) {
    const painted = await this.#frames.onsetOf(() => this.#render(trial, pixels));
    signal.throwIfAborted();
    const exposure = new Exposure(painted, this.#store.showing(trial.trial_id));
    this.#exposure = exposure;
    this.#accept(painted.onset, trial.trial_id, trial.response_window_ms);
    // Nothing is prepared while an exposure lasts: its last frame must be in time.
    this.#useIdle(exposure, trial.exposure_ms ? undefined : next);
    if (trial.exposure_ms) this.#hideAfter(trial.exposure_ms, exposure, next);
    return orAbort(new Promise((resolve) => {
      this.#choose = (event, answer, refused) => {
        const timing = exposure.end(event, {
          input: event && this.#gate.inputOf(event),
          frameMs: this.#frames.frameMs,
          redraws: this.#painter.redraws,
          refused,
        });
        const rt = event && tenth(event.timeStamp - painted.onset);
        const display = { ...this.#painter.display, translated: this.#isTranslated(trial) };
        resolve({ answer, rt_ms: rt, timing, display });
      };
      if (trial.response_window_ms) this.#timeOutAfter(trial.response_window_ms, exposure);
    }), signal);
  }

  /**
   * Shows the feedback of a practice trial until the participant goes on. It stands where the
   * question was; pictures and answers stay as they were left.
   * @param {import("./types").Feedback} feedback
   * @param {AbortSignal} signal
   */
  async feedback({ correct, text }, signal) {
    const box = element("div", "feedback");
    const words = element("p", correct ? "right" : "");
    words.setAttribute("role", "status");
    words.textContent = text;
    const layout = new Layout(this.#desk({}));
    const go = (event, button) => this.#give(event, "", button);
    const button = layout.button(this.#t("continue"), "", go, "primary");
    button.id = "feedback-continue";
    layout.wire(button, "Enter", go);
    layout.wire(button, " ", go);
    box.append(words, button);
    const painted = await this.#frames.onsetOf(() => {
      this.#layout = layout;
      this.#freeze(true);
      this.#host.find(".asked").append(box);
      this.#host.root.host.scrollTop = 0;
      button.focus({ preventScroll: true });
    });
    signal.throwIfAborted();
    this.#accept(painted.onset, "continue");
    await orAbort(new Promise((resolve) => {
      this.#choose = () => resolve(undefined);
    }), signal);
  }

  /**
   * A page between questions, until the participant goes on: a press of `button` counts by the same
   * rules as an answer, or the second half of a double click on the last one would pass the page.
   * @param {string} name  what `accepting` tells meanwhile
   * @param {HTMLButtonElement} button
   * @param {() => void} show  shows the page
   * @param {AbortSignal} signal
   */
  async passed(name, button, show, signal) {
    this.clear();
    const painted = await this.#frames.onsetOf(show);
    signal.throwIfAborted();
    this.#accept(painted.onset, name);
    await orAbort(new Promise((resolve) => {
      this.#host.onClick(button, (event) => { if (this.#gate.admits(event)) resolve(undefined); });
    }), signal);
    this.#host.onClick(button, null);
    this.clear();
  }

  /** A key went down. Returns whether it was one of this question's keys. */
  key(event) {
    const [target] = event.composedPath();
    if (!this.#layout || !isPlainKey(event) || isField(target)) return false;
    // A focused button is pressed by the browser.
    if (isActivation(event) && target.matches?.("button, summary, a")) return false;
    const known = this.#layout.key(event);
    if (known) this.#screen.classList.add("keyed"); // there is a keyboard: its keys are shown
    return known;
  }

  /** Something was opened over the picture. */
  lookedAway() { this.#exposure?.lookedAway(); }

  /** The window has another size or pixel ratio. */
  resized() {
    this.#exposure?.resized();
    this.#painter.refresh();
  }

  /** Takes everything off the screen. */
  clear() {
    this.#gate.close();
    clearTimeout(this.#opening);
    this.#exposure?.cancel();
    this.#exposure = null;
    this.#choose = null;
    this.#layout = null;
    this.#painter.clear();
    this.#stage.dress();
    this.#answers.replaceChildren();
    this.#host.find(".prompt").textContent = "";
    this.#host.find(".note").hidden = true;
    this.#freeze(false);
    this.#host.tell({ trialId: null, task: null, phase: null, accepting: null, rendering: null });
  }

  #accept(onset, name, windowMs = Infinity) {
    this.#gate.open(onset, onset + windowMs);
    const look = () => {
      if (this.#gate.opensIn <= 0) this.#host.tell({ accepting: name });
      // Where clocks are rounded, a timer is early at times.
      else this.#opening = setTimeout(look, this.#gate.opensIn + 1);
    };
    look();
  }

  #useIdle(exposure, next) {
    const seen = () => this.#host.tell({ rendering: this.#painter.display.rendering });
    this.#painter.whileIdle(exposure.signal, seen, next);
  }

  /** Takes the pictures away when they have been on the screen for so long. */
  async #hideAfter(ms, exposure, next) {
    const hide = () => { this.#screen.classList.add("over"); };
    try {
      await this.#frames.offsetOf(hide, exposure, ms);
      this.#useIdle(exposure, next);
    } catch (error) {
      if (!exposure.signal.aborted) throw error; // answered before
    }
  }

  #timeOutAfter(ms, exposure) {
    // A press in the last moment may still be on its way to the page: it has one frame.
    const left = exposure.onset + ms + this.#frames.frameMs - performance.now();
    const timer = setTimeout(() => this.#give(null, TIMED_OUT, null), left);
    exposure.signal.addEventListener("abort", () => clearTimeout(timer));
  }

  #render(trial, pixels) {
    // Whatever the last question needed: every picture is met from its top.
    this.#host.root.host.scrollTop = 0;
    if (pixels) {
      this.#painter.clear();
      this.#stage.set(pixels.length);
      [this.#size] = pixels;
    }
    for (const { frame } of this.#stage.places) this.#host.onClick(frame, null);
    this.#freeze(false);
    this.#arrange(trial);
    const note = this.#host.find(".note");
    note.textContent = trial.note ?? "";
    note.hidden = !trial.note;
    this.#host.find(".prompt").textContent = trial.prompt;
    this.#answers.className = `answers ${trial.layout}`;
    this.#answers.replaceChildren();
    const layout = new LAYOUTS[trial.layout](this.#desk(trial));
    this.#layout = layout;
    // Painted last: now everything has its place.
    if (pixels) this.#painter.show(pixels, this.#stage.places);
    else this.#painter.settle();
    layout.focus.focus({ preventScroll: true });
    this.#host.tell({
      trialId: trial.trial_id,
      task: trial.task,
      phase: trial.phase,
      accepting: null,
      rendering: null,
    });
  }

  /** Between an answer and the next question nothing of it can be pressed; its words make room. */
  #freeze(frozen) {
    if (!frozen) this.#host.find(".feedback")?.remove();
    this.#answers.inert = frozen;
    this.#host.find(".places").inert = frozen;
    this.#host.find(".prompt").hidden = frozen;
    if (frozen) this.#host.find(".note").hidden = true;
  }

  /** Tells the style sheet what needs room: it gives the pictures the rest. */
  #arrange(trial) {
    const { images, layout, captions = [], phase, picture_sizes: sizes = 1 } = trial;
    this.#stage.dress(captions);
    this.#screen.removeAttribute("style");
    Object.assign(this.#screen.dataset, { layout, pictures: images.length });
    const all = this.#together.includes(trial) ? this.#together : [trial];
    const needs = all.map((each) => LAYOUTS[each.layout].needs(each));
    for (const [name, value] of Object.entries(room(needs, images.length))) {
      this.#screen.style.setProperty(name, value);
    }
    const { classList } = this.#screen;
    classList.toggle("captioned", captions.some(Boolean));
    classList.toggle("noted", all.some(({ note }) => note));
    classList.toggle("practice", phase === "practice");
    classList.toggle("alone", needs.every(({ beside }) => !beside));
    classList.toggle("under-each", needs.every(({ under }) => under));
    classList.toggle("over", trial.exposure_ms === 0);
    classList.remove("locked");
    classList.toggle("sizes-1", sizes === 1);
    if (sizes === 1) this.#arrangeAsBefore(trial);
  }

  /** What the rules need that studies of before note were sized by: each question by itself. */
  #arrangeAsBefore(trial) {
    const { narrow, wide } = LAYOUTS[trial.layout].needs(trial);
    this.#screen.classList.toggle("with-note", Boolean(trial.note));
    this.#screen.style.setProperty("--narrow-rows", String(narrow));
    this.#screen.style.setProperty("--wide-rows", String(wide));
  }

  /**
   * What a layout works with.
   * @returns {import("./types").Desk}
   */
  #desk(trial) {
    const touched = (event) => this.#exposure?.touched(event);
    const noting = (event, counts) => {
      if (counts) touched(event);
      return counts;
    };
    return {
      trial,
      places: this.#stage.places,
      answers: this.#answers,
      style: (name, value) => this.#screen.style.setProperty(name, String(value)),
      size: this.#size,
      t: this.#t,
      draft: this.#store.draft(trial.trial_id),
      keep: (value) => {
        // What is typed after the answer was given is no part of it.
        const given = this.#screen.classList.contains("locked");
        if (!given) this.#store.keepDraft(trial.trial_id, value);
      },
      admits: (event) => noting(event, this.#gate.admits(event)),
      follows: (event) => noting(event, this.#gate.follows(event)),
      touched,
      give: (event, answer, button) => this.#give(event, answer, button),
      onPress: (button, act) => this.#host.onClick(button, act),
      onPointer: (target, act) => this.#host.onPointer(target, act),
    };
  }

  /** Whether a browser's translation has put other words in place of the question's. */
  #isTranslated({ prompt }) {
    const { classList } = document.documentElement;
    return classList.contains("translated-ltr") || classList.contains("translated-rtl")
      || this.#host.find(".prompt").textContent !== prompt;
  }

  /** Takes the answer, or that there is none; nothing else counts until the next question. */
  #give(event, answer, button) {
    const choose = this.#choose;
    if (!choose) return;
    this.#choose = null;
    clearTimeout(this.#opening);
    const refused = this.#gate.settle();
    this.#screen.classList.add("locked");
    button?.classList.add("chosen");
    this.#host.tell({ accepting: null });
    choose(event, answer, refused);
  }
}

/** Whether keys typed here are the participant's words and no answers. */
export function isField(target) {
  return target.matches?.("textarea, select, input") ?? false;
}

// The participant's way: consent, screening, instructions, comprehension check, practice, trials,
// demographics, debrief. The server is the only truth about where one is; this file asks it and goes
// there. What happens at each stage is in entrance.js, trials.js and ending.js.

import { Activities } from "./activities.js";
import { Ending, REFUSALS, isOver } from "./ending.js";
import { Entrance } from "./entrance.js";
import { InputGate } from "./gate.js";
import { Host } from "./host.js";
import { Languages } from "./languages.js";
import { Menu } from "./menu.js";
import { Outbox } from "./outbox.js";
import { clearAddress, personalLink, tokenInAddress } from "./personal_link.js";
import { Pictures } from "./pictures.js";
import { PAGE } from "./plan.js";
import { Presses, isActivation } from "./presses.js";
import { Question, isField } from "./question.js";
import { Screens } from "./screens.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { FrameClock, onPixelRatio } from "./timing.js";
import { Trials, trialsAddress } from "./trials.js";
import { Visitor } from "./visitor.js";
import { backoffMs, pause } from "./waiting.js";

/** One participant's way through one study, in this tab. */
export class Flow {
  #listening = new AbortController();
  #gate = new InputGate(new Presses(this.#listening.signal)); // before Host listens
  /** @type {Languages} */
  #languages;
  /** @type {Host} */
  #host;
  /** @type {Store} */
  #store;
  /** @type {Visitor} */
  #visitor;
  /** @type {Tabs} */
  #tabs;
  /** @type {Screens} */
  #screens;
  /** @type {Menu} */
  #menu;
  #frames = new FrameClock();
  #pictures = new Pictures();
  /** @type {Outbox} */
  #outbox;
  /** @type {Question} */
  #question;
  /** @type {Activities} */
  #activities;
  /** @type {Entrance} */
  #entrance;
  /** @type {Trials} */
  #trials;
  /** @type {Ending} */
  #ending;

  /**
   * @param {import("./types").PlayerData} data  what participant_page() hands over
   * @param {HTMLTemplateElement} template  see Host
   * @param {string} css  see Host
   */
  constructor(data, template, css) {
    this.#store = new Store(data.study, data.shared_device);
    this.#visitor = new Visitor(this.#store, data.provider);
    // A personal link brings its own language.
    this.#languages = new Languages(data, tokenInAddress() ? null : this.#store.language);
    const { t } = this.#languages;
    this.#host = new Host(template, css, this.#languages.data);
    this.#tabs = new Tabs(data.study, () => this.#yieldToOtherTab());
    this.#screens = new Screens(this.#host, this.#languages.data, t);
    this.#question = new Question(this.#host, this.#gate, this.#frames, this.#store, t);
    this.#activities = new Activities(this.#store, this.#screens, () => this.#halted());
    this.#outbox = this.#makeOutbox();
    this.#menu = new Menu(this.#host, {
      link: () => this.#link(),
      opened: () => this.#question.lookedAway(),
    });
    const way = this.#way();
    this.#ending = new Ending(way);
    this.#entrance = new Entrance(way, this.#languages, this.#ending, this.#visitor);
    this.#trials = new Trials(way);
    this.#listen();
    this.#wire();
    this.#begin(() => this.#enter());
  }

  get study() { return this.#languages.data.study; }

  /** Takes the player off the page. */
  stop() {
    this.#activities.halt();
    this.#listening.abort();
    this.#tabs.close();
    this.#host.remove();
  }

  // --- what the stages share --------------------------------------------------------------------

  /** @returns {import("./types").Way} */
  #way() {
    return {
      activities: this.#activities,
      host: this.#host,
      screens: this.#screens,
      store: this.#store,
      frames: this.#frames,
      pictures: this.#pictures,
      outbox: this.#outbox,
      question: this.#question,
      turn: {
        enter: () => this.#begin(() => this.#enter()),
        resume: () => this.#begin(() => this.#resume()),
        invalid: () => this.#begin(async () => this.#ending.invalid()),
      },
    };
  }

  #makeOutbox() {
    return new Outbox(this.#store, {
      acknowledged: (entry, body) => this.#trials.acknowledged(entry, body),
      locked: () => this.#elsewhere(),
      refused: () => this.#trials.refused(),
      over: () => this.#begin(() => this.#resume()),
      unauthorised: () => this.#begin(async () => this.#ending.invalid()),
      waiting: (late) => this.#activities.say(late ? "offline" : null),
    });
  }

  #begin(activity) { this.#activities.begin(activity); }

  /** Whatever went on has ended: nothing of it stays. */
  #halted() {
    this.#outbox.stop();
    this.#pictures.stop();
    this.#question.clear();
    this.#gate.settle();
    if (this.#menu.open) this.#menu.close();
  }

  // --- where to go ------------------------------------------------------------------------------

  /** Where is this participant? */
  async #enter() {
    const { signal } = this.#activities;
    this.#adoptTokenFromAddress();
    this.#screens.show("loading");
    if (this.#languages.data.status === "unknown") return this.#screens.show("unknown");
    const whose = await this.#visitor.judge();
    signal.throwIfAborted();
    if (whose === "unclear") return this.#askWho();
    if (whose === "anothers") await this.#makeRoom();
    this.#visitor.known();
    this.#languages.speak(this.#store.language, this.#host, this.#screens);
    if (!this.#store.token) return this.#welcome();
    if (!(await this.#tabs.claim(false))) return this.#screens.show("other_tab");
    signal.throwIfAborted();
    return this.#resume();
  }

  /** The consent, unless it is known beforehand that it would be in vain. */
  #welcome() {
    const { status, refusal } = this.#languages.data;
    this.#outbox.start(); // somebody who was here before may have left answers
    if (status === "closed") return this.#screens.show("closed");
    // Who has agreed and heard nothing yet may be the one that the study is full of.
    const mayBeIn = refusal?.error === "full" && this.#store.nonce;
    if (refusal && !mayBeIn) return this.#ending.turnedAway(refusal);
    this.#languages.offer(this.#host, this.#screens, this.#store);
    return this.#screens.show("consent");
  }

  /** Says nothing of what was begun here, in nobody's language but the page's own. */
  #askWho() {
    this.#languages.speak(null, this.#host, this.#screens);
    this.#screens.show("visitor");
  }

  /** What was begun here stays with the server, and on this device nothing of it. */
  async #makeRoom() {
    this.#store.leave();
    await this.#tabs.claim(true); // a tab that was left open must not go on under another's name
  }

  /** Asks the server where to go on, and goes there. */
  async #resume() {
    this.#trials.begin();
    this.#store.touch();
    let reply = await this.#activities.insist("GET", trialsAddress(0, 1));
    if (reply.status === 401) return this.#ending.invalid();
    if (REFUSALS[reply.body.error]) return this.#ending.turnedAway(reply.body);
    if (reply.status !== 200) return this.#unexpected();
    if (reply.body.ending) return this.#ending.ended(reply.body.ending);
    if (isOver(reply.body.state)) return this.#ending.over();
    if (reply.body.state === "consented") return this.#entrance.prepare(reply.body.form);
    if (reply.body.state === "admitted") {
      // One earlier than needed, to know whether practice has just ended.
      const first = Math.max(reply.body.position, this.#outbox.positionAfter) - 1;
      reply = await this.#activities.insist("GET", trialsAddress(Math.max(0, first), PAGE));
      if (reply.status !== 200) return this.#unexpected();
    }
    this.#outbox.start();
    this.#trials.learn(reply.body);
    if (reply.body.state === "complete") return this.#ending.debrief(reply.body.debrief);
    this.#pictures.start();
    this.#frames.learn(); // whoever comes back does not pass by the instructions
    return (await this.#trials.run()) ? this.#finish() : this.#unexpected();
  }

  /** The debrief comes only when the server has every answer. */
  async #finish() {
    const { signal } = this.#activities;
    this.#question.clear();
    this.#screens.show("saving", { progress: true, menu: true });
    await this.#outbox.drained(signal);
    for (let polls = 1; ; polls += 1) {
      const reply = await this.#activities.insist("GET", trialsAddress(this.#trials.total, 1));
      if (reply.status === 401) return this.#ending.invalid();
      if (reply.status !== 200) return this.#unexpected();
      if (reply.body.complete) return this.#ending.debrief(reply.body.debrief);
      if (reply.body.ending) return this.#ending.ended(reply.body.ending);
      if (reply.body.form) return this.#entrance.form(reply.body.form);
      // An answer was refused: its question is asked again. Or the participation is over.
      const { state, position, total } = reply.body;
      if (position < total || isOver(state)) return this.#begin(() => this.#resume());
      await pause(backoffMs(polls), signal);
    }
  }

  /** An answer of the server that this player does not know: says so and tries again. */
  async #unexpected() {
    await this.#activities.puzzled();
    return this.#begin(() => this.#enter());
  }

  // --- other tabs and devices -------------------------------------------------------------------

  #yieldToOtherTab() {
    this.#begin(async () => this.#screens.show("other_tab"));
  }

  /** Two people, or two devices, on one personal link. */
  #elsewhere() {
    this.#begin(async () => {
      this.#host.tell({ pending: this.#outbox.size });
      this.#screens.show("elsewhere", { menu: true });
      this.#outbox.start();
    });
  }

  async #continueHere() {
    await this.#tabs.claim(true);
    this.#begin(() => this.#enter());
  }

  #link() {
    const { study, language } = this.#languages.data;
    return personalLink(study, language, this.#store.token ?? "");
  }

  /** A personal link brings its token in the fragment: it wins, and leaves the address bar. */
  #adoptTokenFromAddress() {
    const token = tokenInAddress();
    if (!token) return;
    this.#store.become(token);
    this.#store.language = this.#languages.data.language;
    this.#visitor.known();
    clearAddress();
  }

  // --- listeners --------------------------------------------------------------------------------

  #wire() {
    const onPress = (selector, action) => this.#screens.onPress(selector, async () => {
      const { signal } = this.#activities;
      try {
        await action();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    });
    onPress("#agree", () => this.#entrance.consent());
    onPress("#decline", () => this.#ending.declined());
    onPress("#back", () => this.#screens.show("consent"));
    onPress("#reload", () => window.location.reload());
    onPress("#withdraw-confirm", () => (
      this.#ending.withdraw((words) => this.#menu.note(words), this.#languages.t)
    ));
    onPress("#here", () => this.#continueHere());
    onPress("#go-on", () => this.#begin(() => this.#enter()));
    onPress("#same-person", () => {
      this.#visitor.known();
      this.#begin(() => this.#enter());
    });
    onPress("#other-person", async () => {
      this.#visitor.known();
      await this.#makeRoom();
      this.#begin(() => this.#enter());
    });
    onPress("#anew", () => {
      this.#store.clear();
      this.#begin(() => this.#enter());
    });
  }

  #listen() {
    const { signal } = this.#listening;
    window.addEventListener("keydown", (event) => this.#key(event), { capture: true, signal });
    window.addEventListener("resize", () => this.#question.resized(), { signal });
    onPixelRatio(() => this.#question.resized(), signal);
    // The browser may put the page away as it is, and bring it back to somebody else.
    window.addEventListener("pagehide", ({ persisted }) => {
      if (persisted && this.#store.left) this.#begin(async () => this.#screens.show("loading"));
    }, { signal });
    window.addEventListener("pageshow", ({ persisted }) => {
      if (!persisted) return;
      this.#visitor.reopened();
      if (this.#visitor.doubtful) this.#begin(() => this.#enter());
      else this.#visitor.known();
    }, { signal });
    window.addEventListener("hashchange", () => {
      if (tokenInAddress()) this.#begin(() => this.#enter());
    }, { signal });
  }

  #key(event) {
    event.stopImmediatePropagation();
    // A held key would press the button that appears next.
    const field = isField(event.composedPath()[0]);
    if (event.repeat && isActivation(event) && !field) event.preventDefault();
    if (this.#menu.open || this.#screens.current !== "trial") return;
    if (this.#question.key(event)) event.preventDefault();
  }
}

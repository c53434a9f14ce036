// From the first trial to the last: each question in its turn, its pictures, its answer into the
// outbox, and the pages between.

import { request } from "./api.js";
import { newUuid } from "./hash.js";
import { PAGE, Plan } from "./plan.js";
import { TIMED_OUT } from "./question.js";
import { orAbort } from "./waiting.js";

const FEEDBACK_WITHIN_MS = 3000;
const NOTE_MS = 8000;
const TIME_OVER_MS = 2000;
const LATE_MS = 300; // before it is worth saying that something is loading

/** @typedef {import("./types").Trial} Trial */

/** The address of `n` trials from a position on. */
export function trialsAddress(from, n) {
  return `/api/trials?from=${from}&n=${n}`;
}

/** The trials of one participant. */
export class Trials {
  /** @type {import("./types").Way} */
  #way;
  /** @type {Plan} */
  #plan;
  #careful = false; // an answer was refused: wait for the server, whose position may jump

  /** @param {import("./types").Way} way */
  constructor(way) {
    this.#way = way;
    this.#plan = this.#emptyPlan();
  }

  /** How many trials there are. */
  get total() { return this.#plan.total; }

  /** Begins with an empty plan, for whoever the token is of. */
  begin() { this.#plan = this.#emptyPlan(); }

  /** Keeps what a reply of GET /api/trials brought. */
  learn(body) { this.#plan.learn(body); }

  /** Asks one trial after the other. Returns whether they could all be fetched. */
  async run() {
    const { screens, question, activities, outbox } = this.#way;
    const plan = this.#plan;
    /** @type {string | null} */
    let shown = null; // presentation_id of the picture on the screen
    let position = Math.max(plan.answered, outbox.positionAfter);
    while (position < plan.total) {
      const trial = await this.#fetched(position);
      if (!trial) return false;
      await this.#pageBefore(trial, position);
      screens.show("trial", { progress: true, menu: true });
      screens.progress(position, plan.total, trial.phase === "practice");
      const same = shown === trial.presentation_id;
      if (!same) question.about(await this.#together(trial));
      const pixels = same ? null : await this.#picture(trial);
      const answer = await question.ask(trial, pixels, activities.signal, this.#next(trial));
      shown = trial.presentation_id;
      await this.#handOver(trial, answer);
      position = Math.max(position + 1, plan.answered);
    }
    return true;
  }

  /** The server has an answer. */
  acknowledged(entry, body) {
    const { host, outbox, store } = this.#way;
    if (entry.token === store.token) this.#plan.reached(body.position);
    host.tell({ pending: outbox.size });
  }

  /** The server does not take an answer. */
  refused() {
    this.#careful = true;
    this.#way.activities.mention("answer_refused", NOTE_MS);
  }

  #emptyPlan() {
    const { store, activities: { signal } } = this.#way;
    return new Plan((from, n) => (
      request("GET", trialsAddress(from, n), { token: store.token, signal })
    ));
  }

  /** The end of practice and the breaks between blocks have a page of their own. */
  async #pageBefore(trial, position) {
    const { screens } = this.#way;
    const before = this.#plan.at(position - 1);
    if (trial.phase === "main" && before?.phase === "practice") await this.#waits("practised");
    else if (before && before.block > 0 && trial.block > 0 && before.block !== trial.block) {
      screens.rest(position, this.#plan.total);
      await this.#waits("break");
    }
  }

  /** A page between trials, until the participant goes on. */
  async #waits(screen) {
    const { host, screens, question, activities } = this.#way;
    const button = host.find(`[data-screen=${screen}] button`);
    await question.passed(screen, button, () => {
      screens.show(screen, { progress: true, menu: true });
      button.focus();
    }, activities.signal);
  }

  /** The trial at a position; waits for it if it has not been fetched. */
  async #fetched(position) {
    const plan = this.#plan;
    await this.#known(position);
    this.#lookAhead(position);
    plan.refill(position).then((more) => {
      if (more) this.#lookAhead(position);
    }, () => {});
    return plan.at(position);
  }

  /** The trial at a position, from the server if need be. */
  async #known(position) {
    const { activities, turn } = this.#way;
    const plan = this.#plan;
    if (!plan.at(position)) {
      const { signal } = activities;
      const reply = await activities.insist("GET", trialsAddress(position, PAGE));
      if (reply.status === 401) turn.invalid();
      signal.throwIfAborted();
      if (reply.status === 200) plan.learn(reply.body);
    }
    return plan.at(position);
  }

  /** All trials on the pictures of a trial, in order: those before it may be answered already. */
  async #together(trial) {
    const found = [trial];
    const alike = async (position) => {
      if (position < 0 || position >= this.#plan.total) return null;
      const other = await this.#known(position);
      return other?.presentation_id === trial.presentation_id ? other : null;
    };
    for (let other; (other = await alike(found[0].position - 1));) found.unshift(other);
    for (let other; (other = await alike(found[found.length - 1].position + 1));) found.push(other);
    return found;
  }

  /** What gives the pictures of the presentation after a trial's, once they are here. */
  #next(trial) {
    const following = this.#plan.from(trial.position)
      .find((later) => later.presentation_id !== trial.presentation_id);
    return following && (() => this.#way.pictures.ready(following.presentation_id));
  }

  #lookAhead(position) {
    const { activities, pictures } = this.#way;
    if (!activities.signal.aborted) pictures.want(this.#plan.from(position));
  }

  /**
   * The pictures of a trial; offers to try again when they cannot be loaded.
   * @param {Trial} trial
   */
  async #picture(trial) {
    const { host, pictures, question, activities: { signal } } = this.#way;
    const id = trial.presentation_id;
    const ready = pictures.ready(id);
    if (ready) return ready;
    question.expect(trial);
    const loading = host.find("#picture-loading");
    const failed = host.find("#picture-failed");
    const timer = setTimeout(() => { loading.hidden = false; }, LATE_MS);
    try {
      for (;;) {
        const pixels = await pictures.get(id, signal);
        if (pixels) return pixels;
        loading.hidden = true;
        failed.hidden = false;
        await this.#wantedAgain();
        failed.hidden = true;
        loading.hidden = false;
        pictures.retry();
      }
    } finally {
      clearTimeout(timer);
      loading.hidden = true;
      failed.hidden = true;
    }
  }

  /** Resolves when the participant asks for the pictures again, or the network is back. */
  async #wantedAgain() {
    const { host, activities } = this.#way;
    /** @type {() => void} */
    let wake = () => {};
    const wanted = new Promise((resolve) => { wake = () => resolve(undefined); });
    host.onClick(host.find("#picture-again"), wake);
    window.addEventListener("online", wake);
    try {
      await orAbort(wanted, activities.signal);
    } finally {
      window.removeEventListener("online", wake);
    }
  }

  /** Puts an answer into the outbox; in practice waits for what the server says about it. */
  async #handOver(trial, answer) {
    const { activities, host, outbox, question, screens, store } = this.#way;
    const eventId = newUuid();
    outbox.push(trial.position, {
      event_id: eventId, trial_id: trial.trial_id, attempt: 1, ...answer,
    });
    store.keepDraft(trial.trial_id, null);
    host.tell({ pending: outbox.size });
    screens.progress(trial.position + 1, this.#plan.total, trial.phase === "practice");
    if (answer.answer === TIMED_OUT && trial.phase !== "practice") {
      activities.mention("time_over", TIME_OVER_MS);
    }
    if (trial.phase !== "practice" && !this.#careful) return;
    const { signal } = activities;
    const reply = await outbox.acknowledgement(eventId, FEEDBACK_WITHIN_MS, signal);
    if (reply?.feedback?.text) await question.feedback(reply.feedback, signal);
  }
}

// The participant's way: consent, screening, instructions, comprehension check, practice, trials,
// demographics, debrief. The server is the only truth about where one is; this file asks it, shows
// the next thing, and hands answers over.

const FEEDBACK_WITHIN_MS = 3000;
const TOKEN_IN_FRAGMENT = /^#p=([0-9a-f]{32})$/;
const NOTE_MS = 8000;
const TIME_OVER_MS = 2000;
const LATE_MS = 300; // before it is worth saying that something is loading
const REFUSALS = {
  full: "full_title", not_invited: "not_invited_title", closed: "closed_title",
};
const OVER = ["returned", "timed_out"]; // no further answers are taken, those given stay
const WHAT_HELPS = { // by the reason of a refusal, else by the refusal itself
  full: "full_text",
  closed: "closed_text",
  not_invited: "not_invited_text",
  no_invitation: "no_invitation_text",
  invitation: "invitation_text",
  used_invitation: "used_invitation_text",
  no_prolific_id: "no_prolific_id_text",
  no_sona_code: "no_sona_code_text",
  other_person: "other_person_text",
};

class Flow {
  #data;
  #t;
  #host;
  #store;
  #tabs;
  #screens;
  #menu;
  #listening = new AbortController();
  #gate = new InputGate(new Presses(this.#listening.signal)); // before Host listens
  #frames = new FrameClock();
  #pictures = new Pictures();
  #outbox;
  #question;
  #formPage;
  #plan;
  #understood = false; // the check was passed, which comes after the instructions
  #noteTimer;
  #note = null; // what the status line says while there is nothing more urgent
  #careful = false; // an answer was refused: wait for the server, whose position may jump
  #run = new AbortController();

  /** data: what participant_page() hands over; template, css: see Host. */
  constructor(data, template, css) {
    this.#store = new Store(data.study);
    // A personal link brings its own language.
    const chosen = TOKEN_IN_FRAGMENT.test(window.location.hash) ? null : this.#store.language;
    this.#data = { ...data, ...this.#wording(data, chosen) };
    this.#t = translator(this.#data.ui);
    this.#host = new Host(template, css, this.#data);
    this.#tabs = new Tabs(data.study, () => this.#yieldToOtherTab());
    this.#screens = new Screens(this.#host, this.#data, this.#t);
    this.#question = new Question(this.#host, this.#gate, this.#frames, this.#store, this.#t);
    this.#formPage = new FormPage(this.#host, this.#t, this.#store);
    this.#outbox = new Outbox(this.#store, {
      acknowledged: (entry, body) => this.#acknowledged(entry, body),
      locked: () => this.#catchUp(),
      refused: () => this.#refused(),
      over: () => this.#begin(() => this.#resume()),
      unauthorised: () => this.#begin(() => this.#invalid()),
      waiting: (late) => this.#say(late ? "offline" : null),
    });
    this.#menu = new Menu(this.#host, {
      link: () => this.#personalLink(),
      opened: () => this.#question.lookedAway(),
    });
    this.#listen();
    this.#wire();
    this.#begin(() => this.#enter());
  }

  get study() { return this.#data.study; }

  stop() {
    this.#halt();
    this.#listening.abort();
    this.#tabs.close();
    this.#host.remove();
  }

  // --- one activity at a time -------------------------------------------------------------------

  /** Ends whatever is going on and starts something else. */
  #begin(activity) {
    this.#halt();
    this.#run = new AbortController();
    const { signal } = this.#run;
    activity(signal).catch((error) => { if (!signal.aborted) throw error; });
  }

  #halt() {
    this.#run.abort();
    this.#outbox.stop();
    this.#pictures.stop();
    this.#question.clear();
    this.#gate.settle();
    if (this.#menu.open) this.#menu.close();
    this.#say(null);
  }

  get #signal() { return this.#run.signal; }

  #say(key) { this.#screens.status(key ?? this.#note); }

  /** A request that is repeated until it has a final answer, saying so while it waits. */
  #insist(method, path, body) {
    const signal = this.#signal;
    return patiently(
      () => request(method, path, { token: this.#store.token, body, signal }),
      signal,
      (waiting) => this.#say(waiting ? "waiting_server" : null),
    );
  }

  #trials(from, n) {
    return `/api/trials?from=${from}&n=${n}`;
  }

  // --- before the trials ------------------------------------------------------------------------

  /** Where is this participant? */
  async #enter() {
    this.#adoptTokenFromAddress();
    this.#screens.show("loading");
    if (this.#data.status === "unknown") return this.#screens.show("unknown");
    if (!this.#store.token) {
      this.#offerLanguages();
      return this.#screens.show(this.#data.status === "open" ? "consent" : "closed");
    }
    if (!(await this.#tabs.claim(false))) return this.#screens.show("other_tab");
    this.#signal.throwIfAborted();
    return this.#resume();
  }

  /** Asks the server where to go on, and goes there. */
  async #resume() {
    const signal = this.#signal;
    this.#plan = new Plan((from, n) => (
      request("GET", this.#trials(from, n), { token: this.#store.token, signal })
    ));
    let reply = await this.#insist("GET", this.#trials(0, 1));
    if (reply.status === 401) return this.#invalid();
    if (REFUSALS[reply.body.error]) return this.#turnedAway(reply.body);
    if (reply.status !== 200) return this.#unexpected();
    if (reply.body.ending) return this.#ended(reply.body.ending);
    if (OVER.includes(reply.body.state)) {
      this.#outbox.forget();
      return this.#screens.show("over", { menu: true });
    }
    if (reply.body.state === "consented") return this.#prepare(reply.body.form);
    if (reply.body.state === "admitted") {
      // One earlier than needed, to know whether practice has just ended.
      const first = Math.max(reply.body.position, this.#outbox.positionAfter) - 1;
      reply = await this.#insist("GET", this.#trials(Math.max(0, first), PAGE));
      if (reply.status !== 200) return this.#unexpected();
    }
    this.#outbox.start();
    this.#plan.learn(reply.body);
    if (reply.body.state === "complete") return this.#debrief(reply.body.debrief);
    this.#pictures.start();
    this.#frames.learn(); // whoever comes back does not pass by the instructions
    return this.#trialAfterTrial();
  }

  async #consent() {
    // Another tab may have agreed meanwhile: one person, one participant.
    if (this.#store.token) return this.#begin(() => this.#enter());
    this.#store.nonce ??= randomHex128();
    const { study, consent_sha256, language, provider } = this.#data;
    const body = { study, consent_sha256, language, provider, nonce: this.#store.nonce };
    const reply = await this.#insist("POST", "/api/consent", body);
    if (reply.status === 200 || reply.status === 201) {
      this.#store.token = reply.body.token;
      this.#store.nonce = null;
      return this.#begin(() => this.#enter());
    }
    if (REFUSALS[reply.body.error]) return this.#turnedAway(reply.body);
    if (reply.status === 409) return this.#screens.show("changed");
    return this.#say(reply.status === 404 ? "not_open" : "server_refused");
  }

  /** What comes between consent and admission: forms that are due, and the instructions. */
  async #prepare(form) {
    if (form?.form === "screening") return this.#form(form);
    if (!form && this.#understood) return this.#admit();
    this.#screens.instructions({ check: Boolean(form), again: form?.attempt > 1 });
    this.#screens.show("instructions", { menu: true });
    const start = this.#host.find("#start");
    await Promise.all([this.#host.pressed(start, this.#signal), this.#frames.learn()]);
    return form ? this.#form(form) : this.#admit();
  }

  /** Shows a form until the server has taken it; then the server says how to go on. */
  async #form(due) {
    const signal = this.#signal;
    this.#formPage.show(due, signal);
    this.#screens.show("form", { menu: true });
    this.#host.tell({ form: due.form });
    for (;;) {
      const filled = await this.#formPage.filled(signal);
      const body = { form: due.form, attempt: due.attempt, ...filled };
      const reply = await this.#insist("POST", "/api/form", body);
      if (reply.status === 401) return this.#begin(() => this.#invalid());
      if (reply.status === 200 || reply.status === 409) {
        this.#formPage.done();
        // Whoever passes screening has read no instructions yet.
        this.#understood = due.form === "comprehension" && reply.body.result === "passed";
        return this.#begin(() => this.#resume());
      }
      this.#formPage.refused(reply.body.item);
    }
  }

  async #admit() {
    const reply = await this.#insist("POST", "/api/admit", {});
    if (reply.status === 401) return this.#begin(() => this.#invalid());
    if (REFUSALS[reply.body.error]) return this.#turnedAway(reply.body);
    if (reply.status !== 200 && reply.status !== 409) return this.#unexpected();
    return this.#begin(() => this.#resume());
  }

  // --- trials -----------------------------------------------------------------------------------

  async #trialAfterTrial() {
    let shown = null; // presentation_id of the picture on the screen
    let position = Math.max(this.#plan.answered, this.#outbox.positionAfter);
    while (position < this.#plan.total) {
      const trial = await this.#fetched(position);
      if (!trial) return this.#unexpected();
      const before = this.#plan.at(position - 1);
      if (trial.phase === "main" && before?.phase === "practice") await this.#waits("practised");
      else if (before?.block > 0 && trial.block > 0 && before.block !== trial.block) {
        this.#screens.rest(position, this.#plan.total);
        await this.#waits("break");
      }
      this.#screens.show("trial", { progress: true, menu: true });
      this.#screens.progress(position, this.#plan.total, trial.phase === "practice");
      const pixels = shown === trial.presentation_id ? null : await this.#picture(trial);
      const answer = await this.#question.ask(trial, pixels, this.#signal);
      shown = trial.presentation_id;
      await this.#handOver(trial, answer);
      position = Math.max(position + 1, this.#plan.answered);
    }
    return this.#finish();
  }

  /** The trial at a position; waits for it if it has not been fetched. */
  async #fetched(position) {
    if (!this.#plan.at(position)) {
      const signal = this.#signal;
      const reply = await this.#insist("GET", this.#trials(position, PAGE));
      if (reply.status === 401) this.#begin(() => this.#invalid());
      signal.throwIfAborted();
      if (reply.status === 200) this.#plan.learn(reply.body);
    }
    this.#lookAhead(position);
    this.#plan.refill(position).then((more) => {
      if (more) this.#lookAhead(position);
    }, () => {});
    return this.#plan.at(position);
  }

  #lookAhead(position) {
    if (!this.#signal.aborted) this.#pictures.want(this.#plan.from(position));
  }

  /** The picture of a trial; offers to try again when it cannot be loaded. */
  async #picture(trial) {
    const signal = this.#signal;
    const id = trial.presentation_id;
    if (this.#pictures.ready(id)) return this.#pictures.ready(id);
    this.#question.expect(trial);
    const loading = this.#host.find("#picture-loading");
    const failed = this.#host.find("#picture-failed");
    const timer = setTimeout(() => { loading.hidden = false; }, LATE_MS);
    try {
      for (;;) {
        const pixels = await this.#pictures.get(id, signal);
        if (pixels) return pixels;
        loading.hidden = true;
        failed.hidden = false;
        const again = this.#host.pressed(this.#host.find("#picture-again"), signal);
        const online = new Promise((resolve) => {
          window.addEventListener("online", resolve, { once: true, signal });
        });
        await Promise.race([again, online]);
        failed.hidden = true;
        loading.hidden = false;
        this.#pictures.retry();
      }
    } finally {
      clearTimeout(timer);
      loading.hidden = true;
      failed.hidden = true;
    }
  }

  /** Puts an answer into the outbox; in practice waits for what the server says about it. */
  async #handOver(trial, answer) {
    const eventId = newUuid();
    this.#outbox.push(trial.position, {
      event_id: eventId, trial_id: trial.trial_id, attempt: 1, ...answer,
    });
    this.#store.keepDraft(trial.trial_id, null);
    this.#host.tell({ pending: this.#outbox.size });
    this.#screens.progress(trial.position + 1, this.#plan.total, trial.phase === "practice");
    if (answer.answer === TIMED_OUT && trial.phase !== "practice") {
      this.#mention("time_over", TIME_OVER_MS);
    }
    if (trial.phase !== "practice" && !this.#careful) return;
    const within = FEEDBACK_WITHIN_MS;
    const reply = await this.#outbox.acknowledgement(eventId, within, this.#signal);
    if (reply?.feedback?.text) await this.#question.feedback(reply.feedback, this.#signal);
  }

  /** A page between trials, until the participant goes on. */
  async #waits(screen) {
    this.#question.clear();
    this.#screens.show(screen, { progress: true, menu: true });
    const button = this.#host.find(`[data-screen=${screen}] button`);
    button.focus();
    await this.#host.pressed(button, this.#signal);
  }

  #acknowledged(entry, body) {
    if (entry.token === this.#store.token) this.#plan?.reached(body.position);
    this.#host.tell({ pending: this.#outbox.size });
  }

  #refused() {
    this.#careful = true;
    this.#mention("answer_refused", NOTE_MS);
  }

  /** Says something on the status line for a while. */
  #mention(key, ms) {
    clearTimeout(this.#noteTimer);
    this.#note = key;
    this.#say(null);
    this.#noteTimer = setTimeout(() => {
      this.#note = null;
      this.#say(null);
    }, ms);
  }

  /** An answer came too late, perhaps because the study went on elsewhere: asks how far it is. */
  async #catchUp() {
    this.#host.tell({ pending: this.#outbox.size });
    const options = { token: this.#store.token, signal: this.#signal };
    const reply = await request("GET", this.#trials(0, 1), options).catch(() => null);
    if (reply?.status === 200) this.#plan?.reached(reply.body.position);
  }

  // --- after the trials -------------------------------------------------------------------------

  /** The debrief comes only when the server has every answer. */
  async #finish() {
    const signal = this.#signal;
    this.#question.clear();
    this.#screens.show("saving", { progress: true, menu: true });
    await this.#outbox.drained(signal);
    for (let polls = 1; ; polls += 1) {
      const reply = await this.#insist("GET", this.#trials(this.#plan.total, 1));
      if (reply.status === 401) return this.#invalid();
      if (reply.status !== 200) return this.#unexpected();
      if (reply.body.complete) return this.#debrief(reply.body.debrief);
      if (reply.body.ending) return this.#ended(reply.body.ending);
      if (reply.body.form) return this.#form(reply.body.form);
      // An answer was refused: its question is asked again. Or the participation is over.
      const { state, position, total } = reply.body;
      if (position < total || OVER.includes(state)) return this.#begin(() => this.#resume());
      await pause(backoffMs(polls), signal);
    }
  }

  #debrief(debrief) {
    this.#screens.debrief(debrief);
    this.#screens.show("debrief", { menu: true });
  }

  /** The end for somebody who was screened out or did not pass the check. */
  #ended(ending) {
    this.#screens.debrief(ending);
    this.#screens.show("ended", { menu: true });
  }

  // --- languages --------------------------------------------------------------------------------

  /** The words of `data` in a language, if it is offered. */
  #wording(data, language) {
    return data.wordings[language] ? { language, ...data.wordings[language] } : {};
  }

  #offerLanguages() {
    const choose = (language) => {
      this.#store.language = language;
      this.#data = { ...this.#data, ...this.#wording(this.#data, language) };
      this.#t.speak(this.#data.ui);
      this.#host.speak(language, this.#data.title);
      this.#screens.speak(this.#data);
      this.#offerLanguages();
      this.#host.find(`.languages [lang="${language}"]`).focus();
    };
    this.#screens.languages(this.#data.languages, this.#data.language, choose);
  }

  // --- elsewhere --------------------------------------------------------------------------------

  #turnedAway({ error, reason }) {
    this.#screens.refused(REFUSALS[error], WHAT_HELPS[reason] ?? WHAT_HELPS[error]);
    // Who has agreed already may want to have that deleted.
    this.#screens.show("refused", { menu: Boolean(this.#store.token) });
  }

  async #invalid() {
    this.#question.clear();
    this.#screens.show("invalid");
  }

  /** An answer of the server that this player does not know: says so and tries again. */
  async #unexpected() {
    this.#say("waiting_server");
    await pause(BACKOFF_LAST_MS / 2, this.#signal);
    return this.#begin(() => this.#enter());
  }

  #yieldToOtherTab() {
    this.#begin(async () => this.#screens.show("other_tab"));
  }

  async #continueHere() {
    await this.#tabs.claim(true);
    this.#begin(() => this.#enter());
  }

  async #withdraw() {
    const signal = this.#signal;
    const send = () => request("POST", "/api/withdraw", {
      token: this.#store.token, body: {}, signal,
    });
    const reply = await patiently(send, signal, (waiting) => {
      this.#menu.note(waiting ? this.#t("waiting_server") : "");
    });
    if (reply.status === 200) {
      this.#begin(async () => {
        this.#store.clear();
        this.#screens.show("withdrawn");
      });
    } else if (reply.status === 401) {
      this.#begin(() => this.#invalid());
    } else {
      this.#menu.note(this.#t("server_refused"));
    }
  }

  #personalLink() {
    const { origin, pathname } = window.location;
    const { study, language } = this.#data;
    const search = new URLSearchParams({ study, lang: language });
    return `${origin}${pathname}?${search}#p=${this.#store.token}`;
  }

  /** A personal link brings its token in the fragment: it wins, and leaves the address bar. */
  #adoptTokenFromAddress() {
    const found = TOKEN_IN_FRAGMENT.exec(window.location.hash);
    if (!found) return;
    this.#store.token = found[1];
    this.#store.language = this.#data.language;
    const { pathname, search } = window.location;
    window.history.replaceState(window.history.state, "", pathname + search);
  }

  // --- listeners --------------------------------------------------------------------------------

  #wire() {
    const onPress = (selector, action) => this.#screens.onPress(selector, async () => {
      const signal = this.#signal;
      try {
        await action();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    });
    onPress("#agree", () => this.#consent());
    onPress("#decline", () => this.#screens.show("declined"));
    onPress("#back", () => this.#screens.show("consent"));
    onPress("#reload", () => window.location.reload());
    onPress("#withdraw-confirm", () => this.#withdraw());
    onPress("#here", () => this.#continueHere());
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
    window.addEventListener("hashchange", () => {
      if (TOKEN_IN_FRAGMENT.test(window.location.hash)) this.#begin(() => this.#enter());
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

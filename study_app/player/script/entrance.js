// Before the trials: consent, the forms that are due, the instructions, admission.

import { FormPage } from "./form_page.js";
import { randomHex128 } from "./hash.js";
import { REFUSALS } from "./ending.js";
import { personalLink } from "./personal_link.js";

/** The way from the consent page to admission. */
export class Entrance {
  /** @type {import("./types").Way} */
  #way;
  /** @type {import("./languages.js").Languages} */
  #languages;
  /** @type {import("./ending.js").Ending} */
  #ending;
  /** @type {import("./visitor.js").Visitor} */
  #visitor;
  /** @type {FormPage} */
  #formPage;
  #understood = false; // the check was passed, which comes after the instructions

  /**
   * @param {import("./types").Way} way
   * @param {import("./languages.js").Languages} languages
   * @param {import("./ending.js").Ending} ending
   * @param {import("./visitor.js").Visitor} visitor
   */
  constructor(way, languages, ending, visitor) {
    this.#way = way;
    this.#languages = languages;
    this.#ending = ending;
    this.#visitor = visitor;
    this.#formPage = new FormPage(way.host, languages.t, way.store);
  }

  /** The participant agrees. */
  async consent() {
    const { activities, screens, store, turn } = this.#way;
    // Another tab may have agreed meanwhile: one person, one participant.
    if (store.token) return turn.enter();
    store.nonce ??= randomHex128();
    await this.#visitor.sign();
    store.touch();
    const { study, consent_sha256, language, provider } = this.#languages.data;
    const body = { study, consent_sha256, language, provider, nonce: store.nonce };
    const reply = await activities.insist("POST", "/api/consent", body);
    if (reply.status === 200 || reply.status === 201) {
      store.token = reply.body.token;
      store.nonce = null;
      return turn.enter();
    }
    if (REFUSALS[reply.body.error]) return this.#ending.turnedAway(reply.body);
    if (reply.status === 409) return screens.show("changed");
    return activities.say(reply.status === 404 ? "not_open" : "server_refused");
  }

  /**
   * What comes between consent and admission: forms that are due, and the instructions.
   * @param {import("./types").DueForm | null} form
   */
  async prepare(form) {
    const { activities, host, screens, frames, store } = this.#way;
    if (form?.form === "screening") return this.form(form);
    if (!form && this.#understood) return this.#admit();
    screens.instructions({
      check: Boolean(form),
      again: (form?.attempt ?? 1) > 1,
      keep: store.lasts ? null : this.#link(),
    });
    screens.show("instructions", { menu: true });
    await Promise.all([host.pressed(host.find("#start"), activities.signal), frames.learn()]);
    return form ? this.form(form) : this.#admit();
  }

  /**
   * Shows a form until the server has taken it; then the server says how to go on.
   * @param {import("./types").DueForm} due
   */
  async form(due) {
    const { activities, host, screens, store, turn } = this.#way;
    const { signal } = activities;
    this.#formPage.show(due, signal);
    screens.show("form", { menu: true });
    host.tell({ form: due.form });
    for (;;) {
      const filled = await this.#formPage.filled(signal);
      const body = { form: due.form, attempt: due.attempt, ...filled };
      const reply = await activities.insist("POST", "/api/form", body);
      if (reply.status === 401) return turn.invalid();
      if (reply.status === 200 || reply.status === 409) {
        this.#formPage.done();
        store.touch();
        // Whoever passes screening has read no instructions yet.
        this.#understood = due.form === "comprehension" && reply.body.result === "passed";
        return turn.resume();
      }
      this.#formPage.refused(reply.body.item);
    }
  }

  #link() {
    const { study, language } = this.#languages.data;
    return personalLink(study, language, this.#way.store.token ?? "");
  }

  async #admit() {
    const { activities, turn } = this.#way;
    const reply = await activities.insist("POST", "/api/admit", {});
    if (reply.status === 401) return turn.invalid();
    if (reply.body.ending) return this.#ending.ended(reply.body.ending);
    if (REFUSALS[reply.body.error]) return this.#ending.turnedAway(reply.body);
    if (reply.status === 200 || reply.status === 409) return turn.resume();
    await activities.puzzled();
    return turn.enter();
  }
}

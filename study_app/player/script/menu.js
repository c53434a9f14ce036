// The "?" menu, which can be opened at any time after consent.

/** The "?" menu: the personal link, the instructions again, withdrawal. */
export class Menu {
  /** @type {import("./host.js").Host} */
  #host;
  /** @type {HTMLDialogElement} */
  #dialog;

  /**
   * @param {import("./host.js").Host} host
   * @param {{link: () => string, opened: () => void}} handlers
   */
  constructor(host, handlers) {
    this.#host = host;
    this.#dialog = host.find("#menu");
    const onClick = (selector, handler) => host.onClick(host.find(selector), handler);
    onClick("#menu-button", () => {
      host.find("#link").value = handlers.link();
      this.#page("options");
      this.#dialog.showModal();
      handlers.opened();
    });
    onClick("#menu-close", () => this.close());
    onClick("#withdraw", () => this.#page("withdraw"));
    onClick("#withdraw-keep", () => this.close());
  }

  /** One sentence beside the button that withdraws. */
  note(words) { this.#host.find("#withdraw-note").textContent = words; }

  get open() { return this.#dialog.open; }

  close() { this.#dialog.close(); }

  #page(name) {
    this.#host.find("#menu-options").hidden = name !== "options";
    this.#host.find("#menu-withdraw").hidden = name !== "withdraw";
    this.#host.find("#withdraw-note").textContent = "";
  }
}

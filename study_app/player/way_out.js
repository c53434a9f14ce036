// In Streamlit's page of a study, beside all that Streamlit draws: where the page does not come up,
// because no WebSocket opens here, it shows the way to the light page, which needs none.

(() => {
  const FOR_SOCKET_MS = 5000;
  const FOR_PLAYER_MS = 20_000; // some proxies open the socket and let nothing through
  const LOOK_MS = 250;
  const CONNECTED = '[data-test-connection-state="CONNECTED"]'; // Streamlit's own

  const note = /** @type {HTMLElement} */ (document.getElementById("way-out"));

  /** The light page of this study, with all that this page's address brings. */
  const address = () => {
    const query = new URLSearchParams(window.location.search);
    const study = encodeURIComponent(query.get("study") ?? "");
    query.delete("study");
    return `/p/${study}${`?${query}`.replace(/^\?$/, "")}${window.location.hash}`;
  };

  /** Whether the player is there; from then on it does without the page's connection. */
  const look = (waited) => {
    const up = document.getElementById("plausibly-player") !== null;
    const patience = document.querySelector(CONNECTED) ? FOR_PLAYER_MS : FOR_SOCKET_MS;
    note.hidden = up || waited < patience;
    return up;
  };

  // Once all scripts are here: a slow network is not a missing socket.
  window.addEventListener("load", () => {
    const began = performance.now();
    /** @type {HTMLAnchorElement} */ (note.querySelector("a")).href = address();
    const looking = setInterval(() => {
      if (look(performance.now() - began)) clearInterval(looking);
    }, LOOK_MS);
  });
})();

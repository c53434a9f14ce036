// The personal link: whoever opens it goes on as the participant whose token its fragment brings.

const TOKEN_IN_FRAGMENT = /^#p=([0-9a-f]{32})$/;

/** The token that the address brings, or null. */
export function tokenInAddress() {
  return TOKEN_IN_FRAGMENT.exec(window.location.hash)?.[1] ?? null;
}

/** Takes the token out of the address bar, where others could read it. */
export function clearAddress() {
  const { pathname, search } = window.location;
  window.history.replaceState(window.history.state, "", pathname + search);
}

/**
 * The link with which a participant goes on elsewhere: to the light page, from either.
 * @param {string} study
 * @param {string} language
 * @param {string} token
 */
export function personalLink(study, language, token) {
  const search = new URLSearchParams({ lang: language });
  return `${window.location.origin}/p/${encodeURIComponent(study)}?${search}#p=${token}`;
}

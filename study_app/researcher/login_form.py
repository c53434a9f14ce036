"""The login form: it posts to the server itself, so that scripts never hold the session token."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_CSS = """
form { display: grid; gap: 0.75rem; max-width: 22rem; font: inherit; color: var(--st-text-color); }
label { display: grid; gap: 0.35rem; font-size: 0.95rem; }
input, button { font: inherit; padding: 0.65rem 0.8rem; border-radius: 0.5rem; }
input {
  border: 1px solid var(--st-border-color-light, #8a8f98);
  background: var(--st-background-color); color: inherit;
}
button { border: 0; background: #2b5d8a; color: #fff; cursor: pointer; min-height: 48px; }
button.quiet {
  background: transparent; color: inherit; border: 1px solid currentColor; min-height: 40px;
  padding: 0.3rem 0.8rem;
}
:is(input, button):focus-visible { outline: 3px solid #5aa0e0; outline-offset: 2px; }
p { margin: 0; min-height: 1.4em; }
"""

_LOGIN_HTML = """
<form>
  <label>Password
    <input type="password" name="password" autocomplete="current-password" required>
  </label>
  <button type="submit">Log in</button>
  <p role="alert"></p>
</form>
"""

_LOGIN_JS = """
export default function ({ parentElement }) {
  const form = parentElement.querySelector("form");
  form.onsubmit = async (event) => {
    event.preventDefault();
    const said = form.querySelector("p");
    said.textContent = "";
    try {
      const answer = await fetch("/api/login", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ password: form.password.value }),
      });
      if (answer.ok) return location.reload();
      said.textContent = (await answer.json()).message;
    } catch {
      said.textContent = "The server cannot be reached just now.";
    }
  };
}
"""

_LOGOUT_JS = """
export default function ({ parentElement }) {
  parentElement.querySelector("button").onclick = async () => {
    await fetch("/api/logout", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    location.reload();
  };
}
"""


@cache
def _form() -> ComponentRenderer:
    return st.components.v2.component("plausibly_login", html=_LOGIN_HTML, css=_CSS, js=_LOGIN_JS)


@cache
def _button() -> ComponentRenderer:
    return st.components.v2.component(
        "plausibly_logout",
        html='<button type="button" class="quiet">Log out</button>',
        css=_CSS,
        js=_LOGOUT_JS,
    )


def login_form() -> None:
    """Ask for the password; on success the page reloads with the cookie set."""
    st.title("Researchers")
    st.markdown("Please log in to see answers and to download them.")
    _form()(key="login")
    st.markdown(
        "The password was printed when the server first started; "
        "PLAUSIBLY_PASSWORD in the server's environment sets another."
    )


def logout_button() -> None:
    """End the session."""
    _button()(key="logout")

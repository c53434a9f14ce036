// Light, dark, or as the system has it; remembered where the browser lets a file remember.
const button = document.getElementById("theme");
const root = document.documentElement;
const dark = () =>
  (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
try { root.dataset.theme = localStorage.getItem("plausibly-theme") || ""; } catch { /* not kept */ }
button.hidden = false;
label();
button.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  label();
  try { localStorage.setItem("plausibly-theme", root.dataset.theme); } catch { /* not kept */ }
});

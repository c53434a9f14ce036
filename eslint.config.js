// What `make lint` asks of the player's scripts, beside what TypeScript says of their types.

import js from "@eslint/js";

// All that the player may touch of the browser; anything else undefined is a mistake.
const BROWSER = [
  "AbortController", "AbortSignal", "Blob", "BroadcastChannel", "HTMLElement",
  "HTMLTemplateElement", "ImageData", "Intl", "MutationObserver", "TextEncoder", "URLSearchParams",
  "clearInterval", "clearTimeout", "createImageBitmap", "crypto", "document", "fetch", "localStorage", "navigator",
  "performance", "requestAnimationFrame", "setInterval", "setTimeout", "window",
];

export default [
  { ignores: ["**/*.d.ts"] },
  js.configs.recommended,
  {
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "module",
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-undef": "error",
      "no-unused-vars": "error",
      "no-var": "error",
      "one-var": ["error", "never"],
      "prefer-const": "error",
    },
  },
  {
    files: ["study_app/player/**/*.js"],
    languageOptions: {
      globals: Object.fromEntries(BROWSER.map((name) => [name, "readonly"])),
    },
  },
];

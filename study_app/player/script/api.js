// Requests to the study server, and how patiently they are repeated.

import { backoffMs, pause } from "./waiting.js";

const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_AFTER_MAX_MS = 60_000;
const KEEPALIVE_BYTES = 16_000; // browsers refuse more than 64 KiB under way at once

/** Whether the same request may succeed later: no answer, too many requests, server trouble. */
function isPassing(status) {
  return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;
}

/**
 * fetch with a time limit; reads the body with `read` inside that limit.
 * @template T
 * @param {number} ms
 * @param {string} url
 * @param {RequestInit} options
 * @param {AbortSignal | undefined} signal
 * @param {(response: Response) => Promise<T>} read
 */
export async function fetchWithin(ms, url, options, signal, read) {
  const limit = new AbortController();
  const abort = () => limit.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const timer = setTimeout(() => limit.abort(), ms);
  try {
    const response = await fetch(url, { ...options, signal: limit.signal });
    return { response, content: await read(response) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * One request. Never rejects, except when the signal aborts.
 * @param {string} method
 * @param {string} path
 * @param {{token?: string | null, body?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<import("./types").Reply>}
 */
export async function request(method, path, { token, body, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  /** @type {RequestInit} */
  const options = {
    method,
    headers,
    body: content,
    cache: "no-store",
    credentials: "omit",
    keepalive: method === "POST" && new TextEncoder().encode(content).length <= KEEPALIVE_BYTES,
  };
  try {
    const { response, content: reply } = await fetchWithin(
      REQUEST_TIMEOUT_MS, path, options, signal, (answer) => answer.text(),
    );
    const retryMs = 1000 * (Number(response.headers.get("Retry-After")) || 0);
    return { status: response.status, body: JSON.parse(reply), retryMs };
  } catch {
    if (signal?.aborted) throw signal.reason;
    // A body that is no JSON comes from something between us and the server: like no answer.
    return { status: 0, body: null, retryMs: 0 };
  }
}

/**
 * Repeats `send` until its answer is final.
 * @param {() => Promise<import("./types").Reply>} send
 * @param {AbortSignal} signal
 * @param {(waiting: boolean) => void} [onWaiting]  hears when it has to wait, and when no longer
 */
export async function patiently(send, signal, onWaiting) {
  for (let failures = 0; ; ) {
    const reply = await send();
    if (!isPassing(reply.status)) {
      if (failures) onWaiting?.(false);
      return reply;
    }
    failures += 1;
    onWaiting?.(true);
    await pause(Math.max(backoffMs(failures), Math.min(reply.retryMs, RETRY_AFTER_MAX_MS)), signal);
  }
}

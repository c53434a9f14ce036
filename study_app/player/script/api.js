// Requests to the study server, and how patiently they are repeated.

const REQUEST_TIMEOUT_MS = 10_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_LAST_MS = 15_000;
const RETRY_AFTER_MAX_MS = 60_000;
const KEEPALIVE_BYTES = 16_000; // browsers refuse more than 64 KiB under way at once

/** Milliseconds before attempt n + 1: doubling, at most 15 s, half of it random. */
function backoffMs(failures) {
  const full = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** Math.max(0, failures - 1));
  return full * (0.5 + 0.5 * Math.random());
}

/** Waits; ends early when the network comes back. Rejects when the signal aborts. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer);
      window.removeEventListener("online", wake);
      signal?.removeEventListener("abort", abort);
      settle(value);
    };
    const wake = () => end(resolve);
    const abort = () => end(reject, signal.reason);
    const timer = setTimeout(wake, ms);
    window.addEventListener("online", wake);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
  });
}

/** The promise, or a rejection as soon as the signal aborts. */
function orAbort(promise, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** Whether the same request may succeed later: no answer, too many requests, server trouble. */
function isPassing(status) {
  return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;
}

/** fetch with a time limit; reads the body with `read` inside that limit. */
async function fetchWithin(ms, url, options, signal, read) {
  const limit = new AbortController();
  const abort = () => limit.abort(signal.reason);
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
 * One request. Returns {status, body, retryMs}; status 0 when no answer came. Never rejects,
 * except when the signal aborts.
 */
async function request(method, path, { token, body, signal } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  const options = {
    method,
    headers,
    body: content,
    cache: "no-store",
    credentials: "omit",
    keepalive: method === "POST" && new Blob([content]).size <= KEEPALIVE_BYTES,
  };
  try {
    const { response, content: reply } = await fetchWithin(
      REQUEST_TIMEOUT_MS, path, options, signal, (answer) => answer.text(),
    );
    const retryMs = 1000 * (Number(response.headers.get("Retry-After")) || 0);
    return { status: response.status, body: JSON.parse(reply), retryMs };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    // A body that is no JSON comes from something between us and the server: like no answer.
    return { status: 0, body: null, retryMs: 0 };
  }
}

/** Repeats `send` until its answer is final. `onWaiting(true | false)` tells when it has to wait. */
async function patiently(send, signal, onWaiting = () => {}) {
  for (let failures = 0; ; ) {
    const reply = await send();
    if (!isPassing(reply.status)) {
      if (failures) onWaiting(false);
      return reply;
    }
    failures += 1;
    onWaiting(true);
    await pause(Math.max(backoffMs(failures), Math.min(reply.retryMs, RETRY_AFTER_MAX_MS)), signal);
  }
}

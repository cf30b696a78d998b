/** Every request of this page goes through here, and what is worth seeing is told to whoever watches. */

const watchers = [];

/** Call `seen(exchange)` when a request leaves, and again when its answer is there. `exchange.again`: nobody clicked, it is a repeat. */
export const watch = (seen) => watchers.push(seen);

/**
 * Ask the API. Never throws: `answer.status` is 0 where no answer came.
 * `again`: the same as before, by the clock. `quiet`: the page's own looking, which is not shown.
 */
export async function ask(method, path, { body, key, again = false, quiet = false } = {}) {
  const exchange = { method, path, body, key, again, answer: null };
  const tell = () => quiet || watchers.forEach((seen) => seen(exchange));
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key !== undefined) headers["Idempotency-Key"] = key;
  const started = performance.now();
  tell();
  exchange.answer = await answered(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
  exchange.answer.ms = Math.round(performance.now() - started);
  tell();
  return exchange.answer;
}

async function answered(path, request) {
  try {
    const response = await fetch(path, request);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    const { status, statusText, headers, ok } = response;
    return { status, statusText, ok, text, json: isJson ? JSON.parse(text) : null, header: (name) => headers.get(name) };
  } catch {
    return { status: 0, statusText: "No answer", ok: false, text: "", json: null, header: () => null };
  }
}

/** The same request for a shell. */
export function curl({ method, path, body, key }) {
  const lines = [`curl -i ${/[?&]/.test(path) ? quoted(location.origin + path) : location.origin + path}`];
  if (method !== "GET" && body === undefined) lines[0] = lines[0].replace("-i", `-i -X ${method}`);
  if (key !== undefined) lines.push(`-H ${quoted(`Idempotency-Key: ${key}`)}`);
  if (body !== undefined) lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(body, null, 2).replaceAll("\n", "\n  "))}`);
  return lines.join(" \\\n  ");
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A small client: what every call needs, in one place. Built-in modules only, Node.js 20 or newer.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const RETRIES = 5;

// The service refused; `code` is stable, the message is for people.
export class ApiError extends Error {
  constructor(status, error) {
    super(`${status} ${error.code}: ${error.message} (request ${error.requestId}) ${error.suggestion ?? ""}`);
    this.code = error.code;
    this.retryable = error.retryable ?? false;
  }
}

// Retries what is worth retrying, always with the same Idempotency-Key.
export class Novitai {
  constructor(url = process.env.NOVITAI_URL, key = process.env.NOVITAI_API_KEY) {
    if (!url || !key) throw new Error("Set NOVITAI_URL and NOVITAI_API_KEY.");
    this.url = url.replace(/\/$/, "");
    this.headers = { authorization: `Bearer ${key}` };
  }

  async call(method, path, body) {
    const headers = { ...this.headers };
    if (method === "POST") headers["idempotency-key"] = randomUUID();
    if (body !== undefined) headers["content-type"] = "application/json";
    for (let attempt = 0; ; attempt++) {
      const isLast = attempt === RETRIES;
      let answer, text;
      try {
        answer = await fetch(this.url + path, {
          method,
          headers,
          body: body === undefined ? undefined : JSON.stringify(body),
          signal: AbortSignal.timeout(60_000),
        });
        text = await answer.text();
      } catch (error) {
        // It may have arrived: the key keeps it from being done twice.
        if (isLast) throw error;
        await sleep(1000 * 2 ** attempt);
        continue;
      }
      if (answer.ok) return text ? JSON.parse(text) : undefined;
      const error = new ApiError(answer.status, errorOf(answer.status, text));
      if (isLast || !error.retryable) throw error;
      await sleep(1000 * Number(answer.headers.get("retry-after") ?? 2 ** attempt));
    }
  }

  async create(body) {
    return (await this.call("POST", "/api/instances", body)).instanceId;
  }

  createEndpoint(url, eventTypes) {
    return this.call("POST", "/api/webhooks", { url, eventTypes });
  }

  deleteEndpoint(id) {
    return this.call("DELETE", `/api/webhooks/${id}`);
  }

  get(id) {
    return this.call("GET", `/api/instances/${id}`);
  }

  terminate(id) {
    return this.call("DELETE", `/api/instances/${id}`);
  }

  // The instance once it got there; throws if it never will. The service tells at once: nobody has
  // to ask again and again.
  async wait(id, status, { seconds = 1800 } = {}) {
    const deadline = Date.now() + 1000 * seconds;
    while (Date.now() < deadline) {
      const path = `/api/instances/${id}/wait?status=${status}&timeout=30`;
      const instance = await this.call("GET", path);
      console.log(`status ${instance.status}`);
      if (instance.reached) return instance;
      if (instance.waitResult === "unreachable")
        throw new Error(`${id} is ${instance.status}: ${JSON.stringify(instance.error ?? {})}`);
    }
    throw new Error(`${id} is not ${status} after ${seconds} s`);
  }
}

// A proxy in between may answer in its own words.
function errorOf(status, text) {
  try {
    const { error } = JSON.parse(text);
    if (error?.code) return error;
  } catch {
    // No JSON.
  }
  const retryable = [429, 502, 503, 504].includes(status);
  return { code: "UNKNOWN", message: text.slice(0, 200), retryable };
}

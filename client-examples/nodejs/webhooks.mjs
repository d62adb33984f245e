// Receives webhooks and believes only what is signed. Built-in modules only.
// A web framework does the receiving for you; `verify` is the part to keep.
import { createHmac, timingSafeEqual } from "node:crypto";
import { EventEmitter } from "node:events";
import { createServer } from "node:http";

const TOLERANCE_SECONDS = 300;
const MAX_BODY_BYTES = 1_000_000;

// The message; throws on a forgery. `body` is the raw Buffer: parsed and written again it differs.
export function verify(secret, headers, body) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS))
    throw new Error("the message is too old, or from the future");
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  // Several while a secret is being replaced.
  for (const signature of (headers["webhook-signature"] ?? "").split(" ")) {
    const [version, value] = signature.split(",");
    const given = Buffer.from(value ?? "", "base64");
    if (version === "v1" && given.length === expected.length && timingSafeEqual(given, expected))
      return JSON.parse(body.toString("utf8"));
  }
  throw new Error("the signature is wrong");
}

// Collects verified messages; a repeated one is dropped by its webhook-id.
export class Receiver extends EventEmitter {
  secret = ""; // Of the endpoint; until it is known nothing is believed.
  messages = [];
  #seen = new Set();

  async listen(port = 0) {
    this.server = createServer(async (request, response) => {
      try {
        const message = verify(this.secret, request.headers, await bodyOf(request));
        // Answer first, work later: what takes longer than 15 s is sent again.
        response.writeHead(204).end();
        const id = request.headers["webhook-id"];
        if (this.#seen.has(id)) return;
        this.#seen.add(id);
        this.messages.push(message);
        this.emit("message");
      } catch {
        if (!response.headersSent) response.writeHead(401).end();
      }
    });
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    this.port = this.server.address().port;
  }

  async waitFor(instanceId, type, seconds = 60) {
    const signal = AbortSignal.timeout(1000 * seconds);
    for (;;) {
      const found = this.messages.find((m) => m.instanceId === instanceId && m.type === type);
      if (found) return found;
      await EventEmitter.once(this, "message", { signal });
    }
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

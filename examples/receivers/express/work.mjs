// What is done about events: each once, its handlers side by side, again where they fail.

import { setTimeout as sleep } from 'node:timers/promises';

const REMEMBERED_MS = 24 * 60 * 60 * 1000;
const MAX_REMEMBERED = 100_000;
const MAX_WAITING = 1000;
const ATTEMPTS = 3;
const BACKOFF_MS = 2000;
const TIMEOUT_MS = 30_000;

// Handlers by the patterns of the events that they take: a type, all below a prefix (resource.*), or all (*).
export class Router {
  #routes = [];

  on(pattern, handler) {
    this.#routes.push({ pattern, handler });
    return this;
  }

  matching(type) {
    return this.#routes.filter(({ pattern }) => matches(pattern, type));
  }
}

function matches(pattern, type) {
  if (pattern === '*' || pattern === type) return true;
  const prefix = pattern.slice(0, -1);
  return pattern.endsWith('.*') && type.startsWith(prefix) && type.length > prefix.length;
}

// The ids of events, for a day, the oldest first. Yours belong into your database, beside what the events changed.
class Memory {
  #until = new Map();

  // Whether the event is new.
  add(id) {
    const now = Date.now();
    for (const [oldest, until] of this.#until) {
      if (until > now && this.#until.size < MAX_REMEMBERED) break;
      this.#until.delete(oldest);
    }
    if (this.#until.has(id)) return false;
    this.#until.set(id, now + REMEMBERED_MS);
    return true;
  }

  forget(id) {
    this.#until.delete(id);
  }
}

export class Work {
  #router;
  #backoffMs;
  #timeoutMs;
  #memory = new Memory();
  #running = new Set();

  constructor(router, { backoffMs = BACKOFF_MS, timeoutMs = TIMEOUT_MS } = {}) {
    this.#router = router;
    this.#backoffMs = backoffMs;
    this.#timeoutMs = timeoutMs;
  }

  hasRoomFor(count) {
    return this.#running.size + count <= MAX_WAITING;
  }

  // Takes events on, and says how many of them are new. The work itself comes later.
  take(events) {
    const fresh = events.filter(({ id }) => this.#memory.add(id));
    for (const event of fresh) {
      const running = this.#handle(event).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
    return fresh.length;
  }

  // Ends when all that was taken on is done.
  async finish() {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #handle(event) {
    let routes = this.#router.matching(event.type);
    for (let attempt = 1; ; attempt += 1) {
      const results = await Promise.allSettled(routes.map(({ handler }) => within(this.#timeoutMs, handler, event)));
      results.forEach(({ status, reason }, index) => {
        if (status === 'rejected') console.error(`handler ${routes[index].pattern} failed for ${event.id}, attempt ${attempt}:`, reason);
      });
      routes = routes.filter((_, index) => results[index].status === 'rejected');
      if (routes.length === 0) return;
      if (attempt === ATTEMPTS) break;
      await sleep(this.#backoffMs * 2 ** (attempt - 1));
    }
    console.error(`gave up ${event.id}`);
    this.#memory.forget(event.id); // If it is sent again, it is welcome.
  }
}

// Runs a handler; one that takes too long counts as failed.
async function within(ms, handler, event) {
  const timer = new AbortController();
  const late = async () => {
    await sleep(ms, undefined, { signal: timer.signal });
    throw new Error(`took longer than ${ms} ms`);
  };
  try {
    await Promise.race([handler(event), late()]);
  } finally {
    timer.abort();
  }
}

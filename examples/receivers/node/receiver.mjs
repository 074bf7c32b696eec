// A receiver of webhooks on Node.js 20 or later, without dependencies.
//
//   WEBHOOK_SECRET=whsec_… PORT=3000 node receiver.mjs [--fail-first N]
//
// Verifies each request before believing it, and prints one line per accepted event; a batch has several. With --fail-first it
// answers 500 to the first N genuine requests, to show retries.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const TOLERANCE_SECONDS = 300;
const MAX_BODY_BYTES = 4 * 1024 * 1024;

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Throws a Refusal unless `body` (the raw bytes) was signed with `secret` just now.
function verify(headers, body, secret, now) {
  const timestamp = headers['x-pcf-timestamp'];
  const signature = headers['x-pcf-signature'];
  if (!timestamp || !signature) throw new Refusal(400, 'Missing required headers');
  if (!/^\d{1,15}$/.test(timestamp)) throw new Refusal(400, 'Timestamp is not a number of seconds');
  if (Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) throw new Refusal(400, 'Timestamp too old');

  const digest = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
  const expected = Buffer.from(`sha256=${digest}`);
  const given = Buffer.from(signature);
  // timingSafeEqual throws on different lengths, and a length is no secret.
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Refusal(401, 'Invalid signature');
  }
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Refusal(413, 'Body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

// The events of a request: one, or those of a batch.
function parse(body) {
  let content;
  try {
    content = JSON.parse(body.toString('utf8'));
  } catch {
    throw new Refusal(400, 'Body is not JSON');
  }
  if (content === null || typeof content !== 'object') throw new Refusal(400, 'Body is not a JSON object');
  return Array.isArray(content.events) ? content.events : [content];
}

function start(secret, port, failFirst) {
  let failuresLeft = failFirst;

  async function receive(request) {
    if (request.method !== 'POST') throw new Refusal(405, 'Only POST is served');
    const body = await read(request);
    verify(request.headers, body, secret, Math.floor(Date.now() / 1000));
    const events = parse(body);
    if (failuresLeft > 0) {
      failuresLeft -= 1;
      throw new Refusal(500, 'Failing as told');
    }
    for (const event of events) {
      console.log(`received ${event.type} ${event.id} attempt ${event.webhook?.attempt}`);
    }
  }

  const server = createServer(async (request, response) => {
    let [status, answer] = [200, { received: true }];
    try {
      await receive(request);
    } catch (error) {
      [status, answer] = error instanceof Refusal ? [error.status, { error: error.message }] : [500, { error: 'Internal error' }];
      if (status === 413) response.setHeader('Connection', 'close');
    }
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  });
  server.listen(port, '127.0.0.1', () => {
    console.log(`listening on http://127.0.0.1:${server.address().port}`);
  });
}

const { values } = parseArgs({ options: { 'fail-first': { type: 'string', default: '0' } } });
const secret = process.env.WEBHOOK_SECRET;
const port = process.env.PORT ?? '0';
if (!secret || !/^\d{1,5}$/.test(port) || !/^\d{1,9}$/.test(values['fail-first'])) {
  console.error('usage: WEBHOOK_SECRET=<secret> [PORT=<port>] node receiver.mjs [--fail-first N]');
  process.exit(2);
}
start(secret, Number(port), Number(values['fail-first']));

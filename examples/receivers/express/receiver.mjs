// A receiver of webhooks on Express.

import express from 'express';

import { Refusal, verify } from './verify.mjs';
import { Router, Work } from './work.mjs';

const MAX_BODY = '4mb';

// What is done about events. This is yours to fill.
const router = new Router()
  .on('resource.created', async ({ data }) => {
    console.log(`created ${data.object.id}`);
  })
  .on('*', async ({ type, id, webhook }) => {
    console.log(`received ${type} ${id} attempt ${webhook?.attempt ?? 1}`);
  });

const secrets = (process.env.WEBHOOK_SECRET ?? '').split(' ').filter(Boolean);
if (secrets.length === 0) {
  console.error("WEBHOOK_SECRET must hold the webhook's secret");
  process.exit(2);
}
const work = new Work(router);
const app = express();

// The raw bytes are what is signed: verify them before anything parses them.
app.post('/webhooks/pcf', express.raw({ type: () => true, limit: MAX_BODY }), (request, response) => {
  const body = request.body ?? Buffer.alloc(0);
  verify(request.headers, body, secrets, Math.floor(Date.now() / 1000));
  const { events, batch } = parse(body);
  if (!work.hasRoomFor(events.length)) {
    return response.status(503).set('Retry-After', '5').json({ error: 'Too much work is waiting' });
  }
  const duplicates = events.length - work.take(events);
  response.json({ received: true, ...(batch && { count: events.length }), ...(duplicates > 0 && { duplicates }) });
});

app.use((error, request, response, next) => {
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  response.status(status).json({ error: status < 500 ? error.message : 'Internal error' });
});

// The events of a body: one, or those of a batch.
function parse(body) {
  let content;
  try {
    content = JSON.parse(body.toString('utf8'));
  } catch {
    throw new Refusal(400, 'Body is not JSON');
  }
  const batch = Array.isArray(content?.events);
  const events = batch ? content.events : [content];
  if (!events.every((event) => typeof event?.id === 'string' && typeof event.type === 'string')) {
    throw new Refusal(400, 'Body is not an event');
  }
  return { events, batch };
}

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

process.once('SIGTERM', () => {
  server.close(() => work.finish());
});

// The calls of an application that keeps webhooks: node client.mjs CALL [ARGUMENT as JSON]…
import crypto from 'node:crypto';

const { API: api, TOKEN: token } = process.env;
const authorization = { Authorization: `Bearer ${token}` };
const json = { ...authorization, 'Content-Type': 'application/json' };

const calls = {
  create: (webhook) =>
    fetch(`${api}/v1/webhooks`, { method: 'POST', headers: json, body: JSON.stringify(webhook) }),
  list: () => fetch(`${api}/v1/webhooks`, { headers: authorization }),
  update: (webhookId, updates) =>
    fetch(`${api}/v1/webhooks/${webhookId}`, { method: 'PATCH', headers: json, body: JSON.stringify(updates) }),
  test: (webhookId, eventType) =>
    fetch(`${api}/v1/webhooks/${webhookId}/test`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({
        event_type: eventType || 'test.ping',
        data: { message: 'Test webhook delivery' },
      }),
    }),
  deliveries: (webhookId) => fetch(`${api}/v1/webhooks/${webhookId}/deliveries`, { headers: authorization }),
  retry: (deliveryId) =>
    fetch(`${api}/v1/webhooks/deliveries/${deliveryId}/retry`, { method: 'POST', headers: authorization }),
  publish: (events) =>
    fetch(`${api}/v1/events/batch`, { method: 'POST', headers: json, body: JSON.stringify({ events }) }),
  metrics: () => fetch(`${api}/metrics/webhooks`, { headers: authorization }),
};

// What a receiver does with the raw body, before it looks into it.
const verify = (payload, timestamp, signature, secret) => {
  const digest = crypto.createHmac('sha256', secret).update(`${timestamp}.${payload}`).digest('hex');
  return crypto.timingSafeEqual(Buffer.from(signature), Buffer.from(`sha256=${digest}`));
};

const [call, ...args] = process.argv.slice(2);
const values = args.map((argument) => JSON.parse(argument));
if (call === 'verify') {
  console.log(JSON.stringify({ ok: verify(...values) }));
} else {
  const response = await calls[call](...values);
  console.log(JSON.stringify({ ok: response.ok, status: response.status, body: await response.json() }));
}

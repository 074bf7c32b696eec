// Whom to believe.

import { createHmac, timingSafeEqual } from 'node:crypto';

const TOLERANCE_SECONDS = 300;

// A request that is not accepted, and the status that says so.
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Throws a Refusal unless `body` (the raw bytes) was signed just now with one of the secrets.
//
// While a secret is being rotated, the sender signs with the new one and, in a header of its own, with the one before; and we
// may know both.
export function verify(headers, body, secrets, now) {
  const timestamp = headers['x-pcf-timestamp'];
  const given = [headers['x-pcf-signature'], headers['x-pcf-signature-previous']].filter(Boolean);
  if (!timestamp || given.length === 0) throw new Refusal(400, 'Missing required headers');
  if (!/^\d{1,15}$/.test(timestamp)) throw new Refusal(400, 'Timestamp is not a number of seconds');
  if (Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) throw new Refusal(400, 'Timestamp too old');

  const expected = secrets.map((secret) => sign(secret, timestamp, body));
  if (!given.some((signature) => expected.some((genuine) => equal(signature, genuine)))) {
    throw new Refusal(401, 'Invalid signature');
  }
}

function sign(secret, timestamp, body) {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`;
}

// Without telling by its time how far they agree. The length of a signature is no secret.
function equal(one, other) {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

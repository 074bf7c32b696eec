#!/usr/bin/env node
// Has the official package judge requests. Each line of the input is one, {"secret", "headers", "body"}; each line of the output a
// verdict: "genuine", or why not.

import { createInterface } from 'node:readline';

import { Webhook } from 'standardwebhooks';

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    new Webhook(secret).verify(body, headers);
    console.log('genuine');
  } catch (error) {
    console.log(error.message);
  }
}

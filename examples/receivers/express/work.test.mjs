// node --test

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Router, Work } from './work.mjs';

const event = { id: 'evt_1', type: 'user.login' };

test('what fails runs again without what succeeded, and in the end the event may come again', async () => {
  const runs = [];
  const fails = async () => {
    runs.push('ill');
    throw new Error('as told');
  };
  const router = new Router()
    .on('user.*', fails)
    .on('user.login', async () => runs.push('well'))
    .on('user', async () => runs.push('wrong'))
    .on('users.*', async () => runs.push('wrong'));
  const work = new Work(router, { backoffMs: 1 });
  assert.equal(work.take([event, event]), 1);
  assert.equal(work.take([event]), 0);
  await work.finish();
  assert.deepEqual(runs, ['ill', 'well', 'ill', 'ill']);
  assert.equal(work.take([event]), 1);
  await work.finish();
});

test('what succeeded is known when it comes again', async () => {
  const work = new Work(new Router().on('*', async () => {}));
  assert.equal(work.take([event]), 1);
  await work.finish();
  assert.equal(work.take([event]), 0);
});

test('a handler that hangs is given up', async () => {
  const work = new Work(new Router().on('*', () => new Promise(() => {})), { backoffMs: 1, timeoutMs: 1 });
  work.take([event]);
  await work.finish();
  assert.equal(work.take([event]), 1);
  await work.finish();
});

test('there is room for a thousand events', async () => {
  const work = new Work(new Router());
  assert.equal(work.hasRoomFor(1000), true);
  assert.equal(work.hasRoomFor(1001), false);
});

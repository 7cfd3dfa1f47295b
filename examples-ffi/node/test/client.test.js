// What a program in Node sees: promises, errors, background export, and a loop that goes on.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client } from '../mona.js';
import { MESSAGE, SLOW, messages, requests, reset, turnsUntil } from './support.js';

let client;

beforeEach(async () => {
  await reset();
  client = await Client.create();
});

test('a message arrives as it was given', async () => {
  const fields = { größe: '💶', none: null, deep: { x: [1.5] } };
  const document = await client.export({ message: fields, contextClass: 'LOANS' });
  assert.deepEqual([document.success, document.sent], [true, 1]);
  assert.deepEqual((await messages()).map(({ message }) => message), [fields]);
});

test('JSON text goes through digit by digit', async () => {
  await client.export('{"message":{"x":12345678901234567890.10},"contextClass":"LOANS"}');
  assert.match((await requests())[0].text, /"x":12345678901234567890\.10\}/);
});

test('the text of a document has the digits that its numbers lose', async () => {
  await reset([]);
  await reset('[{"path":"/insights","json":{"response_data":[{"id":12345678901234567890}]}}]');
  const document = await client.service('get_insights', { context_class: 'LOANS', min_segment_size: 1 });
  assert.match(document.json, /"id":12345678901234567890/);
});

test('the event loop goes on during a slow call', async () => {
  await reset(SLOW);
  assert.ok((await turnsUntil(client.export(MESSAGE))) > 5);
});

test('the event loop goes on during a slow login, flush and close', async () => {
  await reset([{ path: '*/api-token', delay_ms: 300, status: 401, json: {} }, ...SLOW]);
  assert.ok((await turnsUntil(Client.create({ api_key: 'another' }))) > 5);
  client.enqueue(MESSAGE);
  assert.ok((await turnsUntil(client.flush())) > 5);
  client.enqueue(MESSAGE);
  assert.ok((await turnsUntil(client.close())) > 5);
});

test('each of many calls gets its own answer', async () => {
  const calls = Array.from({ length: 200 }, (_, number) => client.export(Array(number + 1).fill(MESSAGE)));
  const sent = (await Promise.all(calls)).map((document) => document.sent);
  assert.deepEqual(sent, Array.from({ length: 200 }, (_, number) => number + 1));
});

test('a failure that is not to be raised is a document', async () => {
  const lost = await Client.create({ override_rest_api_host: '127.0.0.1:1' });
  const document = await lost.export(MESSAGE);
  assert.deepEqual([document.success, document.status, document.error_kind], [false, 1, 'connection']);
});

test('negative statuses reject', async () => {
  await assert.rejects(client.export('x'), { name: 'MonaError', code: 'MONA_ERROR_INVALID_ARGUMENT', status: -1 });
  await assert.rejects(client.service('no_such_service'), { code: 'MONA_ERROR_INVALID_ARGUMENT' });
  await assert.rejects(Client.create({ api_kee: 1 }), { code: 'MONA_ERROR_INITIALIZATION', message: /api_key/ });
  const down = { raise_export_exceptions: true, raise_service_exceptions: true };
  const nowhere = { override_rest_api_host: '127.0.0.1:1', override_app_server_host: '127.0.0.1:1' };
  const strict = await Client.create({ ...down, ...nowhere });
  await assert.rejects(strict.export(MESSAGE), { code: 'MONA_ERROR_EXPORT', kind: 'connection', retriable: true });
  await assert.rejects(strict.service('get_config'), { code: 'MONA_ERROR_SERVICE' });
  await strict.close();
  await assert.rejects(strict.export(MESSAGE), { code: 'MONA_ERROR_CLOSED' });
});

test('a login that is refused rejects', async () => {
  await reset([{ path: '*/api-token', status: 401, json: { errors: ['no'] } }]);
  const strict = { api_key: 'third', raise_authentication_exceptions: true };
  await assert.rejects(Client.create(strict), { code: 'MONA_ERROR_AUTHENTICATION' });
});

test('what is enqueued arrives', async () => {
  assert.equal(client.enqueue(Array(10).fill(MESSAGE)).accepted, 10);
  assert.equal(await client.flush(30_000), true);
  assert.deepEqual([client.stats().delivered, (await messages()).length], [10, 10]);
});

test('no room is an error', async () => {
  const small = await Client.create({ queue: { max_messages: 2 } });
  assert.throws(() => small.enqueue(Array(3).fill(MESSAGE)), { code: 'MONA_ERROR_QUEUE_FULL' });
});

test('flush tells that the time was up', async () => {
  await reset([{ path: '/export', status: 503 }]);
  const impatient = await Client.create({ queue: { free_timeout_ms: 0 } });
  impatient.enqueue(MESSAGE);
  assert.equal(await impatient.flush(0), false);
  assert.equal((await impatient.close(0)).undelivered, 1);
});

test('flushes leave the thread pool to others', async () => {
  await reset([{ path: '/export', status: 503 }]);
  const patient = await Client.create({ queue: { back_off_first_ms: 1 } });
  patient.enqueue(MESSAGE);
  const flushes = Array.from({ length: 4 }, () => patient.flush(3_000));
  const read = readFile(fileURLToPath(import.meta.url)).then(() => 'read');
  assert.equal(await Promise.race([read, ...flushes]), 'read');
  await reset();
  assert.deepEqual(await Promise.all(flushes), Array(4).fill(true));
});

test('flush waits for what was enqueued before, and no longer', async () => {
  await reset([{ path: '/export', delay_ms: 200, times: 1 }, { path: '/export', status: 503 }]);
  const other = await Client.create({ queue: { linger_ms: 0, free_timeout_ms: 0 } });
  other.enqueue(MESSAGE);
  while (other.stats().in_flight === 0) await new Promise(setImmediate);
  const flushed = other.flush(30_000);
  other.enqueue(MESSAGE);
  assert.equal(await flushed, true);
  assert.equal(other.stats().delivered, 1);
  assert.equal(await other.flush(0), false);
  await other.close(0);
  assert.equal(await other.flush(), true);
});

test('flush waits for a message though later ones are settled before it', async () => {
  await reset([{ path: '/export', delay_ms: 60_000 }]);
  const full = await Client.create({ queue: { linger_ms: 0, max_messages: 3, overflow: 'drop_oldest' } });
  full.enqueue(MESSAGE);
  while (full.stats().in_flight === 0) await new Promise(setImmediate);
  full.enqueue([MESSAGE, MESSAGE]);
  let done = false;
  const flushed = full.flush().then(() => (done = true));
  for (let dropped = 0; dropped < 10; dropped++) full.enqueue(MESSAGE);
  assert.equal(full.stats().dropped.overflow, 10);
  // As long as the other needs to look several times.
  assert.equal(await full.flush(100), false);
  assert.equal(done, false);
  // What held it back is forgotten.
  await reset();
  await flushed;
});

test('no end is no time-out', async () => {
  await reset(SLOW);
  client.enqueue(MESSAGE);
  assert.equal(await client.flush(Infinity), true);
  client.enqueue(MESSAGE);
  assert.equal((await client.close(Infinity)).undelivered, 0);
});

test('only no time and infinity have no end', { timeout: 30_000 }, async () => {
  const lost = { override_rest_api_host: '127.0.0.1:1', queue: { free_timeout_ms: 0 } };
  for (const past of [-1, -0.5, -1e300, -Infinity]) {
    const impatient = await Client.create(lost);
    impatient.enqueue(MESSAGE);
    assert.equal(await impatient.flush(past), false);
    assert.equal((await impatient.close(past)).undelivered, 1);
  }
  for (const long of [null, 2 ** 64, Number.MAX_VALUE]) {
    const patient = await Client.create();
    patient.enqueue(MESSAGE);
    assert.equal(await patient.flush(long), true);
    patient.enqueue(MESSAGE);
    assert.equal((await patient.close(long)).undelivered, 0);
  }
});

test('a time-out that is no number is a type error', { timeout: 30_000 }, async () => {
  for (const timeout of [NaN, '5', 5n, {}, true]) {
    await assert.rejects(client.flush(timeout), { name: 'TypeError', message: /time-out/ });
    await assert.rejects(client.close(timeout), { name: 'TypeError', message: /time-out/ });
  }
  assert.equal((await client.export([])).success, true);
});

test('flush ends with the client, whatever its spool keeps', async (t) => {
  await reset([{ path: '/export', status: 503 }]);
  const spool_dir = await mkdtemp(join(tmpdir(), 'mona-'));
  t.after(() => rm(spool_dir, { recursive: true }));
  const durable = await Client.create({ queue: { spool_dir } });
  durable.enqueue(MESSAGE);
  const flushed = durable.flush();
  assert.equal((await durable.close(0)).on_disk, 1);
  assert.equal(await flushed, false);
});

test('a second copy of the file has clients of its own', async () => {
  const { Client: Other } = await import('../mona.js?second');
  assert.notEqual(Other, Client);
  assert.equal((await (await Other.create()).export(MESSAGE)).sent, 1);
});

test('a text that C would cut off is a type error', async () => {
  const refused = (name) => ({ name: 'TypeError', message: new RegExp(`^${name} .*NUL`) });
  await assert.rejects(Client.create('{}\0'), refused('config'));
  await assert.rejects(client.service('get_config\0x'), refused('service'));
  await assert.rejects(client.export([], '{}\0x'), refused('options'));
  assert.throws(() => client.enqueue([], '{}\0x'), refused('options'));
  assert.deepEqual(await requests(), []);
});

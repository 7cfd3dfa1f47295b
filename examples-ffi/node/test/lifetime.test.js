// Memory, the collector, and the end of the program.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import test, { beforeEach } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import koffi from 'koffi';
import { Client } from '../mona.js';
import { CALLS, MESSAGE, ROOT, messages, reset } from './support.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

const counters = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'.split(' ');
koffi.struct('mallinfo2', Object.fromEntries(counters.map((name) => [name, 'size_t'])));
const mallinfo = koffi.load(null).func('mallinfo2 mallinfo2()');

/** The bytes that malloc has given away: JavaScript's own objects are elsewhere. */
async function allocated() {
  gc();
  await sleep(10);
  const { uordblks, hblkhd } = mallinfo();
  return uordblks + hblkhd;
}

/** Memory after many calls is what it was after some. */
async function flat(act) {
  await act(CALLS / 5);
  const before = await allocated();
  await act(CALLS);
  const more = (await allocated()) - before;
  assert.ok(more < 2 << 20, `${more} bytes more`);
}

const descriptors = () => readdirSync('/proc/self/fd').length;

beforeEach(() => reset());

test('calls leave nothing', async () => {
  const client = await Client.create();
  await flat(async (calls) => {
    for (let number = 0; number < calls; number += 20) {
      client.enqueue(MESSAGE);
      assert.throws(() => client.enqueue('x'), { status: -1 });
      await client.export(number % 1000 === 0 ? MESSAGE : []);
      await assert.rejects(client.service('get_insights'), { status: -1 });
      await Promise.all(Array.from({ length: 15 }, () => client.export([])));
      client.stats();
    }
    await client.flush();
  });
});

test('clients leave nothing', async () => {
  const open = async () => {
    const client = await Client.create({ authenticate_on_init: false });
    await client.export([]);
  };
  const collected = async (before) => {
    for (gc(); descriptors() > before; gc()) await sleep(1);
  };
  await open();
  await sleep(10);
  const before = descriptors();
  for (let number = 0; number < 100; number++) await open();
  await collected(before + 2);
});

/** What a program of its own says. */
function node(program) {
  const text = `import { Client } from '${ROOT}/examples-ffi/node/mona.js';
    const message = { message: { a: 1 }, contextClass: 'LOANS' };
    ${program}`;
  return execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', text], { encoding: 'utf8', timeout: 60_000 });
}

test('what is enqueued arrives though the program ends', async () => {
  node('(await Client.create()).enqueue(message)');
  node('(await Client.create()).enqueue(message); process.exit()');
  assert.equal((await messages()).length, 2);
});

test('a call under way keeps the program and its client alive, an idle client does not', async () => {
  await reset([{ path: '/export', delay_ms: 200 }]);
  const said = node(`
    const call = (await Client.create()).export(message);
    gc();
    call.then(({ sent }) => console.log(sent));
  `);
  assert.equal(said, '1\n');
});

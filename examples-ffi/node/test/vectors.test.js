// The cases of tests/vectors.txt.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Client, MonaError } from '../mona.js';
import { ROOT, requests, reset } from './support.js';

const EXPECTED = ['status', 'document', 'request'];

/** Each case as pairs of a key and a text; the first has what stands before all cases. */
function cases() {
  const found = [[]];
  for (const line of readFileSync(`${ROOT}/tests/vectors.txt`, 'utf8').split('\n')) {
    const [, key, text] = /^(\S*) ?(.*)$/s.exec(line);
    if (key === 'case') found.push([]);
    if (key && key !== '#') found.at(-1).push([key, text]);
  }
  return found;
}

async function play({ call, input, options, config }) {
  const client = await Client.create(config);
  try {
    return await (call === 'export' ? client.export(input, options) : client.service(call, input, options));
  } catch (error) {
    if (!(error instanceof MonaError)) throw error;
    return error.document;
  }
}

/** An event's document is that of the synchronous call, with three members in front. */
const synchronous = (json) => json.replace(/^\{"type":"\w+","tag":"\d+","status":-?\d+,/, '{');

test('every case', async () => {
  const [head, ...found] = cases();
  assert.ok(found.length >= 200);
  for (const given of found) {
    const expected = given.filter(([key]) => EXPECTED.includes(key));
    const values = { ...Object.fromEntries(head), ...Object.fromEntries(given) };
    await reset(values.answer ?? '[]');
    const document = await play(values);
    const sent = (await requests()).map(({ path, text }) => ['request', `${path} ${text}`]);
    const ours = [['status', String(document.status)], ['document', synchronous(document.json)], ...sent];
    assert.deepEqual(ours, expected, values.case);
  }
});

// Sends Mona what a model answered and how it turned out, and asks for a configuration that fits.
//
//     node examples-ffi/node/example.js examples-c/data
//
// The account is in the environment: docs/configuration.md.

import { readFile } from 'node:fs/promises';
import { Client } from './mona.js';

async function read(name) {
  const text = await readFile(`${process.argv[2]}/${name}`, 'utf8');
  return text.trim().split('\n').map((line) => JSON.parse(line));
}

const client = await Client.create();

// At once: the answer tells what became of each message.
const { sent, failed } = await client.export(await read('inference.jsonl'));
console.log(`${sent} sent, ${failed} failed`);

// In the background: the program goes on.
client.enqueue(await read('feedback.jsonl'));
await client.flush();
console.log(`${client.stats().delivered} delivered`);

const suggested = await client.service('get_suggested_config');
for (const [name, { fields }] of Object.entries(suggested.data)) {
  console.log(`${name}: ${Object.keys(fields).join(', ')}`);
}

await client.close();

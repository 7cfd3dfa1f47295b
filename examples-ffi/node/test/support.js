// The sandbox that scripts/with-sandbox started, and what several tests need.

import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const CALLS = Number(process.env.MONA_CALLS ?? 100_000);
export const SLOW = [{ path: '/export', delay_ms: 500 }];
export const MESSAGE = { message: { a: 1 }, contextClass: 'LOANS', contextId: 'id-1' };

async function ask(method, path, body) {
  const answer = await fetch(`${process.env.MONA_SANDBOX_URL}/sandbox/${path}`, { method, body });
  return answer.json();
}

/** The sandbox forgets everything, lets everybody in, and plays these rules (values, or text of JSON). */
export async function reset(rules = []) {
  const text = typeof rules === 'string' ? rules : JSON.stringify(rules);
  await ask('POST', 'reset');
  await ask('POST', 'rules', `{"defaults":{"enforce_auth":false},"rules":${text}}`);
}

/** What arrived, but for logins. */
export async function requests() {
  return (await ask('GET', 'requests')).filter(({ path }) => !path.includes('/auth/'));
}

export async function messages() {
  return (await ask('GET', 'messages')).map(({ message }) => message);
}

/** How often the event loop turned until the promise was settled. */
export async function turnsUntil(promise) {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await promise.finally(() => clearInterval(timer));
  return turns;
}

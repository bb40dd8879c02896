// Where the sandbox is and how to get in.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export const { salesforce, hubspot } = JSON.parse(readFileSync(process.env.SANDBOX_ANNOUNCEMENT, 'utf8'));

/** Fails unless a call is refused; gives the refusal. */
export async function refused(call, what) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return assert.fail(`${what} was not refused`);
}

/** All items of an async iterable or a stream of records. */
export async function all(records) {
  const list = [];
  for await (const record of records) list.push(record);
  return list;
}

/** Asks until the answer is as it should be: HubSpot shows what was written after a while. Gives the answer. */
export async function eventually(ask, holds, what) {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    assert.ok(Date.now() < deadline, what);
    await pause(1000);
  }
}

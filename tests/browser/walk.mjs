// Walks through the console as people do, in a real browser, against a running demo: first a newcomer's first sync, then
// what comes after it.
//
//   node walk.mjs <the landbridge binary> <folder for the pictures> [--until turned-on]
//
// Needs Debian's chromium and `npm ci`. Starts the demo itself, and ends it.

import assert from "node:assert/strict";
import { hubspotOf, salesforceOf, startBrowser, startDemo } from "./lib.mjs";
import { runningSyncs } from "./running.mjs";
import { firstSync } from "./wizard.mjs";

const [binary, pictures, , until] = process.argv.slice(2);
if (!binary || !pictures) {
  console.error("usage: node walk.mjs <the landbridge binary> <folder for the pictures> [--until turned-on]");
  process.exit(2);
}

const browser = await startBrowser(pictures);
let demo = null;
let failed = null;
try {
  demo = await startDemo(binary, ["--records", "1500", "--limits", "off"]);
  const { place } = demo;
  const world = { place, salesforce: await salesforceOf(place), hubspot: hubspotOf(place), browser, until };
  await firstSync(world);
  console.log("A newcomer's first sync works, as both systems tell it.");
  if (!until) {
    await runningSyncs(world);
    console.log("What comes after it works, as both systems tell it.");
  }
  assert.deepEqual(browser.troubles, [], "the browser notes no error");
} catch (error) {
  failed = error;
  console.error(error);
  await browser.pictureAll("failed");
} finally {
  await browser.end();
  await demo?.end();
}
process.exit(failed ? 1 : 0);

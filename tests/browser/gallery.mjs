// Opens every page of the gallery at two widths, in light and dark, and takes a picture of each.
//
//   node gallery.mjs <folder of the gallery> <folder for the pictures> [part of a page's name]
//
// A page passes when it does not scroll sideways, writes no error to the browser's console (a breach of the Content
// Security Policy is one), and axe finds no serious violation. Needs Debian's chromium and `npm ci`.

import { readFile } from "node:fs/promises";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [gallery, pictures, only] = process.argv.slice(2);
if (!gallery || !pictures) {
  console.error("usage: node gallery.mjs <folder of the gallery> <folder for the pictures> [part of a page's name]");
  process.exit(2);
}
mkdirSync(pictures, { recursive: true });

// The policy under which the console serves its pages; crates/control/src/console.rs has it.
const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const types = { ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };

const posted = [];
const server = createServer(async (request, response) => {
  const path = new URL(request.url, "http://gallery").pathname;
  if (request.headers.accept === "text/event-stream") {
    // A live page waits for events; the gallery has none to tell.
    response.writeHead(200, { "content-type": "text/event-stream" });
    return;
  }
  if (request.method === "POST") {
    // A console answers a form that is checked with the step's page as it is then; here, with nothing left to put right.
    const parts = [];
    for await (const part of request) parts.push(part);
    posted.push({ path, body: new URLSearchParams(Buffer.concat(parts).toString()) });
    const content = path.endsWith("/edit/mappings") ? await readFile(join(gallery, "wizard-mappings--filled.html")) : "";
    response.writeHead(200, { "content-type": types[".html"] }).end(content);
    return;
  }
  try {
    const content = await readFile(join(gallery, path));
    response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream", "content-security-policy": policy });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const profile = mkdtempSync(join(tmpdir(), "landbridge-browser-"));
const options = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};
const browser = await chromium.launchPersistentContext(profile, options);

const pages = readdirSync(gallery)
  .filter((name) => name.endsWith(".html") && name !== "index.html" && (!only || name.includes(only)))
  .sort();
const troubles = [];

// What of a page stands out to the right, when the page scrolls sideways.
const widerThanWindow = () => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return null;
  const scrolls = (element) => {
    for (let up = element.parentElement; up; up = up.parentElement) {
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return true;
    }
    return false;
  };
  const culprits = [...document.querySelectorAll("main *, header *, nav *")].filter(
    (element) => element.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(element),
  );
  return `${root.scrollWidth} wide; ${culprits.slice(0, 4).map((element) => `${element.tagName}.${element.className}`).join(", ")}`;
};

// Serious violations that axe finds; in the dark only the contrast can differ from what was found in the light.
const violations = async (rules) => {
  const options = { resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) };
  const result = await globalThis.axe.run(document, options);
  return result.violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.help} (${violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ")})`);
};

async function look(tab, page) {
  let name = page;
  const onConsole = (message) => message.type() === "error" && troubles.push(`${name}: console: ${message.text()}`);
  const onError = (error) => troubles.push(`${name}: script: ${error.message}`);
  tab.on("console", onConsole);
  tab.on("pageerror", onError);
  for (const width of [1440, 380]) {
    await tab.setViewportSize({ width, height: 900 });
    await tab.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
    await tab.goto(`${origin}/${page}`, { waitUntil: "load" });
    // Evaluated by the debugger's protocol, which the page's policy does not govern.
    await tab.evaluate(axe);
    const tall = await tab.evaluate(() => document.documentElement.scrollHeight);
    // As tall as the page, so that what sticks to the window's foot is at the page's foot in the picture.
    await tab.setViewportSize({ width, height: Math.max(tall, 600) });
    for (const scheme of ["light", "dark"]) {
      name = `${page.replace(".html", "")}--${width}-${scheme}`;
      await tab.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await tab.screenshot({ path: join(pictures, `${name}.png`) });
      const found = await tab.evaluate(violations, scheme === "dark" ? ["color-contrast"] : null);
      for (const violation of found) troubles.push(`${name}: axe: ${violation}`);
    }
    const wide = await tab.evaluate(widerThanWindow);
    if (wide) troubles.push(`${name}: scrolls sideways: ${wide}`);
  }
  tab.off("console", onConsole);
  tab.off("pageerror", onError);
}

// Some pages at once: a page waits for the browser most of the time.
const waiting = [...pages];
const worker = async () => {
  const tab = await browser.newPage();
  for (let page = waiting.shift(); page; page = waiting.shift()) await look(tab, page);
};
await Promise.all([worker(), worker(), worker()]);

// What the script adds: lists that are searched as one types, by keyboard, and colours that switch at once.
async function scripted(tab, bare) {
  const expect = (holds, what) => holds || troubles.push(`script: ${what}`);
  await tab.setViewportSize({ width: 1440, height: 900 });
  await tab.goto(`${origin}/wizard-objects--filled.html`);
  const input = tab.getByRole("combobox", { name: "Salesforce object" });
  await input.click();
  await tab.screenshot({ path: join(pictures, "script--combobox.png") });
  expect((await tab.getByRole("option").count()) === 6, "the list does not show every object");
  await tab.evaluate(axe);
  for (const violation of await tab.evaluate(violations, null)) troubles.push(`script--combobox: axe: ${violation}`);
  await input.fill("insu");
  expect((await tab.getByRole("option").count()) === 1, "typing does not narrow the list");
  await input.press("ArrowDown");
  await input.press("Enter");
  expect((await input.inputValue()) === "Insurer__c", "Enter does not take the option");
  await input.fill("history");
  await input.press("ArrowDown");
  await input.press("Escape");
  expect((await tab.getByRole("listbox").count()) === 0, "Escape does not close the list");
  await tab.getByRole("button", { name: "Dark colours" }).click();
  expect((await tab.locator("html").getAttribute("data-theme")) === "dark", "the colours do not switch");
  const remembered = await tab.waitForFunction(() => performance.getEntriesByName(`${location.origin}/theme`).length > 0);
  expect(remembered && posted.some(({ path, body }) => path === "/theme" && body.get("theme") === "dark" && body.get("csrf")), "the choice is not sent");

  // A form is checked as it changes: errors go, "Next" opens, and the control keeps the focus.
  await tab.goto(`${origin}/wizard-mappings--wrong.html`);
  const next = tab.locator("button[value=next]");
  expect(await next.isDisabled(), "“Next” can be pressed while there are errors");
  const policy = tab.locator("select[name='spec.fields[4].unmatched']");
  await policy.focus();
  await policy.selectOption("leave-empty");
  await tab.waitForFunction(() => !document.querySelector("#problems .problems"));
  expect(await next.isEnabled(), "“Next” stays closed when nothing is left to put right");
  const check = posted.find(({ path }) => path.endsWith("/edit/mappings"))?.body;
  expect(check?.get("action") === "check" && check.get("etag") && check.get("csrf"), "a check carries no token, no ETag or another action");
  expect(check?.get("spec.fields[4].unmatched") === "leave-empty", "a check does not carry what was changed");
  const focused = await tab.evaluate(() => document.activeElement?.name);
  expect(focused === "spec.fields[4].unmatched", `the focus went to ${focused}`);

  // The same page without the script: lists are the browser's own, and every button sends the form.
  const plain = await bare.newPage();
  await plain.goto(`${origin}/wizard-mappings--wrong.html`);
  expect((await plain.locator("input[list='salesforce-fields']").count()) > 0, "without the script a field has no list");
  await plain.locator(".wizard-foot button[value=check]").click();
  await plain.waitForURL("**/edit/mappings");
  expect(await plain.locator("button[value=next]").isEnabled(), "without the script a check does not open “Next”");
}
if (!only) {
  const tab = await browser.newPage();
  tab.on("pageerror", (error) => troubles.push(`script: ${error.message}`));
  const other = await chromium.launch(options);
  await scripted(tab, await other.newContext({ javaScriptEnabled: false }));
  await other.close();
}

await browser.close();
server.close();
server.closeAllConnections();
rmSync(profile, { recursive: true, force: true });
if (troubles.length > 0) {
  console.error([...new Set(troubles)].join("\n"));
  console.error(`${troubles.length} troubles on ${pages.length} pages`);
  process.exitCode = 1;
} else {
  console.log(`${pages.length} pages, each at two widths, in light and dark: no trouble`);
}

// What the walks share: the demo that they walk through, the two systems over their own APIs, and the browser.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const PATIENCE = 60_000;

// ---- the demo, and what it says of itself

/** Starts the demo and waits until it stays up. Gives what it says of itself, and how to end it. */
export const startDemo = async (binary, options) => {
  const demo = spawn(binary, ["demo", "--keep-running", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => demo.once("exit", resolve));
  const end = async () => { demo.kill("SIGINT"); await ended; };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => { demo.kill("SIGINT"); process.exit(1); });
  const wanted = {
    salesforce: /^ {2}Salesforce {2}(\S+)$/,
    hubspot: /^ {2}HubSpot {5}(\S+)$/,
    console: /^ {2}The console is at (\S+), its REST API/,
    password: /^ {2}Sign in as demo, with the password (\S+)$/,
    token: /^ {2}HubSpot's side answers to the token (\S+)$/,
    client: /^ {2}Salesforce's side answers to the client (\S+) with the secret \S+$/,
    secret: /^ {2}Salesforce's side answers to the client \S+ with the secret (\S+)$/,
  };
  const found = {};
  const lines = [];
  for await (const line of createInterface({ input: demo.stdout })) {
    lines.push(line);
    for (const [name, pattern] of Object.entries(wanted)) found[name] ??= line.match(pattern)?.[1];
    if (line.startsWith("Everything stays up")) {
      demo.stdout.resume();
      for (const name of Object.keys(wanted)) assert.ok(found[name], `the demo does not say its ${name}:\n${lines.join("\n")}`);
      return { place: found, end };
    }
  }
  throw new Error(`the demo ended:\n${lines.join("\n")}`);
};

// ---- the two systems, over their own APIs

const json = async (address, options = {}) => {
  const answer = await fetch(address, options);
  const text = await answer.text();
  assert.ok(answer.ok, `${options.method ?? "GET"} ${address} is answered with ${answer.status}: ${text}`);
  return text ? JSON.parse(text) : null;
};

export const salesforceOf = async (at) => {
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: at.client, client_secret: at.secret });
  const signedIn = await json(`${at.salesforce}/services/oauth2/token`, { method: "POST", body });
  const headers = { authorization: `Bearer ${signedIn.access_token}`, "content-type": "application/json" };
  const data = `${signedIn.instance_url}/services/data/v60.0`;
  return {
    query: async (soql) => {
      const rows = [];
      let path = `/services/data/v60.0/query?q=${encodeURIComponent(soql)}`;
      while (path) {
        const page = await json(`${signedIn.instance_url}${path}`, { headers });
        rows.push(...page.records);
        path = page.nextRecordsUrl;
      }
      return rows;
    },
    create: async (object, fields) =>
      (await json(`${data}/sobjects/${object}`, { method: "POST", headers, body: JSON.stringify(fields) })).id,
    createMany: async (object, rows) => {
      const records = rows.map((fields) => ({ attributes: { type: object }, ...fields }));
      const made = [];
      for (let start = 0; start < records.length; start += 200) {
        const body = JSON.stringify({ allOrNone: true, records: records.slice(start, start + 200) });
        made.push(...(await json(`${data}/composite/sobjects`, { method: "POST", headers, body })));
      }
      assert.ok(made.every((one) => one.success), JSON.stringify(made.find((one) => !one.success)));
      return made.map((one) => one.id);
    },
    update: (object, id, fields) => json(`${data}/sobjects/${object}/${id}`, { method: "PATCH", headers, body: JSON.stringify(fields) }),
    /** How the sandbox's org behaves from now on. */
    settings: (settings) => json(`${at.salesforce}/__sandbox/settings`, { method: "POST", headers, body: JSON.stringify(settings) }),
    remove: (object, id) => json(`${data}/sobjects/${object}/${id}`, { method: "DELETE", headers }),
  };
};

export const hubspotOf = (at) => {
  const headers = { authorization: `Bearer ${at.token}`, "content-type": "application/json" };
  // Custom object types go by their ids.
  const id = async (name) => {
    const types = await json(`${at.hubspot}/crm/v3/schemas`, { headers });
    return types.results.find((type) => type.name === name).objectTypeId;
  };
  return {
    list: async (type, properties) => {
      const records = [];
      let after = "";
      do {
        const query = new URLSearchParams({ limit: "100", properties: properties.join(",") });
        if (after) query.set("after", after);
        const page = await json(`${at.hubspot}/crm/v3/objects/${await id(type)}?${query}`, { headers });
        records.push(...page.results);
        after = page.paging?.next?.after ?? "";
      } while (after);
      return records;
    },
    update: async (type, record, properties) =>
      json(`${at.hubspot}/crm/v3/objects/${await id(type)}/${record}`, { method: "PATCH", headers, body: JSON.stringify({ properties }) }),
    /** A rule that the values of a property must keep. */
    rule: async (type, property, rule, argument) =>
      json(`${at.hubspot}/crm/v3/property-validations/${await id(type)}/${property}/rule-type/${rule}`, {
        method: "PUT",
        headers,
        body: JSON.stringify({ ruleArguments: [String(argument)] }),
      }),
    /** Has calls to HubSpot's side go wrong; without any, they go well again. */
    faults: async (...faults) => {
      await json(`${at.hubspot}/__sandbox/faults`, { method: "DELETE", headers });
      if (faults.length > 0) await json(`${at.hubspot}/__sandbox/faults`, { method: "POST", headers, body: JSON.stringify(faults) });
    },
    properties: async (type) => (await json(`${at.hubspot}/crm/v3/properties/${await id(type)}`, { headers })).results,
    associations: async (from, to, ids) => {
      const linked = new Map();
      for (let start = 0; start < ids.length; start += 100) {
        const inputs = ids.slice(start, start + 100).map((id) => ({ id }));
        const answer = await json(`${at.hubspot}/crm/v4/associations/${await id(from)}/${await id(to)}/batch/read`, {
          method: "POST",
          headers,
          body: JSON.stringify({ inputs }),
        });
        for (const one of answer.results) linked.set(String(one.from.id), one.to.map((end) => String(end.toObjectId)));
      }
      return linked;
    },
  };
};

/** Looks again until it is so. */
export const becomes = async (what, look) => {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`${what} did not come to pass`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

// ---- the browser

/** A browser that keeps what it is told on its console, and takes pictures. */
export const startBrowser = async (pictures) => {
  mkdirSync(pictures, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  let taken = 0;
  const troubles = [];
  const picture = (page, name) => page.screenshot({ path: join(pictures, `${String((taken += 1)).padStart(2, "0")}-${name}.png`), fullPage: true });
  return {
    troubles,
    picture,
    open: async (state) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, storageState: state });
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      page.on("console", (message) => {
        // A form that is shown again with what is wrong in it is answered with 422, which the browser notes.
        const isRefusal = message.text().includes("422") || message.text().includes("favicon");
        if (message.type() === "error" && !isRefusal) troubles.push(`${page.url()}: ${message.text()}`);
      });
      return page;
    },
    /** The page of a step of the wizard. */
    at: async (page, step) => {
      await page.waitForURL((url) => url.pathname.endsWith(step));
      await picture(page, step.replaceAll("/", "-"));
    },
    pictureAll: async (name) => {
      for (const context of browser.contexts()) for (const page of context.pages()) await picture(page, name).catch(() => {});
    },
    end: () => browser.close(),
  };
};

export const signIn = async (page, place, user = "demo", password = place.password) => {
  await page.goto(place.console);
  await page.fill("[name=user]", user);
  await page.fill("[name=password]", password);
  await page.click("main button:has-text('Sign in')");
  await page.waitForURL((url) => url.pathname === "/");
};

export const next = (page) => page.locator("button.primary[value=next]");
/** Chooses in a searchable list as a person does: type, take the first. */
export const choose = async (page, control, typed) => {
  await control.fill(typed);
  await page.locator(".combo-list:not([hidden]) .combo-option").first().click();
};
/** Changes a control that is checked at once, and waits for the answer. */
export const checked = async (page, change) => {
  const answer = page.waitForResponse((response) => response.request().method() === "POST" && response.url().includes("/edit/"));
  await change();
  assert.equal((await answer).status(), 200);
};
/** The numbers of a list of terms, by term. */
export const figures = async (list) => {
  const pairs = await list.locator("div").evaluateAll((all) => all.map((one) => [one.querySelector("dt")?.innerText, one.querySelector("dd")?.innerText]));
  return Object.fromEntries(pairs.map(([term, number]) => [term.trim(), Number(number.replaceAll(/\D/g, ""))]));
};

// A newcomer's first sync, in a real browser, against a running demo: the wizard for the object that the demo leaves
// unsynced, errors that cannot be passed, the dry run, turning on, the import and its bar, one record's story. What is
// asserted is asserted on the two systems, over their own APIs, and not on the page alone.
//
//   node wizard.mjs <the landbridge binary> <folder for the pictures> [--until turned-on]
//
// Needs Debian's chromium and `npm ci`. Starts the demo itself, and ends it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [binary, pictures, , until] = process.argv.slice(2);
if (!binary || !pictures) {
  console.error("usage: node wizard.mjs <the landbridge binary> <folder for the pictures> [--until turned-on]");
  process.exit(2);
}
mkdirSync(pictures, { recursive: true });
const PATIENCE = 60_000;

// ---- the demo, and what it says of itself

const demo = spawn(binary, ["demo", "--keep-running", "--records", "1500", "--limits", "off"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => demo.once("exit", resolve));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => { demo.kill("SIGINT"); process.exit(1); });

const announced = async () => {
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
      return found;
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

const salesforceOf = async (at) => {
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
  };
};

const hubspotOf = (at) => {
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
const becomes = async (what, look) => {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`${what} did not come to pass`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
};

// ---- the browser

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let taken = 0;
const troubles = [];
const open = async (state) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, storageState: state });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.on("console", (message) => {
    // A form that is shown again with what is wrong in it is answered with 422, which the browser notes.
    const isRefusal = message.text().includes("422") || message.text().includes("favicon");
    if (message.type() === "error" && !isRefusal) troubles.push(`${page.url()}: ${message.text()}`);
  });
  return page;
};
const picture = (page, name) => page.screenshot({ path: join(pictures, `${String((taken += 1)).padStart(2, "0")}-${name}.png`), fullPage: true });

const next = (page) => page.locator("button.primary[value=next]");
const at = async (page, step) => {
  await page.waitForURL((url) => url.pathname.endsWith(step));
  await picture(page, step.replaceAll("/", "-"));
};
/** Chooses in a searchable list as a person does: type, take the first. */
const choose = async (page, control, typed) => {
  await control.fill(typed);
  await page.locator(".combo-list:not([hidden]) .combo-option").first().click();
};
/** Changes a control that is checked at once, and waits for the answer. */
const checked = async (page, change) => {
  const answer = page.waitForResponse((response) => response.request().method() === "POST" && response.url().includes("/edit/"));
  await change();
  assert.equal((await answer).status(), 200);
};
/** What is wrong cannot be passed: neither by the button, nor by a form that is sent all the same. */
const cannotPass = async (page, words) => {
  await next(page).and(page.locator("[disabled]")).waitFor();
  assert.match(await page.locator("main").innerText(), words);
  const before = page.url();
  const answer = page.waitForResponse((response) => response.request().method() === "POST");
  await next(page).evaluate((button) => {
    button.disabled = false;
    button.form.noValidate = true;
    button.click();
  });
  assert.equal((await answer).status(), 422, "a form with an error is refused");
  await page.waitForLoadState();
  assert.equal(page.url(), before, "an error is not passed");
  assert.match(await page.locator("main").innerText(), words);
};

const walk = async (place, salesforce, hubspot) => {
  let page = await open();
  await page.goto(place.console);
  await page.fill("[name=user]", "demo");
  await page.fill("[name=password]", place.password);
  await page.click("main button:has-text('Sign in')");
  await page.waitForURL((url) => url.pathname === "/");

  // Map objects.
  await page.goto(`${place.console}/tenants/demo/syncs/new`);
  await choose(page, page.locator("[name='spec.salesforce.object']"), "inspection");
  await choose(page, page.locator("[name='spec.hubspot.objectType']"), "inspection");
  await picture(page, "objects");
  await next(page).click();

  // Sync rules.
  await at(page, "/edit/rules");
  await page.getByText("Delete Inspection", { exact: true }).click();
  await next(page).click();

  // Associations: both lookups.
  await at(page, "/edit/associations");
  for (const name of ["Vehicle", "Depot"]) {
    await checked(page, () => page.getByRole("switch", { name: `Associate by ${name}` }).click());
  }
  await checked(page, async () => {
    const label = page.locator("[data-refresh='lookup-Depot__c'] [name$='.label']");
    await label.fill("inspected at");
    await label.dispatchEvent("change");
  });
  await next(page).click();

  // Field mappings: a required property that nothing fills cannot be passed.
  await at(page, "/edit/mappings");
  await cannotPass(page, /score is required|Required by HubSpot/i);
  await page.click("button[value='add-suggested']");
  await page.waitForURL((url) => url.pathname.endsWith("/edit/mappings"));
  // A picklist value without an option cannot be passed either.
  await cannotPass(page, /no option for "Deferred"/);
  await picture(page, "mismatch");

  // The browser is closed in the middle; the draft is there when it is opened again.
  const address = page.url();
  const state = await page.context().storageState();
  await page.context().close();
  page = await open(state);
  await page.goto(address);
  const fields = await page.locator(".mapping-row input[type=text][name$='.from']").evaluateAll((all) => all.map((one) => one.value).filter(Boolean));
  assert.deepEqual([...fields].sort(), ["Inspected_On__c", "Name", "Result__c", "Score__c"].sort(), "the draft survives a closed browser");

  await checked(page, () => page.locator("select[name$='.unmatched']").selectOption("add-option"));
  await next(page).and(page.locator(":not([disabled])")).waitFor();
  await next(page).click();

  // Filter: counted in and out; then every record after all.
  await at(page, "/edit/filter");
  const [{ expr0: all }] = await salesforce.query("SELECT COUNT(Id) FROM Inspection__c");
  assert.match(await page.locator("[data-refresh=counts]").innerText(), new RegExp(`\\b${all}\\b`));
  await page.click("button[value=add]");
  await checked(page, () => choose(page, page.locator("[name='spec.filter.all[0].field']"), "Result__c"));
  await checked(page, () => page.locator("[name='spec.filter.all[0].value']").selectOption("Pass"));
  const [{ expr0: passed }] = await salesforce.query("SELECT COUNT(Id) FROM Inspection__c WHERE Result__c = 'Pass'");
  await page.locator("[data-refresh=counts] dd").first().filter({ hasText: String(passed) }).waitFor();
  await picture(page, "filter-counted");
  await page.click("button[value='remove:0']");
  await page.getByText("Every record travels").waitFor();
  await next(page).click();

  // Preview with a dry run: it predicts every record, and writes nothing.
  await at(page, "/edit/preview");
  await page.getByRole("button", { name: /^Try all/ }).click();
  const created = page.locator("#dry-run dl.figures div", { hasText: "would be created" }).locator("dd");
  await created.waitFor();
  await picture(page, "dry-run");
  assert.equal(Number((await created.innerText()).replaceAll(/\D/g, "")), all, "each record is predicted");
  const namesOf = async () => (await hubspot.properties("inspections")).map((property) => property.name);
  assert.deepEqual(await hubspot.list("inspections", ["name"]), [], "a dry run writes no record");
  assert.ok(!(await namesOf()).includes("salesforce_id"), "a dry run creates no property");
  await next(page).click();

  // Turn on: only what is created from then on arrives.
  await at(page, "/edit/turn-on");
  await page.click("button[value=start]");
  await at(page, "/turned-on");
  assert.match(await page.locator("main").innerText(), /Only records that are created or changed from now on/);
  assert.ok((await namesOf()).includes("salesforce_id"));
  const late = await salesforce.create("Inspection__c", { Name: "After turning on", Score__c: 77, Result__c: "Deferred" });
  const seen = await becomes("that the new record is in HubSpot", async () => {
    const records = await hubspot.list("inspections", ["salesforce_id", "score", "result"]);
    return records.length > 0 && records;
  });
  assert.deepEqual(
    seen.map(({ properties }) => [properties.salesforce_id, Number(properties.score), properties.result]),
    [[late, 77, "Deferred"]],
  );
  if (until === "turned-on") return;

  // The import, watched.
  await page.getByRole("link", { name: "Import existing records" }).click();
  await at(page, "/imports/new");
  await page.locator("input[name=sync][value=inspections]").setChecked(true);
  await page.locator("button.primary[value=start]").click();
  await page.waitForURL((url) => /\/imports(\/|$)/.test(url.pathname) && !url.pathname.endsWith("/new"));
  await picture(page, "import");
  await page.getByText("Completed", { exact: true }).first().waitFor();
  await picture(page, "import-completed");
  await sameOnBothSides(salesforce, hubspot, all + 1);

  // One record's story.
  await page.goto(`${place.console}/tenants/demo/records?q=${late}`);
  await page.getByText("In HubSpot").first().waitFor();
  await picture(page, "story");
};

/** Every record and every link, as both systems tell them. */
const sameOnBothSides = async (salesforce, hubspot, expected) => {
  const rows = await salesforce.query("SELECT Id, Name, Score__c, Result__c, Inspected_On__c, Vehicle__c, Depot__c FROM Inspection__c");
  assert.equal(rows.length, expected);
  const wanted = new Map(rows.map((row) => [row.Id, [row.Name, row.Score__c, row.Result__c ?? null, row.Inspected_On__c ?? null]]));
  const of = await becomes("that every record is in HubSpot", async () => {
    const records = await hubspot.list("inspections", ["salesforce_id", "name", "score", "result", "inspected_on"]);
    return records.length === expected && records;
  });
  const told = new Map(
    of.map(({ properties: own }) => [own.salesforce_id, [own.name, Number(own.score), own.result || null, own.inspected_on || null]]),
  );
  assert.deepEqual(new Map([...told].sort()), new Map([...wanted].sort()));
  for (const [type, field] of [["vehicles", "Vehicle__c"], ["depots", "Depot__c"]]) {
    const parents = await hubspot.list(type, ["salesforce_id"]);
    const known = new Map(parents.map((parent) => [parent.id, parent.properties.salesforce_id]));
    const present = new Set(known.values());
    await becomes(`that the links to ${type} stand`, async () => {
      const linked = await hubspot.associations("inspections", type, of.map((record) => record.id));
      return of.every((record) => {
        const parent = rows.find((row) => row.Id === record.properties.salesforce_id)[field];
        const ends = (linked.get(record.id) ?? []).map((id) => known.get(id));
        return parent && present.has(parent) ? ends.length === 1 && ends[0] === parent : ends.length === 0;
      });
    });
  }
};

let failed = null;
try {
  const place = await announced();
  await walk(place, await salesforceOf(place), hubspotOf(place));
  assert.deepEqual(troubles, [], "the browser notes no error");
  console.log("A newcomer's first sync works, as both systems tell it.");
} catch (error) {
  failed = error;
  console.error(error);
  for (const context of browser.contexts()) for (const page of context.pages()) await picture(page, "failed").catch(() => {});
} finally {
  await browser.close();
  demo.kill("SIGINT");
  await ended;
}
process.exit(failed ? 1 : 0);

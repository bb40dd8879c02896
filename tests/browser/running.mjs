// What comes after a first sync, in a real browser, against the same demo: an edit with its difference and back-fill, pause
// and resume, a copy, an import that is paused, resumed, cancelled and gone on with, a refused record that is tried again, the
// allocation of calls, a user and a token, and a sync that is deleted while HubSpot keeps what it wrote. What has an effect on
// the two systems is asserted there.

import assert from "node:assert/strict";
import { becomes, choose, next, signIn } from "./lib.mjs";
import { JUST_MADE } from "./wizard.mjs";

const TENANT = "demo";
const SYNC = "inspections";
/** How long Salesforce keeps the job of the import waiting that is steered, in milliseconds. */
const QUEUED = 20_000;

export const runningSyncs = async (world) => {
  const page = await world.browser.open();
  await signIn(page, world.place);
  for (const walk of [edited, pausedAndResumed, duplicated, importSteered, retried, allocated, people, deleted]) {
    await connected(page, world);
    await walk(page, world);
  }
};

/** The tenant's first page, as a person goes there. */
const connected = async (page, { place }) => {
  await page.goto(place.console);
  await page.getByRole("link", { name: TENANT, exact: true }).click();
  await page.waitForURL((url) => url.pathname === `/tenants/${TENANT}`);
};
const openSync = async (page) => {
  await page.getByRole("navigation", { name: "Synced objects" }).getByRole("link", { name: /^Inspection/ }).click();
  await page.waitForURL((url) => url.pathname.endsWith(`/syncs/${SYNC}`));
};
const side = (page, name) => page.getByRole("navigation", { name: `Tenant ${TENANT}` }).getByRole("link", { name });
const main = (page) => page.locator("main");
const button = (page, name) => main(page).getByRole("button", { name, exact: true });

/** What HubSpot has of a type, by Salesforce id. */
const inHubSpot = async (hubspot, type, properties) => {
  const records = await hubspot.list(type, ["salesforce_id", ...properties]);
  return new Map(records.map((record) => [record.properties.salesforce_id, record.properties]));
};

// ---- an edit, its difference, and the back-fill of what older records lack

const edited = async (page, { salesforce, hubspot, browser }) => {
  await openSync(page);
  await main(page).getByRole("link", { name: "Edit", exact: true }).first().click();
  await browser.at(page, "/edit/mappings");
  const row = page.locator(".add-row");
  await choose(page, row.getByRole("combobox", { name: "Add a field" }), "created date");
  await row.getByRole("combobox", { name: "To the property" }).fill("first_seen");
  await row.getByRole("button", { name: "Add" }).click();
  await page.getByRole("button", { name: /^Create first_seen/ }).click();
  await becomes("that HubSpot has the property", async () => (await hubspot.properties(SYNC)).some((property) => property.name === "first_seen"));
  await browser.picture(page, "property-created");
  for (const step of ["filter", "preview"]) {
    await next(page).click();
    await browser.at(page, `/edit/${step}`);
  }
  await next(page).click();
  await browser.at(page, "/edit/turn-on");
  await button(page, "Save as r2").click();
  await page.waitForURL((url) => url.pathname.endsWith(`/syncs/${SYNC}`));

  // The difference to the revision before.
  await page.getByRole("link", { name: /^Show/ }).first().click();
  await page.waitForURL((url) => url.searchParams.get("revision") === "2");
  const lines = await page.locator("pre.diff").innerText();
  assert.match(lines, /^\+.*from: CreatedDate$/m, lines);
  assert.match(lines, /^\+.*to: first_seen$/m, lines);
  assert.doesNotMatch(lines, /^-\s*- from/m, "nothing was taken away");
  await browser.picture(page, "difference");

  // What older records lack is filled, and nothing else is written.
  const before = await inHubSpot(hubspot, SYNC, ["first_seen", "name", "score"]);
  // What changed moments ago is read once more by the next looks, and written as the edit wants it.
  const old = [...before.values()].filter((own) => own.name !== JUST_MADE);
  assert.ok(old.length >= before.size - 1 && old.every((own) => !own.first_seen), "nothing is filled before a person says so");
  assert.match(await main(page).innerText(), new RegExp(`${before.size} records, at most \\d+ calls to HubSpot`), "what it takes is told");
  await button(page, "Back-fill this property").click();
  await page.waitForURL((url) => /\/imports\/[^/]+$/.test(url.pathname));
  await page.locator("#import-progress .badge", { hasText: /^\s*Completed\s*$/ }).waitFor();
  await browser.picture(page, "back-filled");
  const rows = await salesforce.query("SELECT Id, CreatedDate FROM Inspection__c");
  const created = new Map(rows.map((row) => [row.Id, Date.parse(row.CreatedDate)]));
  const after = await inHubSpot(hubspot, SYNC, ["first_seen", "name", "score"]);
  assert.equal(after.size, before.size);
  for (const [id, own] of after) {
    assert.equal(Date.parse(own.first_seen), created.get(id), `${id}: ${own.first_seen}`);
    const { name, score } = before.get(id);
    assert.deepEqual([own.name, own.score], [name, score]);
  }
};

// ---- paused, and resumed from where it stood

const pausedAndResumed = async (page, { salesforce, hubspot, browser }) => {
  const [inspection] = await salesforce.query("SELECT Id, Score__c FROM Inspection__c LIMIT 1");
  const [depot] = await salesforce.query("SELECT Id, Capacity__c FROM Depot__c LIMIT 1");
  const scoreOf = async () => Number((await inHubSpot(hubspot, SYNC, ["score"])).get(inspection.Id).score);
  const capacityOf = async () => Number((await inHubSpot(hubspot, "depots", ["capacity"])).get(depot.Id).capacity);
  await openSync(page);
  await button(page, "Pause").click();
  await button(page, "Resume").waitFor();
  await browser.picture(page, "paused");
  const [score, capacity] = [(inspection.Score__c + 1) % 100, (depot.Capacity__c ?? 0) + 1];
  await salesforce.update("Inspection__c", inspection.Id, { Score__c: score });
  await salesforce.update("Depot__c", depot.Id, { Capacity__c: capacity });
  // What was changed after it has arrived by another sync; the paused one has carried nothing.
  await becomes("that the depot has its capacity", async () => (await capacityOf()) === capacity);
  assert.equal(await scoreOf(), inspection.Score__c, "a paused sync carries nothing");
  await button(page, "Resume").click();
  await becomes("that the inspection has its score", async () => (await scoreOf()) === score);
};

// ---- a copy is a draft, and carries nothing

const duplicated = async (page, { hubspot, browser }) => {
  const before = (await hubspot.list(SYNC, ["name"])).length;
  await openSync(page);
  await main(page).getByRole("link", { name: "Duplicate", exact: true }).click();
  await page.waitForURL((url) => url.pathname.endsWith("/duplicate"));
  // The pair of objects is carried already.
  await choose(page, page.locator("[name=objectType]"), SYNC);
  await button(page, "Duplicate as a draft").click();
  await main(page).getByText(/carries Inspection__c to inspections already/).first().waitFor();
  await choose(page, page.locator("[name=object]"), "contact");
  await button(page, "Duplicate as a draft").click();
  await browser.at(page, `/syncs/${SYNC}-copy/edit/rules`);
  await button(page, "Discard draft").click();
  await page.waitForURL((url) => url.pathname === `/tenants/${TENANT}`);
  assert.equal(await page.getByText(`${SYNC}-copy`, { exact: true }).count(), 0, "a draft that was discarded is gone");
  assert.equal((await hubspot.list(SYNC, ["name"])).length, before, "a draft writes nothing");
};

// ---- an import: paused, resumed, cancelled, gone on with

const importSteered = async (page, { salesforce, hubspot, browser }) => {
  // Somebody changed a value in HubSpot, which an import that writes everything puts right.
  const [depot] = await salesforce.query("SELECT Id, Name FROM Depot__c LIMIT 1");
  const nameOf = async () => (await inHubSpot(hubspot, "depots", ["name"])).get(depot.Id).name;
  const [record] = (await hubspot.list("depots", ["salesforce_id"])).filter((one) => one.properties.salesforce_id === depot.Id);
  await hubspot.update("depots", record.id, { name: "Changed in HubSpot" });
  // Salesforce keeps the import's job waiting, so that there is time to press buttons.
  await salesforce.settings({ bulk_queue_ms: QUEUED });
  await side(page, "Imports").click();
  await page.getByRole("link", { name: "Start an import" }).click();
  await browser.at(page, "/imports/new");
  await page.locator("input[name=sync][value=depots]").setChecked(true);
  await page.locator("input[name=overwrite]").setChecked(true);
  await page.locator("button.primary[value=start]").click();
  await page.waitForURL((url) => /\/imports\/imp-[^/]+$/.test(url.pathname));
  const state = page.locator("#import-progress");
  await button(page, "Pause").click();
  await state.locator(".badge", { hasText: "Paused" }).waitFor();
  await browser.picture(page, "import-paused");
  await button(page, "Resume").click();
  await button(page, "Pause").waitFor();
  await button(page, "Cancel import").click();
  await state.locator(".badge", { hasText: "Canceled" }).waitFor();
  await browser.picture(page, "import-canceled");
  const canceled = page.url();
  assert.equal(await nameOf(), "Changed in HubSpot", "an import that was cancelled before it read has written nothing");
  await salesforce.settings({ bulk_queue_ms: 0 });
  await button(page, "Resume where it was").click();
  await page.waitForURL((url) => url.href !== canceled);
  await state.locator(".badge", { hasText: /^\s*Completed\s*$/ }).waitFor();
  await becomes("that the depot has Salesforce's name", async () => (await nameOf()) === depot.Name);
};

// ---- a refused record is tried again when its cause is gone

const retried = async (page, { salesforce, hubspot, browser }) => {
  // Somebody sets a rule in HubSpot that a new record breaks, and loosens it afterwards.
  await hubspot.rule("vehicles", "name", "MAX_LENGTH", 40);
  const name = "A name that is longer than forty characters allow";
  const id = await salesforce.create("Vehicle__c", { Name: name });
  const refused = page.getByRole("link", { name: id });
  await side(page, "Sync health").click();
  await becomes("that the record is listed as refused", async () => {
    await page.goto(`${new URL(page.url()).origin}/tenants/${TENANT}/failures?sync=vehicles`);
    return (await refused.count()) > 0;
  });
  await refused.first().click();
  await main(page).getByText(name).first().waitFor();
  await browser.picture(page, "refused");
  assert.ok(!(await inHubSpot(hubspot, "vehicles", ["name"])).has(id), "a refused record is not there");
  await hubspot.rule("vehicles", "name", "MAX_LENGTH", 400);
  await button(page, "Retry").click();
  const there = await becomes("that the record is in HubSpot", async () => (await inHubSpot(hubspot, "vehicles", ["name"])).get(id));
  assert.equal(there.name, name);
};

// ---- the allocation of calls

const allocated = async (page, { browser }) => {
  await side(page, "Sync health").click();
  const field = page.locator("[name=dailyCalls]");
  const save = field.locator("xpath=ancestor::form").getByRole("button", { name: "Save" });
  await field.fill("0");
  await save.click();
  await main(page).getByText(/without any call nothing can be read/i).first().waitFor();
  await field.fill("12345");
  await save.click();
  await main(page).getByText("The allocation is changed").waitFor();
  // The extractor says so with its next look.
  await becomes("that the budget is what was allocated", async () => {
    await page.reload();
    return /of 12\s345\s/.test(await main(page).innerText());
  });
  await browser.picture(page, "allocated");
  await field.fill("");
  await save.click();
  await main(page).getByText("The allocation is changed").waitFor();
  assert.equal(await field.inputValue(), "");
};

// ---- a user, and a token

const people = async (page, { place, browser }) => {
  await page.getByRole("link", { name: "Users and tokens" }).click();
  const password = "a horse of another battery";
  await page.fill("[name='user.name']", "vic");
  await page.fill("[name='user.password']", password);
  await page.selectOption("[name='user.role']", "viewer");
  await page.selectOption("[name='user.tenant']", TENANT);
  await button(page, "Add user").click();
  await main(page).getByRole("row", { name: /vic/ }).first().waitFor();
  const other = await browser.open();
  await signIn(other, place, "vic", password);
  await other.getByRole("link", { name: TENANT, exact: true }).click();
  await other.getByRole("heading", { name: "Salesforce to HubSpot" }).waitFor();
  assert.equal(await other.getByRole("link", { name: "Sync custom object" }).count(), 0, "who only looks makes no sync");
  await other.context().close();

  await page.fill("[name='token.name']", "reports");
  await page.selectOption("[name='token.role']", "viewer");
  await page.selectOption("[name='token.tenant']", TENANT);
  await page.fill("[name='token.expires']", new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10));
  await button(page, "Make token").click();
  const token = await page.locator("#new-token").inputValue();
  await browser.picture(page, "token");
  const status = async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return (await fetch(`${place.console}/api/v1${path}`, { method, headers, body })).status;
  };
  assert.equal(await status("GET", `/tenants/${TENANT}/syncs`), 200, "it may look");
  assert.equal(await status("PUT", `/tenants/${TENANT}/allocation`, "{}"), 403, "it may not change");
  assert.equal(await status("GET", "/users"), 403, "it may not look elsewhere");
  const row = main(page).getByRole("row", { name: /reports/ });
  await row.getByRole("button", { name: /Revoke/ }).click();
  await becomes("that the token is good for nothing", async () => (await status("GET", `/tenants/${TENANT}/syncs`)) === 401);
  await main(page).getByRole("row", { name: /vic/ }).getByRole("button", { name: "Remove" }).click();
  await main(page).getByRole("row", { name: /vic/ }).waitFor({ state: "detached" });
};

// ---- a sync is deleted, and HubSpot keeps what it wrote

const deleted = async (page, { salesforce, hubspot, browser }) => {
  const before = await inHubSpot(hubspot, SYNC, ["name", "score"]);
  await openSync(page);
  await page.getByRole("link", { name: /^Delete sync/ }).click();
  await page.waitForURL((url) => url.pathname.endsWith("/delete"));
  await page.fill("[name=confirm]", "another");
  await button(page, "Delete sync").click();
  await main(page).getByText("that is not the sync's name").first().waitFor();
  await page.getByText("Keep them", { exact: true }).click();
  await page.fill("[name=confirm]", SYNC);
  await button(page, "Delete sync").click();
  await page.waitForURL((url) => url.pathname === `/tenants/${TENANT}`);
  assert.equal(await page.getByRole("navigation", { name: "Synced objects" }).getByRole("link", { name: /^Inspection/ }).count(), 0);
  await browser.picture(page, "deleted");
  await salesforce.create("Inspection__c", { Name: "After the end", Score__c: 1, Result__c: "Pass" });
  const vehicle = await salesforce.create("Vehicle__c", { Name: "After the inspection" });
  // What was made after it has arrived by another sync; nothing is carried by one that is gone.
  await becomes("that the vehicle is in HubSpot", async () => (await inHubSpot(hubspot, "vehicles", ["name"])).has(vehicle));
  assert.deepEqual(await inHubSpot(hubspot, SYNC, ["name", "score"]), before, "HubSpot keeps what was written, and gets no more");
};

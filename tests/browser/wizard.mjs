// A newcomer's first sync, in a real browser, against a running demo: the wizard for the object that the demo leaves
// unsynced, errors that cannot be passed, the dry run, turning on, the import and its bar, one record's story. What is
// asserted is asserted on the two systems, over their own APIs, and not on the page alone.

import assert from "node:assert/strict";
import { becomes, checked, choose, figures, next, signIn } from "./lib.mjs";

/** Inspections that come on top of the demo's: an import of several calls, whose bar can be seen to move. */
const MORE = 300;
/** How long one of the import's calls takes, in milliseconds. */
const SLOW = 6_000;

/** The inspection that is made after turning on. */
export const JUST_MADE = "After turning on";

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

export const firstSync = async ({ place, salesforce, hubspot, browser, until }) => {
  const { at, open, picture } = browser;
  const vehicles = await salesforce.query("SELECT Id FROM Vehicle__c LIMIT 10");
  const more = Array.from({ length: MORE }, (_, row) => ({
    Name: `Inspection of the year ${row + 1}`,
    Score__c: row % 100,
    Result__c: row % 3 === 0 ? "Pass" : "Fail",
    Vehicle__c: vehicles[row % vehicles.length].Id,
  }));
  await salesforce.createMany("Inspection__c", more);

  let page = await open();
  await signIn(page, place);

  // From the first page, by what is written on it: the tenant, its connected apps, a new sync.
  await page.getByRole("link", { name: "demo", exact: true }).click();
  await page.waitForURL((url) => url.pathname === "/tenants/demo");
  const [org] = await salesforce.query("SELECT Id, Name FROM Organization");
  const cards = page.getByRole("region", { name: "Connections" });
  await cards.getByText(org.Name, { exact: true }).waitFor();
  await cards.getByText(org.Id, { exact: true }).waitFor();
  await picture(page, "connected");
  await page.getByRole("link", { name: "Sync custom object" }).first().click();

  // Map objects.
  await page.waitForURL((url) => url.pathname.endsWith("/syncs/new"));
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
  await page.locator("#dry-run dl.figures").waitFor();
  await picture(page, "dry-run");
  const predicted = await figures(page.locator("#dry-run dl.figures"));
  const predictedLinks = await figures(page.locator("#dry-run section.card", { hasText: "Links" }).locator("dl.facts"));
  const sum = (numbers) => Object.values(numbers).reduce((all, one) => all + one, 0);
  assert.equal(sum(predicted), all, `each record is predicted once: ${JSON.stringify(predicted)}`);
  assert.equal(predicted["would be created"], all, JSON.stringify(predicted));
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
  const late = await salesforce.create("Inspection__c", { Name: JUST_MADE, Score__c: 77, Result__c: "Deferred" });
  const seen = await becomes("that the new record is in HubSpot", async () => {
    const records = await hubspot.list("inspections", ["salesforce_id", "score", "result"]);
    return records.length > 0 && records;
  });
  assert.deepEqual(
    seen.map(({ properties }) => [properties.salesforce_id, Number(properties.score), properties.result]),
    [[late, 77, "Deferred"]],
  );
  if (until === "turned-on") return;

  // The import, watched: one of its calls is slow, so that its bar has somewhere to stand.
  await hubspot.faults({ where: "POST /batch/upsert", what: { delay_ms: SLOW }, times: 1 });
  await page.getByRole("link", { name: "Import existing records" }).click();
  await at(page, "/imports/new");
  await page.locator("input[name=sync][value=inspections]").setChecked(true);
  await page.locator("button.primary[value=start]").click();
  await page.waitForURL((url) => /\/imports\/imp-[^/]+$/.test(url.pathname));
  await picture(page, "import");
  const seenOfBar = await watched(page);
  await picture(page, "import-completed");
  assert.ok(seenOfBar.some((share) => share < 1), `the bar was seen on its way: ${seenOfBar}`);
  assert.ok(seenOfBar.every((share, place) => place === 0 || share >= seenOfBar[place - 1]), `the bar goes forward: ${seenOfBar}`);
  assert.equal(seenOfBar.at(-1), 1, `the bar reaches its end: ${seenOfBar}`);
  await hubspot.faults();
  await asPredicted(page, predicted, predictedLinks);
  await sameOnBothSides(salesforce, hubspot, all + 1);

  // One record's story, found by its id.
  await page.getByRole("link", { name: "Find a record" }).click();
  await page.getByRole("searchbox").fill(late);
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("In HubSpot").first().waitFor();
  assert.match(await page.locator("main").innerText(), /created in HubSpot/i);
  await picture(page, "story");
};

/** Looks at an import's bar until the import is complete, on one page that is never loaded again. Gives where it was seen. */
const watched = async (page) => {
  await page.evaluate(() => {
    window.seen = [];
    const look = () => {
      const bar = document.querySelector("#import-progress progress");
      const share = bar?.hasAttribute("value") ? bar.value / bar.max : 0;
      if (window.seen.at(-1) !== share) window.seen.push(share);
    };
    look();
    new MutationObserver(look).observe(document.querySelector("main"), { childList: true, subtree: true, attributes: true });
  });
  await page.locator("#import-progress").getByText("Completed", { exact: true }).waitFor();
  const seen = await page.evaluate(() => window.seen);
  assert.ok(seen, "the page was loaded again");
  return seen;
};

/** Every number of the dry run is the import's. The one record that came after the dry run was there when it was read. */
const asPredicted = async (page, predicted, links) => {
  const came = await figures(page.locator("#import-outcomes"));
  const wanted = {
    created: predicted["would be created"],
    updated: predicted["would be updated"] ?? 0,
    unchanged: (predicted["would stay as they are"] ?? 0) + 1,
    filtered: predicted["filtered out"] ?? 0,
    deleted: predicted["would be deleted"] ?? 0,
    failed: predicted["would be refused"] ?? 0,
  };
  assert.equal(predicted["cannot be predicted"] ?? 0, 0, JSON.stringify(predicted));
  for (const [outcome, number] of Object.entries(wanted)) assert.equal(came[outcome] ?? 0, number, `${outcome}: ${JSON.stringify({ predicted, came })}`);
  const known = new Set(Object.keys(wanted));
  for (const [outcome, number] of Object.entries(came)) if (!known.has(outcome)) assert.equal(number, 0, `${outcome}: ${JSON.stringify(came)}`);
  // Links are made a moment after their records.
  const made = { linked: links["would be made"] ?? 0, parked: links["would wait for their parent"] ?? 0, failed: links["would be refused"] ?? 0 };
  await becomes(`that the links are as predicted: ${JSON.stringify(links)}`, async () => {
    await page.reload();
    const now = await figures(page.locator("#import-links dl.facts"));
    return Object.entries(made).every(([outcome, number]) => (now[outcome] ?? 0) === number);
  });
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

// jsforce against the sandbox: every login it has, describe, long queries, records, both Bulk APIs.
import assert from 'node:assert/strict';
import { createSign } from 'node:crypto';
import jsforce from 'jsforce';
import { all, refused, salesforce } from './sandbox.mjs';

const version = '62.0';
const app = { loginUrl: salesforce.login_url, clientId: salesforce.client_id, clientSecret: salesforce.client_secret };
const redirectUri = 'http://localhost:1717/OauthRedirect';

function connection(options = {}) {
  const made = new jsforce.Connection({ loginUrl: salesforce.login_url, instanceUrl: salesforce.instance_url, version, ...options });
  made.bulk.pollInterval = 100;
  made.bulk2.pollInterval = 100;
  return made;
}

function assertion() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: salesforce.client_id,
    sub: salesforce.username,
    aud: 'https://login.salesforce.com',
    exp: Math.floor(Date.now() / 1000) + 180,
  };
  const signed = `${part({ alg: 'RS256' })}.${part(claims)}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(salesforce.jwt_private_key, 'base64url')}`;
}

async function logins() {
  const password = salesforce.password + salesforce.security_token;
  const soap = connection();
  const user = await soap.login(salesforce.username, password);
  assert.equal((await soap.identity()).user_id, user.id);
  await soap.logout();
  assert.match((await refused(() => connection().login(salesforce.username, 'wrong'), 'a wrong password')).message, /INVALID_LOGIN/);

  const byPassword = connection({ oauth2: app });
  await byPassword.login(salesforce.username, password);
  assert.equal((await byPassword.identity()).username, salesforce.username);

  const credentials = connection({ oauth2: app });
  await credentials.authorize({ grant_type: 'client_credentials' });
  const jwt = connection({ oauth2: new jsforce.OAuth2({ loginUrl: salesforce.login_url }) });
  await jwt.authorize({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: assertion() });
  for (const made of [credentials, jwt]) assert.ok((await made.limits()).DailyApiRequests.Remaining > 0);

  // The web-server flow with PKCE, up to the redirect that a browser would follow.
  const web = connection({ oauth2: new jsforce.OAuth2({ ...app, redirectUri, useVerifier: true }) });
  const page = web.oauth2.getAuthorizationUrl({ scope: 'api refresh_token', state: 'mine' });
  const answer = await fetch(`${page}&approve=1`, { redirect: 'manual' });
  const back = new URL(answer.headers.get('location'));
  assert.equal(back.searchParams.get('state'), 'mine');
  await web.authorize(back.searchParams.get('code'));
  assert.ok(web.refreshToken, 'the code gives a refresh token');

  // A dead session is refreshed by the client itself.
  const fresh = connection({ oauth2: app, refreshToken: web.refreshToken, accessToken: 'dead' });
  const renewed = new Promise((resolve) => fresh.on('refresh', resolve));
  assert.ok((await fresh.query('SELECT Id FROM Account LIMIT 1')).done);
  assert.equal(await renewed, fresh.accessToken);
  await fresh.logoutByOAuth2(true);
  assert.equal((await refused(() => fresh.oauth2.refreshToken(web.refreshToken), 'a revoked token')).name, 'invalid_grant');
  return jwt;
}

async function describe(org) {
  const { sobjects } = await org.describeGlobal();
  assert.ok(sobjects.some(({ name }) => name === 'Vehicle__c'));
  const { fields } = await org.sobject('Vehicle__c').describe();
  assert.deepEqual(fields.find(({ name }) => name === 'Depot__c').referenceTo, ['Depot__c']);
  assert.ok((await org.sobject('Vehicle__c').layouts()).layouts.length > 0);
  assert.ok((await org.request('/services/data')).some(({ version: known }) => known === version));
}

async function queries(org) {
  const { totalSize } = await org.query('SELECT COUNT() FROM Vehicle__c');
  assert.ok(totalSize > 2000, `${totalSize} vehicles are more than a page`);
  const first = await org.query('SELECT Id, Name, Depot__r.Name FROM Vehicle__c');
  assert.deepEqual([first.records.length, first.done, first.totalSize], [2000, false, totalSize]);
  assert.ok((await org.queryMore(first.nextRecordsUrl)).records.length > 0);
  const rows = await org.query('SELECT Id FROM Vehicle__c').execute({ autoFetch: true, maxFetch: totalSize });
  assert.equal(new Set(rows.records.map(({ Id }) => Id)).size, totalSize);
  const found = await org.sobject('Vehicle__c').find({ Depot__c: { $ne: null } }, ['Id', 'Depot__r.Name']).limit(3);
  assert.equal(found.length, 3);
  assert.equal((await refused(() => org.query('SELECT Nope FROM Vehicle__c'), 'an unknown field')).errorCode, 'INVALID_FIELD');
  assert.equal((await org.search('FIND {nobodyhasthisname} RETURNING Account')).searchRecords.length, 0);
  return totalSize;
}

async function records(org) {
  const depots = org.sobject('Depot__c');
  const since = new Date(Date.now() - 300_000);
  const until = new Date(Date.now() + 120_000);
  const { id } = await depots.create({ Name: 'jsforce depot', Code__c: 'JSFORCE-1' });
  assert.ok((await depots.update({ Id: id, Capacity__c: 4 })).success);
  assert.equal((await depots.retrieve(id)).Capacity__c, 4);
  assert.equal((await depots.upsert({ Code__c: 'JSFORCE-1', Name: 'renamed' }, 'Code__c')).success, true);
  const many = await depots.create(Array.from({ length: 250 }, (_, n) => ({ Name: `many ${n}`, Code__c: `JM-${n}` })), { allowRecursive: true });
  assert.ok(many.every(({ success }) => success));
  const ids = many.map((one) => one.id);
  const read = await depots.retrieve([...ids.slice(0, 5), 'a005g0zzzzzzzzz'], { fields: ['Name'] });
  assert.deepEqual([read.length, read[5]], [6, null]);
  const again = await depots.upsert([{ Code__c: 'JM-0', Name: 'again' }, { Code__c: 'JM-X', Name: 'new' }], 'Code__c');
  assert.deepEqual(again.map(({ created }) => created), [false, true]);
  const wrong = await depots.create([{ Name: 'x'.repeat(300) }, { Name: 'fine' }]);
  assert.deepEqual(wrong.map(({ success }) => success), [false, true]);
  assert.equal(wrong[0].errors[0].errorCode ?? wrong[0].errors[0].statusCode, 'STRING_TOO_LONG');
  assert.ok((await depots.destroy(ids, { allowRecursive: true })).every(({ success }) => success));
  assert.ok((await depots.updated(since, until)).ids.includes(id));
  assert.ok((await depots.destroy(id)).success);
  assert.ok((await depots.deleted(since, until)).deletedRecords.some((gone) => gone.id === id));
  assert.equal((await refused(() => depots.retrieve(id), 'a deleted record')).errorCode, 'ENTITY_IS_DELETED');
}

async function bulkOne(org, total) {
  const rows = await all(await org.bulk.query('SELECT Id, Name FROM Vehicle__c'));
  assert.equal(rows.length, total);
  const made = await org.bulk.load('Depot__c', 'insert', Array.from({ length: 300 }, (_, n) => ({ Name: `one ${n}`, Code__c: `J1-${n}` })));
  assert.ok(made.every(({ success, created }) => success && created));
  const done = await org.bulk.load('Depot__c', 'upsert', { extIdField: 'Code__c' }, [{ Code__c: 'J1-0', Name: 'again' }, { Code__c: 'J1-1', Name: 'x'.repeat(300) }]);
  assert.deepEqual(done.map(({ success }) => success), [true, false]);
  assert.match(done[1].errors[0], /STRING_TOO_LONG/);
  const job = org.bulk.createJob('Depot__c', 'hardDelete');
  const batch = job.createBatch();
  batch.execute(made.map(({ id }) => ({ Id: id })));
  batch.on('queue', () => batch.poll(100, 30_000));
  assert.ok((await batch).every(({ success }) => success));
  assert.equal((await job.list()).length, 1);
  assert.equal((await job.close()).state, 'Closed');
  const aborted = org.bulk.createJob('Depot__c', 'insert');
  await aborted.open();
  assert.equal((await aborted.abort()).state, 'Aborted');
  const dead = connection({ accessToken: 'dead' });
  const ended = await refused(() => dead.bulk.createJob('Depot__c', 'insert').open(), 'a dead session');
  assert.equal(ended.errorCode ?? ended.name, 'InvalidSessionId');
}

async function bulkTwo(org, total) {
  const rows = await all(await org.bulk2.query('SELECT Id, Name FROM Vehicle__c'));
  assert.equal(rows.length, total);
  const input = Array.from({ length: 300 }, (_, n) => ({ Name: `two ${n}`, Code__c: `J2-${n}` }));
  const made = await org.bulk2.loadAndWaitForResults({ object: 'Depot__c', operation: 'insert', input });
  assert.deepEqual([made.successfulResults.length, made.failedResults.length], [300, 0]);
  const changed = await org.bulk2.loadAndWaitForResults({
    object: 'Depot__c',
    operation: 'upsert',
    externalIdFieldName: 'Code__c',
    input: [{ Code__c: 'J2-0', Name: 'again' }, { Code__c: 'J2-1', Name: 'x'.repeat(300) }],
  });
  assert.deepEqual([changed.successfulResults.length, changed.failedResults.length], [1, 1]);
  assert.match(changed.failedResults[0].sf__Error, /STRING_TOO_LONG/);
  const gone = made.successfulResults.map(({ sf__Id }) => ({ Id: sf__Id }));
  const done = await org.bulk2.loadAndWaitForResults({ object: 'Depot__c', operation: 'delete', input: gone });
  assert.equal(done.successfulResults.length, 300);
}

const org = await logins();
await describe(org);
const total = await queries(org);
await records(org);
await bulkOne(org, total);
await bulkTwo(org, total);
console.log(`jsforce: 6 logins, ${total} rows by REST and both Bulk APIs, records, replication`);

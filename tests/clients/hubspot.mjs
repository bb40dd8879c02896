// @hubspot/api-client against the sandbox: schemas, properties, records in batches, associations, search, OAuth.
import assert from 'node:assert/strict';
import { Client } from '@hubspot/api-client';
import { eventually, hubspot, refused } from './sandbox.mjs';

const basePath = hubspot.base_url;

async function signIn() {
  const client = new Client({ basePath });
  const granted = await client.oauth.tokensApi.create(
    'refresh_token',
    undefined,
    undefined,
    hubspot.client_id,
    hubspot.client_secret,
    hubspot.refresh_token,
  );
  assert.ok(granted.expiresIn > 0);
  client.setAccessToken(granted.accessToken);
  assert.ok((await client.oauth.accessTokensApi.get(granted.accessToken)).hubId > 0);
  return client.crm;
}

async function schema(crm) {
  const property = (name, more = {}) => ({ name, label: name, type: 'string', fieldType: 'text', ...more });
  const made = await crm.schemas.coreApi.create({
    name: 'plane',
    labels: { singular: 'Plane', plural: 'Planes' },
    primaryDisplayProperty: 'plane_name',
    requiredProperties: ['plane_name'],
    searchableProperties: ['plane_name'],
    secondaryDisplayProperties: [],
    properties: [property('plane_name'), property('tail', { hasUniqueValue: true })],
    associatedObjects: ['COMPANY'],
  });
  const kind = made.objectTypeId;
  assert.equal((await crm.schemas.coreApi.getById(kind)).name, 'plane');
  const [{ name: groupName }] = (await crm.properties.groupsApi.getAll(kind)).results;
  await crm.properties.coreApi.create(kind, { name: 'seats', label: 'Seats', type: 'number', fieldType: 'number', groupName });
  const flag = {
    name: 'state',
    label: 'State',
    type: 'enumeration',
    fieldType: 'select',
    groupName,
    options: [{ label: 'Ready', value: 'ready', displayOrder: 0, hidden: false }],
  };
  await crm.properties.batchApi.create(kind, { inputs: [flag] });
  await eventually(
    async () => (await crm.properties.coreApi.getAll(kind)).results.map(({ name }) => name),
    (names) => ['plane_name', 'tail', 'seats', 'state'].every((name) => names.includes(name)),
    'the properties are listed',
  );
  assert.equal((await crm.properties.coreApi.update(kind, 'seats', { label: 'Places' })).label, 'Places');
  return kind;
}

async function records(crm, kind) {
  const { batchApi, basicApi } = crm.objects;
  const inputs = Array.from({ length: 100 }, (_, n) => ({
    properties: { plane_name: `Plane ${n}`, tail: `T-${n}`, seats: String(n) },
    associations: [],
  }));
  const attempt = () =>
    batchApi.create(kind, { inputs }).catch((error) => {
      assert.match(error.message, /PROPERTY_DOESNT_EXIST/);
    });
  const made = await eventually(attempt, (answer) => answer !== undefined, 'new properties take values');
  assert.equal(made.results.length, 100);
  const upserted = await batchApi.upsert(kind, {
    inputs: [
      { id: 'T-0', idProperty: 'tail', properties: { plane_name: 'Again' } },
      { id: 'T-new', idProperty: 'tail', properties: { plane_name: 'New', tail: 'T-new' } },
    ],
  });
  assert.deepEqual(upserted.results.map((one) => one._new).sort(), [false, true]);
  const read = await batchApi.read(kind, {
    idProperty: 'tail',
    properties: ['tail'],
    propertiesWithHistory: [],
    inputs: ['T-0', 'T-new', 'T-5'].map((id) => ({ id })),
  });
  const ids = Object.fromEntries(read.results.map(({ id, properties }) => [properties.tail, id]));
  assert.deepEqual(Object.keys(ids).sort(), ['T-0', 'T-5', 'T-new']);
  await batchApi.update(kind, { inputs: [{ id: ids['T-5'], properties: { state: 'ready' } }] });
  assert.equal((await basicApi.getById(kind, ids['T-5'], ['state'])).properties.state, 'ready');
  await batchApi.archive(kind, { inputs: [{ id: ids['T-new'] }] });
  assert.equal((await refused(() => basicApi.getById(kind, ids['T-new']), 'an archived record')).code, 404);
  const page = await basicApi.getPage(kind, 40);
  assert.equal(page.results.length, 40);
  assert.ok((await basicApi.getPage(kind, 100, page.paging.next.after)).results.length > 40);
  const twin = { properties: { plane_name: 'Twin', tail: 'T-1' }, associations: [] };
  assert.ok([400, 409].includes((await refused(() => basicApi.create(kind, twin), 'a second unique value')).code));
  return ids;
}

async function links(crm, kind, ids) {
  const company = await crm.companies.basicApi.create({ properties: { name: 'Airline' }, associations: [] });
  const { basicApi, batchApi } = crm.associations.v4;
  await basicApi.createDefault(kind, ids['T-0'], 'companies', company.id);
  const linked = await basicApi.getPage(kind, ids['T-0'], 'companies');
  assert.deepEqual(linked.results.map(({ toObjectId }) => String(toObjectId)), [company.id]);
  await batchApi.createDefault(kind, 'companies', { inputs: [{ _from: { id: ids['T-5'] }, to: { id: company.id } }] });
  const found = await batchApi.getPage(kind, 'companies', { inputs: [{ id: ids['T-0'] }, { id: ids['T-5'] }] });
  assert.equal(found.results.length, 2);
  await basicApi.archive(kind, ids['T-0'], 'companies', company.id);
  assert.equal((await basicApi.getPage(kind, ids['T-0'], 'companies')).results.length, 0);
}

async function search(crm, kind) {
  const request = {
    filterGroups: [{ filters: [{ propertyName: 'seats', operator: 'BETWEEN', value: '10', highValue: '19' }] }],
    properties: ['tail'],
    sorts: ['tail'],
    limit: 5,
    after: '0',
  };
  const found = await eventually(() => crm.objects.searchApi.doSearch(kind, request), ({ total }) => total === 10, 'searched');
  assert.equal(found.results.length, 5);
  assert.ok(Array.isArray((await crm.owners.ownersApi.getPage()).results));
}

const crm = await signIn();
const kind = await schema(crm);
const ids = await records(crm, kind);
await links(crm, kind, ids);
await search(crm, kind);
console.log('@hubspot/api-client: OAuth, a schema, properties, batches, associations, search, owners');

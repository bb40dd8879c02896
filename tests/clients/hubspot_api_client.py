"""hubspot-api-client against the sandbox: schemas, properties, records in batches, associations, search, OAuth."""

import hubspot
from hubspot.crm import associations, objects, properties, schemas
from hubspot.crm.associations import v4

from announcement import CERTIFICATE, HUBSPOT, equal, eventually, true

OPTIONS = {"host": HUBSPOT["base_url"], "ssl_ca_cert": CERTIFICATE}


def sign_in():
    """A refresh token gives an access token, which says what it is."""
    oauth = hubspot.Client.create(**OPTIONS).oauth
    granted = oauth.tokens_api.create(
        grant_type="refresh_token",
        client_id=HUBSPOT["client_id"],
        client_secret=HUBSPOT["client_secret"],
        refresh_token=HUBSPOT["refresh_token"],
    )
    true(granted.expires_in > 0, "a token that ends")
    about = oauth.access_tokens_api.get(granted.access_token)
    true(about.hub_id > 0, "the token's account")
    return hubspot.Client.create(access_token=granted.access_token, **OPTIONS).crm


def schema(crm):
    """A custom object with its properties; gives its type id."""
    prop = schemas.ObjectTypePropertyCreate
    made = crm.schemas.core_api.create(
        schemas.ObjectSchemaEgg(
            name="boat",
            labels=schemas.ObjectTypeDefinitionLabels(singular="Boat", plural="Boats"),
            primary_display_property="boat_name",
            required_properties=["boat_name"],
            searchable_properties=["boat_name"],
            secondary_display_properties=[],
            properties=[
                prop(name="boat_name", label="Name", type="string", field_type="text"),
                prop(name="hull", label="Hull", type="string", field_type="text", has_unique_value=True),
            ],
            associated_objects=["COMPANY"],
        )
    )
    kind = made.object_type_id
    true(kind.startswith("2-"), f"a custom type: {kind}")
    equal(crm.schemas.core_api.get_by_id(kind).name, "boat", "the schema is read back")
    eventually(
        lambda: [one.object_type_id for one in crm.schemas.core_api.get_all().results],
        lambda kinds: kind in kinds,
        "the schema is listed",
    )
    group = crm.properties.groups_api.get_all(kind).results[0].name
    one = properties.PropertyCreate(name="length", label="Length", type="number", field_type="number", group_name=group)
    equal(crm.properties.core_api.create(kind, one).name, "length", "a property")
    two = properties.PropertyCreate(
        name="flag",
        label="Flag",
        type="enumeration",
        field_type="select",
        group_name=group,
        options=[properties.OptionInput(label="Red", value="red", display_order=0, hidden=False)],
    )
    crm.properties.batch_api.create(kind, properties.BatchInputPropertyCreate(inputs=[two]))
    eventually(
        lambda: {known.name for known in crm.properties.core_api.get_all(kind).results},
        lambda names: {"length", "flag", "hull", "boat_name"} <= names,
        "the properties are listed",
    )
    changed = crm.properties.core_api.update(kind, "length", properties.PropertyUpdate(label="Length over all"))
    equal(changed.label, "Length over all", "a property is changed")
    return kind


def records(crm, kind):
    """Batches of every kind; gives ids by hull."""
    batch = crm.objects.batch_api
    create = objects.SimplePublicObjectBatchInputForCreate
    given = objects.BatchInputSimplePublicObjectBatchInputForCreate(
        inputs=[
            create(properties={"boat_name": f"Boat {n}", "hull": f"H-{n}", "length": str(n)}, associations=[])
            for n in range(100)
        ]
    )

    def attempt():
        try:
            return batch.create(kind, given)
        except objects.exceptions.ApiException as refused:
            true("PROPERTY_DOESNT_EXIST" in refused.body, refused.body)
            return None

    made = eventually(attempt, lambda made: made is not None, "new properties take values")
    equal(len(made.results), 100, "created in a batch")
    upsert = objects.SimplePublicObjectBatchInputUpsert
    done = batch.upsert(
        kind,
        objects.BatchInputSimplePublicObjectBatchInputUpsert(
            inputs=[
                upsert(id="H-0", id_property="hull", properties={"boat_name": "Again"}),
                upsert(id="H-new", id_property="hull", properties={"boat_name": "New", "hull": "H-new"}),
            ]
        ),
    )
    equal(sorted(one.new for one in done.results), [False, True], "upserted in a batch")
    read = batch.read(
        kind,
        objects.BatchReadInputSimplePublicObjectId(
            id_property="hull",
            properties=["boat_name", "hull"],
            properties_with_history=[],
            inputs=[objects.SimplePublicObjectId(id=hull) for hull in ("H-0", "H-new", "H-5")],
        ),
    )
    ids = {one.properties["hull"]: one.id for one in read.results}
    equal(set(ids), {"H-0", "H-new", "H-5"}, "read in a batch")
    batch.update(
        kind,
        objects.BatchInputSimplePublicObjectBatchInput(
            inputs=[objects.SimplePublicObjectBatchInput(id=ids["H-5"], properties={"flag": "red"})]
        ),
    )
    one = crm.objects.basic_api.get_by_id(kind, ids["H-5"], properties=["flag"])
    equal(one.properties["flag"], "red", "updated in a batch")
    batch.archive(
        kind,
        objects.BatchInputSimplePublicObjectId(inputs=[objects.SimplePublicObjectId(id=ids["H-new"])]),
    )
    try:
        crm.objects.basic_api.get_by_id(kind, ids["H-new"])
        raise AssertionError("an archived record was read")
    except objects.exceptions.ApiException as refused:
        equal(refused.status, 404, "an archived record")
    page = crm.objects.basic_api.get_page(kind, limit=40)
    equal((len(page.results), page.paging is not None), (40, True), "a page")
    try:
        crm.objects.basic_api.create(
            kind, objects.SimplePublicObjectInputForCreate(properties={"boat_name": "Twin", "hull": "H-1"}, associations=[])
        )
        raise AssertionError("a second unique value was taken")
    except objects.exceptions.ApiException as refused:
        true(refused.status in (400, 409), "a second unique value")
    return ids


def links(crm, kind, ids):
    """A boat's company, linked and unlinked."""
    company = crm.companies.basic_api.create(
        hubspot.crm.companies.SimplePublicObjectInputForCreate(properties={"name": "Shipyard"}, associations=[])
    )
    crm.associations.v4.basic_api.create_default(kind, ids["H-0"], "companies", company.id)
    linked = crm.associations.v4.basic_api.get_page(kind, ids["H-0"], "companies")
    equal([one.to_object_id for one in linked.results], [company.id], "linked")
    batch = crm.associations.v4.batch_api
    both = v4.BatchInputPublicDefaultAssociationMultiPost(
        inputs=[
            v4.PublicDefaultAssociationMultiPost(
                _from=v4.PublicObjectId(id=ids["H-5"]), to=v4.PublicObjectId(id=company.id)
            )
        ]
    )
    batch.create_default(kind, "companies", both)
    found = batch.get_page(
        kind,
        "companies",
        v4.BatchInputPublicFetchAssociationsBatchRequest(
            inputs=[v4.PublicFetchAssociationsBatchRequest(id=ids[hull]) for hull in ("H-0", "H-5")]
        ),
    )
    equal(len(found.results), 2, "links are read in a batch")
    crm.associations.v4.basic_api.archive(kind, ids["H-0"], "companies", company.id)
    true(not crm.associations.v4.basic_api.get_page(kind, ids["H-0"], "companies").results, "unlinked")


def search(crm, kind):
    """By a filter, and the owners."""
    request = objects.PublicObjectSearchRequest(
        filter_groups=[
            {"filters": [{"propertyName": "length", "operator": "BETWEEN", "value": "10", "highValue": "19"}]}
        ],
        properties=["hull"],
        sorts=["hull"],
        limit=5,
        after="0",
    )
    found = eventually(
        lambda: crm.objects.search_api.do_search(kind, request), lambda found: found.total == 10, "searched"
    )
    equal(len(found.results), 5, "a page of a search")
    true(crm.owners.owners_api.get_page().results is not None, "owners")


def main():
    """All of it, in order."""
    crm = sign_in()
    kind = schema(crm)
    ids = records(crm, kind)
    links(crm, kind, ids)
    search(crm, kind)
    print("hubspot-api-client: OAuth, a schema, properties, batches, associations, search, owners")


main()

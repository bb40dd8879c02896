use std::sync::Arc;

use landbridge_model::batch::LookupTarget;
use landbridge_model::config::Resolved;
use landbridge_model::ids::{ObjectTypeId, Revision, RunId, SyncName, TenantId};
use landbridge_model::{Association, MappedPart, Source as Cause, yaml};
use proptest::prelude::*;

use super::*;

const SYNC: &str = r#"
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: vehicles }
spec:
  salesforce: { object: Vehicle__c }
  hubspot: { objectType: vehicles }
  filter: { all: [ { field: Status__c, op: not-equals, value: Scrapped } ], onLeave: LEAVE }
  associations: [ { field: Depot__c, to: depots } ]
  fields:
    - { from: Name, to: name }
    - { from: Price__c, to: price }
    - { from: SystemModstamp, to: stamp }
"#;

fn resolved() -> Resolved {
    let field = |name: &str, kind: &str| serde_json::json!({"name": name, "label": name, "type": kind});
    let property = |name: &str, kind: &str| serde_json::json!({"name": name, "type": kind});
    let resolved = serde_json::json!({
        "object": {
            "name": "Vehicle__c", "label": "Vehicle", "custom": true, "queryable": true,
            "fields": [
                field("Name", "string"), field("Price__c", "currency"), field("Status__c", "picklist"),
                field("SystemModstamp", "datetime"),
                {"name": "Depot__c", "label": "Depot", "type": "reference", "referenceTo": ["Depot__c"]},
            ],
        },
        "object_type": {
            "objectTypeId": "2-1", "name": "vehicles", "requiredProperties": ["name"],
            "properties": [property("name", "string"), property("price", "number"), property("stamp", "datetime")],
        },
        "associations": [],
    });
    let mut resolved: Resolved = serde_json::from_value(resolved).unwrap();
    resolved.associations.push(Association {
        field: "Depot__c".to_owned(),
        target: None,
        to: ObjectTypeId::new("2-2"),
        match_property: "salesforce_id".to_owned(),
        match_unique: true,
        label: None,
    });
    resolved
}

fn plan_of(on_leave: &str) -> Plan {
    let definition = yaml::load("test.yaml", &SYNC.replace("LEAVE", on_leave))
        .unwrap()
        .remove(0);
    Plan::compile(&definition, Revision(2), &resolved()).unwrap()
}

fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a01{number:012}")).unwrap()
}

fn envelope(purpose: Purpose, revision: u32) -> Envelope {
    Envelope {
        tenant: TenantId::new("acme").unwrap(),
        sync: SyncName::new("vehicles").unwrap(),
        revision: Revision(revision),
        purpose,
        source: Cause::Import,
        run: Some(RunId::new("run").unwrap()),
        force: false,
        only: None,
    }
}

/// One row: record, stamp, kind, and the cells of Name, Price__c, Status__c and Depot__c.
type Row = (u32, i64, ChangeKind, [Option<&'static str>; 4]);

fn batch(purpose: Purpose, rows: &[Row]) -> ChangeBatch {
    let mut table = Table::with_columns(["name", "Price__c", "Status__c", "Depot__c"]);
    for row in rows {
        table.push_row(row.3);
    }
    ChangeBatch {
        envelope: envelope(purpose, 2),
        ids: rows.iter().map(|row| id(row.0)).collect(),
        versions: rows.iter().map(|row| Version::new(row.1 * 1000, 0)).collect(),
        kinds: rows.iter().map(|row| row.2).collect(),
        table,
    }
}

const DEPOT: &str = "a02000000000007";
const UP: ChangeKind = ChangeKind::Upsert;

fn table_text(table: &Table) -> String {
    let rows = (0..table.rows()).map(|row| {
        let cells: Vec<String> = table
            .iter()
            .map(|(name, column)| format!("{name}={}", column.get(row).unwrap_or("null")))
            .collect();
        cells.join(" ")
    });
    rows.collect::<Vec<_>>().join(" | ")
}

/// Everything that came of a batch, a line each.
fn told(mapped: &Mapped) -> String {
    let number = |id: &SalesforceId| id.as_str()[3..15].trim_start_matches('0').to_owned();
    let mut lines = Vec::new();
    for writes in &mapped.writes {
        for (row, id) in writes.ids.iter().enumerate() {
            let values = table_text(&writes.table.select(&[row]));
            let links = table_text(&writes.links.select(&[row]));
            lines.push(
                format!("write {} {:?} {values} {links}", number(id), writes.kinds[row])
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    if let Some(intents) = &mapped.intents {
        for (row, id) in intents.children.iter().enumerate() {
            let gone = if intents.deleted[row] { " gone" } else { "" };
            lines.push(format!(
                "intent {}{gone} {}",
                number(id),
                table_text(&intents.table.select(&[row]))
            ));
        }
    }
    for outcome in &mapped.outcomes {
        let why = outcome.failure.as_ref().map(|failure| {
            let parts = [&failure.field, &failure.property, &failure.value];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            format!(
                ": {} {} [{}]",
                failure.category,
                failure.message,
                parts.join(", ")
            )
        });
        lines.push(format!(
            "{} {}{}",
            outcome.outcome,
            number(&outcome.id),
            why.unwrap_or_default()
        ));
    }
    lines.extend(
        mapped
            .rereads
            .iter()
            .map(|id| format!("read again {}", number(id))),
    );
    lines.join("\n")
}

const ROWS: &[Row] = &[
    (
        1,
        10,
        UP,
        [Some("Red one"), Some("975000.0"), Some("Sold"), Some(DEPOT)],
    ),
    (2, 10, UP, [Some("Dear one"), Some("a lot"), None, None]),
    (
        3,
        10,
        UP,
        [Some("Old one"), Some("1"), Some("scrapped"), Some(DEPOT)],
    ),
    (4, 11, ChangeKind::Delete, [None, None, None, None]),
    (5, 10, UP, [None, Some("2"), None, None]),
    (6, 10, UP, [Some("Lost one"), None, None, Some("nowhere")]),
    (7, 10, UP, [Some("Late one"), None, None, None]),
    (1, 9, UP, [Some("Red one before"), None, None, None]),
    (8, 10, UP, [Some("Bare one"), Some(""), None, Some("")]),
];

#[test]
fn every_row_ends_somewhere() {
    let newest = |seen: &SalesforceId| (*seen == id(7)).then_some(Version::new(10_000, 1));
    let mapped = map(&plan_of("keep"), &batch(Purpose::Apply, ROWS), newest);
    expect_test::expect![[r#"
        write 1 Upsert name=Red one price=975000 stamp=1970-01-01T00:00:10.000Z
        write 4 Delete name=null price=null stamp=null
        write 8 Upsert name=Bare one price=null stamp=1970-01-01T00:00:10.000Z
        intent 1 Depot__c=a02000000000007AAA
        intent 4 gone Depot__c=null
        intent 8 Depot__c=null
        failed 2: invalid-value "a lot" is not a number [Price__c, price, a lot]
        filtered 3: invalid-value Status__c not-equals Scrapped []
        failed 5: missing-required-property HubSpot requires name, and Name is empty; fill it in Salesforce, or make the property optional [Name, name]
        failed 6: invalid-value "nowhere" is not a Salesforce record id (15 characters, or 18 with a checksum that holds) [Depot__c, nowhere]
        superseded 7
        superseded 1"#]].assert_eq(&told(&mapped));
    assert_eq!(mapped.writes[0].envelope.revision, Revision(2));
}

/// A lookup that may lead to several objects, two of which have a rule.
#[test]
fn a_parent_fills_the_slot_of_its_object_and_empties_the_others() {
    let text = SYNC.replace("LEAVE", "keep").replace(
        "[ { field: Depot__c, to: depots } ]",
        "[ { field: Place__c, object: Depot__c, to: depots }, { field: Place__c, object: account, to: companies } ]",
    );
    let definition = yaml::load("test.yaml", &text).unwrap().remove(0);
    let mut resolved = resolved();
    let link = |object: &str, key_prefix: &str, to: &str| Association {
        field: "Place__c".to_owned(),
        target: Some(LookupTarget {
            object: object.to_owned(),
            key_prefix: key_prefix.to_owned(),
        }),
        to: ObjectTypeId::new(to),
        ..resolved.associations[0].clone()
    };
    let links = vec![link("Depot__c", "a02", "2-2"), link("Account", "001", "0-2")];
    resolved.associations = links[..1].to_vec();
    let unresolved = Plan::compile(&definition, Revision(2), &resolved).unwrap_err();
    assert_eq!(
        unresolved[0].place, "spec.associations[1]",
        "the account's rule has no slot yet"
    );
    resolved.associations = links;
    let plan = Plan::compile(&definition, Revision(2), &resolved).unwrap();
    assert_eq!(
        plan.salesforce_columns(),
        ["Name", "Price__c", "Place__c", "Status__c"]
    );

    let mut batch = batch(
        Purpose::Apply,
        &[
            (1, 10, UP, [Some("in a depot"), None, None, Some(DEPOT)]),
            (
                2,
                10,
                UP,
                [Some("of an account"), None, None, Some("001000000000007")],
            ),
            (
                3,
                10,
                UP,
                [Some("of a user"), None, None, Some("005000000000007")],
            ),
            (4, 10, UP, [Some("of nobody"), None, None, None]),
            (5, 10, UP, [Some("misspelt"), None, None, Some("nobody")]),
            (6, 10, ChangeKind::Delete, [None, None, None, None]),
        ],
    );
    let mut table = Table::default();
    for (name, column) in batch.table.iter() {
        table.add(if name == "Depot__c" { "Place__c" } else { name }, column.clone());
    }
    batch.table = table;
    let intents = |batch: &ChangeBatch| {
        let told = told(&map(&plan, batch, |_| None));
        let lines = told.lines().filter(|line| !line.starts_with("write"));
        lines.collect::<Vec<_>>().join("\n")
    };
    expect_test::expect![[r#"
        intent 1 Place__c:Depot__c=a02000000000007AAA Place__c:Account=null
        intent 2 Place__c:Depot__c=null Place__c:Account=001000000000007AAA
        intent 3 Place__c:Depot__c=null Place__c:Account=null
        intent 4 Place__c:Depot__c=null Place__c:Account=null
        intent 6 gone Place__c:Depot__c=null Place__c:Account=null
        failed 5: invalid-value "nobody" is not a Salesforce record id (15 characters, or 18 with a checksum that holds) [Place__c, nobody]"#]]
    .assert_eq(&intents(&batch));
    // A back-fill names the field: both its slots are filled.
    for (lookups, filled) in [
        (vec!["place__C".to_owned()], true),
        (vec!["Depot__c".to_owned()], false),
    ] {
        batch.envelope.only = Some(Arc::new(MappedPart {
            properties: Vec::new(),
            lookups,
        }));
        assert_eq!(intents(&batch).contains("Place__c:Account=001"), filled);
    }
}

#[test]
fn a_record_that_leaves_travels_when_the_delete_rule_says_so() {
    let mapped = map(
        &plan_of("delete-rule"),
        &batch(Purpose::Apply, &ROWS[2..4]),
        |_| None,
    );
    expect_test::expect![[r#"
        write 3 Leave name=null price=null stamp=null
        write 4 Delete name=null price=null stamp=null
        intent 3 gone Depot__c=null
        intent 4 gone Depot__c=null"#]]
    .assert_eq(&told(&mapped));
}

#[test]
fn compare_carries_the_parents_and_remembers_nothing() {
    let newest = |_: &SalesforceId| -> Option<Version> { panic!("compare asks for no version") };
    let mapped = map(&plan_of("keep"), &batch(Purpose::Compare, ROWS), newest);
    expect_test::expect![[r#"
        write 1 Upsert name=Red one price=975000 stamp=1970-01-01T00:00:10.000Z Depot__c=a02000000000007AAA
        write 4 Delete name=null price=null stamp=null Depot__c=null
        write 7 Upsert name=Late one price=null stamp=1970-01-01T00:00:10.000Z Depot__c=null
        write 1 Upsert name=Red one before price=null stamp=1970-01-01T00:00:09.000Z Depot__c=null
        write 8 Upsert name=Bare one price=null stamp=1970-01-01T00:00:10.000Z Depot__c=null
        failed 2: invalid-value "a lot" is not a number [Price__c, price, a lot]
        filtered 3: invalid-value Status__c not-equals Scrapped []
        failed 5: missing-required-property HubSpot requires name, and Name is empty; fill it in Salesforce, or make the property optional [Name, name]
        failed 6: invalid-value "nowhere" is not a Salesforce record id (15 characters, or 18 with a checksum that holds) [Depot__c, nowhere]"#]].assert_eq(&told(&mapped));
    assert_eq!(mapped.intents, None);
}

/// The batch without one column.
#[test]
fn a_back_fill_carries_whole_rows_and_links_only_what_is_touched() {
    for (lookups, linked) in [(vec!["depot__c".to_owned()], true), (Vec::new(), false)] {
        let mut filling = batch(Purpose::Apply, &ROWS[..1]);
        filling.envelope.only = Some(Arc::new(MappedPart {
            properties: vec!["price".to_owned()],
            lookups,
        }));
        let mapped = map(&plan_of("keep"), &filling, |_| None);
        let names: Vec<&str> = mapped.writes[0].table.names().collect();
        assert_eq!(
            names,
            ["name", "price", "stamp"],
            "a row with news is written whole"
        );
        assert_eq!(mapped.writes[0].envelope.only, filling.envelope.only);
        assert_eq!(mapped.intents.is_some(), linked);
    }
}

fn without(mut batch: ChangeBatch, column: &str) -> ChangeBatch {
    let mut table = Table::default();
    for (name, cells) in batch.table.iter().filter(|(name, _)| *name != column) {
        table.add(name, cells.clone());
    }
    batch.table = table;
    batch
}

#[test]
fn absent_is_not_null() {
    let rows = [ROWS[0], ROWS[3]];
    let mapped = map(
        &plan_of("keep"),
        &without(batch(Purpose::Apply, &rows), "Price__c"),
        |_| None,
    );
    expect_test::expect![[r#"
        write 1 Upsert name=Red one stamp=1970-01-01T00:00:10.000Z
        write 4 Delete name=null stamp=null
        intent 1 Depot__c=a02000000000007AAA
        intent 4 gone Depot__c=null"#]]
    .assert_eq(&told(&mapped));
    let mapped = map(
        &plan_of("keep"),
        &without(batch(Purpose::Apply, &rows), "Depot__c"),
        |_| None,
    );
    expect_test::expect![[r#"
        write 1 Upsert name=Red one price=975000 stamp=1970-01-01T00:00:10.000Z
        write 4 Delete name=null price=null stamp=null
        intent 4 gone Depot__c=null"#]]
    .assert_eq(&told(&mapped));
}

#[test]
fn a_filter_that_cannot_be_applied_carries_nothing() {
    let rows = [ROWS[0], ROWS[3]];
    let mapped = map(
        &plan_of("keep"),
        &without(batch(Purpose::Apply, &rows), "Status__c"),
        |_| None,
    );
    expect_test::expect![[r#"
        write 4 Delete name=null price=null stamp=null
        intent 4 gone Depot__c=null
        failed 1: schema-changed the filter cannot be applied: Salesforce no longer shows the field (Status__c) [Status__c]"#]].assert_eq(&told(&mapped));
}

#[test]
fn a_batch_of_an_older_revision_is_mapped_if_its_columns_suffice_and_read_again_if_not() {
    let rows = [ROWS[0], ROWS[3]];
    let mut older = batch(Purpose::Apply, &rows);
    older.envelope.revision = Revision(1);
    let mapped = map(&plan_of("keep"), &older, |_| None);
    assert_eq!(mapped.rereads, []);
    assert_eq!(mapped.writes[0].envelope.revision, Revision(2));
    let mapped = map(&plan_of("keep"), &without(older, "Price__c"), |_| None);
    expect_test::expect![[r#"
        write 4 Delete name=null stamp=null
        intent 4 gone Depot__c=null
        read again 1"#]]
    .assert_eq(&told(&mapped));
}

#[test]
fn a_batch_that_grew_is_parted_and_a_row_that_no_message_could_carry_fails_alone() {
    let text = yaml::load("test.yaml", &SYNC.replace("LEAVE", "keep"))
        .unwrap()
        .remove(0);
    let mut definition = text;
    let mut resolved = resolved();
    for copy in 0..8 {
        let mut property = resolved.object_type.properties[0].clone();
        property.name = format!("copy_{copy}");
        resolved.object_type.properties.push(property);
        let mut rule = definition.spec.fields[0].clone();
        rule.to = format!("copy_{copy}");
        definition.spec.fields.push(rule);
    }
    let plan = Plan::compile(&definition, Revision(2), &resolved).unwrap();
    let long: &'static str = "x".repeat(40_000).leak();
    let too_long: &'static str = "x".repeat(60_000).leak();
    let row = |number, name| (number, 10, UP, [Some(name), None, None, None]);
    let rows = [row(1, long), row(2, long), row(3, too_long), row(4, "short")];
    let mapped = map(&plan, &batch(Purpose::Apply, &rows), |_| None);
    let parts: Vec<Vec<SalesforceId>> = mapped.writes.iter().map(|writes| writes.ids.clone()).collect();
    assert_eq!(parts, [vec![id(1)], vec![id(2), id(4)]]);
    let failed: Vec<SalesforceId> = mapped.outcomes.iter().map(|outcome| outcome.id).collect();
    assert_eq!(failed, [id(3)]);
    assert_eq!(mapped.intents.unwrap().children, [id(1), id(2), id(4)]);
}

fn any_row() -> impl Strategy<Value = Row> {
    let cell = |choices: &'static [Option<&'static str>]| proptest::sample::select(choices);
    (
        0u32..6,
        0i64..4,
        proptest::sample::select(&[UP, UP, UP, ChangeKind::Delete][..]),
        cell(&[Some("a"), Some("b"), None, Some("")]),
        cell(&[Some("1.0"), Some("x"), None]),
        cell(&[Some("Sold"), Some("Scrapped"), None]),
        cell(&[Some(DEPOT), Some("?"), None]),
    )
        .prop_map(|(id, stamp, kind, name, price, status, depot)| {
            (id, stamp, kind, [name, price, status, depot])
        })
}

proptest! {
    /// P2: rows in are rows out, each once; what is older than what is known never travels.
    #[test]
    fn rows_in_are_rows_out(
        rows in proptest::collection::vec(any_row(), 0..30),
        known in proptest::collection::vec(proptest::option::of(0i64..4), 6),
        compare in proptest::bool::ANY,
        leave in proptest::sample::select(&["keep", "delete-rule"][..]),
        dropped in proptest::option::of(proptest::sample::select(&["Price__c", "Status__c", "Depot__c", "name"][..])),
        revision in 1u32..3,
    ) {
        let purpose = if compare { Purpose::Compare } else { Purpose::Apply };
        let mut batch = batch(purpose, &rows);
        batch.envelope.revision = Revision(revision);
        if let Some(column) = dropped {
            batch = without(batch, column);
        }
        let newest = |seen: &SalesforceId| {
            let place = (0..6).find(|number| id(*number) == *seen)?;
            known[place as usize].map(|stamp| Version::new(stamp * 1000, 0))
        };
        let mapped = map(&plan_of(leave), &batch, newest);

        let mut before: Vec<(SalesforceId, Version)> =
            batch.ids.iter().copied().zip(batch.versions.iter().copied()).collect();
        let mut after: Vec<(SalesforceId, Version)> =
            mapped.outcomes.iter().map(|outcome| (outcome.id, outcome.version)).collect();
        for writes in &mapped.writes {
            after.extend(writes.ids.iter().copied().zip(writes.versions.iter().copied()));
            prop_assert_eq!(writes.kinds.len(), writes.ids.len());
            prop_assert!(writes.table.is_empty() || writes.table.rows() == writes.ids.len());
            prop_assert!(writes.links.is_empty() || writes.links.rows() == writes.ids.len());
            for (id, version) in writes.ids.iter().zip(&writes.versions) {
                prop_assert!(compare || newest(id).is_none_or(|known| !version.is_superseded_by(known)));
            }
            if let Some(intents) = &mapped.intents {
                prop_assert_eq!(mapped.writes.len(), 1);
                prop_assert!(intents.children.iter().all(|child| writes.ids.contains(child)));
                prop_assert_eq!(intents.table.rows(), intents.children.len());
            }
        }
        before.sort();
        after.sort();
        if mapped.rereads.is_empty() {
            prop_assert_eq!(&before, &after);
        }
        let mut records_before: Vec<SalesforceId> = before.iter().map(|(id, _)| *id).collect();
        let mut records_after: Vec<SalesforceId> = after.iter().map(|(id, _)| *id).collect();
        records_after.extend(&mapped.rereads);
        records_before.sort();
        records_after.sort();
        prop_assert_eq!(records_before, records_after);
    }
}

use super::*;
use crate::sync::{DeleteRule, MaxDeletes, OnLeave, Operator, Scalars};

const FLEET: &str = r#"
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: vehicles }
spec:
  salesforce: { object: Vehicle__c }
  hubspot:    { objectType: vehicles, idProperty: salesforce_id }
  rules:
    create: always
    update: always
    delete: delete-record
    maxDeletes: 5%
    grace: 15m
  filter: { all: [ { field: Status__c, op: not-equals, value: Scrapped }, { field: Zip__c, op: in, value: [01742, "no", off] },
                   { field: Price__c, op: less-than, value: 1000 }, { field: Sold__c, op: is-empty }, { field: Insured__c, op: equals, value: true } ], onLeave: delete-rule }
  associations:
    - { field: Account__c, to: companies, match: salesforceaccountid, label: primary }
    - { field: Depot__c,   to: depots,    label: "stationed at" }
  fields:
    - { from: Name,          to: name }
    - { from: Price__c,      to: price }
    - { from: Fuel__c,       to: fuel_type, values: { Petrol: petrol, No: "no", 1: "1" }, unmatched: add-option }
"#;

#[test]
fn a_file_is_read_as_written() {
    let definitions = load("fleet.yaml", FLEET).unwrap();
    let spec = &definitions[0].spec;
    assert_eq!(definitions[0].key().to_string(), "acme/vehicles");
    assert_eq!(spec.rules.delete, DeleteRule::DeleteRecord);
    assert_eq!(spec.rules.max_deletes, Some(MaxDeletes::Percent(5)));
    let filter = spec.filter.as_ref().unwrap();
    assert_eq!(filter.on_leave, OnLeave::DeleteRule);
    assert_eq!(filter.all[0].op, Operator::NotEquals);
    let values: Vec<Option<&[String]>> = filter
        .all
        .iter()
        .map(|c| c.value.as_ref().map(|v| &*v.0))
        .collect();
    let expected: [Option<&[&str]>; 5] = [
        Some(&["Scrapped"]),
        Some(&["01742", "no", "off"]),
        Some(&["1000"]),
        None,
        Some(&["true"]),
    ];
    let expected: Vec<Option<Vec<String>>> = expected
        .iter()
        .map(|v| v.map(|v| v.iter().map(|s| (*s).to_owned()).collect()))
        .collect();
    assert_eq!(values, expected.iter().map(Option::as_deref).collect::<Vec<_>>());
    assert_eq!(spec.associations[1].label.as_deref(), Some("stationed at"));
    assert_eq!(spec.fields[2].values["No"], "no");
    assert_eq!(spec.fields[2].values["1"], "1");
}

#[test]
fn export_is_a_fixed_point() {
    let both = format!("{FLEET}---\n{}", FLEET.replace("name: vehicles", "name: trucks"));
    let definitions = load("fleet.yaml", &both).unwrap();
    assert_eq!(definitions.len(), 2);
    let exported = export(&definitions);
    let again = load("exported.yaml", &exported).unwrap();
    assert_eq!(again, definitions);
    assert_eq!(export(&again), exported);
}

#[test]
fn the_exported_form_is_stable() {
    let definitions = load("fleet.yaml", FLEET).unwrap();
    expect_test::expect![[r#"
        apiVersion: landbridge/v1
        kind: Sync
        metadata:
          tenant: acme
          name: vehicles
        spec:
          salesforce:
            object: Vehicle__c
          hubspot:
            objectType: vehicles
            idProperty: salesforce_id
          rules:
            create: always
            update: always
            delete: delete-record
            maxDeletes: 5%
            grace: 15m
          filter:
            all:
            - field: Status__c
              op: not-equals
              value: Scrapped
            - field: Zip__c
              op: in
              value:
              - "01742"
              - "no"
              - "off"
            - field: Price__c
              op: less-than
              value: "1000"
            - field: Sold__c
              op: is-empty
            - field: Insured__c
              op: equals
              value: "true"
            onLeave: delete-rule
          associations:
          - field: Account__c
            to: companies
            match: salesforceaccountid
            label: primary
          - field: Depot__c
            to: depots
            label: stationed at
          fields:
          - from: Name
            to: name
          - from: Price__c
            to: price
          - from: Fuel__c
            to: fuel_type
            values:
              Petrol: petrol
              "No": "no"
              "1": "1"
            unmatched: add-option
    "#]]
    .assert_eq(&export(&definitions));
}

#[track_caller]
fn refused(change: impl Fn(&str) -> String, expected: &str) {
    let error = load("fleet.yaml", &change(FLEET)).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn errors_name_the_place_and_the_remedy() {
    refused(
        |file| file.replace("label: primary", "lable: primary"),
        "fleet.yaml:17:71: the key lable is not known here; did you mean label? Known keys: field, object, to, match, label",
    );
    refused(
        |file| file.replace("delete: delete-record", "delete: remove"),
        "fleet.yaml:11:13: \"remove\" is not a value this key takes; it takes do-nothing, delete-record",
    );
    refused(
        |file| file.replace("landbridge/v1", "landbridge/v9"),
        "fleet.yaml:2:13: apiVersion: \"landbridge/v9\" is not known; write apiVersion: landbridge/v1",
    );
    refused(
        |file| file.replace("kind: Sync", "sort: Sync"),
        "fleet.yaml: kind is missing; write kind: Sync",
    );
    refused(
        |file| file.replace("{ from: Price__c,      to: price }", "{ from: Price__c }"),
        "fleet.yaml:21:9: the key to is missing here",
    );
    refused(
        |file| file.replace("tenant: acme", "tenant: Acme Inc"),
        "fleet.yaml:4:21: \"Acme Inc\" is not a tenant name (1 to 64 lower-case letters, digits, hyphens or underscores)",
    );
    refused(
        |file| file.replace("maxDeletes: 5%", "maxDeletes: some"),
        "fleet.yaml:12:17: \"some\" is neither a count such as 500 nor a share such as 5%",
    );
    refused(|_| "# nothing\n".to_owned(), "fleet.yaml: there is no sync in it");
}

proptest::proptest! {
    #[test]
    fn any_text_survives_the_way_through_a_file(text in "\\PC{0,40}", other in "[ -~]{0,20}") {
        let mut definitions = load("fleet.yaml", FLEET).unwrap();
        let spec = &mut definitions[0].spec;
        spec.fields[0].to = text.clone();
        spec.fields[2].values.insert(text.clone(), other.clone());
        spec.associations[1].label = Some(other.clone());
        let condition = &mut spec.filter.as_mut().unwrap().all[0];
        condition.value = Some(Scalars(vec![text, other]));
        let exported = export(&definitions);
        let again = load("exported.yaml", &exported).unwrap();
        proptest::prop_assert_eq!(&again, &definitions);
        proptest::prop_assert_eq!(export(&again), exported);
    }
}

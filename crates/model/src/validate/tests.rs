use super::*;
use crate::hubspot::PropertyOption;
use crate::ids::SyncName;
use crate::salesforce::{FieldDescribe, FieldType, PicklistValue};
use crate::testing::{field, lookup, object, object_type, property};
use crate::yaml;

fn picklist(name: &str, values: &[(&str, bool)]) -> FieldDescribe {
    let value = |(value, active): &(&str, bool)| PicklistValue {
        value: (*value).to_owned(),
        label: None,
        active: *active,
    };
    FieldDescribe {
        picklist_values: values.iter().map(value).collect(),
        ..field(name, FieldType::Picklist)
    }
}

fn vehicle() -> ObjectDescribe {
    let mut owner = lookup("OwnerId", "User");
    owner.reference_to.push("Group".to_owned());
    object(
        "Vehicle__c",
        vec![
            field("Price__c", FieldType::Currency),
            field("Sold__c", FieldType::DateTime),
            field("Where__c", FieldType::Location),
            picklist(
                "Fuel__c",
                &[("Petrol", true), ("Electric", true), ("Steam", false)],
            ),
            lookup("Depot__c", "Depot__c"),
            lookup("Home__c", "Depot__c"),
            lookup("Account__c", "Account"),
            lookup("Twin__c", "Vehicle__c"),
            owner,
        ],
    )
}

fn vehicles() -> ObjectSchema {
    let mut fuel = property("fuel", PropertyType::Enumeration);
    fuel.field_type = "select".to_owned();
    fuel.options = ["petrol", "ev"]
        .map(|value| PropertyOption {
            label: value.to_owned(),
            value: value.to_owned(),
        })
        .to_vec();
    let mut created = property("hs_createdate", PropertyType::DateTime);
    created.read_only = true;
    let mut schema = object_type(
        "2-1",
        "vehicles",
        vec![
            property("name", PropertyType::String),
            property("price", PropertyType::Number),
            property("sold_on", PropertyType::Date),
            property("plain_id", PropertyType::String),
            property("insured", PropertyType::Bool),
            fuel,
            created,
        ],
    );
    schema.required_properties = vec!["name".to_owned()];
    schema
}

fn depots() -> ObjectSchema {
    object_type("2-2", "depots", vec![property("name", PropertyType::String)])
}

/// What an owner may be. Queues of this org have no ids of their own kind.
fn targets() -> [ObjectDescribe; 3] {
    [
        ("User", Some("005")),
        ("Group", Some("00G")),
        ("Queue", Some("00G")),
    ]
    .map(|(name, prefix)| ObjectDescribe {
        key_prefix: prefix.map(str::to_owned),
        ..object(name, Vec::new())
    })
}

fn depot_sync() -> SyncDefinition {
    definition("Depot__c", "depots", "fields: [ { from: Name, to: name } ]")
}

fn definition(object: &str, object_type: &str, rest: &str) -> SyncDefinition {
    let name = object_type.to_lowercase();
    let text = format!(
        "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  \
         salesforce: {{ object: {object} }}\n  hubspot: {{ objectType: {object_type} }}\n  {}\n",
        rest.replace('\n', "\n  ")
    );
    yaml::load("test.yaml", &text).unwrap().remove(0)
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn with_surroundings<T>(run: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    let (object, schema, types, syncs) = (vehicle(), vehicles(), [vehicles(), depots()], [depot_sync()]);
    run(&Surroundings {
        object: Some(&object),
        objects: &["Vehicle__c".to_owned(), "Depot__c".to_owned()],
        parents: &[],
        object_type: Some(&schema),
        object_types: &types,
        targets: &targets(),
        syncs: &syncs,
    })
}

#[track_caller]
fn check(rest: &str, expected: &expect_test::Expect) {
    let definition = definition("Vehicle__c", "vehicles", rest);
    let problems = with_surroundings(|around| validate(&definition, around));
    expected.assert_eq(&lines(&problems));
}

#[test]
fn a_sound_sync_has_no_problem() {
    check(
        "rules: { delete: delete-record, grace: 15m }
filter: { all: [ { field: Price__c, op: greater-than, value: 10 } ] }
associations:
- { field: Account__c, to: companies }
- { field: Depot__c, to: depots, label: stationed at }
- { field: Home__c, to: depots, label: at home in }
- { field: Twin__c, to: vehicles }
fields:
- { from: Name, to: name }
- { from: Price__c, to: price }
- { from: Sold__c, to: sold_on }
- { from: Fuel__c, to: fuel, values: { Petrol: petrol, Electric: ev } }
- { from: OwnerId, to: plain_id }",
        &expect_test::expect![""],
    );
}

#[test]
fn every_problem_of_fields_is_told_at_once() {
    check(
        "fields:
- { from: Prise__c, to: price }
- { from: Depot__c, to: plain_id }
- { from: Where__c, to: plain_id }
- { from: Price__c, to: insured }
- { from: Price__c, to: pryce }
- { from: Sold__c, to: hs_createdate }
- { from: Fuel__c, to: fuel, values: { Petrol: Petrol } }
- { from: Name, to: salesforce_id }
- { from: Depo__r.Name, to: sold_on }
- { from: Depot__r.Nam, to: sold_on }",
        &expect_test::expect![[r#"
            spec.fields[2].to: plain_id is already filled by spec.fields[1]; map the two fields to different properties
            spec.fields[7].to: Landbridge itself writes salesforce_id; leave this row out, or map the field to another property
            spec.fields[9].to: sold_on is already filled by spec.fields[8]; map the two fields to different properties
            spec.fields[0].from: Vehicle__c has no field Prise__c that the Salesforce user can see; did you mean Price__c? Otherwise create the field in Salesforce, or let the Salesforce user see it
            spec.fields[1].from: Depot__c is a lookup to Depot__c; list it under spec.associations instead
            spec.fields[2]: Where__c (location) cannot become plain_id (string); a geolocation is read by its parts: map its Latitude__s and Longitude__s fields
            spec.fields[3]: Price__c (currency) cannot become insured (bool); only checkboxes, and values mapped to true or false, become a yes/no property
            spec.fields[4].to: vehicles has no property pryce; did you mean price? Otherwise create the property in HubSpot
            spec.fields[5].to: HubSpot computes hs_createdate itself and does not let it be written; map the field to another property
            spec.fields[6].values: fuel has no option for "Petrol", "Electric" of Fuel__c; map them to options under values ("petrol", "ev"), or set unmatched: add-option or leave-empty
            spec.fields[6].values.Petrol: "Petrol" is not an option of fuel; did you mean petrol? Otherwise add the option in HubSpot, or set unmatched: add-option
            spec.fields[8].from: Vehicle__c has no field Depo__r.Name that the Salesforce user can see; did you mean Depot__r? Otherwise name a relationship of the object, such as Depot__r for the lookup Depot__c
            spec.fields[9].from: Vehicle__c has no field Depot__r.Nam that the Salesforce user can see; name a field that the object behind Depot__r has and the Salesforce user can see
            spec.fields: vehicles requires the property name, and no field is mapped to it; map a field that is never empty to name, or make it optional in HubSpot
        "#]],
    );
}

#[test]
fn every_problem_of_associations_is_told_at_once() {
    check(
        "associations:
- { field: Depot__c, to: depots }
- { field: Home__c, to: depots }
- { field: Price__c, to: depots, label: a }
- { field: OwnerId, to: contacts }
- { field: Accounts__c, to: companies }
- { field: Account__c, to: contacts }
- { field: Twin__c, to: vehicle }
- { field: Depot__c, to: vehicles }
- { field: Account__c, to: depots, match: nam, label: b }
fields: [ { from: Name, to: name } ]",
        &expect_test::expect![[r#"
            spec.associations[7].field: Depot__c is already listed in spec.associations[0]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[8].field: Account__c is already listed in spec.associations[5]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[1].label: Home__c and Depot__c (spec.associations[0]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[2].label: Price__c and Depot__c (spec.associations[0]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[2].label: Price__c and Home__c (spec.associations[1]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[5].label: Account__c and OwnerId (spec.associations[3]) both lead to contacts and could not be told apart; give each of them a label of its own
            spec.associations[8].label: Account__c and Depot__c (spec.associations[0]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[8].label: Account__c and Home__c (spec.associations[1]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[2].field: Price__c is of type currency, not a lookup; list it under spec.fields, or name a lookup or master-detail field
            spec.associations[3].object: OwnerId may lead to several objects (User, Group); name with object the one that this rule is for; each of them may have a rule of its own
            spec.associations[4].field: Vehicle__c has no field Accounts__c that the Salesforce user can see; did you mean Account__c? Otherwise create the lookup in Salesforce, or let the Salesforce user see it
            spec.associations[5]: Account__c leads to Account, which no sync carries to contacts; HubSpot's own integration turns Contact and Lead into contacts; name with match the property that holds the Salesforce id of Account, or leave the association out
            spec.associations[6].to: the portal has no object type vehicle; did you mean vehicles? Otherwise name contacts, companies, deals, tickets or a custom object type; a type that was created moments ago may take up to a minute to show
            spec.associations[7]: Depot__c leads to Depot__c, which no sync carries to vehicles; add a sync of Depot__c to vehicles, name with match the property that holds its Salesforce id, or leave the association out
            spec.associations[8].match: depots has no property nam; did you mean name? Otherwise name the property that holds the Salesforce id of the parent
        "#]],
    );
}

/// The vehicle with a lookup that may lead to several objects.
fn moored(objects: &[&str]) -> ObjectDescribe {
    let mut object = vehicle();
    let mut place = lookup("Place__c", objects[0]);
    place.reference_to = objects.iter().map(|name| (*name).to_owned()).collect();
    object.fields.push(place);
    object
}

#[track_caller]
fn check_place(leads_to: &[&str], rules: &str, expected: &expect_test::Expect) {
    let rest = format!("associations:\n{rules}\nfields: [ {{ from: Name, to: name }} ]");
    let definition = definition("Vehicle__c", "vehicles", &rest);
    let (object, depot) = (
        moored(leads_to),
        ObjectDescribe {
            key_prefix: Some("a02".to_owned()),
            ..crate::testing::object("Depot__c", Vec::new())
        },
    );
    let targets = [targets().as_slice(), &[depot]].concat();
    let (told, wanted) = with_surroundings(|around| {
        let around = Surroundings {
            object: Some(&object),
            targets: &targets,
            ..*around
        };
        let wanted = wanted_associations(&definition, &around);
        (lines(&validate(&definition, &around)), wanted)
    });
    let wanted = wanted.iter().map(|one| match &one.target {
        None => format!("{} -> {}\n", one.field, one.to),
        Some(target) => format!(
            "{}:{} {} -> {}\n",
            one.field, target.object, target.key_prefix, one.to
        ),
    });
    expected.assert_eq(&format!("{told}{}", wanted.collect::<String>()));
}

#[test]
fn a_lookup_to_several_objects_has_a_rule_for_each() {
    let several = [
        "Account",
        "Depot__c",
        "Vehicle__c",
        "User",
        "Group",
        "Queue",
        "Hidden__c",
    ];
    // The prefix of the object itself is known without asking for it; that of an account is not here.
    check_place(
        &several,
        "- { field: Place__c, object: depot__C, to: depots, label: at }
- { field: Place__c, object: Vehicle__c, to: vehicles }
- { field: Place__c, object: User, to: depots, match: name, label: kept by }",
        &expect_test::expect![[r#"
            Place__c:Depot__c a02 -> 2-2
            Place__c:Vehicle__c a01 -> 2-1
            Place__c:User 005 -> 2-2
        "#]],
    );
    check_place(
        &several,
        "- { field: Place__c, object: Depot__c, to: depots }
- { field: place__c, object: DEPOT__C, to: vehicles }
- { field: Place__c, to: companies }
- { field: Place__c, object: Depots__c, to: tickets }
- { field: Place__c, object: Hidden__c, to: deals, match: id }
- { field: Place__c, object: Group, to: contacts, match: id }",
        &expect_test::expect![[r#"
            spec.associations[1].field: place__c:DEPOT__C is already listed in spec.associations[0]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[2].field: Place__c is already listed in spec.associations[0]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[3].field: Place__c:Depots__c is already listed in spec.associations[2]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[4].field: Place__c:Hidden__c is already listed in spec.associations[2]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[5].field: Place__c:Group is already listed in spec.associations[2]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
            spec.associations[1]: place__c leads to Depot__c, which no sync carries to vehicles; add a sync of Depot__c to vehicles, name with match the property that holds its Salesforce id, or leave the association out
            spec.associations[2].object: Place__c may lead to several objects (Account, Depot__c, Vehicle__c, User, Group, Queue, Hidden__c); name with object the one that this rule is for; each of them may have a rule of its own
            spec.associations[3].object: Place__c does not lead to Depots__c; did you mean Depot__c? Otherwise name one of Account, Depot__c, Vehicle__c, User, Group, Queue, Hidden__c
            spec.associations[4].object: the org does not show what the ids of Hidden__c begin with; let the Salesforce user read Hidden__c, or leave the association out
            spec.associations[5].object: the ids of Group and Queue both begin with 00G, so that nothing tells their records apart; leave the association out
            Place__c:Depot__c a02 -> 2-2
            Place__c:Group 00G -> 0-1
        "#]],
    );
    check_place(
        &several,
        "- { field: Place__c, object: Depot__c, to: depots }
- { field: Place__c, object: User, to: depots, match: name }
- { field: Place__c, object: Vehicle__c, to: depots, label: towed by }",
        &expect_test::expect![[r#"
            spec.associations[1].label: Place__c:User and Place__c:Depot__c (spec.associations[0]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[2].label: Place__c:Vehicle__c and Place__c:Depot__c (spec.associations[0]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[2].label: Place__c:Vehicle__c and Place__c:User (spec.associations[1]) both lead to depots and could not be told apart; give each of them a label of its own
            spec.associations[2]: Place__c leads to Vehicle__c, which no sync carries to depots; add a sync of Vehicle__c to depots, name with match the property that holds its Salesforce id, or leave the association out
            Place__c:Depot__c a02 -> 2-2
            Place__c:User 005 -> 2-2
        "#]],
    );
}

#[test]
fn a_lookup_to_one_object_may_name_it() {
    check_place(
        &["Depot__c"],
        "- { field: Place__c, object: Depot__c, to: depots }",
        &expect_test::expect![[r#"
            Place__c -> 2-2
        "#]],
    );
    check_place(
        &["Depot__c"],
        "- { field: Place__c, object: Account, to: companies }",
        &expect_test::expect![[r#"
            spec.associations[0].object: Place__c does not lead to Account; name one of Depot__c
        "#]],
    );
}

#[test]
fn a_lookup_to_an_object_that_nobody_syncs_is_refused() {
    let definition = definition(
        "Vehicle__c",
        "vehicles",
        "associations: [ { field: Depot__c, to: depots } ]\nfields: [ { from: Name, to: name } ]",
    );
    let problems = with_surroundings(|around| {
        let alone = Surroundings {
            syncs: &[],
            ..*around
        };
        validate(&definition, &alone)
    });
    expect_test::expect![[r#"
        spec.associations[0]: Depot__c leads to Depot__c, which no sync carries to depots; add a sync of Depot__c to depots, name with match the property that holds its Salesforce id, or leave the association out
    "#]].assert_eq(&lines(&problems));
}

#[test]
fn problems_of_the_two_ends() {
    let named = |object: &str, object_type: &str, id_property: &str| {
        let mut definition = definition(object, object_type, "fields: [ { from: Name, to: name } ]");
        definition.spec.hubspot.id_property = id_property.to_owned();
        definition
    };
    let problems: Vec<Problem> = with_surroundings(|around| {
        let nothing = Surroundings {
            object: None,
            object_type: None,
            ..*around
        };
        let mut problems = validate(&named("Vehicles__c", "vehicle", "salesforce_id"), &nothing);
        problems.extend(validate(
            &named("Order__e", "companies", "salesforce_id"),
            &nothing,
        ));
        problems.extend(validate(&named("Vehicle__c", "vehicles", "plain_id"), around));
        problems.extend(validate(&named("Vehicle__c", "vehicles", "price"), around));
        problems.extend(validate(&named("Vehicle__c", "vehicles", "hs_Mine"), around));
        problems
    });
    expect_test::expect![[r#"
        spec.salesforce.object: the org shows no object Vehicles__c; did you mean Vehicle__c? Otherwise create it, or let the Salesforce user read it
        spec.hubspot.objectType: the portal has no custom object type vehicle; did you mean vehicles? Otherwise create it in HubSpot, or give the token the scope crm.schemas.custom.read; a type that was created moments ago may take up to a minute to show
        spec.salesforce.object: Order__e is a platform event, not an object with records of its own; name a custom object or a standard object
        spec.hubspot.objectType: companies is a standard object type; name a custom object type; HubSpot's own integration syncs the standard ones
        spec.hubspot.idProperty: plain_id exists but its values need not be unique, which HubSpot fixes when a property is created; name another property that does not exist yet: it is created unique
        spec.hubspot.idProperty: price is of type number; name a text property, or one that does not exist yet: it is created
        spec.hubspot.idProperty: "hs_Mine" is not a name that HubSpot gives to a property; use lower-case letters, digits and underscores, beginning with a letter and not with hs_
    "#]].assert_eq(&lines(&problems));
}

#[test]
fn problems_of_rules_filter_and_rivals() {
    let mut rival = definition("Vehicle__c", "vehicles", "fields: [ { from: Name, to: name } ]");
    rival.metadata.name = SyncName::new("fleet").unwrap();
    rival.spec.hubspot.object_type = "p1_vehicles".to_owned();
    let sync = definition(
        "Vehicle__c",
        "vehicles",
        "rules: { grace: soon }
filter: { all: [ { field: Pryce__c, op: equals, value: 1 }, { field: Price__c, op: contains, value: 1 } ] }
fields: [ { from: Price__c, to: price } ]",
    );
    let problems = with_surroundings(|around| {
        validate(
            &sync,
            &Surroundings {
                syncs: std::slice::from_ref(&rival),
                ..*around
            },
        )
    });
    expect_test::expect![[r#"
        spec.rules.grace: "soon" is not a length of time; write a duration such as 15m or 24h
        metadata.name: the sync fleet already carries Vehicle__c to vehicles; change that sync, or remove it first
        spec.filter.all[0]: Vehicle__c has no field Pryce__c; did you mean Price__c? Otherwise create the field in Salesforce, or let the Salesforce user see it
        spec.filter.all[1]: contains does not fit a field of type currency; use equals, not-equals, less-than, less-or-equal, greater-than, greater-or-equal, in, not-in, is-empty, is-not-empty; correct the condition
        spec.fields: vehicles requires the property name, and no field is mapped to it; map a field that is never empty to name, or make it optional in HubSpot
    "#]].assert_eq(&lines(&problems));
}

#[test]
fn notes_say_what_a_conversion_loses() {
    let definition = definition(
        "Vehicle__c",
        "vehicles",
        "fields:
- { from: Sold__c, to: sold_on }
- { from: Fuel__c, to: fuel, values: { Petrol: petrol, Electric: ev } }",
    );
    let notes = with_surroundings(|around| notes(&definition, around));
    expect_test::expect![[r#"
        spec.fields[0]: Sold__c to sold_on: the time of day is dropped; the day is the day in UTC
        spec.fields[1].values: fuel has no option for the inactive values "Steam" of Fuel__c: records that still have one fail
    "#]].assert_eq(&lines(&notes));
}

#[test]
fn what_the_portal_lacks_is_listed_for_provisioning() {
    let definition = definition(
        "Vehicle__c",
        "vehicles",
        "associations:
- { field: account__c, to: company, label: primary }
- { field: Depot__c, to: depots, label: stationed at }
- { field: Twin__c, to: p1_vehicles }
fields:
- { from: Name, to: name }
- { from: Fuel__c, to: fuel, values: { Petrol: petrol }, unmatched: add-option }",
    );
    let (associations, options) = with_surroundings(|around| {
        assert_eq!(validate(&definition, around), []);
        (
            wanted_associations(&definition, around),
            wanted_options(&definition, around),
        )
    });
    let associations: Vec<String> = associations
        .iter()
        .map(|a| format!("{} {} {} {:?}", a.field, a.to, a.match_property, a.label))
        .collect();
    assert_eq!(
        associations,
        [
            "Account__c 0-2 salesforceaccountid Some(\"primary\")",
            "Depot__c 2-2 salesforce_id Some(\"stationed at\")",
            "Twin__c 2-1 salesforce_id None",
        ]
    );
    let options: Vec<&str> = options.iter().map(|option| option.value.as_str()).collect();
    assert_eq!(options, ["Electric", "Steam"]);
}

#[test]
fn what_shows_without_looking_is_told_offline() {
    let sync = definition(
        "Order__e",
        "company",
        "rules: { grace: soon }
associations:
- { field: A__c, to: depots }
- { field: B__c, to: depots }
- { field: a__c, to: companies }
fields:
- { from: Name, to: name }
- { from: Title__c, to: name }
- { from: Name, to: landbridge_version }",
    );
    expect_test::expect![[r#"
        spec.salesforce.object: Order__e is a platform event, not an object with records of its own; name a custom object or a standard object
        spec.hubspot.objectType: companies is a standard object type; name a custom object type; HubSpot's own integration syncs the standard ones
        spec.rules.grace: "soon" is not a length of time; write a duration such as 15m or 24h
        spec.fields[1].to: name is already filled by spec.fields[0]; map the two fields to different properties
        spec.fields[2].to: Landbridge itself writes landbridge_version; leave this row out, or map the field to another property
        spec.associations[2].field: a__c is already listed in spec.associations[0]; keep one of the two; only a lookup that may lead to several objects has several rules, each with another object
        spec.associations[1].label: B__c and A__c (spec.associations[0]) both lead to depots and could not be told apart; give each of them a label of its own
    "#]].assert_eq(&lines(&validate_alone(&sync)));
}

//! A step's form that is sent back as it was rendered changes nothing of the definition.

use landbridge_control::console::wizard::Step;
use landbridge_control::console::wizard::associations::{self, Associations, lookup_rows};
use landbridge_control::console::wizard::filter::{self, Counts, FilterStep};
use landbridge_control::console::wizard::mappings::{self, Mappings};
use landbridge_control::console::wizard::read::{self, Action, Posted};
use landbridge_control::console::wizard::rules::{self, SyncRules};
use landbridge_control::console::{Place, Shell};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::sync::{
    AssociationRule, Condition, DeleteRule, FieldRule, Filter, MaxDeletes, OnLeave, Operator, Rules, Scalars,
    SyncDefinition, Unmatched,
};
use landbridge_model::{ObjectTypeId, Surroundings};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use roxmltree::{Document, Node};
use serde_json::json;

use crate::every_page::tree;
use crate::samples::world;

/// What a browser sends of the form around a step, whichever button is pressed.
fn sent(html: &str) -> Posted {
    let text = tree(html);
    let document = Document::parse(&text).expect("a page is well-formed");
    let form = document
        .descendants()
        .find(|node| node.attribute("id") == Some("step"));
    let controls = form
        .expect("the step's form")
        .descendants()
        .filter_map(|node| value_of(&node));
    controls.collect()
}

/// The name and the value that a control sends; none when it sends nothing.
fn value_of(node: &Node<'_, '_>) -> Option<(String, String)> {
    let name = node.attribute("name")?;
    if node.attribute("disabled").is_some() {
        return None;
    }
    let value = node.attribute("value").unwrap_or_default();
    let sends = match (node.tag_name().name(), node.attribute("type")) {
        ("input", Some("checkbox" | "radio")) => node.attribute("checked").map(|_| value),
        // A browser takes nothing but a day for a day.
        ("input", Some("date")) => Some(if is_day(value) { value } else { "" }),
        ("input", _) => Some(value),
        ("select", _) => chosen(node),
        _ => None,
    };
    Some((name.to_owned(), sends?.to_owned()))
}

fn is_day(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok()
}

/// The option that is selected, or the first that can be.
fn chosen<'a>(select: &Node<'a, '_>) -> Option<&'a str> {
    let options = || select.descendants().filter(|node| node.has_tag_name("option"));
    let is_off = |node: &Node<'_, '_>| node.attribute("disabled").is_some();
    let selected = options().rfind(|node| node.attribute("selected").is_some());
    let option = selected.or_else(|| options().find(|node| !is_off(node)))?;
    Some(option.attribute("value").unwrap_or_default())
}

fn object() -> ObjectDescribe {
    let field = |name: &str, kind: &str| json!({ "name": name, "label": name, "type": kind, "custom": name.ends_with("__c") });
    let lookup = |name: &str, to: &[&str]| json!({ "name": name, "label": name, "type": "reference", "referenceTo": to, "custom": true });
    let values = |all: &[&str]| -> Vec<serde_json::Value> {
        all.iter()
            .map(|value| json!({ "value": value, "active": true }))
            .collect()
    };
    serde_json::from_value(json!({
        "name": "Vehicle__c", "label": "Vehicle", "custom": true, "queryable": true,
        "fields": [
            field("Id", "id"), field("Name", "string"), field("Price__c", "currency"), field("Bought__c", "date"),
            field("Active__c", "boolean"),
            { "name": "Fuel__c", "label": "Fuel", "type": "picklist", "picklistValues": values(&["Petrol", "Diesel", "a, b"]) },
            { "name": "Gear__c", "label": "Gear", "type": "multipicklist", "picklistValues": values(&["Tow Bar", "Rack"]) },
            lookup("Depot__c", &["Depot__c"]), lookup("Account__c", &["Account"]), lookup("Insurer__c", &["Insurer__c"]),
            lookup("Tows__c", &["Vehicle__c"]), lookup("Any__c", &["User", "Group"]),
        ],
    }))
    .expect("a describe")
}

fn schema(id: &str, name: &str) -> ObjectSchema {
    let property = |name: &str, kind: &str| json!({ "name": name, "label": name, "type": kind });
    serde_json::from_value(json!({
        "objectTypeId": id, "name": name, "label": name, "requiredProperties": ["name", "price"],
        "properties": [
            property("name", "string"), property("code", "string"), property("price", "number"), property("bought", "date"),
            { "name": "fuel", "label": "Fuel", "type": "enumeration", "options": [{ "value": "Petrol" }, { "value": "diesel", "label": "Diesel" }] },
            { "name": "gear", "label": "Gear", "type": "enumeration", "fieldType": "checkbox", "options": [{ "value": "Rack" }] },
        ],
    }))
    .expect("a schema")
}

/// The tenant's syncs, and both systems.
struct Around {
    object: ObjectDescribe,
    types: Vec<ObjectSchema>,
    syncs: Vec<SyncDefinition>,
}

impl Around {
    fn new(definition: &SyncDefinition) -> Self {
        let mut depots = definition.clone();
        depots.metadata.name = world::sync_name("depots");
        "Depot__c".clone_into(&mut depots.spec.salesforce.object);
        "depots".clone_into(&mut depots.spec.hubspot.object_type);
        depots.spec.associations.clear();
        Self {
            object: object(),
            types: vec![
                schema("2-1", "vehicles"),
                schema("2-2", "depots"),
                schema("0-2", "company"),
            ],
            syncs: vec![depots, definition.clone()],
        }
    }

    fn seen(&self) -> Surroundings<'_> {
        Surroundings {
            object: Some(&self.object),
            object_type: Some(&self.types[0]),
            object_types: &self.types,
            syncs: &self.syncs,
            ..Surroundings::default()
        }
    }
}

fn shell() -> Shell {
    world::shell(Place::Connected)
}

fn names(known: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![8 => select(known).prop_map(str::to_owned), 1 => words()]
}

/// Texts that people type: with what HTML must escape, with spaces where they count, and nothing at all.
fn words() -> impl Strategy<Value = String> {
    "[ a-zA-Z0-9<>&\"',;:.%é-]{0,10}"
}

fn rules() -> impl Strategy<Value = Rules> {
    let limit = prop_oneof![
        Just(None),
        any::<u64>().prop_map(|count| Some(MaxDeletes::Count(count))),
        (0..=100_u8).prop_map(|share| Some(MaxDeletes::Percent(share))),
    ];
    let delete = select(&[DeleteRule::DoNothing, DeleteRule::DeleteRecord][..]);
    (delete, limit, proptest::option::of(words())).prop_map(|(delete, max_deletes, grace)| Rules {
        delete,
        max_deletes,
        grace,
        ..Rules::default()
    })
}

fn association() -> impl Strategy<Value = AssociationRule> {
    let field = names(&[
        "Depot__c",
        "depot__C",
        "Account__c",
        "Insurer__c",
        "Tows__c",
        "Any__c",
        "Gone__c",
    ]);
    let to = names(&["depots", "companies", "COMPANY", "vehicles", "2-2"]);
    let property = proptest::option::of(names(&["salesforce_id", "salesforceaccountid", "code", "nope"]));
    let object = proptest::option::of(names(&["Depot__c", "Account", "account", "User", "Group"]));
    let rule = (field, object, to, property, proptest::option::of(words()));
    rule.prop_map(|(field, object, to, match_property, label)| AssociationRule {
        field,
        object,
        to,
        match_property,
        label,
    })
}

fn field_rule() -> impl Strategy<Value = FieldRule> {
    let from = names(&[
        "Name",
        "Price__c",
        "Fuel__c",
        "fuel__c",
        "Gear__c",
        "Active__c",
        "Depot__r.Name",
        "",
    ]);
    let to = names(&["name", "price", "fuel", "gear", "bought", "nope", ""]);
    let value = || names(&["Petrol", "Diesel", "diesel", "a, b", "Rack", "Tow Bar"]);
    let values =
        proptest::collection::vec((value(), value()), 0..4).prop_map(|pairs| pairs.into_iter().collect());
    let unmatched = select(&[Unmatched::Fail, Unmatched::LeaveEmpty, Unmatched::AddOption][..]);
    (from, to, values, unmatched).prop_map(|(from, to, values, unmatched)| FieldRule {
        from,
        to,
        values,
        unmatched,
    })
}

fn conditions() -> impl Strategy<Value = Option<Filter>> {
    let operator = select(
        &[
            Operator::Equals,
            Operator::NotEquals,
            Operator::GreaterThan,
            Operator::In,
            Operator::Contains,
            Operator::Includes,
            Operator::Excludes,
            Operator::IsEmpty,
            Operator::IsNotEmpty,
        ][..],
    );
    let field = names(&[
        "Name",
        "Price__c",
        "Fuel__c",
        "Gear__c",
        "Bought__c",
        "Active__c",
        "Nope__c",
        "",
    ]);
    let value = || names(&["Petrol", "a, b", "2026-01-31", "LAST_N_DAYS:3", "true", "Tow Bar"]);
    let values = proptest::option::of(proptest::collection::vec(value(), 0..3).prop_map(Scalars));
    let condition = (field, operator, values).prop_map(|(field, op, value)| Condition { field, op, value });
    let leave = select(&[OnLeave::Keep, OnLeave::DeleteRule][..]);
    let filter = (proptest::collection::vec(condition, 0..4), leave)
        .prop_map(|(all, on_leave)| Filter { all, on_leave });
    proptest::option::of(filter)
}

fn definition() -> SyncDefinition {
    let mut definition = world::definition();
    definition.spec.associations.clear();
    definition.spec.fields.clear();
    definition
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn rules_stay_as_they_are(before in rules()) {
        let view = SyncRules { draft: world::draft(Step::Preview), rules: before.clone(), max_deletes_text: None, problems: Vec::new() };
        let html = rules::page(&shell(), &Ok(view)).into_string();
        let after = read::rules(&sent(&html), &before);
        prop_assert_eq!(after.max_deletes_text, None);
        prop_assert_eq!(after.rules, before);
    }

    #[test]
    fn associations_stay_as_they_are(before in proptest::collection::vec(association(), 0..5)) {
        let mut definition = definition();
        definition.spec.associations.clone_from(&before);
        let around = Around::new(&definition);
        let labels = vec![(ObjectTypeId::new("2-2"), vec!["stationed at".to_owned()])];
        let rows = lookup_rows(&definition, &around.seen(), &labels);
        let view = Associations { draft: world::draft(Step::Preview), lookups: rows.clone(), problems: Vec::new() };
        let html = associations::page(&shell(), &Ok(view)).into_string();
        prop_assert_eq!(read::associations(&sent(&html), &rows), before);
    }

    #[test]
    fn field_mappings_stay_as_they_are(before in proptest::collection::vec(field_rule(), 0..6)) {
        let mut definition = definition();
        definition.spec.fields.clone_from(&before);
        let around = Around::new(&definition);
        let view = Mappings::of(world::draft(Step::Preview), &definition, &around.seen());
        let html = mappings::page(&shell(), &Ok(view)).into_string();
        for action in [Action::Check, Action::Next, Action::Save] {
            let after = read::fields(&sent(&html), &before, &action);
            prop_assert_eq!(&after.rules, &before);
            prop_assert_eq!(after.places, (0..before.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn filters_stay_as_they_are(before in conditions()) {
        let view = FilterStep {
            draft: world::draft(Step::Preview), fields: object().fields, filter: before.clone(), delete: DeleteRule::DoNothing,
            counts: Counts::NotYet, problems: Vec::new(),
        };
        let html = filter::page(&shell(), &Ok(view)).into_string();
        prop_assert_eq!(read::filter(&sent(&html), before.as_ref()), before);
    }

    /// What is not understood is never silently something else: any text for the limit is read, or kept as it was typed.
    #[test]
    fn any_limit_is_read_or_kept_as_typed(text in words(), unit in select(&["percent", "records", "weeks"][..])) {
        let posted: Posted = [("spec.rules.maxDeletes", text.as_str()), ("spec.rules.maxDeletes.unit", unit)].into_iter().collect();
        let read = read::rules(&posted, &Rules::default());
        let typed = text.trim();
        match read.max_deletes_text {
            Some(kept) => prop_assert_eq!(kept, typed),
            None => prop_assert!(typed.is_empty() || typed.starts_with(|digit: char| digit.is_ascii_digit()), "{typed:?}"),
        }
    }

    /// Turning lookups on and off in any order leaves exactly those that are on.
    #[test]
    fn what_is_on_is_what_is_posted(on in subsequence(vec!["Depot__c", "Account__c", "Tows__c"], 0..=3), before in proptest::collection::vec(association(), 0..3)) {
        let mut definition = definition();
        definition.spec.associations = before;
        let around = Around::new(&definition);
        let rows = lookup_rows(&definition, &around.seen(), &Vec::new());
        let mut seen = Vec::new();
        let mut posted = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            posted.push((format!("associations[{place}].field"), row.field.name.clone()));
            posted.extend(row.object.clone().map(|object| (format!("associations[{place}].object"), object)));
            if on.contains(&row.field.name.as_str()) && !seen.contains(&&row.field.name) {
                seen.push(&row.field.name);
                posted.push((format!("associations[{place}].on"), "on".to_owned()));
            }
        }
        let after = read::associations(&posted.into_iter().collect(), &rows);
        let mut fields: Vec<String> = after.iter().map(|rule| rule.field.to_lowercase()).collect();
        fields.sort();
        let mut wanted: Vec<String> = on.iter().map(|field| field.to_lowercase()).collect();
        wanted.sort();
        prop_assert_eq!(fields, wanted);
    }
}

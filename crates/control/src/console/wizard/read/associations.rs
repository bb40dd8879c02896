//! Which lookups become associations.

use landbridge_model::sync::AssociationRule;

use super::Posted;
use crate::console::wizard::associations::{End, LookupRow};

/// Reads the step: the rules that are on, those there were in their order, then the new ones.
pub fn associations(posted: &Posted, rows: &[LookupRow]) -> Vec<AssociationRule> {
    let mut kept: Vec<(usize, AssociationRule)> = Vec::new();
    let mut added = Vec::new();
    let mut seen: Vec<(&str, Option<&str>)> = Vec::new();
    for place in posted.places("associations") {
        let at = |what: &str| format!("associations[{place}].{what}");
        let field = posted.exactly(&at("field")).unwrap_or_default();
        let object = posted.exactly(&at("object"));
        // One field may have several rows for one object when the definition names it twice.
        let earlier = seen.iter().filter(|other| **other == (field, object)).count();
        let is_posted = |row: &&LookupRow| row.field.name == field && row.object.as_deref() == object;
        let Some(row) = rows.iter().filter(is_posted).nth(earlier) else {
            continue;
        };
        seen.push((field, object));
        if posted.text(&at("on")) != "on" {
            continue;
        }
        match &row.rule {
            Some((number, before)) => kept.push((*number, edited(posted, &at, row, before))),
            None if row.blocked.is_none() => added.extend(turned_on(row)),
            None => {}
        }
    }
    kept.sort_by_key(|(number, _)| *number);
    let mut rules: Vec<AssociationRule> = kept.into_iter().map(|(_, rule)| rule).collect();
    rules.extend(added);
    rules
}

/// A lookup that has just been turned on becomes what is likeliest.
fn turned_on(row: &LookupRow) -> Option<AssociationRule> {
    let end = row.ends.first()?;
    Some(AssociationRule {
        field: row.field.name.clone(),
        object: row.object.clone(),
        to: end.name.clone(),
        match_property: None,
        label: None,
    })
}

fn edited(
    posted: &Posted,
    at: &impl Fn(&str) -> String,
    row: &LookupRow,
    before: &AssociationRule,
) -> AssociationRule {
    let to = posted.kept(&at("to"), &before.to);
    let end = row.ends.iter().find(|end| end.name == to);
    let label = before.label.as_deref().unwrap_or_default();
    let label = match posted.kept(&at("label"), label) {
        same if same == label => before.label.clone(),
        "" => None,
        new => Some(new.to_owned()),
    };
    AssociationRule {
        field: before.field.clone(),
        object: before.object.clone(),
        to: to.to_owned(),
        match_property: matched(posted.exactly(&at("match")), end, before, to),
        label,
    }
}

/// The property that finds the parent. The default is posted as nothing; whether the definition writes it out is left
/// as it is. What another object has not is forgotten when the object is changed.
fn matched(value: Option<&str>, end: Option<&End>, before: &AssociationRule, to: &str) -> Option<String> {
    let default = end
        .and_then(|end| end.matches.first())
        .map(|(name, _)| name.as_str());
    let same = |name: &Option<String>| {
        before.to == to && (name.as_deref() == default || name.as_deref() == Some(""))
    };
    match value {
        None => before.match_property.clone().filter(|_| before.to == to),
        Some("") if same(&before.match_property) => before.match_property.clone(),
        Some("") => None,
        Some(name) => {
            let is_there = end.is_some_and(|end| end.matches.iter().any(|(known, _)| known == name));
            (before.to == to || is_there).then(|| name.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::salesforce::FieldDescribe;
    use serde_json::json;

    use super::*;

    fn field(name: &str) -> FieldDescribe {
        serde_json::from_value(
            json!({"name": name, "label": name, "type": "reference", "referenceTo": ["X"]}),
        )
        .unwrap()
    }

    fn end(name: &str, matches: &[&str]) -> End {
        End {
            name: name.to_owned(),
            label: name.to_owned(),
            kept_by: String::new(),
            matches: matches
                .iter()
                .map(|name| ((*name).to_owned(), String::new()))
                .collect(),
            labels: Vec::new(),
        }
    }

    fn rule(field: &str, to: &str, property: Option<&str>) -> AssociationRule {
        AssociationRule {
            field: field.to_owned(),
            object: None,
            to: to.to_owned(),
            match_property: property.map(str::to_owned),
            label: None,
        }
    }

    fn rows(rule_of_depot: Option<AssociationRule>) -> Vec<LookupRow> {
        let row = |name: &str, rule, ends| LookupRow {
            field: field(name),
            object: None,
            is_master_detail: false,
            rule,
            ends,
            blocked: None,
        };
        vec![
            row(
                "Account__c",
                None,
                vec![end("companies", &["salesforceaccountid", "erp"])],
            ),
            row(
                "Depot__c",
                rule_of_depot.map(|rule| (0, rule)),
                vec![
                    end("depots", &["salesforce_id"]),
                    end("sites", &["salesforce_id", "code"]),
                ],
            ),
        ]
    }

    fn post(pairs: &[(&str, &str)]) -> Posted {
        let always = [
            ("associations[0].field", "Account__c"),
            ("associations[1].field", "Depot__c"),
        ];
        always.iter().chain(pairs).copied().collect()
    }

    #[test]
    fn a_lookup_that_is_turned_on_becomes_the_likeliest_and_comes_last() {
        let posted = post(&[
            ("associations[0].on", "on"),
            ("associations[1].on", "on"),
            ("associations[1].to", "depots"),
            ("associations[1].match", ""),
            ("associations[1].label", " stationed at "),
        ]);
        let read = associations(&posted, &rows(Some(rule("depot__c", "depots", None))));
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].field.as_str(), read[0].label.as_deref()),
            ("depot__c", Some("stationed at"))
        );
        assert_eq!(read[1], rule("Account__c", "companies", None));
    }

    #[test]
    fn each_object_of_a_lookup_is_turned_on_by_itself() {
        let place = |object: &str, rule: Option<AssociationRule>| LookupRow {
            field: field("Place__c"),
            object: Some(object.to_owned()),
            is_master_detail: false,
            rule: rule.map(|rule| (0, rule)),
            ends: vec![end(&object.to_lowercase(), &["salesforce_id"])],
            blocked: None,
        };
        let of = |object: &str, to: &str| AssociationRule {
            object: Some(object.to_owned()),
            ..rule("Place__c", to, None)
        };
        let rows = [
            place("Account", Some(of("account", "account"))),
            place("Depot__c", None),
            place("Port__c", None),
        ];
        let posted = |on: &[usize]| -> Posted {
            let mut pairs: Vec<(String, String)> = Vec::new();
            for (at, object) in ["Account", "Depot__c", "Port__c"].into_iter().enumerate() {
                pairs.push((format!("associations[{at}].field"), "Place__c".to_owned()));
                pairs.push((format!("associations[{at}].object"), object.to_owned()));
                if on.contains(&at) {
                    pairs.push((format!("associations[{at}].on"), "on".to_owned()));
                }
            }
            pairs.into_iter().collect()
        };
        assert_eq!(
            associations(&posted(&[0, 2]), &rows),
            [of("account", "account"), of("Port__c", "port__c")]
        );
        assert_eq!(associations(&posted(&[1]), &rows), [of("Depot__c", "depot__c")]);
    }

    #[test]
    fn what_is_off_goes() {
        let rows = rows(Some(rule("Depot__c", "depots", None)));
        assert!(associations(&post(&[]), &rows).is_empty());
    }

    #[test]
    fn the_property_is_left_out_when_it_is_the_default_unless_it_was_written_out() {
        let on = |to, property| {
            post(&[
                ("associations[1].on", "on"),
                ("associations[1].to", to),
                ("associations[1].match", property),
                ("associations[1].label", ""),
            ])
        };
        for (before, to, posted, after) in [
            (None, "depots", "", None),
            (Some("salesforce_id"), "depots", "", Some("salesforce_id")),
            (Some("code"), "sites", "code", Some("code")),
            (Some("code"), "depots", "code", Some("code")),
        ] {
            let rows = rows(Some(rule("Depot__c", to, before)));
            let read = associations(&on(to, posted), &rows);
            assert_eq!(
                read[0].match_property.as_deref(),
                after,
                "{before:?} {to} {posted}"
            );
        }
        let rows = rows(Some(rule("Depot__c", "sites", Some("code"))));
        let read = associations(&on("depots", "code"), &rows);
        assert_eq!(read[0], rule("Depot__c", "depots", None), "depots have no code");
    }
}

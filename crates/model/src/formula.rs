//! What a sync's formulas depend on, and when their records are to be read again: a formula changes without stamping its
//! record (facts: Salesforce, 6.1), so no window of SystemModstamp shows it. Pure.
//!
//! * A formula, or a mapped path, over a parent is read again when the parent was changed.
//! * A formula of the date or the hour, and one that cannot be read, is read again by a schedule.
//! * A roll-up stamps its record, and needs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::salesforce::{FieldDescribe, ObjectDescribe};
use crate::sync::{Rules, SyncDefinition};

/// Formulas may name formulas; Salesforce ends long before.
const DEEPEST: usize = 8;
/// How often records are read again for the sake of formulas that depend on the time, when the definition does not say.
pub const DAILY: Duration = Duration::from_secs(24 * 3_600);

/// What a text of a formula names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Fields and paths, as written.
    pub paths: BTreeSet<String>,
    /// Whether it names the date or the hour.
    pub names_time: bool,
    /// Whether it names what belongs to no record: `$User`, `$Setup`, `$Label`, …
    pub names_globals: bool,
}

/// What a text of a formula names. Text literals and comments name nothing.
#[must_use]
pub fn named(text: &str) -> Named {
    let mut found = Named::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            rest = after_literal(rest, first);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if first.is_ascii_alphabetic() || first == '_' || first == '$' {
            let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | ':');
            let end = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            found.add(word, after.trim_start().starts_with('('));
            rest = after;
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            rest = &rest[end.unwrap_or(rest.len())..];
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    found
}

/// What follows a text literal.
fn after_literal(text: &str, quote: char) -> &str {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

impl Named {
    fn add(&mut self, word: &str, is_called: bool) {
        let upper = word.to_ascii_uppercase();
        if is_called {
            self.names_time |= matches!(upper.as_str(), "TODAY" | "NOW" | "TIMENOW");
        } else if word.starts_with('$') {
            self.names_globals = true;
        } else if !matches!(upper.as_str(), "TRUE" | "FALSE" | "NULL") {
            self.paths.insert(word.to_owned());
        }
    }
}

/// A way from a record to a parent that its mapped fields read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ParentRead {
    /// The parent's object.
    pub object: String,
    /// The lookup that leads there, such as `Depot__c` or `Depot__r.Region__c`.
    pub lookup: String,
}

/// A mapped field whose value changes without its record being stamped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Unstamped {
    /// As the definition writes it.
    pub field: String,
    /// Whether it is a formula; else it is a parent's field.
    pub is_formula: bool,
    /// Whether it depends on the date or the hour.
    pub depends_on_time: bool,
    /// Whether what it depends on cannot be known: its text cannot be read, or names more than records.
    pub is_unreadable: bool,
    /// The parents that it reads.
    pub parents: BTreeSet<ParentRead>,
}

/// The mapped fields of a definition whose values change without their records being stamped. `objects` are the describes
/// there are, by name in lower case.
#[must_use]
pub fn unstamped(definition: &SyncDefinition, objects: &BTreeMap<String, ObjectDescribe>) -> Vec<Unstamped> {
    let spec = &definition.spec;
    let object = &spec.salesforce.object;
    let mapped = spec.fields.iter().map(|rule| rule.from.as_str());
    let filtered = spec.filter.iter().flat_map(|filter| &filter.all);
    let mut found: Vec<Unstamped> = Vec::new();
    for path in mapped.chain(filtered.map(|condition| condition.field.as_str())) {
        if found.iter().any(|known| known.field.eq_ignore_ascii_case(path)) {
            continue;
        }
        let mut one = Unstamped {
            field: path.to_owned(),
            is_formula: false,
            depends_on_time: false,
            is_unreadable: false,
            parents: BTreeSet::new(),
        };
        one.follow(object, "", path, objects, 0);
        if one.depends_on_time || one.is_unreadable || !one.parents.is_empty() {
            found.push(one);
        }
    }
    found
}

impl Unstamped {
    /// Takes in what the field at the end of a path depends on. `prefix` is the way to `object`, such as `Depot__r.`.
    fn follow(
        &mut self,
        object: &str,
        prefix: &str,
        path: &str,
        objects: &BTreeMap<String, ObjectDescribe>,
        depth: usize,
    ) {
        let (step, rest) = match path.split_once('.') {
            Some((step, rest)) => (step, Some(rest)),
            None => (path, None),
        };
        let Some(described) = objects.get(&object.to_ascii_lowercase()) else {
            // A parent's field that was not described: what it is made of is not known.
            self.is_unreadable |= depth > 0;
            return;
        };
        let Some(rest) = rest else {
            if let Some(field) = described.field(step) {
                self.take(object, prefix, field, objects, depth);
            }
            return;
        };
        let lookup = described.fields.iter().find(|field| {
            let name = field.relationship_name.as_deref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(step))
        });
        let Some(lookup) = lookup else {
            self.is_unreadable = true;
            return;
        };
        // One of several parents cannot be told from its lookup alone.
        let [parent] = lookup.reference_to.as_slice() else {
            self.is_unreadable = true;
            return;
        };
        self.parents.insert(ParentRead {
            object: parent.clone(),
            lookup: format!("{prefix}{}", lookup.name),
        });
        self.follow(parent, &format!("{prefix}{step}."), rest, objects, depth + 1);
    }

    fn take(
        &mut self,
        object: &str,
        prefix: &str,
        field: &FieldDescribe,
        objects: &BTreeMap<String, ObjectDescribe>,
        depth: usize,
    ) {
        if !field.calculated {
            return;
        }
        let Some(text) = field
            .calculated_formula
            .as_deref()
            .filter(|text| !text.trim().is_empty())
        else {
            // A roll-up, which stamps its record. The parent's stamp is looked at where it is a parent's.
            return;
        };
        self.is_formula |= prefix.is_empty();
        let named = named(text);
        self.depends_on_time |= named.names_time;
        self.is_unreadable |= named.names_globals || depth >= DEEPEST;
        if depth < DEEPEST {
            for path in &named.paths {
                self.follow(object, prefix, path, objects, depth + 1);
            }
        }
    }
}

/// The objects that are to be described before [`unstamped`] knows all: those that formulas lead to and that are not there.
#[must_use]
pub fn objects_of(definition: &SyncDefinition, objects: &BTreeMap<String, ObjectDescribe>) -> Vec<String> {
    let mut wanted = vec![definition.spec.salesforce.object.clone()];
    for one in unstamped(definition, objects) {
        wanted.extend(one.parents.into_iter().map(|parent| parent.object));
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// How often all records are read again for the sake of formulas; none is never.
#[must_use]
pub fn interval(rules: &Rules, fields: &[Unstamped]) -> Option<Duration> {
    let needs = fields
        .iter()
        .any(|field| field.depends_on_time || field.is_unreadable);
    match rules.reread_every() {
        // Also without a formula: some standard fields change as formulas do and do not say so (facts: Salesforce, 17.4).
        Some(Ok(said)) => said,
        Some(Err(_)) | None => needs.then_some(DAILY),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_formula_names_its_fields_and_nothing_of_its_texts() {
        for (text, paths, time, globals) in [
            ("TODAY() - Purchased_On__c", vec!["Purchased_On__c"], true, false),
            (
                r#"Name & " / NOW() " & Depot__r.Name"#,
                vec!["Depot__r.Name", "Name"],
                false,
                false,
            ),
            (
                r#"IF(Active__c, 1.5e3, NULL) /* Price__c */"#,
                vec!["Active__c"],
                false,
                false,
            ),
            (r#""it\"s " & X__c"#, vec!["X__c"], false, false),
            (
                "$User.Alias & Owner:User.Name",
                vec!["Owner:User.Name"],
                false,
                true,
            ),
            ("now ()", vec![], true, false),
            ("", vec![], false, false),
            ("\"no end", vec![], false, false),
        ] {
            let named = named(text);
            let found: Vec<&str> = named.paths.iter().map(String::as_str).collect();
            assert_eq!(
                (found, named.names_time, named.names_globals),
                (paths, time, globals),
                "{text}"
            );
        }
    }

    fn objects() -> BTreeMap<String, ObjectDescribe> {
        let formula = |name: &str, text: &str| json!({ "name": name, "label": name, "type": "string", "calculated": true, "calculatedFormula": text });
        let lookup = |name: &str, to: &[&str]| {
            json!({ "name": format!("{name}__c"), "label": name, "type": "reference",
                "relationshipName": format!("{name}__r"), "referenceTo": to })
        };
        let plain = |name: &str| json!({ "name": name, "label": name, "type": "string" });
        let vehicle = json!([
            plain("Name"), plain("Purchased_On__c"), lookup("Depot", &["Depot__c"]), lookup("Anything", &["A", "B"]),
            formula("Age__c", "TODAY() - Purchased_On__c"), formula("Twice__c", "Age__c * 2"),
            formula("Label__c", "Name & Depot__r.Region__r.Code__c"), formula("Plain__c", "Name & Name"),
            formula("Global__c", "$Label.x"), formula("Any__c", "Anything__r.Name"), formula("Loop__c", "Loop__c"),
            formula("Deep__c", "Depot__r.Open_Days__c"),
            { "name": "Visits__c", "label": "Visits", "type": "double", "calculated": true },
        ]);
        let depot = json!([
            plain("Name"),
            lookup("Region", &["Region__c"]),
            formula("Open_Days__c", "NOW() - 1")
        ]);
        let region = json!([plain("Code__c")]);
        [
            ("Vehicle__c", vehicle),
            ("Depot__c", depot),
            ("Region__c", region),
        ]
        .into_iter()
        .map(|(name, fields)| {
            let object =
                json!({ "name": name, "label": name, "custom": true, "queryable": true, "fields": fields });
            (name.to_lowercase(), serde_json::from_value(object).unwrap())
        })
        .collect()
    }

    fn definition(fields: &[&str]) -> SyncDefinition {
        let fields: Vec<_> = fields
            .iter()
            .map(|field| json!({ "from": field, "to": "p" }))
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "landbridge/v1", "kind": "Sync", "metadata": { "tenant": "acme", "name": "vehicles" },
            "spec": { "salesforce": { "object": "Vehicle__c" }, "hubspot": { "objectType": "vehicles" }, "fields": fields },
        }))
        .unwrap()
    }

    #[test]
    fn every_kind_of_formula_says_when_it_changes() {
        let parents = |of: &Unstamped| -> Vec<String> {
            of.parents
                .iter()
                .map(|parent| format!("{} by {}", parent.object, parent.lookup))
                .collect()
        };
        for (field, time, unreadable, reads) in [
            ("Age__c", true, false, vec![]),
            ("Twice__c", true, false, vec![]),
            (
                "Label__c",
                false,
                false,
                vec!["Depot__c by Depot__c", "Region__c by Depot__r.Region__c"],
            ),
            ("Depot__r.Name", false, false, vec!["Depot__c by Depot__c"]),
            ("Deep__c", true, false, vec!["Depot__c by Depot__c"]),
            ("Global__c", false, true, vec![]),
            ("Any__c", false, true, vec![]),
            ("Loop__c", false, true, vec![]),
        ] {
            let found = unstamped(&definition(&[field]), &objects());
            assert_eq!(found.len(), 1, "{field}");
            assert_eq!(
                (found[0].depends_on_time, found[0].is_unreadable),
                (time, unreadable),
                "{field}"
            );
            assert_eq!(parents(&found[0]), reads, "{field}");
        }
        for field in ["Name", "Plain__c", "Visits__c"] {
            assert_eq!(unstamped(&definition(&[field]), &objects()), [], "{field}");
        }
        let mut known = objects();
        known.remove("depot__c");
        let wanted = objects_of(&definition(&["Label__c"]), &known);
        assert_eq!(wanted, ["Depot__c", "Vehicle__c"]);
    }

    #[test]
    fn trap_04_only_what_depends_on_the_time_is_read_again_unless_it_is_said() {
        let of = |field| unstamped(&definition(&[field]), &objects());
        let rules = |text: Option<&str>| Rules {
            reread: text.map(str::to_owned),
            ..Rules::default()
        };
        let hour = Duration::from_secs(3_600);
        for (said, field, every) in [
            (None, "Age__c", Some(DAILY)),
            (None, "Global__c", Some(DAILY)),
            (None, "Label__c", None),
            (None, "Name", None),
            (Some("1h"), "Age__c", Some(hour)),
            (Some("1h"), "Label__c", Some(hour)),
            (Some("1h"), "Name", Some(hour)),
            (Some("off"), "Age__c", None),
        ] {
            assert_eq!(interval(&rules(said), &of(field)), every, "{said:?} {field}");
        }
        assert!(rules(Some("soon")).reread_every().unwrap().is_err());
        assert!(
            rules(Some("5s")).reread_every().unwrap().is_err(),
            "not more often than every minute"
        );
    }
}

//! Which field becomes which property.

use indexmap::IndexMap;
use landbridge_model::sync::{FieldRule, Unmatched};

use super::{Action, Posted};

/// The rows as they were posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The rules.
    pub rules: Vec<FieldRule>,
    /// Of each rule, the place that it had in the form.
    pub places: Vec<usize>,
}

impl Fields {
    /// Where the rule of a row of the form is now.
    pub fn of_place(&self, place: usize) -> Option<usize> {
        self.places.iter().position(|other| *other == place)
    }
}

/// Reads the step. Rows beyond those of the definition are the form's own: required properties that nothing fills yet,
/// and the one to add another; they count once a field is chosen in them, and for a mere check only when they are
/// complete.
pub fn fields(posted: &Posted, before: &[FieldRule], action: &Action) -> Fields {
    let mut read = Fields::default();
    for place in posted.places("spec.fields") {
        let name = |what: &str| format!("spec.fields[{place}].{what}");
        let old = before.get(place);
        let from = posted.kept(&name("from"), old.map_or("", |rule| &rule.from));
        let to = posted.kept(&name("to"), old.map_or("", |rule| &rule.to));
        let is_begun = *action == Action::Check && to.is_empty();
        if old.is_none() && (from.is_empty() || is_begun) {
            continue;
        }
        let old = old.filter(|rule| rule.from == from && rule.to == to);
        read.rules.push(FieldRule {
            from: from.to_owned(),
            to: to.to_owned(),
            values: values(posted, place, old),
            unmatched: unmatched(posted, &name("unmatched"), old),
        });
        read.places.push(place);
    }
    read
}

/// Picklist values by what they become. What the page has no control for stays; an answer for another pair than the
/// one that was on the page says nothing of this one.
fn values(posted: &Posted, place: usize, old: Option<&FieldRule>) -> IndexMap<String, String> {
    let Some(old) = old else {
        return IndexMap::new();
    };
    let mut values = old.values.clone();
    let list = format!("spec.fields[{place}].values");
    for number in posted.places(&list) {
        let Some(from) = posted.exactly(&format!("{list}[{number}].from")) else {
            continue;
        };
        match posted.exactly(&format!("{list}[{number}].to")) {
            // "The same" stays written out where it was, and so does nothing at all.
            Some("") if values.get(from).is_some_and(|to| to == from || to.is_empty()) => {}
            Some("") => drop(values.shift_remove(from)),
            Some(to) => drop(values.insert(from.to_owned(), to.to_owned())),
            None => {}
        }
    }
    values
}

fn unmatched(posted: &Posted, name: &str, old: Option<&FieldRule>) -> Unmatched {
    let Some(old) = old else {
        return Unmatched::default();
    };
    match posted.text(name) {
        "fail" => Unmatched::Fail,
        "leave-empty" => Unmatched::LeaveEmpty,
        "add-option" => Unmatched::AddOption,
        _ => old.unmatched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &str, to: &str, values: &[(&str, &str)]) -> FieldRule {
        FieldRule {
            from: from.to_owned(),
            to: to.to_owned(),
            values: values
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect(),
            unmatched: Unmatched::LeaveEmpty,
        }
    }

    fn post(pairs: &[(&str, &str)]) -> Posted {
        pairs.iter().copied().collect()
    }

    #[test]
    fn another_pair_begins_without_values() {
        let before = [rule("Fuel__c", "fuel", &[("Petrol", "petrol")])];
        let posted = post(&[
            ("spec.fields[0].from", "Fuel__c"),
            ("spec.fields[0].to", "colour"),
            ("spec.fields[0].values[0].from", "Petrol"),
            ("spec.fields[0].values[0].to", "petrol"),
            ("spec.fields[0].unmatched", "leave-empty"),
        ]);
        let read = fields(&posted, &before, &Action::Check);
        assert_eq!(read.rules[0].values.len(), 0);
        assert_eq!(read.rules[0].unmatched, Unmatched::Fail);
    }

    #[test]
    fn values_are_set_taken_away_and_kept_where_they_stand() {
        let before = [rule(
            "Fuel__c",
            "fuel",
            &[("Old", "old"), ("Petrol", "Petrol"), ("Diesel", "diesel")],
        )];
        let posted = post(&[
            ("spec.fields[0].from", "Fuel__c"),
            ("spec.fields[0].to", "fuel"),
            ("spec.fields[0].values[0].from", "Petrol"),
            ("spec.fields[0].values[0].to", ""),
            ("spec.fields[0].values[1].from", "Diesel"),
            ("spec.fields[0].values[1].to", ""),
            ("spec.fields[0].values[2].from", "Electric"),
            ("spec.fields[0].values[2].to", "ev"),
            ("spec.fields[0].unmatched", "add-option"),
        ]);
        let read = fields(&posted, &before, &Action::Save);
        let pairs: Vec<(&str, &str)> = read.rules[0]
            .values
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        assert_eq!(pairs, [("Old", "old"), ("Petrol", "Petrol"), ("Electric", "ev")]);
        assert_eq!(read.rules[0].unmatched, Unmatched::AddOption);
    }

    #[test]
    fn the_forms_own_rows_count_once_a_field_is_chosen() {
        let before = [rule("Name", "name", &[])];
        let row = |from: &'static str, to: &'static str| {
            post(&[
                ("spec.fields[0].from", "Name"),
                ("spec.fields[0].to", "name"),
                ("spec.fields[1].from", ""),
                ("spec.fields[1].to", "score"),
                ("spec.fields[2].from", from),
                ("spec.fields[2].to", to),
            ])
        };
        for (from, to, action, count) in [
            ("", "", Action::Next, 1),
            ("", "other", Action::Next, 1),
            ("Score__c", "", Action::Check, 1),
            ("Score__c", "", Action::Add, 2),
            ("Score__c", "score", Action::Check, 2),
        ] {
            let read = fields(&row(from, to), &before, &action);
            assert_eq!(read.rules.len(), count, "{from} {to} {action:?}");
            assert_eq!(read.of_place(0), Some(0));
            assert_eq!(read.of_place(2), (count == 2).then_some(1));
        }
    }

    #[test]
    fn a_row_that_was_emptied_stays_until_it_is_removed() {
        let before = [rule("Name", "name", &[])];
        let posted = post(&[("spec.fields[0].from", ""), ("spec.fields[0].to", "")]);
        assert_eq!(fields(&posted, &before, &Action::Next).rules.len(), 1);
    }
}

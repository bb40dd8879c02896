//! Which records travel.

use landbridge_model::sync::{Condition, Filter, OnLeave, Operator, Scalars};

use super::Posted;
use crate::console::wizard::filter::operator_of;

/// Reads the step. A filter without a condition is none.
pub fn filter(posted: &Posted, before: Option<&Filter>) -> Option<Filter> {
    let conditions: &[Condition] = before.map_or(&[], |filter| &filter.all);
    let places = posted.places("spec.filter.all");
    if places.is_empty() {
        return before.filter(|filter| filter.all.is_empty()).cloned();
    }
    let read = |place: &usize| condition(posted, *place, conditions.get(*place));
    let on_leave = match posted.text("spec.filter.onLeave") {
        "keep" => OnLeave::Keep,
        "delete-rule" => OnLeave::DeleteRule,
        _ => before.map(|filter| filter.on_leave).unwrap_or_default(),
    };
    Some(Filter {
        all: places.iter().map(read).collect(),
        on_leave,
    })
}

/// Whether an operator compares with nothing.
pub(crate) fn is_bare(operator: Operator) -> bool {
    matches!(operator, Operator::IsEmpty | Operator::IsNotEmpty)
}

/// Whether an operator compares with several values.
pub(crate) fn takes_list(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::In | Operator::NotIn | Operator::Includes | Operator::Excludes
    )
}

fn condition(posted: &Posted, place: usize, before: Option<&Condition>) -> Condition {
    let name = |what: &str| format!("spec.filter.all[{place}].{what}");
    let field = posted.kept(&name("field"), before.map_or("", |old| &old.field));
    let op = operator_of(posted.text(&name("op")))
        .or(before.map(|old| old.op))
        .unwrap_or(Operator::Equals);
    let old = before.and_then(|old| old.value.clone());
    let shown = old.as_ref().map(|values| values.0.join(", ")).unwrap_or_default();
    let value = match posted.exactly(&name("value")) {
        // Written as it was, a value stays as it is: one with a comma in it is not two.
        Some(text) if text == shown && before.is_some_and(|old| takes_list(old.op) == takes_list(op)) => old,
        Some(text) => typed(text, op),
        // No control for it was on the page.
        None => old,
    };
    let is_same_bare = is_bare(op) && before.is_some_and(|old| old.op == op);
    Condition {
        field: field.to_owned(),
        op,
        value: value.filter(|_| is_same_bare || !is_bare(op)),
    }
}

fn typed(text: &str, op: Operator) -> Option<Scalars> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let values = if takes_list(op) {
        let parts = text.split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    } else {
        vec![text.to_owned()]
    };
    Some(Scalars(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(op: &str, value: Option<&str>) -> Posted {
        let mut pairs = vec![
            ("spec.filter.all[0].field", "Status__c"),
            ("spec.filter.all[0].op", op),
        ];
        pairs.extend(value.map(|value| ("spec.filter.all[0].value", value)));
        pairs.into_iter().collect()
    }

    fn values(read: Option<Filter>) -> Option<Vec<String>> {
        read.unwrap().all.remove(0).value.map(|values| values.0)
    }

    #[test]
    fn values_are_read_by_the_operator() {
        for (op, value, expected) in [
            ("equals", Some(" a, b "), Some(vec!["a, b"])),
            ("in", Some("a, b,, c "), Some(vec!["a", "b", "c"])),
            ("is-empty", Some("a"), None),
            ("equals", Some(" "), None),
            ("equals", None, None),
        ] {
            let read = values(filter(&post(op, value), None));
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(read, expected, "{op} {value:?}");
        }
    }

    #[test]
    fn a_list_whose_values_have_commas_stays_unless_it_is_changed() {
        let before = Filter {
            all: vec![Condition {
                field: "Status__c".to_owned(),
                op: Operator::In,
                value: Some(Scalars(vec!["a, b".to_owned(), "c".to_owned()])),
            }],
            on_leave: OnLeave::DeleteRule,
        };
        let read = filter(&post("in", Some("a, b, c")), Some(&before)).unwrap();
        assert_eq!(read, before);
        let read = values(filter(&post("in", Some("a, b")), Some(&before))).unwrap();
        assert_eq!(read, ["a", "b"]);
    }
}

//! What became of each input of a batch upsert.

use std::collections::HashMap;

use landbridge_model::HubSpotId;

use crate::records::Records;
use crate::verdict::{ErrorBody, Verdict, judge_item};

/// What became of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemVerdict {
    /// HubSpot has the record; `new` tells whether it had to be made.
    Written {
        /// The record.
        id: HubSpotId,
        /// Whether it is new.
        new: bool,
    },
    /// HubSpot refused this input.
    Refused {
        /// Why.
        verdict: Verdict,
        /// HubSpot's words.
        message: String,
    },
    /// The answer does not mention this input: neither success nor failure, to be sent again.
    Unaccounted,
}

/// Matches an answer with the inputs that were sent.
///
/// Successes are matched by the value of the unique property, which must be the first of the properties read from the
/// answer, never by place: HubSpot answers in any order. Errors are matched by trace id or by the ids they name. An
/// error that names nothing is given to the only input left, if just one is; else the inputs left are unaccounted.
pub fn settle(inputs: &[&str], trace: &str, answer: &Records<'_>) -> Vec<ItemVerdict> {
    let index = Index::new(inputs, trace);
    let mut verdicts: Vec<Option<ItemVerdict>> = vec![None; inputs.len()];
    for record in &answer.results {
        let by_value = record
            .values
            .first()
            .and_then(Option::as_deref)
            .and_then(|value| index.by_value(value));
        let place = by_value.or_else(|| record.trace.as_deref().and_then(|trace| index.by_trace(trace)));
        if let Some(place) = place {
            verdicts[place] = Some(ItemVerdict::Written {
                id: record.id,
                new: record.new.unwrap_or(false),
            });
        }
    }
    let mut unnamed = Vec::new();
    for error in &answer.errors {
        let places = index.named_by(error);
        if places.is_empty() {
            unnamed.push(error);
        }
        for place in places {
            verdicts[place].get_or_insert_with(|| refused(error));
        }
    }
    let left: Vec<usize> = (0..inputs.len())
        .filter(|&place| verdicts[place].is_none())
        .collect();
    if let ([place], [error]) = (&left[..], &unnamed[..]) {
        verdicts[*place] = Some(refused(error));
    }
    verdicts
        .into_iter()
        .map(|verdict| verdict.unwrap_or(ItemVerdict::Unaccounted))
        .collect()
}

fn refused(error: &ErrorBody) -> ItemVerdict {
    ItemVerdict::Refused {
        verdict: judge_item(error),
        message: error.message.clone(),
    }
}

struct Index<'a> {
    exact: HashMap<&'a str, usize>,
    /// By lower case: some unique values come back in another case.
    folded: HashMap<String, usize>,
    trace: &'a str,
    inputs: usize,
}

impl<'a> Index<'a> {
    fn new(inputs: &[&'a str], trace: &'a str) -> Self {
        let exact = inputs
            .iter()
            .enumerate()
            .map(|(place, value)| (*value, place))
            .collect();
        let folded = inputs
            .iter()
            .enumerate()
            .map(|(place, value)| (value.to_lowercase(), place))
            .collect();
        Self {
            exact,
            folded,
            trace,
            inputs: inputs.len(),
        }
    }

    fn by_value(&self, value: &str) -> Option<usize> {
        self.exact
            .get(value)
            .or_else(|| self.folded.get(&value.to_lowercase()))
            .copied()
    }

    fn by_trace(&self, trace: &str) -> Option<usize> {
        let place = trace.strip_prefix(self.trace)?.strip_prefix('-')?.parse().ok()?;
        (place < self.inputs).then_some(place)
    }

    fn named_by(&self, error: &ErrorBody) -> Vec<usize> {
        let traced = error
            .named("objectWriteTraceId")
            .iter()
            .filter_map(|trace| self.by_trace(trace));
        let mut places: Vec<usize> = traced.collect();
        if places.is_empty() {
            let ids = error.named("ids").iter().chain(error.named("id"));
            places.extend(ids.filter_map(|id| self.by_value(id)));
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(answer: &str, expected: Expect) {
        let inputs = ["one", "two", "three"];
        let answer = Records::parse(answer.as_bytes(), &["sf_id"]).unwrap();
        let lines: Vec<String> = inputs
            .iter()
            .zip(settle(&inputs, "b", &answer))
            .map(|(input, verdict)| match verdict {
                ItemVerdict::Written { id, new } => format!("{input}: {id}{}", if new { " new" } else { "" }),
                ItemVerdict::Refused { verdict, .. } => format!("{input}: {verdict:?}"),
                ItemVerdict::Unaccounted => format!("{input}: ?"),
            })
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn shuffled_results_find_their_inputs() {
        check(
            r#"{"results":[{"id":"3","new":true,"properties":{"sf_id":"three"}},
                {"id":"1","new":false,"properties":{"sf_id":"ONE"}},{"id":2,"properties":{"sf_id":"two"}}]}"#,
            expect![[r#"
                one: 1
                two: 2
                three: 3 new"#]],
        );
    }

    #[test]
    fn errors_find_their_inputs_by_trace_id_or_by_id() {
        check(
            r#"{"results":[{"id":"2","new":true,"properties":{"sf_id":"two"}}],"numErrors":2,"errors":[
                {"status":"error","category":"CONFLICT","message":"Already exists. Existing ID: 77",
                 "context":{"objectWriteTraceId":["b-0"],"existingId":["77"]}},
                {"category":"OBJECT_NOT_FOUND","message":"gone","context":{"ids":["three"]}}]}"#,
            expect![[r#"
                one: Conflict { existing: Some(HubSpotId(77)) }
                two: 2 new
                three: NotFound"#]],
        );
    }

    #[test]
    fn trap_21_a_value_that_comes_back_otherwise_is_found_by_its_trace() {
        check(
            r#"{"results":[{"id":"2","new":true,"objectWriteTraceId":"b-1","properties":{}}]}"#,
            expect![[r#"
                one: ?
                two: 2 new
                three: ?"#]],
        );
    }

    #[test]
    fn an_error_that_names_nobody_is_the_only_one_left() {
        check(
            r#"{"results":[{"id":"1","properties":{"sf_id":"one"}},{"id":"2","properties":{"sf_id":"two"}}],
                "errors":[{"category":"VALIDATION_ERROR","message":"no"}]}"#,
            expect![[r#"
                one: 1
                two: 2
                three: Invalid([])"#]],
        );
    }

    #[test]
    fn nothing_said_is_nothing_done() {
        for answer in [
            r#"{"status":"COMPLETE","results":[],"errors":[]}"#,
            "",
            r#"{"errors":[{"message":"no"}],"results":[{"id":"9","properties":{"sf_id":"four"}}]}"#,
        ] {
            let unaccounted = expect![[r#"
                one: ?
                two: ?
                three: ?"#]];
            check(answer, unaccounted);
        }
    }
}

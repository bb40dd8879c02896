//! What happens on delete.

use landbridge_model::Problem;
use landbridge_model::sync::{DeleteRule, MaxDeletes, Rules};

use super::Posted;

/// The rules as they were posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRules {
    /// The rules; where the safety limit could not be read, with the one before.
    pub rules: Rules,
    /// The safety limit as it was typed, when it could not be read.
    pub max_deletes_text: Option<String>,
}

impl ReadRules {
    /// What is wrong with a safety limit that could not be read.
    pub fn problem(text: &str) -> Problem {
        Problem::new(
            "spec.rules.maxDeletes",
            format!("{text:?} is neither a count of records nor a share of them"),
            "enter a whole number, of percent at most 100",
        )
    }
}

/// Reads the step.
pub fn rules(posted: &Posted, before: &Rules) -> ReadRules {
    let delete = match posted.text("spec.rules.delete") {
        "do-nothing" => DeleteRule::DoNothing,
        "delete-record" => DeleteRule::DeleteRecord,
        _ => before.delete,
    };
    let grace = posted.kept("spec.rules.grace", before.grace.as_deref().unwrap_or_default());
    let grace = if before.grace.as_deref() == Some(grace) {
        before.grace.clone()
    } else {
        (!grace.is_empty()).then(|| grace.to_owned())
    };
    let reread = posted.kept("spec.rules.reread", before.reread.as_deref().unwrap_or_default());
    let reread = if before.reread.as_deref() == Some(reread) {
        before.reread.clone()
    } else {
        (!reread.is_empty()).then(|| reread.to_owned())
    };
    let (max_deletes, max_deletes_text) = match limit(posted, before) {
        Ok(limit) => (limit, None),
        Err(text) => (before.max_deletes, Some(text)),
    };
    ReadRules {
        rules: Rules {
            delete,
            max_deletes,
            grace,
            reread,
            ..before.clone()
        },
        max_deletes_text,
    }
}

/// The limit, or the text that is none.
fn limit(posted: &Posted, before: &Rules) -> Result<Option<MaxDeletes>, String> {
    let text = posted.text("spec.rules.maxDeletes");
    if text.is_empty() {
        return Ok(before
            .max_deletes
            .filter(|_| posted.exactly("spec.rules.maxDeletes").is_none()));
    }
    let unread = || text.to_owned();
    let limit = match posted.text("spec.rules.maxDeletes.unit") {
        "records" => MaxDeletes::Count(text.parse().map_err(|_| unread())?),
        _ => {
            let share: u8 = text
                .trim_end_matches('%')
                .trim_end()
                .parse()
                .map_err(|_| unread())?;
            if share > 100 {
                return Err(unread());
            }
            MaxDeletes::Percent(share)
        }
    };
    // The default is shown though nobody wrote it down: it stays unwritten.
    let is_default = before.max_deletes.is_none() && limit == MaxDeletes::default();
    Ok((!is_default).then_some(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(number: &str, unit: &str) -> Posted {
        [
            ("spec.rules.delete", "delete-record"),
            ("spec.rules.maxDeletes", number),
            ("spec.rules.maxDeletes.unit", unit),
            ("spec.rules.grace", " 15m "),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn limits_are_read_and_what_is_none_is_kept_as_typed() {
        let before = Rules::default();
        for (number, unit, limit, unread) in [
            ("500", "records", Some(MaxDeletes::Count(500)), None),
            ("5", "percent", Some(MaxDeletes::Percent(5)), None),
            ("5 %", "percent", Some(MaxDeletes::Percent(5)), None),
            ("10", "percent", None, None),
            ("", "percent", None, None),
            ("101", "percent", None, Some("101")),
            ("many", "records", None, Some("many")),
            ("-1", "records", None, Some("-1")),
        ] {
            let read = rules(&post(number, unit), &before);
            assert_eq!(read.rules.max_deletes, limit, "{number} {unit}");
            assert_eq!(read.max_deletes_text.as_deref(), unread, "{number} {unit}");
            assert_eq!(read.rules.delete, DeleteRule::DeleteRecord);
            assert_eq!(read.rules.grace.as_deref(), Some("15m"));
        }
    }
}

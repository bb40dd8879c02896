//! What an import costs in calls to Salesforce, by the rules by which it reads. Pure.

use landbridge_model::ask::{Estimate, EstimatedCalls};
use landbridge_salesforce::calls::Family;

use crate::settings::ExtractorSettings;

/// Calls that a Bulk job takes besides its pages and further looks at its state: to create it, to see it complete, to
/// begin its download, to delete it.
const JOB_CALLS: u64 = 4;

/// What an import that reads `records` costs. `left` is what is left of the org's daily allocation, when known.
#[must_use]
pub fn import(settings: &ExtractorSettings, records: u64, left: Option<u64>) -> Estimate {
    let pages = records.div_ceil(u64::from(settings.page_rows).max(1)).max(1);
    let of = |family: Family, calls| EstimatedCalls {
        family: family.as_str().to_owned(),
        calls,
    };
    let mut notes = vec![
        "while Salesforce collects the rows its job is looked at, every 0.5 to 10 s: how often depends on Salesforce"
            .to_owned(),
        "the catch-up at the end reads what changes meanwhile: one query at least, one more for every 2,000 changes"
            .to_owned(),
        "pages of results are as large as Salesforce makes them; the number is of pages of the size asked for"
            .to_owned(),
    ];
    let estimate = Estimate {
        calls: vec![
            of(Family::BulkJob, JOB_CALLS),
            of(Family::BulkPage, pages),
            of(Family::Query, 1),
        ],
        // Salesforce limits by the day, not by the second.
        seconds: None,
        daily_left: left,
        before_calls: 0,
        notes: Vec::new(),
    };
    if left.is_some_and(|left| left < estimate.total()) {
        notes.push(
            "more than is left of the org's daily calls: the import waits until some are free".to_owned(),
        );
    }
    Estimate { notes, ..estimate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_by_the_size_that_is_asked_for() {
        let settings = ExtractorSettings::default();
        for (records, pages) in [(0, 1), (1, 1), (20_000, 1), (20_001, 2), (1_000_000, 50)] {
            let estimate = import(&settings, records, None);
            assert_eq!(estimate.calls[1].calls, pages, "{records}");
            assert_eq!(estimate.total(), 5 + pages);
        }
    }

    #[test]
    fn an_allocation_that_does_not_suffice_is_told() {
        let settings = ExtractorSettings::default();
        assert_eq!(import(&settings, 10, Some(6)).notes.len(), 3);
        let short = import(&settings, 10, Some(5));
        assert_eq!((short.notes.len(), short.daily_left), (4, Some(5)));
    }
}

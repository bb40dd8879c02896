//! A dry run's result as people read it.

use landbridge_model::ask::Estimate;
use landbridge_model::{Outcome, PredictedRecord, SalesforceId};

use super::Predicted;
use crate::output::{counts, duration, table};

/// What is shown of a value in a line.
const VALUE_CHARS: usize = 40;

/// All of one definition.
pub(super) fn of(result: &Predicted) -> String {
    let report = &result.report;
    let about = if report.records.exact { "" } else { "at most " };
    let mut lines = vec![format!(
        "{}/{}: {} of {} records looked at ({about}{} match the filter). An import would leave: {}",
        result.tenant,
        report.sync,
        report.compared,
        report.records.total,
        report.records.matching,
        counts(&report.outcomes)
    )];
    if report.marked_only > 0 {
        lines.push(format!(
            "  of the updated, {} get nothing but Landbridge's own properties",
            report.marked_only
        ));
    }
    let refused = report.failures.iter().map(|(category, count)| (category, *count));
    if !report.failures.is_empty() {
        lines.push(format!("  refused: {}", counts(&refused.collect::<Vec<_>>())));
    }
    for (condition, count) in &report.filtered_by {
        lines.push(format!("  filtered: {count} by {condition}"));
    }
    for lookup in &report.links {
        lines.push(format!(
            "  links {} → {}: {}",
            lookup.field,
            lookup.to,
            counts(&lookup.links)
        ));
    }
    for what in &report.would_create {
        lines.push(format!("  would create {what}"));
    }
    if !report.unseen.is_empty() {
        let ids: Vec<&str> = report.unseen.iter().map(SalesforceId::as_str).collect();
        lines.push(format!("  Salesforce does not show {}", ids.join(", ")));
    }
    let reckoned = if report.extrapolated {
        ", for all records"
    } else {
        ""
    };
    lines.push(cost("Salesforce", &report.salesforce, reckoned));
    lines.push(cost("HubSpot", &report.hubspot, reckoned));
    if let Some(records) = records_text(result) {
        lines.push(records);
    }
    lines.push("  cannot be predicted:".to_owned());
    lines.extend(report.unpredictable.iter().map(|what| format!("    {what}")));
    lines.push("  Nothing was written.".to_owned());
    lines.join("\n")
}

fn cost(side: &str, estimate: &Estimate, reckoned: &str) -> String {
    let families: Vec<(&str, u64)> = estimate
        .calls
        .iter()
        .map(|one| (one.family.as_str(), one.calls))
        .collect();
    let time = estimate.seconds.map_or(String::new(), |seconds| {
        format!(
            ", {} at the portal's limits",
            duration((seconds * 1_000.0) as i64)
        )
    });
    format!(
        "  calls to {side}{reckoned}: at least {}{time}",
        counts(&families)
    )
}

/// One line for each change, refusal or link of the records that are shown.
fn records_text(result: &Predicted) -> Option<String> {
    let mut rows = Vec::new();
    for (outcome, records) in &result.shown {
        for record in records {
            rows.extend(record_rows(*outcome, record));
        }
    }
    for (stance, records) in &result.linked {
        for record in records {
            for link in record.links.iter().filter(|link| link.stance == *stance) {
                let about = link.waits_for.or(link.parent).map(|id| id.to_string());
                let message = link.failure.as_ref().map(|failure| failure.message.clone());
                rows.push([
                    stance.to_string(),
                    record.id.to_string(),
                    link.field.clone(),
                    String::new(),
                    about.unwrap_or_default(),
                    message.unwrap_or_default(),
                ]);
            }
        }
    }
    (!rows.is_empty()).then(|| table(["what", "salesforce id", "about", "before", "after", ""], rows))
}

fn record_rows(outcome: Outcome, record: &PredictedRecord) -> Vec<[String; 6]> {
    let short = |value: &Option<String>| -> String {
        value
            .iter()
            .flat_map(|text| text.chars())
            .take(VALUE_CHARS)
            .collect()
    };
    let row = |about: &str, before: String, after: String, message: String| {
        [
            outcome.to_string(),
            record.id.to_string(),
            about.to_owned(),
            before,
            after,
            message,
        ]
    };
    if let Some(failure) = &record.failure {
        let about = failure.property.as_ref().or(failure.field.as_ref());
        let about = about.cloned().unwrap_or_default();
        return vec![row(
            &about,
            String::new(),
            short(&failure.value),
            failure.message.clone(),
        )];
    }
    if outcome == Outcome::Updated {
        let changes = record.changes.iter();
        let rows: Vec<[String; 6]> = changes
            .map(|change| {
                row(
                    &change.property,
                    short(&change.before),
                    short(&change.after),
                    String::new(),
                )
            })
            .collect();
        if !rows.is_empty() {
            return rows;
        }
    }
    let names: Vec<&str> = record
        .changes
        .iter()
        .map(|change| change.property.as_str())
        .collect();
    vec![row("", String::new(), String::new(), names.join(", "))]
}

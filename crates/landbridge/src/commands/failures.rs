//! `landbridge failures`.

use landbridge_control::ask::RetryFailures;
use landbridge_model::FailureCategory;
use landbridge_model::ask::{FailureEntry, ListFailures};
use serde_json::json;

use super::{Context, LONG_PATIENCE};
use crate::cli::{FailuresCommand, FailuresListArgs, FailuresRetryArgs, FailuresShowArgs, OutputFormat};
use crate::output::{CommandError, Exit, say, show, table, time};

pub(super) async fn run(context: &Context, command: FailuresCommand) -> anyhow::Result<Exit> {
    match command {
        FailuresCommand::List(arguments) => list(context, &arguments).await,
        FailuresCommand::Show(arguments) => show_one(context, &arguments).await,
        FailuresCommand::Retry(arguments) => retry(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &FailuresListArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = ListFailures {
        sync: arguments.sync.clone(),
        id: None,
    };
    let mut entries = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    entries.retain(|entry| {
        arguments
            .category
            .is_none_or(|category| category == entry.failure.category)
    });
    let by_category = by_category(&entries);
    let total = entries.len();
    entries.truncate(arguments.limit);
    let shown = json!({ "total": total, "byCategory": by_category, "failures": entries });
    show(context.output, &shown, |_| {
        if total == 0 {
            return format!("{tenant} has no failures");
        }
        let groups: Vec<String> = by_category
            .iter()
            .map(|(category, count)| format!("{count} {category}"))
            .collect();
        let more = total - entries.len();
        let tail = if more == 0 {
            String::new()
        } else {
            format!("\n… and {more} more: --limit shows them")
        };
        format!(
            "{total} failures: {}\n{}{tail}",
            groups.join(", "),
            rows(&entries)
        )
    })?;
    Ok(Exit::Done)
}

/// Counts by category, the most frequent first.
fn by_category(entries: &[FailureEntry]) -> Vec<(FailureCategory, usize)> {
    let count = |category| {
        entries
            .iter()
            .filter(|entry| entry.failure.category == category)
            .count()
    };
    let mut counts: Vec<_> = FailureCategory::ALL
        .into_iter()
        .map(|category| (category, count(category)))
        .filter(|(_, count)| *count > 0)
        .collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn rows(entries: &[FailureEntry]) -> String {
    let rows = entries.iter().map(|entry| {
        let about = entry.link_field.as_ref().map(|field| format!("link {field}"));
        let about = about
            .or_else(|| entry.failure.property.clone())
            .or_else(|| entry.failure.field.clone());
        [
            time(entry.at_ms),
            entry.sync.to_string(),
            entry.id.to_string(),
            entry.failure.category.to_string(),
            about.unwrap_or_default(),
            entry.failure.value.clone().unwrap_or_default(),
            entry.failure.message.clone(),
        ]
    });
    table(
        ["at", "sync", "record", "category", "about", "value", "message"],
        rows,
    )
}

async fn show_one(context: &Context, arguments: &FailuresShowArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = ListFailures {
        sync: None,
        id: Some(arguments.id),
    };
    let entries = context.ask(&tenant, &question).await?;
    if entries.is_empty() {
        let what = format!(
            "{} has no failure; landbridge explain {} tells what is known of it",
            arguments.id, arguments.id
        );
        return Err(CommandError::new(Exit::NotFound, what).into());
    }
    show(context.output, &entries, |entries| {
        entries.iter().map(in_full).collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(Exit::Done)
}

fn in_full(entry: &FailureEntry) -> String {
    let failure = &entry.failure;
    let lines = [
        ("record", Some(entry.id.to_string())),
        ("sync", Some(entry.sync.to_string())),
        ("link", entry.link_field.clone()),
        ("category", Some(failure.category.to_string())),
        ("message", Some(failure.message.clone())),
        ("field", failure.field.clone()),
        ("property", failure.property.clone()),
        ("value", failure.value.clone()),
        ("refused by", Some(entry.stage.to_string())),
        ("at", Some(time(entry.at_ms))),
        ("attempts", Some(entry.attempts.to_string())),
        ("change of", Some(time(entry.version.stamp_ms))),
        ("correlation", failure.correlation_id.clone()),
    ];
    let lines = lines
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:12} {}", value?)));
    lines.collect::<Vec<_>>().join("\n")
}

async fn retry(context: &Context, arguments: FailuresRetryArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = RetryFailures {
        sync: arguments.sync,
        category: arguments.category,
        ids: arguments.ids.clone(),
    };
    let retried = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    match context.output {
        OutputFormat::Json => say!("{}", serde_json::to_string(&retried)?),
        OutputFormat::Text => say!("{} records are read again and tried again", retried.records),
    }
    if retried.records == 0 && !arguments.ids.is_empty() {
        return Err(CommandError::new(Exit::NotFound, "none of these records is among the failures").into());
    }
    Ok(Exit::Done)
}

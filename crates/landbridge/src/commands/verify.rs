//! `landbridge verify`.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;
use landbridge_control::ask::{
    FoundDifference, Repair, StartVerify, VerifyProgress, VerifyReport, VerifyState,
};
use landbridge_model::{SalesforceId, SyncName, TenantId};
use serde::Serialize;

use super::{Context, LONG_PATIENCE};
use crate::cli::{OutputFormat, VerifyArgs};
use crate::output::{CommandError, Exit, say, table};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(300);

/// One sync's result.
#[derive(Debug, Serialize)]
struct Verified {
    sync: SyncName,
    /// Records that were read again and written, with `--repair`.
    repaired: u64,
    #[serde(flatten)]
    report: VerifyReport,
}

pub(super) async fn run(context: &Context, arguments: &VerifyArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let names = names(context, &tenant, arguments).await?;
    let mut results = Vec::new();
    for name in names {
        let mut result = Verified {
            report: verify(context, &tenant, &name).await?,
            sync: name,
            repaired: 0,
        };
        if arguments.repair && !result.report.differences.is_empty() {
            result.repaired = repair(context, &tenant, &result).await?;
            result.report = verify(context, &tenant, &result.sync).await?;
        }
        if context.output == OutputFormat::Text {
            say!("{}", text(&result, arguments.limit));
        }
        results.push(result);
    }
    if context.output == OutputFormat::Json {
        say!("{}", serde_json::to_string_pretty(&results)?);
    }
    let same = results.iter().all(|result| result.report.differences.is_empty());
    Ok(if same { Exit::Done } else { Exit::Differences })
}

/// The syncs that are meant: those named, or all that have ever run.
async fn names(
    context: &Context,
    tenant: &TenantId,
    arguments: &VerifyArgs,
) -> Result<Vec<SyncName>, CommandError> {
    if !arguments.names.is_empty() {
        return Ok(arguments.names.clone());
    }
    let syncs = context.syncs(tenant).await?;
    let ran = syncs.into_iter().filter(|sync| sync.has_run);
    let names: Vec<SyncName> = ran.map(|sync| sync.name).collect();
    if names.is_empty() {
        let what = format!("no sync of {tenant} has ever run: there is nothing to compare");
        return Err(CommandError::new(Exit::NotFound, what));
    }
    Ok(names)
}

async fn verify(context: &Context, tenant: &TenantId, sync: &SyncName) -> Result<VerifyReport, CommandError> {
    let started = context.ask(tenant, &StartVerify { sync: sync.clone() }).await?;
    let bar = if context.output == OutputFormat::Text && std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let question = VerifyState { run: started.run };
    loop {
        let progress: VerifyProgress = context.ask(tenant, &question).await?;
        bar.set_message(format!(
            "{sync}: {} ({} compared, {} listed)",
            progress.phase, progress.compared, progress.listed
        ));
        bar.tick();
        match (progress.report, progress.trouble) {
            (Some(report), _) => {
                bar.finish_and_clear();
                return Ok(report);
            }
            (None, Some(trouble)) => {
                bar.finish_and_clear();
                let what = format!("{sync} could not be verified: {trouble}");
                return Err(CommandError::new(Exit::Failed, what));
            }
            (None, None) => tokio::time::sleep(LOOK).await,
        }
    }
}

async fn repair(context: &Context, tenant: &TenantId, result: &Verified) -> Result<u64, CommandError> {
    let ids: BTreeSet<SalesforceId> = result
        .report
        .differences
        .iter()
        .filter_map(|difference| difference.id)
        .collect();
    let question = Repair {
        sync: result.sync.clone(),
        ids: ids.into_iter().collect(),
    };
    Ok(context
        .ask_patiently(tenant, &question, LONG_PATIENCE)
        .await?
        .records)
}

fn text(result: &Verified, limit: usize) -> String {
    let report = &result.report;
    let verdict = if report.differences.is_empty() {
        "no difference".to_owned()
    } else {
        let kinds: Vec<String> = report
            .counts()
            .into_iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        format!("{} differences: {}", report.differences.len(), kinds.join(", "))
    };
    let mut lines = vec![format!(
        "{}: {} records and {} links compared, {} listed in HubSpot: {verdict}",
        result.sync, report.compared, report.links, report.listed
    )];
    if result.repaired > 0 {
        lines.insert(
            0,
            format!(
                "{}: {} records were read again and written",
                result.sync, result.repaired
            ),
        );
    }
    if !report.differences.is_empty() {
        lines.push(differences(&report.differences, limit));
    }
    if !report.apart.is_empty() {
        lines.push(format!("{} as the rules have it:", report.apart.len()));
        lines.push(differences(&report.apart, limit));
    }
    if !report.unsettled.is_empty() {
        let ids: Vec<&str> = report
            .unsettled
            .iter()
            .map(SalesforceId::as_str)
            .take(limit)
            .collect();
        lines.push(format!(
            "{} kept changing while they were looked at: {}",
            report.unsettled.len(),
            ids.join(", ")
        ));
    }
    lines.join("\n")
}

fn differences(differences: &[FoundDifference], limit: usize) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let rows = differences.iter().take(limit).map(|difference| {
        [
            difference.kind.clone(),
            difference.id.map(|id| id.to_string()).unwrap_or_default(),
            difference.hubspot_id.map(|id| id.to_string()).unwrap_or_default(),
            or_none(&difference.name),
            or_none(&difference.expected),
            or_none(&difference.actual),
            difference.message.clone(),
        ]
    });
    let table = table(
        [
            "what",
            "salesforce id",
            "hubspot id",
            "about",
            "expected",
            "found",
            "message",
        ],
        rows,
    );
    let more = differences.len().saturating_sub(limit);
    if more == 0 {
        table
    } else {
        format!("{table}\n… and {more} more: --limit shows them")
    }
}

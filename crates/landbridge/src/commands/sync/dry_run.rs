//! `landbridge sync dry-run`.

mod text;

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;
use landbridge_control::ask::{
    CancelDryRun, DryRunPage, DryRunPart, DryRunProgress, DryRunRecords, DryRunReport, DryRunScope,
    DryRunState, StartDryRun,
};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{LinkStance, Outcome, PredictedRecord, RunId, SyncName, TenantId};
use serde::Serialize;

use super::{by_tenant, problems};
use crate::cli::{OutputFormat, SyncDryRunArgs, TenantArg};
use crate::commands::{Context, LONG_PATIENCE};
use crate::output::{CommandError, Exit, say};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(200);
/// Records of a page.
const PAGE: usize = 100;

/// One definition's result.
#[derive(Debug, Serialize)]
struct Predicted {
    tenant: TenantId,
    run: RunId,
    #[serde(flatten)]
    report: DryRunReport,
    /// The records that are shown, by what would become of them.
    shown: Vec<(Outcome, Vec<PredictedRecord>)>,
    /// Further records that are shown for a link of theirs that is neither made nor there.
    linked: Vec<(LinkStance, Vec<PredictedRecord>)>,
}

pub(super) async fn run(
    context: &Context,
    definitions: Vec<SyncDefinition>,
    arguments: &SyncDryRunArgs,
) -> anyhow::Result<Exit> {
    if !arguments.ids.is_empty() && definitions.len() != 1 {
        let what = format!(
            "--id names records of one object, and there are {} definitions",
            definitions.len()
        );
        return Err(CommandError::invalid(what).into());
    }
    let mut results = Vec::new();
    for (tenant, definitions) in by_tenant(definitions) {
        context
            .tenant(&TenantArg {
                tenant: Some(tenant.clone()),
            })
            .await?;
        let mut before = Vec::new();
        for definition in parents_first(&definitions) {
            let question = StartDryRun {
                definition: definition.clone(),
                scope: scope(arguments),
                together: definitions.clone(),
                assuming: before.clone(),
                proposed: None,
            };
            let run = start(context, &tenant, &question).await?;
            let report = follow(context, &tenant, &definition.metadata.name, &run).await?;
            let result = show_records(context, &tenant, run.clone(), report, arguments.limit).await?;
            if context.output == OutputFormat::Text {
                say!("{}", text::of(&result));
            }
            before.push(run);
            results.push(result);
        }
    }
    if context.output == OutputFormat::Json {
        say!("{}", serde_json::to_string_pretty(&results)?);
    }
    let refuses = |result: &Predicted| {
        let kinds = result.report.outcomes.iter();
        kinds
            .clone()
            .any(|(outcome, count)| *outcome == Outcome::Failed && *count > 0)
    };
    Ok(if results.iter().any(refuses) {
        Exit::Differences
    } else {
        Exit::Done
    })
}

fn scope(arguments: &SyncDryRunArgs) -> DryRunScope {
    if arguments.all {
        DryRunScope::All
    } else if arguments.ids.is_empty() {
        DryRunScope::Sample(arguments.sample)
    } else {
        DryRunScope::Ids(arguments.ids.clone())
    }
}

/// Those to whose object types others link come first, as far as there is no circle.
fn parents_first(definitions: &[SyncDefinition]) -> Vec<&SyncDefinition> {
    let mut left: Vec<&SyncDefinition> = definitions.iter().collect();
    let mut ordered: Vec<&SyncDefinition> = Vec::new();
    while !left.is_empty() {
        let waits = |definition: &&SyncDefinition| {
            let ends = definition.spec.associations.iter();
            ends.map(|rule| &rule.to).any(|to| {
                left.iter().any(|other| {
                    other.key() != definition.key() && other.spec.hubspot.object_type.eq_ignore_ascii_case(to)
                })
            })
        };
        let next = left.iter().position(|definition| !waits(definition)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

async fn start(context: &Context, tenant: &TenantId, question: &StartDryRun) -> Result<RunId, CommandError> {
    let started = context.ask_patiently(tenant, question, LONG_PATIENCE).await?;
    started.run.ok_or_else(|| {
        let lines = problems(std::slice::from_ref(&started.checked));
        CommandError::invalid(format!("{} problems; nothing was compared", lines.len())).with_details(lines)
    })
}

/// Waits for the end; an interrupt cancels the run.
async fn follow(
    context: &Context,
    tenant: &TenantId,
    sync: &SyncName,
    run: &RunId,
) -> Result<DryRunReport, CommandError> {
    let bar = if context.output == OutputFormat::Text && std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let question = DryRunState { run: run.clone() };
    loop {
        let progress: DryRunProgress = context.ask(tenant, &question).await?;
        let expected = progress.expected.map_or("?".to_owned(), |rows| rows.to_string());
        bar.set_message(format!(
            "{sync}: {} ({} of {expected})",
            progress.phase, progress.answered
        ));
        bar.tick();
        if let Some(report) = progress.report {
            bar.finish_and_clear();
            return Ok(report);
        }
        if progress.over {
            bar.finish_and_clear();
            let why = progress.trouble.unwrap_or(progress.phase);
            let what = format!("what {sync} would do could not be found out: {why}");
            return Err(CommandError::new(Exit::Failed, what));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                context.ask(tenant, &CancelDryRun { run: run.clone() }).await?;
            }
        }
    }
}

async fn show_records(
    context: &Context,
    tenant: &TenantId,
    run: RunId,
    report: DryRunReport,
    limit: usize,
) -> Result<Predicted, CommandError> {
    let mut shown = Vec::new();
    for (outcome, _) in &report.outcomes {
        let part = DryRunPart::Outcome(*outcome);
        shown.push((*outcome, pages(context, tenant, &run, part, limit).await?));
    }
    let mut linked = Vec::new();
    for stance in [
        LinkStance::Replace,
        LinkStance::Unlink,
        LinkStance::Wait,
        LinkStance::Refuse,
        LinkStance::Unknown,
    ] {
        let records = pages(context, tenant, &run, DryRunPart::Link(stance), limit).await?;
        if !records.is_empty() {
            linked.push((stance, records));
        }
    }
    Ok(Predicted {
        tenant: tenant.clone(),
        run,
        report,
        shown,
        linked,
    })
}

async fn pages(
    context: &Context,
    tenant: &TenantId,
    run: &RunId,
    part: DryRunPart,
    limit: usize,
) -> Result<Vec<PredictedRecord>, CommandError> {
    let mut records = Vec::new();
    let mut after = None;
    while records.len() < limit {
        let question = DryRunPage {
            run: run.clone(),
            part,
            after,
            limit: PAGE.min(limit - records.len()),
        };
        let page: DryRunRecords = context.ask(tenant, &question).await?;
        records.extend(page.records);
        match page.after {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, object_type: &str, ends: &[&str]) -> SyncDefinition {
        let ends: Vec<String> = ends
            .iter()
            .map(|to| format!("{{ field: {to}__c, to: {to} }}"))
            .collect();
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  salesforce: \
             {{ object: {name}__c }}\n  hubspot: {{ objectType: {object_type} }}\n  associations: [ {} ]\n  fields: [ \
             {{ from: Name, to: name }} ]\n",
            ends.join(", ")
        );
        landbridge_model::yaml::load("test.yaml", &text)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn parents_are_run_before_their_children() {
        let names = |definitions: &[SyncDefinition]| -> Vec<String> {
            parents_first(definitions)
                .iter()
                .map(|definition| definition.metadata.name.to_string())
                .collect()
        };
        let fleet = [
            definition("visits", "visits", &["vehicles", "depots"]),
            definition("vehicles", "vehicles", &["companies", "Depots"]),
            definition("depots", "depots", &["depots"]),
        ];
        assert_eq!(names(&fleet), ["depots", "vehicles", "visits"]);
        let circle = [definition("a", "a", &["b"]), definition("b", "b", &["a"])];
        assert_eq!(names(&circle), ["a", "b"]);
    }
}

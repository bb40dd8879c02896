//! `landbridge sync apply`: plan, confirm, apply.

use std::io::IsTerminal;

use landbridge_control::ask::{Applied, Change, EditSyncs, Expected, SetSyncs};
use landbridge_model::SyncName;
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::SyncDefinition;

use super::{TenantApplied, by_tenant, notes, plan, refuse_problems};
use crate::commands::{Context, LONG_PATIENCE, confirm};
use crate::output::{CommandError, Exit, show};

/// How definitions are applied.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Only show what would be done.
    pub dry_run: bool,
    /// Turn the syncs on as well.
    pub activate: bool,
    /// Do not ask.
    pub yes: bool,
}

pub(super) async fn apply(
    context: &Context,
    definitions: Vec<SyncDefinition>,
    wanted: Wanted,
) -> anyhow::Result<Exit> {
    let Wanted {
        dry_run,
        activate,
        yes,
    } = wanted;
    let tenants = by_tenant(definitions);
    // All tenants are checked before the first is written to.
    let mut results = plan(context, &tenants).await?;
    if !dry_run {
        confirm_plan(&results, yes)?;
        let plans = std::mem::take(&mut results);
        for ((tenant, definitions), plan) in tenants.into_iter().zip(plans) {
            let names: Vec<SyncName> = definitions
                .iter()
                .map(|definition| definition.metadata.name.clone())
                .collect();
            let question = EditSyncs {
                definitions,
                expected: expected(&plan.applied),
                by: crate::commands::local_name(),
            };
            let applied = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
            refuse_problems(&applied)?;
            if activate {
                let question = SetSyncs {
                    names,
                    status: SyncStatus::Active,
                };
                refuse_problems(&context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?)?;
            }
            results.push(TenantApplied { tenant, applied });
        }
    }
    show(context.output, &results, |results| {
        let mut lines = changes(results, if dry_run { "would be " } else { "" });
        if activate && !dry_run {
            lines.push("all are turned on".to_owned());
        }
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

/// One line for each definition: what is done to it.
fn changes(results: &[TenantApplied], verb: &str) -> Vec<String> {
    let lines = results.iter().flat_map(|result| {
        let tenant = &result.tenant;
        result.applied.syncs.iter().map(move |sync| {
            let change = match sync.change {
                Change::Unchanged => "unchanged".to_owned(),
                change => format!("{verb}{}", change.as_str()),
            };
            format!(
                "{tenant}/{} {change} ({}){}",
                sync.name,
                sync.revision,
                notes(sync)
            )
        })
    });
    lines.collect()
}

/// Shows a person what would be done, and asks. Where nobody sits at a terminal, the command itself is the word.
fn confirm_plan(plans: &[TenantApplied], yes: bool) -> Result<(), CommandError> {
    let mut lines = plans.iter().flat_map(|plan| &plan.applied.syncs);
    let changes_nothing = lines.all(|line| line.change == Change::Unchanged);
    if yes || changes_nothing || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    for line in changes(plans, "will be ") {
        crate::output::remark(format_args!("{line}"));
    }
    confirm("Apply this?", false)
}

/// What the plan was made from.
fn expected(plan: &Applied) -> Vec<Expected> {
    let seen = plan.syncs.iter().map(|line| Expected {
        name: line.name.clone(),
        tag: line.stored_tag.clone(),
    });
    seen.collect()
}

//! `landbridge sync`.

mod apply;
mod drift;
mod dry_run;
mod files;
mod reconcile;
mod schema;
mod undo;

use std::collections::BTreeMap;

use landbridge_control::ask::{
    Applied, AppliedSync, ApplySyncs, Change, RemoveSyncs, SetSyncs, WrittenRecords,
};
use landbridge_control::service::SyncView;
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{SyncName, TenantId, yaml};
use serde::Serialize;

use super::{Context, LONG_PATIENCE, confirm};
use crate::cli::{
    OutputFormat, RecordsArg, SyncCommand, SyncDryRunArgs, SyncExportArgs, SyncFilesArgs, SyncListArgs,
    SyncNamesArgs, SyncRemoveArgs, SyncSchemaArgs, SyncUndoArgs, TenantArg,
};
use crate::output::{CommandError, Exit, say, show, table};

/// A command whose files have been read.
pub(super) enum Prepared {
    Validate(Vec<SyncDefinition>),
    Apply {
        definitions: Vec<SyncDefinition>,
        dry_run: bool,
        activate: bool,
        yes: bool,
    },
    DryRun(Vec<SyncDefinition>, SyncDryRunArgs),
    Diff(Vec<SyncDefinition>),
    Export(SyncExportArgs),
    Schema(SyncSchemaArgs),
    List(SyncListArgs),
    SetStatus(SyncNamesArgs, SyncStatus),
    Reconcile(SyncNamesArgs),
    Undo(SyncUndoArgs),
    Remove(SyncRemoveArgs),
}

impl Prepared {
    pub(super) fn new(command: SyncCommand) -> Result<Self, CommandError> {
        Ok(match command {
            SyncCommand::Validate(arguments) => Self::Validate(files::load(&arguments.files)?),
            SyncCommand::Apply(arguments) => Self::Apply {
                definitions: files::load(&arguments.files)?,
                dry_run: arguments.dry_run,
                activate: arguments.activate,
                yes: arguments.yes,
            },
            SyncCommand::DryRun(arguments) => Self::DryRun(files::load(&arguments.files)?, arguments),
            SyncCommand::Diff(arguments) => Self::Diff(files::load(&arguments.files)?),
            SyncCommand::Export(arguments) => Self::Export(arguments),
            SyncCommand::Schema(arguments) => Self::Schema(arguments),
            SyncCommand::List(arguments) => Self::List(arguments),
            SyncCommand::Activate(arguments) => Self::SetStatus(arguments, SyncStatus::Active),
            SyncCommand::Pause(arguments) => Self::SetStatus(arguments, SyncStatus::Paused),
            SyncCommand::Reconcile(arguments) => Self::Reconcile(arguments),
            SyncCommand::Undo(arguments) => Self::Undo(arguments),
            SyncCommand::Remove(arguments) => Self::Remove(arguments),
        })
    }

    pub(super) async fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Validate(definitions) => validate(context, definitions).await,
            Self::Apply {
                definitions,
                dry_run,
                activate,
                yes,
            } => {
                apply::apply(
                    context,
                    definitions,
                    apply::Wanted {
                        dry_run,
                        activate,
                        yes,
                    },
                )
                .await
            }
            Self::DryRun(definitions, arguments) => dry_run::run(context, definitions, &arguments).await,
            Self::Diff(definitions) => drift::diff(context, definitions).await,
            Self::Export(arguments) => export(context, &arguments).await,
            Self::Schema(arguments) => schema::show_events(context, &arguments).await,
            Self::List(arguments) => list(context, arguments).await,
            Self::SetStatus(arguments, status) => set_status(context, arguments, status).await,
            Self::Reconcile(arguments) => reconcile::start(context, arguments).await,
            Self::Undo(arguments) => undo::undo(context, &arguments).await,
            Self::Remove(arguments) => remove(context, arguments).await,
        }
    }
}

/// Checks the files alone.
pub(super) fn validate_offline(output: OutputFormat, arguments: &SyncFilesArgs) -> anyhow::Result<Exit> {
    let definitions = files::load(&arguments.files)?;
    let names: Vec<String> = definitions
        .iter()
        .map(|definition| definition.key().to_string())
        .collect();
    show(output, &names, |names| {
        format!(
            "{} syncs can be read: {}\nFields, properties and types are checked without --offline.",
            names.len(),
            names.join(", ")
        )
    })?;
    Ok(Exit::Done)
}

/// One line for each problem, with its sync, its place and its remedy.
pub(super) fn problems(syncs: &[AppliedSync]) -> Vec<String> {
    let lines = syncs.iter().flat_map(|sync| {
        sync.problems
            .iter()
            .map(move |problem| format!("{}: {problem}", sync.name))
    });
    lines.collect()
}

/// What became of one tenant's definitions.
#[derive(Debug, Serialize)]
struct TenantApplied {
    tenant: TenantId,
    #[serde(flatten)]
    applied: Applied,
}

fn by_tenant(definitions: Vec<SyncDefinition>) -> BTreeMap<TenantId, Vec<SyncDefinition>> {
    let mut tenants: BTreeMap<TenantId, Vec<SyncDefinition>> = BTreeMap::new();
    for definition in definitions {
        tenants
            .entry(definition.metadata.tenant.clone())
            .or_default()
            .push(definition);
    }
    tenants
}

/// Holds every definition against both systems. Errors when any has a problem, and then lists all.
async fn plan(
    context: &Context,
    tenants: &BTreeMap<TenantId, Vec<SyncDefinition>>,
) -> Result<Vec<TenantApplied>, CommandError> {
    let mut plans = Vec::new();
    for (tenant, definitions) in tenants {
        let named = TenantArg {
            tenant: Some(tenant.clone()),
        };
        context.tenant(&named).await?;
        let question = ApplySyncs {
            definitions: definitions.clone(),
            dry_run: true,
        };
        let applied = context.ask_patiently(tenant, &question, LONG_PATIENCE).await?;
        plans.push(TenantApplied {
            tenant: tenant.clone(),
            applied,
        });
    }
    let problems: Vec<String> = plans
        .iter()
        .flat_map(|plan| problems(&plan.applied.syncs))
        .collect();
    if problems.is_empty() {
        return Ok(plans);
    }
    let what = format!("{} problems; nothing was written", problems.len());
    Err(CommandError::invalid(what).with_details(problems))
}

async fn validate(context: &Context, definitions: Vec<SyncDefinition>) -> anyhow::Result<Exit> {
    let plans = plan(context, &by_tenant(definitions)).await?;
    show(context.output, &plans, |plans| {
        let lines = plans.iter().flat_map(|plan| {
            plan.applied
                .syncs
                .iter()
                .map(|sync| format!("{}/{} is valid{}", plan.tenant, sync.name, notes(sync)))
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}

fn refuse_problems(applied: &Applied) -> Result<(), CommandError> {
    let problems = problems(&applied.syncs);
    if problems.is_empty() {
        return Ok(());
    }
    Err(CommandError::invalid(format!("{} problems", problems.len())).with_details(problems))
}

fn notes(sync: &AppliedSync) -> String {
    let notes = sync.notes.iter().map(|note| format!("\n  note: {note}"));
    let created = sync
        .provisioned
        .iter()
        .map(|created| format!("\n  HubSpot: {created}"));
    let touched = [&sync.touched_properties[..], &sync.touched_lookups[..]].concat();
    let touched = (!touched.is_empty()).then(|| {
        format!(
            "\n  touched: {}; records that were written before get them with their next change, or all at once by \
             landbridge import start {} --back-fill",
            touched.join(", "),
            sync.name
        )
    });
    notes.chain(created).chain(touched).collect()
}

/// The syncs that are meant, of one tenant or of all.
async fn chosen(context: &Context, tenant: Option<TenantId>) -> Result<Vec<SyncView>, CommandError> {
    let tenants = match tenant {
        Some(_) => vec![context.tenant(&TenantArg { tenant }).await?],
        None => {
            let tenants = context.tenants().await?.into_iter();
            tenants.map(|tenant| tenant.id).collect()
        }
    };
    let mut syncs = Vec::new();
    for tenant in &tenants {
        syncs.extend(context.syncs(tenant).await?);
    }
    Ok(syncs)
}

async fn export(context: &Context, arguments: &SyncExportArgs) -> anyhow::Result<Exit> {
    let syncs = chosen(context, arguments.tenant.clone()).await?;
    let mut definitions: Vec<SyncDefinition> = syncs.into_iter().map(|sync| sync.definition).collect();
    if !arguments.names.is_empty() {
        definitions.retain(|definition| arguments.names.contains(&definition.metadata.name));
        let is_there = |name: &SyncName| {
            definitions
                .iter()
                .any(|definition| definition.metadata.name == *name)
        };
        let missing: Vec<&str> = arguments
            .names
            .iter()
            .filter(|name| !is_there(name))
            .map(SyncName::as_str)
            .collect();
        if !missing.is_empty() {
            let what = format!("there is no sync {}", missing.join(", "));
            return Err(CommandError::new(Exit::NotFound, what).into());
        }
    }
    match context.output {
        OutputFormat::Json => say!("{}", serde_json::to_string_pretty(&definitions)?),
        OutputFormat::Text => say!("{}", yaml::export(&definitions).trim_end()),
    }
    Ok(Exit::Done)
}

async fn list(context: &Context, arguments: SyncListArgs) -> anyhow::Result<Exit> {
    let syncs = chosen(context, arguments.tenant).await?;
    let rows: Vec<serde_json::Value> = syncs
        .iter()
        .map(|sync| {
            let spec = &sync.definition.spec;
            serde_json::json!({
                "tenant": sync.definition.metadata.tenant,
                "name": sync.definition.metadata.name,
                "object": spec.salesforce.object,
                "objectType": spec.hubspot.object_type,
                "status": sync.status,
                "revision": sync.revision,
                "reason": sync.reason,
                "fields": spec.fields.len(),
                "associations": spec.associations.len(),
            })
        })
        .collect();
    show(context.output, &rows, |_| {
        if syncs.is_empty() {
            return "there is no sync yet: apply a file with landbridge sync apply -f".to_owned();
        }
        let rows = syncs.iter().map(|sync| {
            let (metadata, spec) = (&sync.definition.metadata, &sync.definition.spec);
            [
                metadata.tenant.to_string(),
                metadata.name.to_string(),
                format!("{} → {}", spec.salesforce.object, spec.hubspot.object_type),
                sync.status.as_str().to_owned(),
                sync.revision.to_string(),
                format!(
                    "{} fields, {} associations",
                    spec.fields.len(),
                    spec.associations.len()
                ),
                sync.reason.clone().unwrap_or_default(),
            ]
        });
        table(
            ["tenant", "sync", "objects", "status", "revision", "carries", ""],
            rows,
        )
    })?;
    Ok(Exit::Done)
}

async fn set_status(context: &Context, arguments: SyncNamesArgs, status: SyncStatus) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = SetSyncs {
        names: arguments.names,
        status,
    };
    let applied = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    refuse_problems(&applied)?;
    let result = TenantApplied { tenant, applied };
    show(context.output, &result, |result| {
        let lines = result.applied.syncs.iter().map(|sync| {
            let change = match sync.change {
                Change::Unchanged => "was already",
                _ => "is now",
            };
            format!("{} {change} {}{}", sync.name, status.as_str(), notes(sync))
        });
        let mut lines: Vec<String> = lines.collect();
        if status == SyncStatus::Active && result.applied.written {
            lines.push(
                "What is created or changed in Salesforce from now on travels. Records that exist already: landbridge \
                 import start"
                    .to_owned(),
            );
        }
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

async fn remove(context: &Context, arguments: SyncRemoveArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let names: Vec<&str> = arguments.names.iter().map(SyncName::as_str).collect();
    let names = names.join(", ");
    let (records, what) = match arguments.records {
        RecordsArg::Keep => (WrittenRecords::Keep, "What was written to HubSpot stays."),
        RecordsArg::Delete => (
            WrittenRecords::Delete,
            "What was written to HubSpot is archived there.",
        ),
    };
    let question = format!("Remove {names} of {tenant}? {what}");
    confirm(&question, arguments.yes)?;
    context
        .ask(
            &tenant,
            &RemoveSyncs {
                expected: Vec::new(),
                names: arguments.names,
                records,
                by: super::local_name(),
            },
        )
        .await?;
    match records {
        WrittenRecords::Keep => say!("{names} removed"),
        WrittenRecords::Delete => say!(
            "{names} being removed with what was written; what is more than the safety limit allows: landbridge held list"
        ),
    }
    Ok(Exit::Done)
}

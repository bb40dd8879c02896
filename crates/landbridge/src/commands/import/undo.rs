//! `landbridge import undo` and `landbridge import left`.

use std::time::Duration;

use landbridge_control::ask::{ListLeft, UndoImport};
use landbridge_model::ask::{ImportStatus, ListImports};
use landbridge_model::before::{LeftValue, UndoCounts};
use landbridge_model::{ImportId, TenantId};

use crate::cli::{ImportOneArgs, ImportUndoArgs, OutputFormat};
use crate::commands::{Context, LONG_PATIENCE, confirm, local_name};
use crate::output::{CommandError, Exit, say, show, table};

/// The pause between two looks at an undo that is watched.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn undo(context: &Context, arguments: &ImportUndoArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let id = &arguments.id;
    let import = stands(context, &tenant, id).await?;
    let question = format!(
        "Undo {id}? {} is paused, what still has the import's values gets back what it had, and records that the import \
         made are archived.",
        import.sync
    );
    confirm(&question, arguments.yes)?;
    let question = UndoImport {
        id: id.clone(),
        by: local_name(),
    };
    context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    if !arguments.watch {
        if context.output == OutputFormat::Text {
            say!(
                "{id} is being undone, and {} is paused; landbridge import list shows how it goes",
                import.sync
            );
        }
        return Ok(Exit::Done);
    }
    let mut told = None;
    loop {
        let status = stands(context, &tenant, id).await?;
        let undo = status.undo.clone().unwrap_or_default();
        if undo.ended_ms.is_some() {
            show(context.output, &status, |_| {
                format!("{id} is undone: {}", self::told(&undo.counts))
            })?;
            return Ok(if undo.counts.left == 0 {
                Exit::Done
            } else {
                Exit::Differences
            });
        }
        if undo.trouble != told && context.output == OutputFormat::Text {
            if let Some(trouble) = &undo.trouble {
                say!("{id} does not go on: {trouble}; it is tried again");
            }
            told = undo.trouble;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn stands(context: &Context, tenant: &TenantId, id: &ImportId) -> anyhow::Result<ImportStatus> {
    let question = ListImports { id: Some(id.clone()) };
    let found = context
        .ask_patiently(tenant, &question, LONG_PATIENCE)
        .await?
        .pop();
    let missing = || CommandError::new(Exit::NotFound, format!("{tenant} has no import {id}"));
    Ok(found.ok_or_else(missing)?)
}

/// What an undo came to, in words.
pub(in crate::commands) fn told(counts: &UndoCounts) -> String {
    format!(
        "{} put back, {} archived, {} associations as before, {} left",
        counts.restored, counts.archived, counts.links, counts.left
    )
}

pub(super) async fn left(context: &Context, arguments: &ImportOneArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let id = arguments.id.clone();
    let left = context
        .ask_patiently(&tenant, &ListLeft { id }, LONG_PATIENCE)
        .await?;
    show(context.output, &left, |left| {
        if left.is_empty() {
            return format!("nothing was left by an undo of {}", arguments.id);
        }
        table(
            ["record", "HubSpot record", "property", "now", "before", "why"],
            left.iter().map(row),
        )
    })?;
    Ok(Exit::Done)
}

fn row(left: &LeftValue) -> [String; 6] {
    [
        left.id.to_string(),
        left.hubspot_id.map(|id| id.to_string()).unwrap_or_default(),
        left.property.clone(),
        left.now.clone().unwrap_or_default(),
        left.before.clone().unwrap_or_default(),
        left.reason.clone(),
    ]
}

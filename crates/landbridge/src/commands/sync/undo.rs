//! `landbridge sync undo`.

use std::time::Duration;

use landbridge_control::ask::{
    AskRevisionUndo, ImportFate, LiveWrites, PlannedImport, RevisionUndo, RevisionUndoPlan,
    RevisionUndoStatus, UndoRevision,
};
use landbridge_model::{Revision, TenantId};

use crate::cli::{OutputFormat, SyncUndoArgs};
use crate::commands::import::told;
use crate::commands::{Context, LONG_PATIENCE, confirm, local_name};
use crate::output::{CommandError, Exit, say, show, table, time};

/// The pause between two looks at an undo that is watched.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn undo(context: &Context, arguments: &SyncUndoArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let found = stands(context, &tenant, arguments).await?;
    if arguments.plan {
        show(context.output, &found, in_words)?;
        return Ok(Exit::Done);
    }
    if let Some(plan) = &found.plan {
        if context.output == OutputFormat::Text {
            say!("{}", planned(plan));
        }
        if let Some(obstacle) = &plan.obstacle {
            return Err(CommandError::invalid(obstacle.clone()).into());
        }
        let question = format!("Undo {} of {}?", found.revision, arguments.name);
        confirm(&question, arguments.yes)?;
        let question = UndoRevision {
            sync: arguments.name.clone(),
            revision: found.revision,
            seen: found.tag.clone(),
            by: local_name(),
        };
        context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    }
    let mut trouble = None;
    loop {
        let found = stands(context, &tenant, arguments).await?;
        let Some(undo) = &found.undo else {
            return Err(
                CommandError::new(Exit::Failed, "the undo was forgotten: the sync was removed").into(),
            );
        };
        if undo.ended_ms.is_some() || !arguments.watch {
            show(context.output, &found, in_words)?;
            return Ok(exit(undo));
        }
        if undo.trouble != trouble && context.output == OutputFormat::Text {
            if let Some(trouble) = &undo.trouble {
                say!("it does not go on: {trouble}; it is tried again");
            }
            trouble.clone_from(&undo.trouble);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn stands(
    context: &Context,
    tenant: &TenantId,
    arguments: &SyncUndoArgs,
) -> Result<RevisionUndo, CommandError> {
    let question = AskRevisionUndo {
        sync: arguments.name.clone(),
        revision: Revision(arguments.revision),
    };
    context.ask_patiently(tenant, &question, LONG_PATIENCE).await
}

fn exit(undo: &RevisionUndoStatus) -> Exit {
    if undo.has_failed() {
        Exit::Failed
    } else if undo.counts.left > 0 || !undo.stays.is_empty() || !undo.live.is_empty() {
        Exit::Differences
    } else {
        Exit::Done
    }
}

fn in_words(found: &RevisionUndo) -> String {
    let undo = found.undo.as_ref().map(|undo| account(found, undo));
    let plan = found.plan.as_ref().map(planned);
    undo.into_iter().chain(plan).collect::<Vec<_>>().join("\n\n")
}

fn planned(plan: &RevisionUndoPlan) -> String {
    let mut lines = vec![if plan.lines.is_empty() {
        format!("The definition is that of {} already.", plan.back_to)
    } else {
        format!(
            "The definition goes back to {}:\n{}",
            plan.back_to,
            plan.lines.join("\n")
        )
    }];
    if !plan.later.is_empty() {
        let later: Vec<String> = plan.later.iter().map(ToString::to_string).collect();
        lines.push(format!("Undone with it: {}", later.join(", ")));
    }
    if !plan.imports.is_empty() {
        let head = [
            "import",
            "revision",
            "kind",
            "began",
            "before-images",
            "it is",
            "",
        ];
        lines.push(table(head, plan.imports.iter().map(row)));
    }
    if plan.undone().next().is_some() {
        lines.push("The sync is paused first, and stands until it is resumed.".to_owned());
    }
    lines.extend(staying(plan.live, &plan.stays));
    lines.extend(
        plan.obstacle
            .as_ref()
            .map(|why| format!("It cannot be begun now: {why}")),
    );
    lines.join("\n")
}

fn row(import: &PlannedImport) -> [String; 7] {
    let fate = match import.fate {
        ImportFate::Undo => "undone",
        ImportFate::Undone => "undone before",
        ImportFate::Stays => "left",
    };
    [
        import.id.to_string(),
        import.revision.to_string(),
        if import.back_fill { "back-fill" } else { "import" }.to_owned(),
        time(import.started_ms),
        import.images.to_string(),
        fate.to_owned(),
        import.reason.clone().unwrap_or_default(),
    ]
}

/// What no undo takes back, for nothing was kept of what was there before.
fn staying(live: LiveWrites, properties: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    if !live.is_empty() {
        lines.push(format!(
            "{} changes of records and {} of links were written outside of imports, and stay: the records are written by \
             the former mapping with their next change or import",
            live.records, live.links
        ));
        if !properties.is_empty() {
            lines.push(format!(
                "What they wrote to {} stays for good, for nothing maps it any more",
                properties.join(", ")
            ));
        }
    }
    lines
}

fn account(found: &RevisionUndo, undo: &RevisionUndoStatus) -> String {
    let (name, revision) = (&found.sync, found.revision);
    let mut lines = vec![match (undo.ended_ms, undo.made) {
        (None, _) => format!("{revision} of {name} is being undone: {}", told(&undo.counts)),
        (Some(_), Some(made)) => format!(
            "{revision} of {name} is undone: {}; {made} has the definition of {}",
            told(&undo.counts),
            undo.back_to
        ),
        (Some(_), None) => format!("{revision} of {name} is not undone: {}", told(&undo.counts)),
    }];
    lines.extend(undo.trouble.clone());
    let listed = undo.imports.iter();
    lines.extend(listed.map(|id| format!("undone: {id}; landbridge import left {id} lists what was left")));
    let left = undo.stays.iter();
    lines.extend(left.map(|import| format!("left: {}: {}", import.id, import.reason)));
    lines.extend(staying(undo.live, &[]));
    lines.join("\n")
}

//! `landbridge held`.

use landbridge_control::ask::{HeldEntry, ListHeld};
use landbridge_model::ask::{DecideHeld, HeldDecision};
use serde_json::json;

use super::{Context, LONG_PATIENCE, confirm};
use crate::cli::{HeldCommand, HeldDecideArgs, HeldListArgs, OutputFormat};
use crate::output::{CommandError, Exit, say, show, table, time};

pub(super) async fn run(context: &Context, command: HeldCommand) -> anyhow::Result<Exit> {
    match command {
        HeldCommand::List(arguments) => list(context, &arguments).await,
        HeldCommand::Approve(arguments) => decide(context, arguments, HeldDecision::Approve).await,
        HeldCommand::Discard(arguments) => decide(context, arguments, HeldDecision::Discard).await,
    }
}

async fn list(context: &Context, arguments: &HeldListArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = ListHeld {
        sync: arguments.sync.clone(),
    };
    let mut entries = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    let total = entries.len();
    entries.truncate(arguments.limit);
    show(
        context.output,
        &json!({ "total": total, "held": entries }),
        |_| {
            if total == 0 {
                return format!("{tenant} has no held deletes");
            }
            let more = total - entries.len();
            let tail = if more == 0 {
                String::new()
            } else {
                format!("\n… and {more} more: --limit shows them")
            };
            format!("{total} held deletes\n{}{tail}", rows(&entries))
        },
    )?;
    Ok(Exit::Done)
}

fn rows(entries: &[HeldEntry]) -> String {
    let rows = entries.iter().map(|entry| {
        [
            entry.sync.to_string(),
            entry.id.to_string(),
            time(entry.deleted_ms),
            entry.until_ms.map_or_else(|| "a person decides".to_owned(), time),
            entry.reason.clone(),
        ]
    });
    table(["sync", "record", "deleted", "held until", "reason"], rows)
}

async fn decide(
    context: &Context,
    arguments: HeldDecideArgs,
    decision: HeldDecision,
) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    if decision == HeldDecision::Approve {
        let which = if arguments.all {
            "All records whose delete is held are".to_owned()
        } else {
            format!("{} records are", arguments.ids.len())
        };
        let question = format!("{which} archived in HubSpot by the sync {}.", arguments.sync);
        confirm(&question, arguments.yes)?;
    }
    let question = DecideHeld {
        sync: arguments.sync.clone(),
        ids: arguments.ids,
        decision,
    };
    let decided = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    match (context.output, decision) {
        (OutputFormat::Json, _) => say!("{}", serde_json::to_string(&decided)?),
        (OutputFormat::Text, HeldDecision::Approve) => {
            say!(
                "{} deletes are approved; they are written within seconds",
                decided.count
            );
        }
        (OutputFormat::Text, HeldDecision::Discard) => {
            say!(
                "{} deletes are discarded; HubSpot keeps the records",
                decided.count
            );
        }
    }
    if decided.count == 0 {
        let what = format!(
            "{} holds none of these deletes; landbridge held list shows what is held",
            arguments.sync
        );
        return Err(CommandError::new(Exit::NotFound, what).into());
    }
    Ok(Exit::Done)
}

//! `landbridge sync schema`.

use landbridge_control::ask::{ListSchemaEvents, SchemaEvents};

use crate::cli::SyncSchemaArgs;
use crate::commands::{Context, LONG_PATIENCE};
use crate::output::{Exit, show, table, time};

/// Shows what changed in the schema that a sync reads.
pub(super) async fn show_events(context: &Context, arguments: &SyncSchemaArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let sync = arguments.name.clone();
    let mut found = context
        .ask_patiently(&tenant, &ListSchemaEvents { sync }, LONG_PATIENCE)
        .await?;
    found.events.truncate(arguments.limit);
    show(context.output, &found, |found| text(arguments, found))?;
    Ok(Exit::Done)
}

fn text(arguments: &SyncSchemaArgs, found: &SchemaEvents) -> String {
    let name = &arguments.name;
    let looked = match found.looked_ms {
        Some(looked) => format!("Salesforce was asked last at {}", time(looked)),
        None => "Salesforce has not been asked yet: the sync does not run".to_owned(),
    };
    if found.events.is_empty() {
        return format!("no change of the schema of {name} was seen. {looked}");
    }
    let rows = found.events.iter().map(|event| {
        [
            time(event.at_ms),
            event.version.to_string(),
            event.consequence.as_str().to_owned(),
            event.text.clone(),
        ]
    });
    format!("{}\n{looked}", table(["seen", "version", "then", "what"], rows))
}

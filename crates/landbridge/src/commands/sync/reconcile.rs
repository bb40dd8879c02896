//! `landbridge sync reconcile`.

use landbridge_model::SyncName;
use landbridge_model::ask::{ReconcileStatus, StartReconcile};
use serde::Serialize;

use crate::cli::SyncNamesArgs;
use crate::commands::{Context, LONG_PATIENCE};
use crate::output::{Exit, show};

/// One sync's look.
#[derive(Debug, Serialize)]
struct Reconciling {
    sync: SyncName,
    #[serde(flatten)]
    status: ReconcileStatus,
}

/// Has what HubSpot has looked for in Salesforce.
pub(super) async fn start(context: &Context, arguments: SyncNamesArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let mut begun = Vec::new();
    for sync in arguments.names {
        let question = StartReconcile { sync: sync.clone() };
        let status = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
        begun.push(Reconciling { sync, status });
    }
    show(context.output, &begun, |begun| {
        let lines = begun.iter().map(|one| line(&one.sync, &one.status));
        lines.collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}

fn line(sync: &SyncName, status: &ReconcileStatus) -> String {
    match status.looked_for {
        0 => format!("{sync}: what HubSpot has is being looked for in Salesforce"),
        looked_for => format!("{sync}: a look is under way already, and has looked for {looked_for} records"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_is_under_way_says_how_far_it_is() {
        let sync = SyncName::new("vehicles").unwrap();
        let mut status = ReconcileStatus::default();
        assert_eq!(
            line(&sync, &status),
            "vehicles: what HubSpot has is being looked for in Salesforce"
        );
        status.looked_for = 2_000;
        assert_eq!(
            line(&sync, &status),
            "vehicles: a look is under way already, and has looked for 2000 records"
        );
    }
}

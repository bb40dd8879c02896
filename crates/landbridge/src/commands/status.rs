//! `landbridge status`.

use landbridge_control::ask::{AskTenant, TenantStatus};
use landbridge_model::LinkOutcome;
use landbridge_model::ask::CallCount;

use super::{Context, watch};
use crate::cli::{StatusArgs, TenantArg};
use crate::output::{Exit, counts, duration, show, table};

pub(super) async fn run(context: &Context, arguments: &StatusArgs) -> anyhow::Result<Exit> {
    let tenants = match &arguments.tenant {
        Some(_) => vec![
            context
                .tenant(&TenantArg {
                    tenant: arguments.tenant.clone(),
                })
                .await?,
        ],
        None => context
            .tenants()
            .await?
            .into_iter()
            .map(|tenant| tenant.id)
            .collect(),
    };
    let asked = tenants.iter().map(|tenant| context.ask(tenant, &AskTenant {}));
    let statuses = futures::future::try_join_all(asked).await?;
    show(context.output, &statuses, |statuses| {
        if statuses.is_empty() {
            return "there is no tenant yet: add one with landbridge tenant add".to_owned();
        }
        statuses.iter().map(text).collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(Exit::Done)
}

fn text(status: &TenantStatus) -> String {
    let mut lines = vec![format!("tenant {}", status.tenant)];
    if let Some(why) = &status.suspended {
        lines.push(format!("  suspended: {why}"));
    }
    if status.syncs.is_empty() {
        lines.push("  no syncs yet: apply a file with landbridge sync apply -f".to_owned());
    } else {
        lines.extend(syncs(status).lines().map(|line| format!("  {line}")));
    }
    for import in &status.imports {
        lines.push(format!("  {}", watch::line(import)));
    }
    let queued: Vec<String> = status
        .backlog
        .iter()
        .map(|depth| format!("{} {}/{}", depth.messages, depth.stage, depth.lane))
        .collect();
    let queued = if queued.is_empty() {
        "nothing".to_owned()
    } else {
        queued.join(", ")
    };
    lines.push(format!("  waiting: {queued} (messages)"));
    lines.push(format!(
        "  {} failures, {} parked links, {} held deletes, {} to be read again",
        status.failures, status.parked, status.held, status.rereads
    ));
    if let (Some(median), Some(p99)) = (status.latency.median_ms, status.latency.p99_ms) {
        lines.push(format!(
            "  from commit to HubSpot, last day: median {}, 99 % within {} ({} changes)",
            duration(median),
            duration(p99),
            status.latency.samples
        ));
    }
    lines.push(format!(
        "  calls to Salesforce: {}",
        calls(&status.salesforce_calls)
    ));
    lines.push(format!("  calls to HubSpot:    {}", calls(&status.hubspot_calls)));
    let budgets = [
        ("Salesforce", &status.salesforce_budget),
        ("HubSpot", &status.hubspot_budget),
    ];
    for (side, budget) in budgets {
        let Some(budget) = budget else { continue };
        lines.push(format!(
            "  {side}'s day: {} of {} calls are used; Landbridge may use {}",
            budget.used, budget.limit, budget.allocated
        ));
    }
    for sync in &status.syncs {
        let Some(stream) = sync.live.as_ref().and_then(|live| live.stream.as_ref()) else {
            continue;
        };
        lines.push(format!("  change events of {}: {}", sync.name, stream.words()));
    }
    lines.extend(status.notes.iter().map(|note| format!("  note: {note}")));
    lines.join("\n")
}

fn syncs(status: &TenantStatus) -> String {
    let rows = status.syncs.iter().map(|sync| {
        let trouble = sync.live.as_ref().and_then(|live| live.trouble.clone());
        let state = match (&sync.reason, trouble) {
            (Some(reason), _) => format!("{}: {reason}", sync.status.as_str()),
            (None, Some(trouble)) => format!("{}, in trouble: {trouble}", sync.status.as_str()),
            (None, None) => sync.status.as_str().to_owned(),
        };
        // How many links wait now is told for the tenant: here it would be how often one had to.
        let mut arrived = sync.links.clone();
        arrived.retain(|(outcome, _)| *outcome != LinkOutcome::Parked);
        [
            sync.name.to_string(),
            format!("{} → {}", sync.object, sync.object_type),
            sync.revision.to_string(),
            state,
            sync.behind_ms.map(duration).unwrap_or_default(),
            counts(&sync.changes),
            counts(&arrived),
        ]
    });
    table(
        [
            "sync", "objects", "revision", "state", "behind", "changes", "links",
        ],
        rows,
    )
}

fn calls(calls: &[CallCount]) -> String {
    let shown: Vec<String> = calls
        .iter()
        .map(|family| match family.refused {
            0 => format!("{} {}", family.calls, family.family),
            refused => format!("{} {} ({refused} refused)", family.calls, family.family),
        })
        .collect();
    if shown.is_empty() {
        "none since the worker took the tenant".to_owned()
    } else {
        shown.join(", ")
    }
}

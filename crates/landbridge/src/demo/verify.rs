//! `verify`, as the operator's command does it, for every sync.

use landbridge_control::ask::{StartVerify, VerifyReport, VerifyState};
use landbridge_model::SyncName;

use super::LOOK;
use super::screen::Screen;
use super::world::World;

/// Compares both systems afresh; gives a report for each sync.
pub async fn run(world: &World, screen: &Screen) -> anyhow::Result<Vec<(SyncName, VerifyReport)>> {
    screen.line("Verifying: Salesforce by query, HubSpot by listing and association reads.");
    let mut reports = Vec::new();
    for sync in world.sync_names() {
        let report = one(world, &sync).await?;
        screen.line(&format!(
            "  {:<16} {} records and {} links compared, {} listed in HubSpot: {}",
            sync.as_str(),
            report.compared,
            report.links,
            report.listed,
            verdict(&report)
        ));
        for difference in report.differences.iter().take(10) {
            let id = difference.id.map(|id| id.to_string()).unwrap_or_default();
            let name = difference.name.as_deref().unwrap_or_default();
            screen.line(&format!(
                "    {} {id} {name}: {}",
                difference.kind, difference.message
            ));
        }
        reports.push((sync, report));
    }
    Ok(reports)
}

fn verdict(report: &VerifyReport) -> String {
    if report.differences.is_empty() && report.unsettled.is_empty() {
        return "no difference".to_owned();
    }
    let counts = report
        .counts()
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind}"));
    counts
        .chain((!report.unsettled.is_empty()).then(|| format!("{} unsettled", report.unsettled.len())))
        .collect::<Vec<_>>()
        .join(", ")
}

async fn one(world: &World, sync: &SyncName) -> anyhow::Result<VerifyReport> {
    let started = world.control(&StartVerify { sync: sync.clone() }).await?;
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let progress = world
            .control(&VerifyState {
                run: started.run.clone(),
            })
            .await?;
        if let Some(trouble) = progress.trouble {
            anyhow::bail!("verify of {sync} could not be finished: {trouble}");
        }
        if let Some(report) = progress.report {
            return Ok(report);
        }
    }
}

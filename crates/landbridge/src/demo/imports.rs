//! Starting the imports and watching them to their end.

use landbridge_control::ask::{StartImports, StartedImport};
use landbridge_model::ask::{ImportStatus, ListImports};

use super::LOOK;
use super::arrivals::Arrivals;
use super::screen::Screen;
use super::world::World;

/// Starts an import of each sync, children first.
pub async fn start(world: &World) -> anyhow::Result<Vec<StartedImport>> {
    let question = StartImports {
        syncs: world.sync_names(),
        overwrite: false,
        started_by: "demo".to_owned(),
    };
    let started = world.control(&question).await?;
    anyhow::ensure!(
        started.problems.is_empty(),
        "an import cannot start: {:?}",
        started.problems
    );
    Ok(started.imports)
}

/// Shows a bar for each import, and live edits as they arrive, until all imports have ended.
pub async fn watch(
    world: &World,
    imports: &[StartedImport],
    arrivals: &Arrivals,
    screen: &Screen,
) -> anyhow::Result<Vec<ImportStatus>> {
    let bars: Vec<_> = imports
        .iter()
        .map(|import| screen.bar(import.sync.as_str()))
        .collect();
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        for arrival in arrivals.news() {
            screen.keep(arrival);
        }
        let all = world.control(&ListImports { id: None }).await?;
        let mut ours = Vec::new();
        for (import, bar) in imports.iter().zip(&bars) {
            if let Some(status) = all.iter().find(|status| status.id == import.id) {
                bar.show(screen, status);
                ours.push(status.clone());
            }
        }
        if ours.len() == imports.len() && ours.iter().all(|status| status.ended_ms.is_some()) {
            for bar in &bars {
                bar.finish();
            }
            return Ok(ours);
        }
    }
}

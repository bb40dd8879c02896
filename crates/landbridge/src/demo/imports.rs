//! Starting the imports and watching them to their end.

use landbridge_control::ask::{StartImports, StartedImport, Writing};
use landbridge_model::ask::{ImportStatus, ListImports};

use super::LOOK;
use super::arrivals::Arrivals;
use super::screen::Screen;
use super::world::World;

/// Starts an import of each sync, children first: each is asked for alone, since of one request parents go first.
pub async fn start(world: &World) -> anyhow::Result<Vec<StartedImport>> {
    let mut imports = Vec::new();
    for sync in world.sync_names() {
        let question = StartImports {
            syncs: vec![sync],
            writing: Writing::Changes,
            keep_before: false,
            started_by: "demo".to_owned(),
            once: None,
        };
        let started = world.control(&question).await?;
        anyhow::ensure!(
            started.problems.is_empty(),
            "an import cannot start: {:?}",
            started.problems
        );
        imports.extend(started.imports);
    }
    Ok(imports)
}

/// Shows a bar for each import, and live edits as they arrive, until all imports have ended.
pub async fn watch(
    world: &World,
    imports: &[StartedImport],
    arrivals: &Arrivals,
    screen: &Screen,
) -> anyhow::Result<()> {
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
        let ours = stand(world, imports).await?;
        for status in &ours {
            if let Some(place) = imports.iter().position(|import| import.id == status.id) {
                bars[place].show(screen, status);
            }
        }
        if ours.len() == imports.len() && ours.iter().all(|status| status.ended_ms.is_some()) {
            for bar in &bars {
                bar.finish();
            }
            return Ok(());
        }
    }
}

/// How the imports stand now: their links go on arriving after their records have ended.
pub async fn stand(world: &World, imports: &[StartedImport]) -> anyhow::Result<Vec<ImportStatus>> {
    let mut all = world.control(&ListImports { id: None }).await?;
    all.retain(|status| imports.iter().any(|import| import.id == status.id));
    Ok(all)
}

//! `landbridge demo`: the main job, end to end, in one process tree, against a sandbox.
//!
//! Import of an org's custom objects, live edits while it runs, links to parents that come late, `verify` at the end.
//! Everything is the real thing but the two services: a real nats-server, real caches, real HTTP, the workers and
//! control as they run in production.

mod arrivals;
mod edits;
mod imports;
mod org_user;
mod screen;
mod summary;
mod verify;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use landbridge_control::ask::{AskTenant, TenantStatus};
use landbridge_model::StageKind;
use landbridge_stage::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::settings::Settings;
use arrivals::Arrivals;
use org_user::OrgUser;
use screen::Screen;
use world::World;

/// How long the demo waits for a state that should come about by itself.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at a state that somebody else brings about.
const LOOK: Duration = Duration::from_millis(250);

/// Plays the demo. The exit code is 0 only if `verify` found no difference.
pub async fn run(
    arguments: DemoArgs,
    settings: Settings,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let screen = Screen::new();
    let keep_running = arguments.keep_running;
    // The workers get a stop of their own: they drain after the story has ended, not in the middle of it.
    let workers_stop = CancellationToken::new();
    let started = tokio::select! {
        world = World::start(&arguments, settings, telemetry, workers_stop.clone(), &screen) => world,
        () = stop.cancelled() => return Ok(interrupted(&screen)),
    };
    let mut world = started?;
    let played = tokio::select! {
        played = play(&mut world, &screen) => Some(played),
        () = stop.cancelled() => None,
    };
    let code = match played {
        Some(Ok(clean)) => {
            if keep_running {
                say_where(&world, &screen);
                screen.line("Everything stays up until Ctrl-C.");
                stop.cancelled().await;
            }
            Ok(if clean {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(3)
            })
        }
        Some(Err(error)) => Err(error),
        None => Ok(interrupted(&screen)),
    };
    workers_stop.cancel();
    let ended = world.end().await;
    let code = code?;
    ended.map(|()| code)
}

/// How to get in while everything stays up.
fn say_where(world: &World, screen: &Screen) {
    let Some(address) = world.control_address() else {
        return;
    };
    screen.line(&format!(
        "  The console is at http://{address}, its REST API at http://{address}/api/docs"
    ));
    screen.line(&format!(
        "  Sign in as demo, with the password {}",
        world.password()
    ));
    screen.line("  One object is left for you to sync: Inspection, to HubSpot's Inspection.");
    let access = world.access();
    screen.line(&format!(
        "  HubSpot's side answers to the token {}",
        access.hubspot.token
    ));
    screen.line(&format!(
        "  Salesforce's side answers to the client {} with the secret {}",
        access.salesforce.client_id, access.salesforce.client_secret
    ));
}

fn interrupted(screen: &Screen) -> ExitCode {
    screen.line("Stopped before the end, as asked; nothing is left running.");
    ExitCode::from(130)
}

/// The story. Gives whether `verify` found both systems equal.
async fn play(world: &mut World, screen: &Screen) -> anyhow::Result<bool> {
    let user = OrgUser::sign_in(&world.access().salesforce).await?;
    let shard = world.hub().shard_of(world.tenant());
    let (arrivals, _following) = Arrivals::follow(world.hub().bus(), shard, world.tenant()).await?;

    screen.line(
        "Importing what exists. Visits and vehicles go before the depots they link to: parents come late.",
    );
    let imports = imports::start(world).await?;
    world.activate().await?;
    screen.line("The syncs are on. People in the org keep working while the import runs:");
    let (made, ()) = tokio::try_join!(edits::make(&user, &arrivals), async {
        imports::watch(world, &imports, &arrivals, screen).await
    })?;
    screen.line(&format!(
        "{made} live edits made; waiting for the last of them, and for late companies"
    ));
    let took = settle(world, &arrivals, screen).await?;
    let status = status(world).await?;
    let reports = verify::run(world, screen).await?;
    let imported = imports::stand(world, &imports).await?;
    summary::print(world, screen, &imported, &took, &status, &reports);
    Ok(reports
        .iter()
        .all(|(_, report)| report.differences.is_empty() && report.unsettled.is_empty()))
}

/// Waits until every edit has arrived, the lanes are empty, and no link waits; gives how long the edits took.
async fn settle(
    world: &World,
    arrivals: &Arrivals,
    screen: &Screen,
) -> anyhow::Result<Vec<arrivals::Arrival>> {
    let mut took = Vec::new();
    let mut look = tokio::time::interval(LOOK);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        look.tick().await;
        for arrival in arrivals.news() {
            screen.arrival(&arrival);
            took.push(arrival);
        }
        let status = status(world).await?;
        let queued: u64 = status.backlog.iter().map(|lane| lane.messages).sum();
        if arrivals.waiting() == 0 && queued == 0 && status.parked == 0 && status.rereads == 0 {
            took.extend(screen.shown());
            return Ok(took);
        }
        screen.waiting(arrivals.waiting(), queued, status.parked);
        if tokio::time::Instant::now() > deadline {
            // Not an error: `verify` says what is missing, which is more than we can say here.
            screen.line("still waiting after five minutes; verify will say for what");
            took.extend(screen.shown());
            return Ok(took);
        }
    }
}

async fn status(world: &World) -> anyhow::Result<TenantStatus> {
    let asked = world.hub().ask(
        StageKind::Control,
        world.tenant(),
        &AskTenant {},
        Duration::from_secs(30),
    );
    asked.await.context("control does not say how the tenant stands")
}

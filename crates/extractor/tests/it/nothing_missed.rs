//! Nothing is missed: seeded edits of every kind, while transactions commit late and out of order, calls fail and break
//! off, queries time out, sessions end, imports and looks for purged records go on, and extractors die in the middle of
//! whatever they do. In the end what came out equals the org's own account of itself, nothing came that never was, and
//! nothing keeps coming.
//!
//! `LANDBRIDGE_SOAK_EDITS` and `LANDBRIDGE_SOAK_SEED` make it longer and another one (`just soak`).

mod account;
mod edits;
mod faults;
mod mirror;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use landbridge_model::{ImportId, Source};
use landbridge_sandbox::SandboxConfig;
use landbridge_sandbox::fault::FaultSpec;
use landbridge_wire::{ReportBody, RunPhase};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use self::account::Account;
use self::edits::{Edit, Editors, Made};
use self::faults::{BLOWS, BREACHES, Blow, Faults};
use crate::ledger::Arrival;
use crate::live::wait_for_begin;
use crate::rig::{Rig, Running, key, tenant, until};

/// Edits that begin together.
const TOGETHER: usize = 10;
/// Edits that may be under way while others begin.
const UNDER_WAY: usize = 40;
/// Edits from one mass update to the next.
const BETWEEN_MASSES: usize = 1_000;
/// How far servers' clocks are apart.
const APART_MS: i64 = 1_000;

/// What stands between the extractor and a late commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Safeguard {
    /// What Salesforce says of open transactions: commits outlast lag and overlap together.
    OpenTransactions,
    /// The same, beside change events that are lost, told twice, garbled into gaps and overflows, and streams that break,
    /// fall silent, lose their place, and are taken away and given back.
    BesideChangeEvents,
    /// The overlap alone: the user may not ask for open transactions.
    Overlap,
}

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed() {
    soak(Safeguard::OpenTransactions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_beside_change_events_that_lie() {
    soak(Safeguard::BesideChangeEvents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_by_a_user_who_may_not_ask_for_open_transactions() {
    soak(Safeguard::Overlap).await;
}

async fn soak(safeguard: Safeguard) {
    let edits = from_environment("LANDBRIDGE_SOAK_EDITS", 150) as usize;
    let seed = from_environment("LANDBRIDGE_SOAK_SEED", 7);
    let rig = rig(safeguard, seed).await;
    let before = account::before(rig.sandbox.org());
    let portal = rig
        .start_worker(mirror::Mirror(rig.ledger.clone()), "loader")
        .await;
    let extractor = rig.extractor("first").await;
    rig.store_sync("active", serde_json::Value::Null).await;
    wait_for_begin(&rig).await;
    let mut run = Run::new(&rig, safeguard, seed, extractor);
    while run.begun < edits {
        run.round(TOGETHER.min(edits - run.begun)).await;
    }
    let (made, mut extractor, told) = run.end().await;
    let truth = account::of(rig.sandbox.org(), before);
    all_has_come(&rig, &truth, seed, false).await;
    // Whoever takes over begins to look for purged records anew, whatever its predecessor waits for.
    extractor.stop().await;
    extractor = rig.extractor("last").await;
    all_has_come(&rig, &truth, seed, true).await;
    nothing_keeps_coming(&rig, &truth).await;
    extractor.stop().await;
    portal.stop().await;
    let arrivals = rig.ledger.all();
    let inventions = truth.inventions(&arrivals);
    assert!(
        inventions.is_empty(),
        "{} of them: {:?}",
        inventions.len(),
        inventions.first()
    );
    let sources = sources(&arrivals);
    println!(
        "{safeguard:?}, seed {seed}: {edits} edits made {} entries in the journal of {} vehicles\n  edits taken {:?}, {} \
         refused; the latest commit came {} ms after its stamp\n  faults that hit: {told}\n  {} changes came: {sources:?}",
        truth.entries,
        truth.vehicles(),
        made.taken,
        made.refused,
        made.latest_ms,
        arrivals.len(),
    );
    let heard = sources.contains_key("ChangeEvent");
    assert_eq!(heard, safeguard == Safeguard::BesideChangeEvents, "{sources:?}");
    for source in ["Import", "Increment", "Purged"] {
        assert!(
            sources.contains_key(source),
            "nothing came by {source}: {sources:?}"
        );
    }
    assert_eq!(
        made.taken.len(),
        14,
        "some kind of edit was never taken: {made:?}"
    );
}

async fn rig(safeguard: Safeguard, seed: u64) -> Rig {
    let config = SandboxConfig {
        records: Some(200),
        // Well within what the overlap promises, where nothing else helps: a busy machine is later than it should be.
        commit_delay: Duration::from_secs(if safeguard == Safeguard::Overlap { 4 } else { 6 }),
        clock_skew_ms: StdRng::seed_from_u64(seed).random_range(-7_200_000..7_200_000),
        bulk_page_rows: 400,
        seed,
        ..SandboxConfig::default()
    };
    let mut rig = if safeguard == Safeguard::BesideChangeEvents {
        let mut rig = Rig::with_change_events(config).await;
        rig.settings.stream.poll_interval = Duration::from_secs(1);
        rig.settings.stream.distrust = Duration::from_secs(1);
        rig.settings.stream.silence = Duration::from_secs(1);
        faults::mend(&rig);
        rig.events(|habits| {
            habits.keep_alive_ms = 200;
            (habits.drop_one_in, habits.gap_one_in, habits.repeats) = (8, 8, 5);
        });
        rig
    } else {
        Rig::new(config).await
    };
    rig.settings.lag = Duration::from_secs(2);
    rig.settings.overlap = Duration::from_secs(1);
    rig.settings.settle_interval = Duration::from_secs(1);
    rig.settings.retry.first_pause = Duration::from_millis(100);
    rig.settings.reconcile_interval = Duration::from_secs(2);
    rig.settings.formula_interval = Duration::from_secs(2);
    if safeguard == Safeguard::Overlap {
        rig.settings.overlap = Duration::from_secs(10);
        let refusal = r#"[{"errorCode":"INSUFFICIENT_ACCESS","message":"not for this user"}]"#;
        let refused = json!([{ "where": "/updated", "what": { "status": 403 }, "body": refusal }]);
        let faults: Vec<FaultSpec> = serde_json::from_value(refused).unwrap();
        rig.sandbox.salesforce_faults().add(faults);
    }
    rig
}

/// A soak under way.
struct Run<'r> {
    rig: &'r Rig,
    safeguard: Safeguard,
    random: StdRng,
    editors: Editors,
    faults: Faults,
    extractor: Option<Running>,
    blows: Vec<Blow>,
    breaches: Vec<faults::Breach>,
    dealt: BTreeMap<Blow, usize>,
    imports: Vec<ImportId>,
    begun: usize,
    rounds: usize,
}

impl<'r> Run<'r> {
    fn new(rig: &'r Rig, safeguard: Safeguard, seed: u64, extractor: Running) -> Self {
        Self {
            rig,
            safeguard,
            random: StdRng::seed_from_u64(seed),
            editors: Editors::new(rig.sandbox.org(), seed),
            faults: Faults::new(rig, StdRng::seed_from_u64(seed), safeguard != Safeguard::Overlap),
            extractor: Some(extractor),
            blows: Vec::new(),
            breaches: Vec::new(),
            dealt: BTreeMap::new(),
            imports: Vec::new(),
            begun: 0,
            rounds: 0,
        }
    }

    /// Edits begin, something breaks, and time passes.
    async fn round(&mut self, edits: usize) {
        self.editors.begin(edits);
        match self.begun {
            0 => self.editors.begin_one(Edit::MassCreate),
            begun if begun % BETWEEN_MASSES == 80 => self.editors.begin_one(Edit::MassUpdate),
            _ => {}
        }
        self.begun += edits;
        self.rounds += 1;
        self.faults.of_reads(self.rig);
        if self.safeguard == Safeguard::BesideChangeEvents {
            self.breach().await;
        }
        self.blow().await;
        self.rig.second_is_over().await;
        self.editors.at_most(UNDER_WAY).await;
    }

    async fn breach(&mut self) {
        if self.breaches.is_empty() {
            self.breaches = BREACHES.to_vec();
            self.breaches.shuffle(&mut self.random);
        }
        let breach = self.breaches.pop().unwrap();
        faults::breach(self.rig, breach).await;
    }

    async fn blow(&mut self) {
        if self.blows.is_empty() {
            self.blows = BLOWS.to_vec();
            self.blows.shuffle(&mut self.random);
        }
        let blow = self.blows.pop().unwrap();
        *self.dealt.entry(blow).or_default() += 1;
        let rounds = self.rounds;
        match blow {
            Blow::Kill => {
                let extractor = self.extractor.take().unwrap();
                let name = format!("after-{rounds}");
                self.extractor = Some(faults::killed(self.rig, extractor, &name).await);
            }
            Blow::Sessions => self.faults.of_sessions(self.rig).await,
            Blow::Import => {
                self.faults.of_bulk(self.rig);
                let import = self.rig.start_import(&format!("import-{rounds}")).await;
                self.imports.push(import);
            }
            // One server answers with a clock that is ahead, the next one with the usual again.
            Blow::Ahead => {
                self.rig.sandbox.org().clock.advance_ms(APART_MS);
                self.rig.second_is_over().await;
                self.editors.begin(TOGETHER);
                self.rig.sandbox.org().clock.advance_ms(-APART_MS);
            }
            Blow::Nothing => {}
        }
    }

    /// Waits until all edits are committed, all imports over, and every fault has hit something.
    async fn end(self) -> (Made, Running, String) {
        if self.safeguard == Safeguard::BesideChangeEvents {
            // The breach of the last round may not have met an event yet.
            let all_met = async || {
                let breaches = faults::breaches(self.rig);
                breaches.iter().all(|(_, times)| *times > 0).then_some(())
            };
            until("each breach of the stream", all_met).await;
            faults::mend(self.rig);
        }
        for import in &self.imports {
            ended(self.rig, import).await;
        }
        let fired = self.faults.have_all_fired(self.rig).await;
        let refused = self.rig.sandbox.salesforce_stats().counts().refused;
        for blow in BLOWS {
            assert!(self.dealt.contains_key(&blow), "there was no {blow:?}");
        }
        assert!(
            refused.contains_key("invalid_session"),
            "no session ended: {refused:?}"
        );
        let breaches = faults::breaches(self.rig);
        let told = format!("{fired:?}; {:?}; events {breaches:?}", self.dealt);
        let made = self.editors.end().await;
        let outlasted = self.rig.settings.lag + self.rig.settings.overlap + Duration::from_secs(1);
        if self.safeguard != Safeguard::Overlap {
            assert!(
                made.latest_ms > outlasted.as_millis() as i64,
                "no commit outlasted the overlap: {made:?}"
            );
        }
        (made, self.extractor.unwrap(), told)
    }
}

async fn ended(rig: &Rig, import: &ImportId) {
    let is_its_end = |report: &landbridge_wire::Report| {
        let is_its = report
            .envelope
            .run
            .as_ref()
            .is_some_and(|run| run.as_str() == import.as_str());
        is_its && matches!(&report.body, ReportBody::Progress(progress) if progress.phase == RunPhase::Ended)
    };
    rig.reports_until("the end of an import", is_its_end).await;
}

/// Says what is missing when a test ends in panic.
#[derive(Default)]
struct Missing(Mutex<Vec<String>>);

impl Drop for Missing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let missing = self.0.lock().unwrap();
            eprintln!("{} differences", missing.len());
            for one in missing.iter().take(10) {
                eprintln!("  {one}");
            }
        }
    }
}

/// Waits until what came equals the org's account; purged records may take another look.
async fn all_has_come(rig: &Rig, truth: &Account, seed: u64, purged_too: bool) {
    let missing = Missing::default();
    let complete = |arrivals: &[Arrival]| {
        let differences = truth.differences(arrivals, purged_too);
        let is_complete = differences.is_empty();
        *missing.0.lock().unwrap() = differences;
        is_complete
    };
    rig.ledger
        .until(&format!("every change of seed {seed}"), complete)
        .await;
}

/// Waits until the increment has read far enough to have sent all that an overlap may repeat, then for as long again, in
/// which nothing may come.
async fn nothing_keeps_coming(rig: &Rig, truth: &Account) {
    let again = || rig.settings.lag + rig.settings.overlap + Duration::from_secs(3);
    goes_on_for(rig, again()).await;
    rig.lanes_are_empty().await;
    let before = rig.ledger.all().len();
    goes_on_for(rig, again()).await;
    rig.lanes_are_empty().await;
    let all = rig.ledger.all();
    assert_eq!(all.len(), before, "changes keep coming: {:?}", all.last());
    assert_eq!(truth.differences(&all, true), Vec::<String>::new());
}

/// Waits until the increment has come so much further, and what HubSpot has was looked for once more.
async fn goes_on_for(rig: &Rig, much: Duration) {
    let kv = rig.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
    let at = async |key: [&str; 3], field: Option<&str>| {
        let key = landbridge_bus::Key::new(key);
        let (stored, _): (serde_json::Value, _) = kv.get_json(&key).await.unwrap()?;
        let at = field.map_or(stored.clone(), |field| stored[field].clone());
        serde_json::from_value::<jiff::Timestamp>(at).ok()
    };
    let (tenant, name) = (tenant(), key().name);
    let live = async || at(["live", tenant.as_str(), name.as_str()], Some("covered")).await;
    let looked = async || at(["reconciled", tenant.as_str(), name.as_str()], None).await;
    let began = (live().await.unwrap(), looked().await.unwrap());
    until("the increment to go on", async || {
        let (live, looked) = (live().await?, looked().await?);
        (live.duration_since(began.0).unsigned_abs() >= much && looked > began.1).then_some(())
    })
    .await;
}

/// How many changes came by each source.
fn sources(arrivals: &[Arrival]) -> BTreeMap<String, usize> {
    let mut sources = BTreeMap::new();
    for arrival in arrivals {
        let source: Source = arrival.source;
        *sources.entry(format!("{source:?}")).or_default() += 1;
    }
    sources
}

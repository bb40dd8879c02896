//! What people and programs do to the org meanwhile: every kind of edit that it knows, each a transaction of its own that
//! begins now and is seen when it commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use landbridge_sandbox::salesforce::OrgHandle;
use landbridge_sandbox::salesforce::dml::{Change, DmlError};
use landbridge_sandbox::salesforce::ids::RecordId;
use landbridge_sandbox::salesforce::schema::OnDelete;
use landbridge_sandbox::salesforce::store::{Org, Record};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

/// Rows of one transaction, and so of one stamp: more than a page holds.
const MASS: usize = 2_100;

/// One kind of edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edit {
    Create,
    Update,
    Delete,
    Undelete,
    /// Out of the recycle bin, for good.
    Purge,
    /// For good at once: no row is ever seen as deleted.
    HardDelete,
    /// A parent goes, and lookups to it are cleared.
    LoseDepot,
    /// It comes back with its lookups.
    FindDepot,
    RenameDepot,
    /// A parent goes and takes its children along.
    LoseAccount,
    FindAccount,
    /// Two accounts become one, which takes the children over.
    Merge,
    MassCreate,
    MassUpdate,
}

/// How often each kind comes.
const DECK: [(Edit, usize); 12] = [
    (Edit::Create, 4),
    (Edit::Update, 9),
    (Edit::Delete, 3),
    (Edit::Undelete, 3),
    (Edit::Purge, 2),
    (Edit::HardDelete, 2),
    (Edit::LoseDepot, 1),
    (Edit::FindDepot, 1),
    (Edit::RenameDepot, 1),
    (Edit::LoseAccount, 1),
    (Edit::FindAccount, 1),
    (Edit::Merge, 1),
];

/// What came of the edits so far.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Those that the org took, by kind.
    pub(super) taken: BTreeMap<Edit, usize>,
    /// Those that it refused: their record was gone by then, or there was none.
    pub(super) refused: usize,
    /// By how much the latest commit came after its stamp, in milliseconds.
    pub(super) latest_ms: i64,
}

/// Everybody who edits.
pub(super) struct Editors {
    org: Arc<OrgHandle>,
    random: StdRng,
    deck: Vec<Edit>,
    at_work: JoinSet<(Edit, Result<(), DmlError>, i64)>,
    made: Made,
}

impl Editors {
    /// Nobody is at work yet. Accounts take their vehicles along when they go, as a lookup may be set up to do.
    pub(super) fn new(org: &Arc<OrgHandle>, seed: u64) -> Self {
        org.org.write().edit_schema(|schema| {
            let vehicle = schema.index("Vehicle__c").unwrap();
            let field = schema.objects[vehicle].field_index("Account__c").unwrap();
            let reference = schema.objects[vehicle].fields[field].reference.as_mut();
            reference.unwrap().on_delete = OnDelete::Cascade;
        });
        Self {
            org: org.clone(),
            random: StdRng::seed_from_u64(seed),
            deck: Vec::new(),
            at_work: JoinSet::new(),
            made: Made::default(),
        }
    }

    /// Begins so many edits beside those under way.
    pub(super) fn begin(&mut self, edits: usize) {
        for _ in 0..edits {
            if self.deck.is_empty() {
                let all = DECK.iter().flat_map(|&(edit, times)| vec![edit; times]);
                self.deck = all.collect();
                self.deck.shuffle(&mut self.random);
            }
            let edit = self.deck.pop().unwrap();
            self.begin_one(edit);
        }
    }

    pub(super) fn begin_one(&mut self, edit: Edit) {
        let (org, number) = (self.org.clone(), self.random.random());
        self.at_work.spawn(async move {
            let clock = &org.clock;
            let done = |org: &mut Org, change: Change| {
                let done = apply(org, edit, number, change);
                (done, clock.now_ms() - change.stamp)
            };
            let (done, late) = org.commit(done).await;
            (edit, done, late)
        });
    }

    /// Waits until at most so many edits are under way.
    pub(super) async fn at_most(&mut self, under_way: usize) {
        while self.at_work.len() > under_way {
            let (edit, done, late) = self.at_work.join_next().await.unwrap().unwrap();
            match done {
                Ok(()) => *self.made.taken.entry(edit).or_default() += 1,
                Err(_) => self.made.refused += 1,
            }
            self.made.latest_ms = self.made.latest_ms.max(late);
        }
    }

    /// Waits for all of them.
    pub(super) async fn end(mut self) -> Made {
        self.at_most(0).await;
        self.made
    }
}

fn apply(org: &mut Org, edit: Edit, number: u64, change: Change) -> Result<(), DmlError> {
    let named = |what: &str| values(json!({ "Name": format!("{what} {}", number % 1_000_000) }));
    let one = |org: &Org, object: &str, is_wanted: &dyn Fn(&Record) -> bool| {
        let found = all(org, object, is_wanted);
        let nobody = || DmlError::new("NOT_FOUND", "there is none");
        let place = number as usize % found.len().max(1);
        found.get(place).copied().ok_or_else(nobody)
    };
    let live = |record: &Record| record.deleted.is_none();
    let in_bin = |record: &Record| record.deleted.is_some();
    // Deleted by name, and not taken along.
    let by_name = |record: &Record| record.deleted.is_some_and(|deleted| deleted.with == record.id);
    match edit {
        Edit::Create => {
            let mut given = named("Vehicle");
            given.insert(
                "Account__c".into(),
                json!(one(org, "Account", &live)?.to_string()),
            );
            create(org, given, number, change)
        }
        Edit::Update => org.update(one(org, "Vehicle__c", &live)?, &named("Vehicle"), change),
        Edit::Delete => org.delete(one(org, "Vehicle__c", &live)?, change),
        Edit::Undelete => org.undelete(one(org, "Vehicle__c", &in_bin)?, change),
        Edit::Purge => org.hard_delete(one(org, "Vehicle__c", &in_bin)?),
        Edit::HardDelete => {
            let id = one(org, "Vehicle__c", &live)?;
            org.delete(id, change)?;
            org.hard_delete(id)
        }
        Edit::LoseDepot => org.delete(one(org, "Depot__c", &live)?, change),
        Edit::FindDepot => org.undelete(one(org, "Depot__c", &by_name)?, change),
        Edit::RenameDepot => org.update(one(org, "Depot__c", &live)?, &named("Depot"), change),
        Edit::LoseAccount => org.delete(one(org, "Account", &live)?, change),
        Edit::FindAccount => org.undelete(one(org, "Account", &by_name)?, change),
        Edit::Merge => {
            let loser = one(org, "Account", &live)?;
            let master = one(org, "Account", &|record| live(record) && record.id != loser)?;
            org.merge(master, &[loser], &named("Merged"), change).map(drop)
        }
        Edit::MassCreate => {
            (0..MASS as u64).try_for_each(|place| create(org, named("Mass"), number ^ place, change))
        }
        Edit::MassUpdate => {
            let some = all(org, "Vehicle__c", &live);
            let mut some = some.into_iter().take(MASS);
            some.try_for_each(|id| org.update(id, &named("Mass"), change))
        }
    }
}

fn create(org: &mut Org, mut given: Map<String, Value>, number: u64, change: Change) -> Result<(), DmlError> {
    let depots = all(org, "Depot__c", &|depot| depot.deleted.is_none());
    if let Some(depot) = depots.get(number as usize % depots.len().max(1)) {
        given.insert("Depot__c".into(), json!(depot.to_string()));
    }
    let vehicle = org.schema().index("Vehicle__c").unwrap();
    org.create(vehicle, &given, change).map(drop)
}

fn values(given: Value) -> Map<String, Value> {
    given.as_object().unwrap().clone()
}

fn all(org: &Org, object: &str, is_wanted: &dyn Fn(&Record) -> bool) -> Vec<RecordId> {
    let table = org.table(org.schema().index(object).unwrap());
    let records = (0..table.len() as u32).filter_map(|row| table.row(row));
    records
        .filter(|record| is_wanted(record))
        .map(|record| record.id)
        .collect()
}

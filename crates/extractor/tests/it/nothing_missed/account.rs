//! The org's own account of its vehicles, and what differs from it among the changes that came.

use std::collections::{BTreeMap, BTreeSet};

use landbridge_model::{ChangeKind, SalesforceId, Source};
use landbridge_sandbox::salesforce::OrgHandle;
use landbridge_sandbox::salesforce::schema::Source as FieldSource;
use landbridge_sandbox::salesforce::store::{self, Org, Record};
use landbridge_sandbox::salesforce::value::Value;

use crate::ledger::Arrival;

/// How a vehicle is in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Live {
        stamp: i64,
        name: Option<String>,
        depot: Option<String>,
    },
    Deleted {
        stamp: i64,
    },
    Purged,
}

/// What a vehicle ever was: its stamp, and whether it was deleted.
type Ever = BTreeSet<(SalesforceId, i64, bool)>;

/// The truth.
pub(super) struct Account {
    states: BTreeMap<SalesforceId, State>,
    ever: Ever,
    /// Those that the journal tells of.
    edited: BTreeSet<SalesforceId>,
    /// Entries of the journal.
    pub(super) entries: usize,
}

fn id_of(id: &landbridge_sandbox::salesforce::ids::RecordId) -> SalesforceId {
    SalesforceId::parse(&id.to_string()).unwrap()
}

fn vehicles(org: &Org) -> impl Iterator<Item = &Record> {
    let table = org.table(org.schema().index("Vehicle__c").unwrap());
    (0..table.len() as u32).filter_map(move |row| table.row(row).map(AsRef::as_ref))
}

/// What there is before anybody edits.
pub(super) fn before(org: &OrgHandle) -> Ever {
    let org = org.org.read();
    vehicles(&org)
        .map(|vehicle| (id_of(&vehicle.id), vehicle.stamp, vehicle.deleted.is_some()))
        .collect()
}

fn text(org: &Org, record: &Record, object: &str, field: &str) -> Option<Value> {
    let object = org.schema().object(object)?;
    match object.field(field)?.source {
        FieldSource::Slot(slot) => Some(record.values[slot].clone()).filter(|value| !value.is_null()),
        _ => None,
    }
}

fn live(org: &Org, vehicle: &Record) -> State {
    let name = |record: &Record, object: &str| {
        let name = text(org, record, object, "Name")?;
        Some(name.as_text().into_owned())
    };
    let depot = match text(org, vehicle, "Vehicle__c", "Depot__c") {
        Some(Value::Id(id)) => org.find(id).and_then(|(_, depot)| name(depot, "Depot__c")),
        _ => None,
    };
    State::Live {
        stamp: vehicle.stamp,
        name: name(vehicle, "Vehicle__c"),
        depot,
    }
}

/// The org's account of itself, by its records and its journal: they have to say the same.
pub(super) fn of(org: &OrgHandle, before: Ever) -> Account {
    let org = org.org.read();
    let mut states = BTreeMap::new();
    for vehicle in vehicles(&org) {
        let state = match vehicle.deleted {
            None => live(&org, vehicle),
            Some(_) => State::Deleted { stamp: vehicle.stamp },
        };
        states.insert(id_of(&vehicle.id), state);
    }
    let prefix = org.schema().object("Vehicle__c").unwrap().prefix;
    let (mut ever, mut last, mut entries) = (before, BTreeMap::new(), 0);
    for entry in org.journal().iter().filter(|entry| entry.id.prefix() == prefix) {
        let id = id_of(&entry.id);
        if entry.change != store::ChangeKind::Purge {
            ever.insert((id, entry.stamp, entry.change == store::ChangeKind::Delete));
        }
        last.insert(id, entry);
        entries += 1;
    }
    for (id, entry) in &last {
        let state = states.entry(*id).or_insert(State::Purged);
        let told = match state {
            State::Live { stamp, .. } => (*stamp, entry.change != store::ChangeKind::Delete),
            State::Deleted { stamp } => (*stamp, entry.change == store::ChangeKind::Delete),
            State::Purged => (entry.stamp, entry.change == store::ChangeKind::Purge),
        };
        assert_eq!(told, (entry.stamp, true), "the org contradicts its journal: {id}");
    }
    Account {
        states,
        ever,
        edited: last.into_keys().collect(),
        entries,
    }
}

/// The newest of each record's arrivals; of equal versions the one that came last.
pub(super) fn latest(arrivals: &[Arrival]) -> BTreeMap<SalesforceId, &Arrival> {
    let mut latest: BTreeMap<SalesforceId, &Arrival> = BTreeMap::new();
    for arrival in arrivals {
        let known = latest.entry(arrival.id).or_insert(arrival);
        if arrival.version >= known.version {
            *known = arrival;
        }
    }
    latest
}

impl Account {
    /// How many vehicles there are or were.
    pub(super) fn vehicles(&self) -> usize {
        self.states.len()
    }

    /// What is missing or otherwise. What was edited has come; what was not has come by an import, but for what lay in
    /// the recycle bin all the time. Purged records may stay only where nothing ever told of them, or told of their end.
    pub(super) fn differences(&self, arrivals: &[Arrival], purged_too: bool) -> Vec<String> {
        let latest = latest(arrivals);
        let mut differences = Vec::new();
        for (id, state) in &self.states {
            let came = latest.get(id);
            let is_right = match (state, came) {
                (State::Purged, Some(came)) => !purged_too || came.kind == ChangeKind::Delete,
                (State::Purged, None) => true,
                (State::Deleted { .. }, None) => !self.edited.contains(id),
                (State::Live { .. }, None) => false,
                (State::Deleted { stamp }, Some(came)) => {
                    (came.version.stamp_ms, came.kind) == (*stamp, ChangeKind::Delete)
                }
                (State::Live { stamp, name, depot }, Some(came)) => {
                    (came.version.stamp_ms, came.kind) == (*stamp, ChangeKind::Upsert)
                        && came.cells["Name"] == *name
                        && came.cells["Depot__r.Name"] == *depot
                }
            };
            if !is_right {
                let told = came.map(|came| {
                    let cell = |name: &str| came.cells.get(name).cloned().flatten();
                    let cells = (cell("Name"), cell("Depot__r.Name"));
                    (came.source, came.kind, came.version, cells)
                });
                differences.push(format!("{id} is {state:?} and came as {told:?}"));
            }
        }
        for id in latest.keys().filter(|id| !self.states.contains_key(*id)) {
            differences.push(format!("{id} is no vehicle"));
        }
        differences
    }

    /// What came and never was.
    pub(super) fn inventions(&self, arrivals: &[Arrival]) -> Vec<String> {
        let is_true = |arrival: &&Arrival| match arrival.source {
            Source::Purged => self.states.get(&arrival.id) == Some(&State::Purged),
            _ => {
                let is_deleted = arrival.kind == ChangeKind::Delete;
                self.ever
                    .contains(&(arrival.id, arrival.version.stamp_ms, is_deleted))
            }
        };
        let invented = arrivals.iter().filter(|arrival| !is_true(arrival));
        invented.map(|arrival| format!("{arrival:?}")).collect()
    }
}

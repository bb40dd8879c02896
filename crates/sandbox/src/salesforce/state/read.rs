//! From the file back to the org.

use super::{
    FORMAT,
    line::{Day, Doors, Line, Switches},
};
use crate::{
    salesforce::{
        clock::OrgClock, credentials::public_key_of_pem, handle::OrgHandle, pubsub::EventBus, schema::Schema,
        store::Org,
    },
    state::StateError,
};
use serde::{Deserialize, de::Error};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader},
    path::Path,
};

/// What an earlier run left.
pub(in crate::salesforce) struct Found {
    pub(in crate::salesforce) seed: u64,
    /// How often the org was started before.
    pub(in crate::salesforce) runs: u64,
    pub(in crate::salesforce) schema_since: i64,
    pub(in crate::salesforce) org: Org,
    pub(in crate::salesforce) bus: EventBus,
    switches: Option<Switches>,
    doors: Option<Doors>,
    day: Option<Day>,
    /// The latest moment that it tells of.
    latest_ms: i64,
}

/// The org that a file holds; `None` if there is no file.
pub(in crate::salesforce) fn read(path: &Path) -> Result<Option<Found>, StateError> {
    let failed = |source| StateError::File {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mut lines = Lines {
        path,
        file: BufReader::with_capacity(1 << 20, file),
        number: 0,
        whole: 0,
    };
    let mut found = begin(&mut lines)?;
    while let Some(line) = lines.next()? {
        found.take(line, &lines)?;
    }
    // A line without its end is what a killed process was writing: nobody was told of it.
    let whole = lines.whole;
    let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    file.set_len(whole).map_err(failed)?;
    found.bus.loaded();
    Ok(Some(found))
}

struct Lines<'p> {
    path: &'p Path,
    file: BufReader<File>,
    number: usize,
    /// Bytes of whole lines so far.
    whole: u64,
}

impl Lines<'_> {
    fn raw(&mut self) -> Result<Option<String>, StateError> {
        let mut text = Vec::new();
        let read = self.file.read_until(b'\n', &mut text);
        read.map_err(|source| StateError::File {
            path: self.path.to_owned(),
            source,
        })?;
        if text.pop() != Some(b'\n') {
            return Ok(None);
        }
        self.whole += text.len() as u64 + 1;
        self.number += 1;
        let text = String::from_utf8(text);
        text.map(Some)
            .map_err(|error| self.wrong(serde_json::Error::custom(error)))
    }

    fn next(&mut self) -> Result<Option<Line>, StateError> {
        let Some(text) = self.raw()? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| self.wrong(error))
    }

    fn wrong(&self, source: serde_json::Error) -> StateError {
        StateError::Content {
            path: self.path.to_owned(),
            line: self.number,
            source,
        }
    }

    fn missing(&self, what: &str) -> StateError {
        self.wrong(serde_json::Error::custom(format!("{what} should stand here")))
    }
}

/// The head, the schema and the org without its records.
fn begin(lines: &mut Lines<'_>) -> Result<Found, StateError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct First {
        head: Form,
    }
    #[derive(Deserialize)]
    struct Form {
        format: u32,
    }
    let first = lines.raw()?.unwrap_or_default();
    // The form first: another one may have other members.
    let form: First = serde_json::from_str(&first).map_err(|error| lines.wrong(error))?;
    if form.head.format != FORMAT {
        return Err(StateError::Format {
            path: lines.path.to_owned(),
            found: form.head.format,
            known: FORMAT,
        });
    }
    let head = serde_json::from_str(&first).map_err(|error| lines.wrong(error))?;
    let Line::Head {
        seed, schema_since, ..
    } = head
    else {
        return Err(lines.missing("the head"));
    };
    let Some(Line::Run(runs)) = lines.next()? else {
        return Err(lines.missing("the run"));
    };
    let Some(Line::Schema(objects)) = lines.next()? else {
        return Err(lines.missing("the schema"));
    };
    let Some(Line::Org(saved)) = lines.next()? else {
        return Err(lines.missing("the org"));
    };
    let org = Org::load(Schema::of(objects), saved);
    Ok(Found {
        seed,
        runs,
        schema_since,
        bus: EventBus::new(org.schema().clone(), seed),
        org,
        switches: None,
        doors: None,
        day: None,
        latest_ms: i64::MIN,
    })
}

impl Found {
    fn take(&mut self, line: Line, lines: &Lines<'_>) -> Result<(), StateError> {
        match line {
            Line::Head { .. } | Line::Schema(_) | Line::Org(_) => return Err(lines.missing("something else")),
            Line::Run(runs) => self.runs = runs,
            Line::Record(record) => self.org.load_record(record),
            Line::Journal(entries) => self.org.load_journal(entries),
            Line::Bus(bus) => self.bus.load(bus),
            Line::Event(event) => self.bus.load_event(event),
            Line::Place(number, at_ms) => self.bus.load_place(number, at_ms),
            Line::Transaction(transaction) => {
                self.latest_ms = self.latest_ms.max(transaction.changes.newest());
                self.org.load_changes(transaction.changes);
                if let Some((events, counters)) = transaction.told {
                    events.into_iter().for_each(|event| self.bus.load_event(event));
                    self.bus.load_counters(counters);
                }
            }
            Line::Switches(switches) => {
                // Whoever turned the clock back wished to.
                self.latest_ms = switches.clock.now_ms();
                self.bus.load_habits(switches.events.clone());
                self.switches = Some(switches);
            }
            Line::Doors(doors) => self.doors = Some(doors),
            Line::Day(day) => {
                self.latest_ms = self.latest_ms.max(day.now_ms);
                self.bus.load_deliveries(day.delivered.clone());
                self.day = Some(day);
            }
        }
        Ok(())
    }

    /// The clock as it goes on: it stands nowhere before a moment that somebody was told of.
    pub(in crate::salesforce) fn clock(&self) -> Option<OrgClock> {
        let saved = &self.switches.as_ref()?.clock;
        Some(OrgClock::going_on(saved, self.latest_ms))
    }
}

impl OrgHandle {
    /// Takes up the rest of what an earlier run left.
    pub(in crate::salesforce) fn take_up(&mut self, found: Rest) {
        if let Some(switches) = found.0 {
            self.settings.load(&switches.settings);
        }
        if let Some(doors) = found.1 {
            if let Some(key) = public_key_of_pem(&doors.jwt_public_key) {
                *self.jwt_key.get_mut() = key;
            }
            self.grants.get_mut().load(doors.grants);
            self.sessions.get_mut().load(doors.sessions);
        }
        if let Some(day) = found.2 {
            self.usage.get_mut().load(day.calls);
            self.jobs.load_made(day.jobs);
            self.bulk_v1.load_made(day.batches);
        }
    }
}

/// What is taken up once the org stands.
pub(in crate::salesforce) struct Rest(Option<Switches>, Option<Doors>, Option<Day>);

impl Found {
    /// Takes out what [`OrgHandle::take_up`] wants.
    pub(in crate::salesforce) fn rest(&mut self) -> Rest {
        Rest(self.switches.take(), self.doors.take(), self.day.take())
    }
}

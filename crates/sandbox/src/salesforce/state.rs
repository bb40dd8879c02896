//! The org's state in a file, so that a restart forgets nothing that a client could have noted.
//!
//! The file is a row of lines of JSON, each of which says how one thing is from then on: first all of the org as it was when
//! the file was begun, then a line for everything that happens, written before anybody is told of it. A killed process
//! loses the last second of what was counted (calls, deliveries), and nothing else. A power cut may lose more.
//!
//! What is left behind on purpose: Bulk jobs and cursors, which are unknown after a restart as they are once they have
//! expired, faults and the counters of calls. No id of theirs is given again.

mod line;
mod read;

use line::{Day, Doors, Switches, Transaction};
pub(super) use read::{Found, Rest, read};

use crate::{
    salesforce::{handle::OrgHandle, store::Org},
    state::StateError,
};
use line::Line;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The form of the file. Another one is refused, not guessed at.
const FORMAT: u32 = 1;
/// Its name in the folder of a sandbox's state.
const FILE: &str = "salesforce.jsonl";
/// The file is begun anew when more than this, and more than it began with, was added.
const MOST_ADDED: u64 = 64 * 1024 * 1024;
/// Journal entries of one line.
const ENTRIES: usize = 1_000;

/// Where in a folder an org's state is.
pub(super) fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The file, open for more.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// `None` where writing failed: the file has to be begun anew.
    file: Option<File>,
    began_with: u64,
    added: u64,
    /// What was counted last.
    day: String,
}

impl Log {
    /// A file that is still to be begun.
    pub(super) fn new(folder: &Path) -> Log {
        Log {
            path: file_in(folder),
            file: None,
            began_with: 0,
            added: 0,
            day: String::new(),
        }
    }

    fn append(&mut self, line: &Line) {
        let Some(file) = &mut self.file else { return };
        let written = text(line).and_then(|text| {
            self.added += text.len() as u64;
            // In one piece: a killed process leaves the whole line or the beginning of it.
            file.write_all(&text)
        });
        if let Err(error) = written {
            tracing::error!(path = %self.path.display(), %error, "the org's state is not kept; it is written anew soon");
            self.file = None;
        }
    }

    /// Writes all of the org to a new file, which takes the place of the old one in one step.
    fn begin(&mut self, handle: &OrgHandle, org: &Org) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.path.with_extension("new");
        // Tokens are in it.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let mut size = 0;
        all_lines(handle, org, &mut |line| {
            let text = text(&line)?;
            size += text.len() as u64;
            out.write_all(&text)
        })?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.file = Some(file);
        org.all_is_kept();
        (self.began_with, self.added) = (size, 0);
        Ok(())
    }
}

fn text(line: &Line) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

/// All of the org, in the order in which it can be taken up again.
fn all_lines(
    handle: &OrgHandle,
    org: &Org,
    write: &mut impl FnMut(Line) -> io::Result<()>,
) -> io::Result<()> {
    write(Line::Head {
        format: FORMAT,
        seed: handle.seed,
        schema_since: handle.schema_since(),
    })?;
    write(Line::Run(handle.run))?;
    write(Line::Schema(org.schema().objects.clone()))?;
    write(Line::Org(org.save()))?;
    for record in org.saved_records() {
        write(Line::Record(record))?;
    }
    for entries in org.journal().chunks(ENTRIES) {
        write(Line::Journal(entries.to_vec()))?;
    }
    write(Line::Bus(handle.bus.save()))?;
    for event in handle.bus.save_since(0).0 {
        write(Line::Event(event))?;
    }
    write(Line::Switches(Switches::of(handle)))?;
    write(Line::Doors(Doors::of(handle)))?;
    write(Line::Day(Day::of(handle)))
}

impl OrgHandle {
    /// Adds to the file, if there is one. What is locked to make the line must not wait for the file.
    fn keep(&self, line: impl FnOnce(&OrgHandle) -> Line) {
        if let Some(log) = &self.log {
            let mut log = log.lock();
            let line = line(self);
            log.append(&line);
        }
    }

    /// Keeps what a transaction did, before it is let go of.
    pub(super) fn keep_changes(&self, org: &Org, place: Option<u64>) {
        if self.log.is_none() {
            return;
        }
        let changes = org.take_changes();
        if changes.is_empty() {
            return;
        }
        let told = place.map(|place| self.bus.save_since(place));
        self.keep(|_| Line::Transaction(Transaction { changes, told }));
    }

    /// Keeps who may get in.
    pub(super) fn keep_doors(&self) {
        self.keep(|handle| Line::Doors(Doors::of(handle)));
    }

    /// Keeps what was turned.
    pub(super) fn keep_switches(&self) {
        self.keep(|handle| Line::Switches(Switches::of(handle)));
    }

    /// Keeps a place that a stream is about to be told of.
    pub(super) fn keep_place(&self, number: u64, at_ms: i64) {
        self.keep(|_| Line::Place(number, at_ms));
    }

    /// Writes all of the org anew: at the start, and after changes that no line describes.
    pub(super) fn keep_all(&self) -> Result<(), StateError> {
        let Some(log) = &self.log else { return Ok(()) };
        let org = self.org.read();
        let mut log = log.lock();
        log.begin(self, &org).map_err(|source| {
            log.file = None;
            let path = log.path.clone();
            StateError::File { path, source }
        })
    }

    /// What has to be done again and again: keeps what is counted, and begins the file anew where it has grown too
    /// long or could not be written.
    pub(crate) fn tend_state(&self) {
        let Some(log) = &self.log else { return };
        let is_due = {
            let mut log = log.lock();
            let day = Day::of(self);
            let counted = day.counted();
            if counted != log.day {
                log.append(&Line::Day(day));
                log.day = counted;
            }
            log.file.is_none() || log.added > MOST_ADDED.max(log.began_with)
        };
        if is_due && let Err(error) = self.keep_all() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the org's state is not kept"
            );
        }
    }

    /// The last word before an orderly stop.
    pub(crate) fn keep_last(&self) {
        self.keep_doors();
        self.keep_switches();
        self.keep(|handle| Line::Day(Day::of(handle)));
        self.tend_state();
    }
}

//! A portal's state in a file, so that a restart forgets nothing that a client could have noted.
//!
//! Lines of JSON: first the whole portal but for its records and links, then one line for each of those, in order. What
//! is left behind on purpose: the ten-second windows of the limits, and what search and schema reads had not taken in
//! yet, which they have after a restart.

use super::{
    Habits, Inner, Portal, PortalConfig,
    auth::{Auth, SavedAuth},
    catalog::{Catalog, SavedCatalog},
    imports::{Imports, SavedImports},
    pairs::TypeIndex,
    table::SavedRecord,
};
pub use crate::state::StateError;
use crate::stats::Stats;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The form of the file. Another one is refused, not guessed at.
const FORMAT: u32 = 1;
/// Its name in the folder of a sandbox's state.
const FILE: &str = "hubspot.jsonl";

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    habits: Habits,
    clock_ahead_ms: i64,
    dice: u64,
    /// The day, and the calls and association calls of that day.
    spent: (i64, u64, u64),
    auth: SavedAuth,
    catalog: SavedCatalog,
    imports: SavedImports,
}

/// Every other line.
#[derive(Serialize, Deserialize)]
enum Line {
    /// A record of the type in that position.
    #[serde(rename = "r")]
    Record(TypeIndex, SavedRecord),
    /// One direction of a link: from type, to type, from, to, types.
    #[serde(rename = "l")]
    Link(TypeIndex, TypeIndex, u64, u64, u64),
}

/// Where in a folder a portal's state is.
fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl Portal {
    /// The portal that `folder` holds, or a new one if it holds none. What the folder says of habits, secrets and
    /// spent calls goes before `config`, whose limits and daily allowances hold.
    pub fn open(config: PortalConfig, stats: Arc<Stats>, folder: &Path) -> Result<Portal, StateError> {
        let path = file_in(folder);
        match File::open(&path) {
            Ok(file) => read(config, stats, &path, BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Portal::with_config(config, stats)),
            Err(source) => Err(StateError::File { path, source }),
        }
    }

    /// Keeps the portal in `folder`. What was there is replaced in one step, so that a crash leaves the old or the new.
    /// Writes wait meanwhile; reads do not.
    pub fn keep(&self, folder: &Path) -> Result<(), StateError> {
        let path = file_in(folder);
        let _alone = self.inner.keeping.lock();
        write(&self.inner, folder, &path).map_err(|source| StateError::File { path, source })
    }

    /// A number that differs when anything may have happened since it was asked for last.
    pub fn pulse(&self) -> u64 {
        self.inner.dice.state()
    }
}

fn write(portal: &Inner, folder: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    // Tokens are in it.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    {
        // Imports write the catalog while they are held, so they come first here too.
        let imports = portal.imports.save();
        let catalog = portal.catalog.read();
        let head = Head {
            format: FORMAT,
            habits: *portal.habits.read(),
            clock_ahead_ms: portal.clock.ahead_ms(),
            dice: portal.dice.state(),
            spent: portal.limiter.spent(),
            auth: portal.auth.save(),
            catalog: catalog.save(),
            imports,
        };
        line(&mut out, &head)?;
        for (at, table) in catalog.tables() {
            for record in table.saved_records() {
                line(&mut out, &Line::Record(at, record))?;
            }
        }
        for (from_type, to_type, direction) in catalog.pairs.all() {
            for (from, links) in direction.all() {
                for link in links {
                    line(
                        &mut out,
                        &Line::Link(from_type, to_type, from, link.to, link.types),
                    )?;
                }
            }
        }
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn read(
    config: PortalConfig,
    stats: Arc<Stats>,
    path: &Path,
    lines: impl BufRead,
) -> Result<Portal, StateError> {
    #[derive(Deserialize)]
    struct Form {
        format: u32,
    }
    let content = |line: usize| {
        let path = path.to_owned();
        move |source| StateError::Content { path, line, source }
    };
    let mut lines = lines.lines().enumerate().map(|(at, line)| {
        let path = path.to_owned();
        line.map(|line| (at + 1, line))
            .map_err(|source| StateError::File { path, source })
    });
    let (_, first) = lines.next().unwrap_or_else(|| Ok((1, String::new())))?;
    // The form first: another one may have other members.
    let form: Form = serde_json::from_str(&first).map_err(content(1))?;
    if form.format != FORMAT {
        let path = path.to_owned();
        return Err(StateError::Format {
            path,
            found: form.format,
            known: FORMAT,
        });
    }
    let head: Head = serde_json::from_str(&first).map_err(content(1))?;
    let mut catalog = Catalog::load(head.catalog);
    for read in lines {
        let (number, text) = read?;
        match serde_json::from_str(&text).map_err(content(number))? {
            Line::Record(at, record) => catalog.load_record(at, record),
            Line::Link(from_type, to_type, from, to, types) => {
                let link = super::links::Link { to, types };
                catalog.pairs.direction_mut(from_type, to_type).set(from, link);
            }
        }
    }
    catalog.loaded(head.habits.behaviour.archived_keep_unique_values);
    let portal = Portal::with_config(config, stats);
    let mut inner = Arc::into_inner(portal.inner).expect("nobody else has the new portal");
    inner.habits = head.habits.into();
    inner.clock.advance(head.clock_ahead_ms);
    inner.dice.restore(head.dice);
    inner.limiter.restore(head.spent);
    inner.auth = Auth::load(head.auth);
    inner.catalog = catalog.into();
    inner.imports = Imports::load(head.imports, head.habits.lags).map_err(content(1))?;
    Ok(Portal {
        inner: Arc::new(inner),
    })
}

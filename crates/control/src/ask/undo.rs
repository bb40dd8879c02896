//! Undoing imports and revisions.

use landbridge_model::ask::Question;
use landbridge_model::before::{LeftValue, UndoCounts};
use landbridge_model::{ImportId, Revision, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Done;

/// Undo an import: pause its sync, put back what it wrote over where its value still stands, archive what it created and
/// nobody touched, restore its associations. Answers when it has begun; [`landbridge_model::ask::ListImports`] tells how it
/// goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UndoImport {
    /// Which import.
    pub id: ImportId,
    /// Who wants it.
    #[serde(default)]
    pub by: String,
}
question!(UndoImport, "undo-import", Done);

/// What did an undo leave as it is?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListLeft {
    /// Of which import.
    pub id: ImportId,
}
question!(ListLeft, "undo-left", Vec<LeftValue>);

/// What would the undo of a revision do, or how does it stand?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskRevisionUndo {
    /// Of which sync.
    pub sync: SyncName,
    /// Which revision.
    pub revision: Revision,
}
question!(AskRevisionUndo, "revision-undo", RevisionUndo);

/// Undo a revision and all that came after it: undo what the imports wrote under them that kept what was there before, the
/// newest first, and make the definition what it was before, as a new revision. Answers when it has begun;
/// [`AskRevisionUndo`] tells how it goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UndoRevision {
    /// Of which sync.
    pub sync: SyncName,
    /// Which revision.
    pub revision: Revision,
    /// The tag of the definition whose undo was planned; nothing is begun when another one is there by now.
    pub seen: String,
    /// Who wants it.
    #[serde(default)]
    pub by: String,
}
question!(UndoRevision, "undo-revision", Done);

/// The undo of a revision: as it would be, or as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionUndo {
    /// Of which sync.
    pub sync: SyncName,
    /// Which revision.
    pub revision: Revision,
    /// Stands for the sync's definition as it is now: the `ETag` without its quotes.
    pub tag: String,
    /// What it would do; none when it is begun, or done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<RevisionUndoPlan>,
    /// How it stands; none when nobody has begun it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<RevisionUndoStatus>,
}

/// What the undo of a revision would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionUndoPlan {
    /// The revision whose definition comes back.
    pub back_to: Revision,
    /// Revisions that came after it, and that are undone with it.
    pub later: Vec<Revision>,
    /// From the definition as it is to the one that comes back, as lines, each with `+`, `-` or a space before it; empty
    /// when it is back already.
    pub lines: Vec<String>,
    /// The imports that wrote under these revisions, the newest first.
    pub imports: Vec<PlannedImport>,
    /// What was written outside of imports, of which nothing was kept: it stays.
    pub live: LiveWrites,
    /// Properties and lookup fields that only these revisions map: no later write of the sync changes what stays of them.
    pub stays: Vec<String>,
    /// Why it cannot be begun now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
}

impl RevisionUndoPlan {
    /// The imports that would be undone, the newest first.
    pub fn undone(&self) -> impl Iterator<Item = &PlannedImport> {
        self.imports
            .iter()
            .filter(|import| import.fate == ImportFate::Undo)
    }
}

/// An import under a revision that is to be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedImport {
    /// Its id.
    pub id: ImportId,
    /// The revision it was started for.
    pub revision: Revision,
    /// Whether it filled only what edits had touched.
    pub back_fill: bool,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// How many before-images are kept of it, each of up to a hundred records.
    pub images: u64,
    /// What would become of what it wrote.
    pub fate: ImportFate,
    /// Why it stays, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What becomes of what an import wrote when its revision is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImportFate {
    /// It is undone.
    Undo,
    /// It was undone before.
    Undone,
    /// It stays as it is.
    Stays,
}

/// What a sync wrote under some revisions outside of imports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveWrites {
    /// Changes of records: created, updated, deleted.
    pub records: u64,
    /// Links made and taken away.
    pub links: u64,
}

impl LiveWrites {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.links += other.links;
    }
}

/// How the undo of a revision stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionUndoStatus {
    /// Who began it.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub began_ms: i64,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// The revision whose definition comes back.
    pub back_to: Revision,
    /// Stands for the definition that it began with: when another one is there, the definition stays.
    pub tag: String,
    /// The imports that are undone, the newest first; each lists what it left.
    pub imports: Vec<ImportId>,
    /// The imports whose writes stay.
    pub stays: Vec<StayingImport>,
    /// What was written outside of imports, and stays.
    pub live: LiveWrites,
    /// What is put back so far.
    pub counts: UndoCounts,
    /// The revision that has the former definition, as soon as it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Revision>,
    /// Why it does not go on at the moment; at its end, why the definition stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl RevisionUndoStatus {
    /// Whether it can be begun anew: it ended, and the definition is not back.
    pub fn has_failed(&self) -> bool {
        self.ended_ms.is_some() && self.made.is_none()
    }
}

/// An import whose writes an undo leaves as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StayingImport {
    /// Its id.
    pub id: ImportId,
    /// Why.
    pub reason: String,
}

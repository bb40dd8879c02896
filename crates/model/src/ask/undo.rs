//! Undoing an import: control asks the loader for one page after the other.

use serde::{Deserialize, Serialize};

use super::Question;
use crate::before::UndoCounts;
use crate::ids::{ImportId, SyncName};

/// Undo some of what an import wrote, the newest first, and say when nothing is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoPage {
    /// The import.
    pub import: ImportId,
    /// Its sync.
    pub sync: SyncName,
}
question!(UndoPage, "undo-page", UndonePage);

/// What came of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndonePage {
    /// What it put back.
    pub counts: UndoCounts,
    /// Whether nothing is left to undo.
    pub is_last: bool,
}

/// How the undo of an import stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UndoStatus {
    /// Who began it.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub began_ms: i64,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// What is put back so far.
    #[serde(default)]
    pub counts: UndoCounts,
    /// Why it does not go on at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

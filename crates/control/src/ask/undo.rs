//! Undoing imports.

use landbridge_model::ImportId;
use landbridge_model::ask::Question;
use landbridge_model::before::LeftValue;
use serde::{Deserialize, Serialize};

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

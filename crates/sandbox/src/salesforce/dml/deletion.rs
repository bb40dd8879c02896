//! What a delete takes along, what it clears, what forbids it.

use super::DmlError;
use crate::salesforce::{ids::RecordId, schema::OnDelete, store::Org};

impl Org {
    /// What goes with a record, itself first, and which lookups are cleared.
    #[allow(clippy::type_complexity, reason = "a pair of plain lists, used once")]
    pub(super) fn delete_plan(
        &self,
        object: usize,
        id: RecordId,
    ) -> Result<(Vec<RecordId>, Vec<(RecordId, usize)>), DmlError> {
        let mut doomed = vec![id];
        let mut cleared = Vec::new();
        let mut queue = vec![(object, id)];
        while let Some((object, parent)) = queue.pop() {
            for link in &self.schema().objects[object].children {
                let table = self.table(link.object);
                let rows = table.children(link.field, parent).unwrap_or_default();
                let children = rows.into_iter().filter_map(|row| table.row(row));
                for child in children.filter(|child| child.deleted.is_none()) {
                    match link.on_delete {
                        OnDelete::SetNull => cleared.push((child.id, link.field)),
                        OnDelete::Restrict => return Err(self.restricted(object, link.object, child.id)),
                        OnDelete::Cascade if !doomed.contains(&child.id) => {
                            doomed.push(child.id);
                            queue.push((link.object, child.id));
                        }
                        OnDelete::Cascade => {}
                    }
                }
            }
        }
        cleared.retain(|(child, _)| !doomed.contains(child));
        Ok((doomed, cleared))
    }

    fn restricted(&self, parent: usize, child: usize, id: RecordId) -> DmlError {
        let (parent, child) = (&self.schema().objects[parent], &self.schema().objects[child]);
        let message = format!(
            "Your attempt to delete the {} could not be completed because it is associated with the following {}.: {}\n",
            parent.label.to_lowercase(),
            child.plural.to_lowercase(),
            id.short(),
        );
        DmlError::new("DELETE_FAILED", message)
    }

    /// A deleted record and what its delete took along.
    pub(super) fn deleted_with(&self, object: usize, root: RecordId) -> Vec<RecordId> {
        let mut all = vec![root];
        let mut queue = vec![(object, root)];
        while let Some((object, parent)) = queue.pop() {
            for link in &self.schema().objects[object].children {
                if link.on_delete != OnDelete::Cascade {
                    continue;
                }
                let table = self.table(link.object);
                for row in table.children(link.field, parent).unwrap_or_default() {
                    let Some(child) = table.row(row) else { continue };
                    if child.deleted.is_some_and(|deleted| deleted.with == root) && !all.contains(&child.id) {
                        all.push(child.id);
                        queue.push((link.object, child.id));
                    }
                }
            }
        }
        all
    }
}

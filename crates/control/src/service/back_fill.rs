//! Filling what an edit touched in records that were written before: offered until somebody does it or declines.

use std::sync::Arc;

use landbridge_bus::{Bucket, Key};
use landbridge_model::config::{Import, ImportWish, SyncStatus};
use landbridge_model::{Revision, SyncName};

use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::revisions::StoredRevision;
use super::{SyncView, TenantService};
use crate::definitions::Touched;

/// Where a person's word is kept that records stay as they are.
pub(crate) fn declined_key(tenant: &str, sync: &str) -> Key {
    Key::new(["back-fill", tenant, sync])
}

/// The revision by which all records were written last: that of the newest import that wrote over everything, else of the
/// first import, which wrote what was not there; else the first that is kept. Pure.
fn written_by(imports: &[Arc<Import>], sync: &SyncName) -> Option<Revision> {
    let of_sync = |import: &&Arc<Import>| import.sync == *sync && import.wish != ImportWish::Cancel;
    let overwriting = imports.iter().filter(of_sync).filter(|import| import.overwrite);
    let newest = overwriting.map(|import| import.revision).max();
    newest.or_else(|| imports.iter().filter(of_sync).map(|import| import.revision).min())
}

/// What records lack that were written by an older revision than the last of these; they come sorted. Pure.
fn lacking(kept: &[StoredRevision], written: Option<Revision>, declined: Option<Revision>) -> Touched {
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
        return Touched::default();
    };
    let base = written.max(declined).unwrap_or(first.revision);
    let base = kept.iter().rev().find(|revision| revision.revision <= base);
    Touched::between(&base.unwrap_or(first).definition, &last.definition)
}

impl TenantService {
    /// What an edit touched and older records lack; nothing for a sync that never ran.
    pub(crate) async fn back_fill(
        &self,
        sync: &SyncView,
        kept: &[StoredRevision],
    ) -> Result<Touched, ServiceError> {
        self.require(Role::Viewer)?;
        let imports = self.service.config().imports(self.id());
        let written = written_by(&imports, &sync.name);
        if sync.status == SyncStatus::Draft && written.is_none() {
            return Ok(Touched::default());
        }
        let bucket = self.service.hub().bus().kv(Bucket::Config);
        let key = declined_key(self.id().as_str(), sync.name.as_str());
        let declined = bucket.get_json::<Revision>(&key).await?;
        Ok(lacking(kept, written, declined.map(|(revision, _)| revision)))
    }

    /// Leaves older records as they are: it is not offered again until the next edit.
    pub(crate) async fn decline_back_fill(&self, sync: &SyncName) -> Result<(), ServiceError> {
        self.require(Role::Operator)?;
        let revision = self.stored_sync(sync)?.revision;
        let bucket = self.service.hub().bus().kv(Bucket::Config);
        let key = declined_key(self.id().as_str(), sync.as_str());
        self.audited("sync.back-fill-declined", sync.as_str(), async {
            bucket.put_json(&key, &revision).await?;
            let told = format!("records written before revision {} stay as they are", revision.0);
            Ok(((), Change::told(told).into()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{ImportId, TenantId, yaml};

    use super::*;

    fn name() -> SyncName {
        SyncName::new("vehicles").unwrap()
    }

    fn import(revision: u32, overwrite: bool, wish: ImportWish) -> Arc<Import> {
        Arc::new(Import {
            id: ImportId::new(&format!("imp-{revision}")).unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            sync: name(),
            revision: Revision(revision),
            wish,
            overwrite,
            started_by: String::new(),
            started_ms: 0,
            continues: None,
        })
    }

    /// Revision n maps n properties.
    fn kept(number: u32) -> StoredRevision {
        let fields: Vec<String> = (1..=number)
            .map(|n| format!("{{ from: F{n}__c, to: p{n} }}"))
            .collect();
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: vehicles }}\nspec:\n  salesforce: \
             {{ object: Vehicle__c }}\n  hubspot: {{ objectType: vehicles }}\n  fields: [ {} ]\n",
            fields.join(", ")
        );
        StoredRevision {
            revision: Revision(number),
            definition: yaml::load("test.yaml", &text).unwrap().remove(0),
            by: None,
            at_ms: 0,
        }
    }

    #[test]
    fn records_lack_what_came_after_they_were_written() {
        use ImportWish::{Cancel, Run};
        let run = |revision, overwrite| import(revision, overwrite, Run);
        for (imports, declined, properties) in [
            (vec![], None, vec!["p2", "p3", "p4"]),
            (vec![run(2, false)], None, vec!["p3", "p4"]),
            // What is there already is not written by an import that does not write over it.
            (vec![run(2, false), run(4, false)], None, vec!["p3", "p4"]),
            (vec![run(2, false), run(3, true)], None, vec!["p4"]),
            (vec![run(2, false), run(4, true)], None, vec![]),
            (
                vec![run(2, false), import(4, true, Cancel)],
                None,
                vec!["p3", "p4"],
            ),
            (vec![run(2, false)], Some(3), vec!["p4"]),
            (vec![run(2, false)], Some(4), vec![]),
            (vec![run(4, true)], Some(2), vec![]),
        ] {
            let written = written_by(&imports, &name());
            let all = [kept(1), kept(2), kept(3), kept(4)];
            let lacks = lacking(&all, written, declined.map(Revision));
            assert_eq!(lacks.properties, properties, "{imports:?} {declined:?}");
        }
        assert!(lacking(&[], None, None).is_empty());
        // An older revision than those that are kept.
        let lacks = lacking(&[kept(3), kept(4)], Some(Revision(1)), None);
        assert_eq!(lacks.properties, ["p4"]);
    }
}

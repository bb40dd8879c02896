//! What an edit touches of records that were written before, and what they lack by now.

use std::sync::Arc;

use landbridge_bus::{Key, Kv, KvError};
use landbridge_model::config::{Import, ImportWish, Sync, SyncStatus};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{MappedPart, Revision, SyncKey, SyncName};
use landbridge_stage::ConfigView;

use super::revisions::{self, StoredRevision};

/// What records that were written by an older revision lack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Properties and lookups that are mapped anew or otherwise.
    pub(crate) part: MappedPart,
    /// The sync reads or writes another type of record now: nothing is there of which a part could be filled.
    pub(crate) everything: bool,
}

impl Lacking {
    /// What records that were written by `before` lack by `after`. What is no longer mapped is left as it is. Pure.
    pub(crate) fn between(before: &SyncDefinition, after: &SyncDefinition) -> Self {
        let (before, after) = (&before.spec, &after.spec);
        let same_ends = before.hubspot == after.hubspot && before.salesforce == after.salesforce;
        let fields = after.fields.iter();
        let properties = fields.filter(|rule| !(same_ends && before.fields.contains(rule)));
        let associations = after.associations.iter();
        let lookups = associations.filter(|rule| !(same_ends && before.associations.contains(rule)));
        Self {
            part: MappedPart {
                properties: properties.map(|rule| rule.to.clone()).collect(),
                lookups: lookups.map(|rule| rule.field.clone()).collect(),
            },
            everything: !same_ends,
        }
    }

    /// Whether nothing is to be filled.
    pub(crate) fn is_empty(&self) -> bool {
        self.part.is_empty()
    }
}

/// Where a person's word is kept that records stay as they are.
pub(crate) fn declined_key(key: &SyncKey) -> Key {
    Key::new(["back-fill", key.tenant.as_str(), key.name.as_str()])
}

/// What older records of a sync lack; nothing when it never ran, or when a person wants them left as they are.
pub(crate) async fn lacking(
    kv: &Kv,
    config: &ConfigView,
    sync: &Sync,
    kept: &[StoredRevision],
) -> Result<Lacking, KvError> {
    let key = sync.key();
    let written = written_by(&config.imports(&key.tenant), &key.name);
    if sync.status == SyncStatus::Draft && written.is_none() {
        return Ok(Lacking::default());
    }
    let declined = kv.get_json::<Revision>(&declined_key(&key)).await?;
    Ok(since(kept, written, declined.map(|(revision, _)| revision)))
}

/// As [`lacking`], with the revisions read first.
pub(crate) async fn lacking_of(
    kv: &Kv,
    config: &ConfigView,
    sync: &Sync,
    now_ms: i64,
) -> Result<Lacking, KvError> {
    let kept = revisions::with_current(kv, sync, now_ms).await?;
    lacking(kv, config, sync, &kept).await
}

/// The revision by which all records were written last: that of the newest import that wrote over everything or filled what
/// was lacking, else of the first import, which wrote what was not there; else the first that is kept. Pure.
fn written_by(imports: &[Arc<Import>], sync: &SyncName) -> Option<Revision> {
    let of_sync = |import: &&Arc<Import>| import.sync == *sync && import.wish != ImportWish::Cancel;
    let fills =
        |import: &&Arc<Import>| import.undo_ms.is_none() && (import.overwrite || import.only.is_some());
    let filling = imports.iter().filter(of_sync).filter(fills);
    let newest = filling.map(|import| import.revision).max();
    newest.or_else(|| imports.iter().filter(of_sync).map(|import| import.revision).min())
}

/// What records lack that were written by an older revision than the last of these; they come sorted. Pure.
fn since(kept: &[StoredRevision], written: Option<Revision>, declined: Option<Revision>) -> Lacking {
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
        return Lacking::default();
    };
    let base = written.max(declined).unwrap_or(first.revision);
    let base = kept.iter().rev().find(|revision| revision.revision <= base);
    Lacking::between(&base.unwrap_or(first).definition, &last.definition)
}

#[cfg(test)]
mod tests {
    use landbridge_model::{ImportId, TenantId, yaml};

    use super::*;

    fn definition(object_type: &str, rules: &str, fields: &str) -> SyncDefinition {
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: vehicles }}\nspec:\n  salesforce: \
             {{ object: Vehicle__c }}\n  hubspot: {{ objectType: {object_type} }}\n{rules}  fields: [ {fields} ]\n"
        );
        landbridge_model::yaml::load("test.yaml", &text)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn only_what_is_mapped_anew_or_otherwise_is_touched() {
        let lookup = "  associations: [ { field: Depot__c, to: depots } ]\n";
        let labelled = "  associations: [ { field: Depot__c, to: depots, label: parked at } ]\n";
        let rules = "  rules: { delete: delete-record }\n";
        let (name, price) = ("{ from: Name, to: name }", "{ from: Price__c, to: price }");
        let both = format!("{name}, {price}");
        let turned = format!("{price}, {name}");
        let valued = "{ from: Name, to: name, values: { A: a } }";
        for (before, after, properties, lookups) in [
            (("vehicles", "", name), ("vehicles", "", name), vec![], vec![]),
            (
                ("vehicles", "", name),
                ("vehicles", "", both.as_str()),
                vec!["price"],
                vec![],
            ),
            (
                ("vehicles", "", both.as_str()),
                ("vehicles", "", name),
                vec![],
                vec![],
            ),
            (
                ("vehicles", "", both.as_str()),
                ("vehicles", "", turned.as_str()),
                vec![],
                vec![],
            ),
            (
                ("vehicles", "", name),
                ("vehicles", "", valued),
                vec!["name"],
                vec![],
            ),
            (("vehicles", "", name), ("vehicles", rules, name), vec![], vec![]),
            (
                ("vehicles", "", name),
                ("vehicles", lookup, name),
                vec![],
                vec!["Depot__c"],
            ),
            (
                ("vehicles", lookup, name),
                ("vehicles", labelled, name),
                vec![],
                vec!["Depot__c"],
            ),
            (("vehicles", lookup, name), ("vehicles", "", name), vec![], vec![]),
            (
                ("vehicles", lookup, name),
                ("trucks", lookup, name),
                vec!["name"],
                vec!["Depot__c"],
            ),
        ] {
            let definition = |(object_type, rules, fields)| definition(object_type, rules, fields);
            let touched = Lacking::between(&definition(before), &definition(after));
            assert_eq!(touched.part.properties, properties, "{before:?} {after:?}");
            assert_eq!(touched.part.lookups, lookups, "{before:?} {after:?}");
        }
    }

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
            only: None,
            keep_before: false,
            undo_ms: None,
            started_by: String::new(),
            started_ms: 0,
            continues: None,
            after: Vec::new(),
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
            let lacks = since(&all, written, declined.map(Revision));
            assert_eq!(lacks.part.properties, properties, "{imports:?} {declined:?}");
        }
        assert!(since(&[], None, None).is_empty());
        // An older revision than those that are kept.
        let lacks = since(&[kept(3), kept(4)], Some(Revision(1)), None);
        assert_eq!(lacks.part.properties, ["p4"]);
    }
}

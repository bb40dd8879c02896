//! What the configuration says of lookups: which of them are associations, and where both ends are found.

use std::collections::HashMap;
use std::sync::Arc;

use landbridge_model::config::Sync;
use landbridge_model::{LinkIntents, ObjectTypeId, SalesforceId};
use landbridge_stage::ConfigView;

use crate::decide::Event;
use crate::facts::{Cause, Directory, End, Slot, Want};
use crate::plan::Announced;

/// The associations of one sync.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) child: Arc<Directory>,
    fields: HashMap<String, (Arc<str>, Arc<Directory>)>,
}

impl Catalog {
    /// `None` as long as the sync is not resolved.
    pub(crate) fn of(sync: &Sync) -> Option<Self> {
        let resolved = sync.resolved.as_ref()?;
        let child = own_directory(sync, &resolved.object_type.object_type_id);
        let fields = resolved.associations.iter().map(|association| {
            let directory = Directory {
                object_type: association.to.clone(),
                property: association.match_property.as_str().into(),
                unique: association.match_unique,
            };
            let slot = association.slot();
            let name: Arc<str> = slot.as_ref().into();
            (slot.to_ascii_lowercase(), (name, Arc::new(directory)))
        });
        Some(Self {
            child,
            fields: fields.collect(),
        })
    }

    /// A slot in the definition's spelling, and where its parents are found.
    pub(crate) fn field(&self, name: &str) -> Option<&(Arc<str>, Arc<Directory>)> {
        self.fields.get(&name.to_ascii_lowercase())
    }

    /// What a message wants, link by link.
    pub(crate) fn intents(&self, intents: &LinkIntents) -> Vec<Event> {
        let cause = Cause::of(&intents.envelope);
        let columns: Vec<_> = intents
            .table
            .iter()
            .filter_map(|(name, column)| self.field(name).map(|(field, parents)| (field, parents, column)))
            .collect();
        let mut events = Vec::with_capacity(intents.children.len() * columns.len());
        for (row, child) in intents.children.iter().enumerate() {
            let (deleted, version) = (intents.deleted[row], intents.versions[row]);
            let mut push = |field: &Arc<str>, want| {
                let slot = Slot {
                    child: *child,
                    sync: intents.envelope.sync.clone(),
                    field: field.clone(),
                };
                let (child, cause) = (self.child.clone(), cause.clone());
                events.push(Event::Intent {
                    slot,
                    child,
                    want,
                    version,
                    cause,
                });
            };
            if deleted {
                self.fields
                    .values()
                    .for_each(|(field, _)| push(field, Want::Dropped));
                continue;
            }
            for (field, parents, column) in &columns {
                match column
                    .get(row)
                    .filter(|cell| !cell.is_empty())
                    .map(SalesforceId::parse)
                {
                    None => push(field, Want::Nobody),
                    Some(Ok(id)) => push(
                        field,
                        Want::Parent(End {
                            directory: (*parents).clone(),
                            id,
                        }),
                    ),
                    Some(Err(error)) => {
                        // The mapper lets no such cell through; were one here, there is nothing to link.
                        tracing::error!(%child, field = %field, %error, "a lookup names no record");
                    }
                }
            }
        }
        events
    }
}

/// Where the records of a sync are found.
pub(crate) fn own_directory(sync: &Sync, object_type: &ObjectTypeId) -> Arc<Directory> {
    Arc::new(Directory {
        object_type: object_type.clone(),
        property: sync.definition.spec.hubspot.id_property.as_str().into(),
        unique: true,
    })
}

/// Where the loader announces what it creates.
pub(crate) fn announced(config: &ConfigView, tenant: &landbridge_model::TenantId) -> Announced {
    let directory = |sync: &Arc<Sync>| {
        let object_type = &sync.resolved.as_ref()?.object_type.object_type_id;
        let directory = own_directory(sync, object_type);
        Some((directory.object_type.clone(), directory.property.clone()))
    };
    Arc::new(config.syncs(tenant).iter().filter_map(directory).collect())
}

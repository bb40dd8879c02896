//! Where a sync's records go, and by which rules.

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::config::Sync;
use landbridge_model::sync::{DeleteRule, MaxDeletes};
use landbridge_model::{Association, ObjectTypeId, SyncName, TenantId};
use landbridge_stage::ShardContext;

/// How long a batch of a sync that is not known yet waits for its definition.
const DEFINITION_WAIT: Duration = Duration::from_secs(30);

/// A sync as the loader needs it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) sync: Arc<Sync>,
    pub(crate) object_type: ObjectTypeId,
    pub(crate) id_property: String,
    pub(crate) deletes: DeleteRule,
    pub(crate) max_deletes: MaxDeletes,
    pub(crate) grace: Option<Duration>,
}

impl Target {
    /// From a definition; `None` while it is not resolved against the portal.
    pub(crate) fn of(sync: &Arc<Sync>) -> Option<Self> {
        let resolved = sync.resolved.as_ref()?;
        let spec = &sync.definition.spec;
        Some(Self {
            sync: sync.clone(),
            object_type: resolved.object_type.object_type_id.clone(),
            id_property: spec.hubspot.id_property.clone(),
            deletes: spec.rules.delete,
            max_deletes: spec.rules.max_deletes.unwrap_or_default(),
            // As it was validated: what another reading of the text would not understand would be no grace at all.
            grace: spec.rules.grace_period().and_then(Result::ok),
        })
    }

    /// The association of a slot.
    pub(crate) fn association(&self, slot: &str) -> Option<&Association> {
        let resolved = self.sync.resolved.as_ref()?;
        resolved
            .associations
            .iter()
            .find(|association| association.slot().eq_ignore_ascii_case(slot))
    }

    /// All associations.
    pub(crate) fn associations(&self) -> &[Association] {
        self.sync
            .resolved
            .as_ref()
            .map_or(&[], |resolved| &resolved.associations)
    }
}

/// The target of a sync, waiting a while for a definition that is still on its way.
pub(crate) async fn find(context: &ShardContext, tenant: &TenantId, sync: &SyncName) -> Option<Target> {
    let look = |config: &landbridge_stage::ConfigView| Target::of(&config.sync(tenant, sync)?);
    if let Some(target) = look(&context.config) {
        return Some(target);
    }
    tokio::time::timeout(DEFINITION_WAIT, context.config.wait_for(look))
        .await
        .ok()
}

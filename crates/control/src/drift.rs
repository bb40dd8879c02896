//! What changed in Salesforce's schema: told, and followed where the definition must be held against both schemas again. The
//! extractor finds it and says what follows.

use landbridge_bus::{AuditLog, Bucket, Key};
use landbridge_model::ask::{FollowSchema, FollowedSchema};
use landbridge_model::drift::SchemaRecord;
use landbridge_model::{SyncName, TenantId};
use landbridge_wire::AskError;
use serde_json::json;

use crate::ask::{AppliedSync, ListSchemaEvents, SchemaEvents, StartImports, Writing};
use crate::definitions;
use crate::shard::{ControlShard, unavailable};

/// Who does what a change of the schema asks for.
const WHO: &str = "landbridge";

impl ControlShard {
    /// What changed in the schema that a sync reads.
    pub(crate) async fn schema_events(
        &self,
        tenant: &TenantId,
        ask: &ListSchemaEvents,
    ) -> Result<SchemaEvents, AskError> {
        definitions::stored(&self.context, tenant, &ask.sync)?;
        let key = Key::new(["schema", tenant.as_str(), ask.sync.as_str()]);
        let bucket = self.context.hub.bus().kv(Bucket::Checkpoints);
        let found = bucket.get_json::<SchemaRecord>(&key).await;
        let found = found.map_err(|error| unavailable(error.into()))?;
        Ok(found.map(|(record, _)| told(record)).unwrap_or_default())
    }

    /// Does what a change asks for. Done twice it starts two imports, of which the second writes nothing that is new.
    pub(crate) async fn follow_schema(
        &self,
        tenant: &TenantId,
        ask: &FollowSchema,
    ) -> Result<FollowedSchema, AskError> {
        let names = vec![ask.sync.clone()];
        let (problems, import) = if ask.back_fill {
            let wanted = StartImports {
                syncs: names,
                writing: Writing::Everything,
                keep_before: false,
                started_by: format!("{WHO}: version {} of the schema", ask.version),
                once: None,
            };
            let started = self.start_imports(tenant, wanted).await?;
            (
                told_of(&started.problems),
                started.imports.into_iter().next().map(|import| import.id),
            )
        } else {
            let lines = definitions::resolve_stored(self, tenant, &names).await?;
            (told_of(&lines), None)
        };
        if problems.is_empty() {
            self.note_followed(tenant, &ask.sync, ask).await?;
        }
        Ok(FollowedSchema { problems, import })
    }

    async fn note_followed(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        ask: &FollowSchema,
    ) -> Result<(), AskError> {
        let what = if ask.back_fill {
            "held against both schemas again, and all records are read again"
        } else {
            "held against both schemas again"
        };
        let detail = format!("version {} of the Salesforce schema: {what}", ask.version);
        let entry =
            json!({ "who": WHO, "action": "sync.schema-followed", "subject": sync, "detail": detail });
        let log = AuditLog::new(self.context.hub.bus());
        let written = log.append(Some(tenant), entry.to_string().into_bytes()).await;
        written.map(drop).map_err(|error| unavailable(error.into()))
    }
}

fn told(record: SchemaRecord) -> SchemaEvents {
    SchemaEvents {
        version: record.version,
        looked_ms: (record.looked_ms > 0).then_some(record.looked_ms),
        events: record.events.into_iter().rev().collect(),
    }
}

fn told_of(lines: &[AppliedSync]) -> Vec<String> {
    let problems = lines.iter().flat_map(|line| &line.problems);
    problems.map(ToString::to_string).collect()
}

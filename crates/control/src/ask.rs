//! Questions that only control answers: the command line, and later the REST API and the console, ask nothing else.
//!
//! Further questions are the model's own: `ListImports`, `ListFailures` and `Explain` of [`landbridge_model::ask`].

use landbridge_bus::seal::Sealed;
use landbridge_model::ask::{
    CallBudget, CallCount, Condition, HubSpotTest, ImportStatus, LiveStatus, Question, SalesforceTest,
};
use landbridge_model::config::{SyncStatus, Tenant};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::validate::Problem;
use landbridge_model::{
    FailureCategory, HubSpotId, ImportId, Lane, LinkOutcome, Outcome, Revision, RunId, SalesforceId,
    StageKind, SyncName, TenantId,
};
use serde::{Deserialize, Serialize};

macro_rules! question {
    ($question:ty, $service:literal, $answer:ty) => {
        impl Question for $question {
            const SERVICE: &'static str = $service;
            type Answer = $answer;
        }
    };
}

mod alerts;
mod dry_run;
mod health;
mod identity;
mod schema;
mod undo;

pub use alerts::{TestAlerts, TriedChannel};
pub use dry_run::{
    CancelDryRun, CountMatching, DryRunLine, DryRunPage, DryRunPart, DryRunProgress, DryRunRecords,
    DryRunReport, DryRunScope, DryRunStarted, DryRunState, ListDryRuns, LookupTotals, MatchingCount,
    StartDryRun,
};

pub use identity::{AdoptOrg, Adopted, ConnectionSide, Disconnect};
pub use schema::{ListSchemaEvents, SchemaEvents};

pub use health::{AskHistory, HistoryStretch, ListParked, ParkedGroup, TenantHistory};
pub use undo::{
    AskRevisionUndo, ImportFate, ListLeft, LiveWrites, PlannedImport, RevisionUndo, RevisionUndoPlan,
    RevisionUndoStatus, StayingImport, UndoImport, UndoRevision,
};

/// It is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Done {}

// ---- tenants and connections

/// Add a tenant, or change its connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutTenant {
    /// The tenant as it shall be. What was pinned (org, portal) is kept while the address stays the same.
    pub tenant: Tenant,
    /// Credentials sealed to the extractor's key; those that are there stay when left out.
    pub salesforce: Option<Sealed>,
    /// Credentials sealed to the loader's key; those that are there stay when left out.
    pub hubspot: Option<Sealed>,
    /// What stays as it is stored, whatever `tenant` says: its asker did not mention it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<TenantPart>,
}
question!(PutTenant, "put-tenant", Change);

/// A part of a tenant that can stay while others change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantPart {
    /// Calls a day to Salesforce.
    DailyCalls,
    /// Whether change events are heard.
    ChangeEvents,
    /// Where the Pub/Sub API is.
    PubsubUrl,
    /// Calls to HubSpot to start from.
    CallsPerTenSeconds,
    /// HubSpot's paths to call.
    ApiVersion,
}

/// Change one thing of a tenant that is there: the rest stays as it is stored at that moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeTenant {
    /// How many calls a day may be made to Salesforce.
    Allocate {
        /// `None` leaves only the reserve alone.
        daily_calls: Option<u64>,
        /// What its editor has seen of the tenant, by [`crate::service::tenant_tag`].
        seen: Seen,
    },
    /// One side's credentials.
    Credentials {
        /// Which side.
        side: ConnectionSide,
        /// Sealed to the key of the worker that uses them.
        sealed: Sealed,
        /// The address that they were given for: they are sent to no other.
        address: String,
    },
}
question!(ChangeTenant, "change-tenant", Done);

/// Adds a tenant or changes its connections, if what is there is what its editor has seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EditTenant {
    /// The tenant as it shall be.
    pub put: PutTenant,
    /// What its editor has seen, by [`crate::service::tenant_tag`].
    pub seen: Seen,
}
question!(EditTenant, "edit-tenant", Change);

/// What a declarative step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was not there.
    Created,
    /// It was there, and is different now.
    Changed,
    /// It was there as it should be.
    Unchanged,
}

impl Change {
    /// The word in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Remove a tenant with its syncs, imports, credentials, and all that waits for it on the bus.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RemoveTenant {}
question!(RemoveTenant, "remove-tenant", Done);

/// Sign in to both sides. Org and portal are pinned when they are seen for the first time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestConnections {}
question!(TestConnections, "test-connections", ConnectionsTest);

/// How both connections stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ConnectionsTest {
    /// Salesforce, when it could be signed in to.
    pub salesforce: Option<SalesforceTest>,
    /// HubSpot, when it could be signed in to.
    pub hubspot: Option<HubSpotTest>,
    /// Everything that is missing or wrong, each with its remedy; empty when all is well.
    pub problems: Vec<String>,
    /// The other tenant whose portal this is already, if that is the trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<TenantId>,
}

// ---- syncs

/// Make definitions what they are given as. All belong to the tenant that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApplySyncs {
    /// The definitions.
    pub definitions: Vec<SyncDefinition>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}
question!(ApplySyncs, "apply-syncs", Applied);

/// The same, for definitions that somebody has looked at before they changed them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EditSyncs {
    /// The definitions.
    pub definitions: Vec<SyncDefinition>,
    /// What must still be so; nothing is written otherwise.
    #[serde(default)]
    pub expected: Vec<Expected>,
    /// Who edits, for the revisions.
    pub by: String,
}
question!(EditSyncs, "edit-syncs", Applied);

/// What somebody has seen of a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Which sync.
    pub name: SyncName,
    /// The tag of the definition that is there; none when there must not be one.
    pub tag: Option<String>,
}

/// What the asker has seen of what is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// It does not say: whatever is there is changed.
    #[default]
    Anything,
    /// That there is nothing.
    Nothing,
    /// What this tag stands for.
    Tag(String),
}

impl Seen {
    /// Whether it is still so, when what is there now has this tag.
    pub(crate) fn holds(&self, now: Option<&str>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => now.is_none(),
            Self::Tag(tag) => now == Some(tag),
        }
    }
}

/// What an apply came to, or would.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Applied {
    /// One a definition, in their order.
    pub syncs: Vec<AppliedSync>,
    /// Whether anything was written: never when there is a problem.
    pub written: bool,
}

impl Applied {
    /// Whether any definition has a problem.
    pub fn has_problems(&self) -> bool {
        self.syncs.iter().any(|sync| !sync.problems.is_empty())
    }
}

/// What became of one definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AppliedSync {
    /// Which sync.
    pub name: SyncName,
    /// What is done to it.
    pub change: Change,
    /// Its revision afterwards.
    pub revision: Revision,
    /// The tag of the definition that was there when it was looked at; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_tag: Option<String>,
    /// What must be put right first.
    pub problems: Vec<Problem>,
    /// What people should know.
    pub notes: Vec<Problem>,
    /// What was created in HubSpot, as sentences.
    #[serde(default)]
    pub provisioned: Vec<String>,
    /// Properties that are mapped anew or otherwise, when records may have been written before: those get them with
    /// their next change, or by an import that writes what was [touched](Writing::Touched).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched_properties: Vec<String>,
    /// Lookup fields that become other associations, when records may have been written before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched_lookups: Vec<String>,
}

/// Turn syncs on, or change their status otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SetSyncs {
    /// Which syncs.
    pub names: Vec<SyncName>,
    /// Active or paused.
    pub status: SyncStatus,
}
question!(SetSyncs, "set-syncs", Applied);

/// Remove syncs.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RemoveSyncs {
    /// Which syncs.
    pub names: Vec<SyncName>,
    /// What is to become of what they wrote.
    #[serde(default)]
    pub records: WrittenRecords,
    /// Who removes them.
    #[serde(default)]
    pub by: String,
    /// What was seen of them. Those that are not named are removed as they are.
    #[serde(default)]
    pub expected: Vec<Expected>,
}
question!(RemoveSyncs, "remove-syncs", Done);

/// What is to become of the records that a sync wrote to HubSpot when it is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenRecords {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are archived as deletes of the sync are: what its safety limit allows at once, the rest when a person approves.
    /// The sync stands still meanwhile, and goes when no delete of it is held any more.
    Delete,
}

// ---- imports

/// What an import writes of the records that it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Writing {
    /// What HubSpot does not have yet.
    #[default]
    Changes,
    /// Everything, also what HubSpot already has.
    Everything,
    /// Only what edits touched since records were written, and only of records that were written: a back-fill.
    Touched,
}

/// Start an import of each sync.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartImports {
    /// Which syncs, parents first.
    pub syncs: Vec<SyncName>,
    /// What they write.
    #[serde(default)]
    pub writing: Writing,
    /// Keep what is there before it is written over, so that the imports can be undone.
    #[serde(default)]
    pub keep_before: bool,
    /// Who starts it.
    #[serde(default)]
    pub started_by: String,
    /// What the ids are derived from: asked with it again, what was started is found and not started again. Of one
    /// asker and one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}
question!(StartImports, "start-imports", StartedImports);

/// What was started: nothing when there is a problem.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartedImports {
    /// The imports, in the order of the syncs.
    pub imports: Vec<StartedImport>,
    /// What must be put right first.
    pub problems: Vec<AppliedSync>,
}

/// One import that was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartedImport {
    /// Of which sync.
    pub sync: SyncName,
    /// Its id.
    pub id: ImportId,
}

/// Stop an import: nothing more is read, what is on its way still arrives.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CancelImport {
    /// Which import.
    pub id: ImportId,
}
question!(CancelImport, "cancel-import", Done);

/// Let an import stand: nothing more is read until it is resumed, what is on its way still arrives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PauseImport {
    /// Which import.
    pub id: ImportId,
}
question!(PauseImport, "pause-import", Done);

/// Let an import go on where it was. One that a person paused runs again; one that was cancelled or has failed is over,
/// and another import goes on in its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResumeImport {
    /// Which import.
    pub id: ImportId,
    /// Who resumes it.
    pub by: String,
}
question!(ResumeImport, "resume-import", StartedImport);

// ---- failures

/// Read refused records again, and try again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RetryFailures {
    /// Only of this sync.
    pub sync: Option<SyncName>,
    /// Only of this category.
    pub category: Option<FailureCategory>,
    /// Only these records; all when empty.
    #[serde(default)]
    pub ids: Vec<SalesforceId>,
}
question!(RetryFailures, "retry-failures", Retried);

/// Strike a failure off the list without another try: a person has seen it, and lets it be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DismissFailure {
    /// Of which sync.
    pub sync: SyncName,
    /// The record; with it go the failures of its links.
    pub id: SalesforceId,
}
question!(DismissFailure, "dismiss-failure", Done);

/// How many records are read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Retried {
    /// Records.
    pub records: u64,
}

// ---- held deletes

/// Which deletes are held? A person's word on them is [`landbridge_model::ask::DecideHeld`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListHeld {
    /// Only of this sync.
    pub sync: Option<SyncName>,
}
question!(ListHeld, "held", Vec<HeldEntry>);

/// A delete that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeldEntry {
    /// Of which sync.
    pub sync: SyncName,
    /// The record.
    pub id: SalesforceId,
    /// When it was deleted in Salesforce, in milliseconds since 1970.
    pub deleted_ms: i64,
    /// When it is written by itself, in milliseconds since 1970; `None` waits for a person.
    pub until_ms: Option<i64>,
    /// Why it is held.
    pub reason: String,
}

// ---- records

/// Which Salesforce record is this HubSpot record?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindByHubSpotId {
    /// The HubSpot record.
    pub id: HubSpotId,
}
question!(FindByHubSpotId, "find-by-hubspot-id", FoundRecord);

/// The record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRecord {
    /// In Salesforce.
    pub id: SalesforceId,
}

// ---- verify

/// Compare a sync's records on both sides; answers at once, ask [`VerifyState`] how it goes.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartVerify {
    /// Which sync.
    pub sync: SyncName,
}
question!(StartVerify, "start-verify", VerifyStarted);

/// It has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyStarted {
    /// Ask by this.
    pub run: RunId,
}

/// How does a verify stand?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyState {
    /// Which one.
    pub run: RunId,
}
question!(VerifyState, "verify-state", VerifyProgress);

/// Where a verify stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyProgress {
    /// What it is doing, in words.
    pub phase: String,
    /// Records compared so far.
    pub compared: u64,
    /// Records listed in HubSpot so far.
    pub listed: u64,
    /// The result, at the end.
    pub report: Option<VerifyReport>,
    /// Why there is none.
    pub trouble: Option<String>,
}

/// What a verify found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifyReport {
    /// Salesforce records compared.
    pub compared: u64,
    /// Links compared.
    pub links: u64,
    /// HubSpot records listed.
    pub listed: u64,
    /// Differences that stood after a second read: missing, extra, different, wrongly linked, refused.
    pub differences: Vec<FoundDifference>,
    /// What the rules keep in HubSpot though Salesforce has it no more, and deletes that are held.
    pub apart: Vec<FoundDifference>,
    /// Records that kept changing while they were looked at.
    pub unsettled: Vec<SalesforceId>,
}

impl VerifyReport {
    /// Differences by kind, those that there are.
    pub fn counts(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<(String, u64)> = Vec::new();
        for difference in &self.differences {
            match counts.iter_mut().find(|(kind, _)| *kind == difference.kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((difference.kind.clone(), 1)),
            }
        }
        counts
    }
}

/// One difference between the two systems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FoundDifference {
    /// `missing`, `extra`, `different`, `wrongly-linked`, `refused`; apart: `kept`, `held`, `waiting`.
    pub kind: String,
    /// The Salesforce record; none for a HubSpot record whose Salesforce id cannot be read.
    pub id: Option<SalesforceId>,
    /// The HubSpot record, when there is one.
    pub hubspot_id: Option<HubSpotId>,
    /// The property or lookup field, when it is about one.
    pub name: Option<String>,
    /// What Salesforce says, mapped.
    pub expected: Option<String>,
    /// What HubSpot says.
    pub actual: Option<String>,
    /// In words.
    pub message: String,
}

/// Read differing records again and write them, whatever was written before; versions, delete rule and safety limit
/// still hold.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Repair {
    /// Of which sync.
    pub sync: SyncName,
    /// Which records.
    pub ids: Vec<SalesforceId>,
}
question!(Repair, "repair", Retried);

// ---- status

/// How does the tenant stand?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AskTenant {}
question!(AskTenant, "tenant-status", TenantStatus);

/// How a tenant stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TenantStatus {
    /// Which tenant.
    pub tenant: String,
    /// Why it stands still, when it does.
    pub suspended: Option<String>,
    /// Its syncs.
    pub syncs: Vec<SyncLine>,
    /// Imports that have not ended.
    pub imports: Vec<ImportStatus>,
    /// Messages in the lanes.
    pub backlog: Vec<LaneDepth>,
    /// Links that wait for a record.
    pub parked: u64,
    /// Records and links that were refused.
    pub failures: u64,
    /// Deletes in grace or awaiting approval.
    pub held: u64,
    /// Records that wait to be read again.
    pub rereads: u64,
    /// From Salesforce commit to HubSpot acknowledgement, over the last day.
    pub latency: LatencyLine,
    /// Calls to Salesforce since its worker took the tenant.
    pub salesforce_calls: Vec<CallCount>,
    /// Calls to HubSpot since its worker took the tenant.
    pub hubspot_calls: Vec<CallCount>,
    /// Changes that were written to HubSpot in the last hour, to five minutes.
    #[serde(default)]
    pub carried_last_hour: u64,
    /// The org's daily calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce_budget: Option<CallBudget>,
    /// The portal's daily calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hubspot_budget: Option<CallBudget>,
    /// What people should know.
    pub notes: Vec<String>,
    /// The same, with its kinds: how the tenant stands is judged by these, and by no text.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

impl TenantStatus {
    /// Adds what people should know.
    pub fn tell(&mut self, condition: Condition) {
        self.notes.push(condition.text.clone());
        self.conditions.push(condition);
    }
}

/// One sync in a status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SyncLine {
    /// Its name.
    pub name: SyncName,
    /// The Salesforce object.
    pub object: String,
    /// The HubSpot object type.
    pub object_type: String,
    /// Whether it runs.
    pub status: SyncStatus,
    /// Why not, if Landbridge stopped it.
    pub reason: Option<String>,
    /// Its revision.
    pub revision: Revision,
    /// Changes by outcome since the account began.
    pub changes: Vec<(Outcome, u64)>,
    /// Links by outcome since the account began.
    pub links: Vec<(LinkOutcome, u64)>,
    /// Records and links of it that were refused.
    #[serde(default)]
    pub failures: u64,
    /// Where its live reading stands.
    pub live: Option<LiveStatus>,
    /// How far HubSpot may be behind Salesforce, in milliseconds, from the live reading's position, or from the change events
    /// while they come; for a running sync.
    pub behind_ms: Option<i64>,
    /// When something last became of a change, in milliseconds since 1970.
    pub last_ms: Option<i64>,
}

/// Messages in one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LaneDepth {
    /// Who reads it.
    pub stage: StageKind,
    /// Which lane.
    pub lane: Lane,
    /// Messages in it.
    pub messages: u64,
}

/// How long changes are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LatencyLine {
    /// Changes measured.
    pub samples: u64,
    /// Half of them took no longer, in milliseconds.
    pub median_ms: Option<i64>,
    /// All but one in a hundred took no longer, in milliseconds.
    pub p99_ms: Option<i64>,
}

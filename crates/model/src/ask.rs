//! Questions and answers between control and the workers, and between workers: JSON documents of these types.
//!
//! A service's name is the constant beside its question. Whoever owns the tenant's shard at the stage answers.

mod stream;

use serde::{Deserialize, Serialize};

use crate::batch::Association;
use crate::config::Sync;
use crate::hubspot::{AssociationLabel, ObjectSchema, PropertyDefinition};
use crate::ids::{HubSpotId, ImportId, ObjectTypeId, Revision, RunId, SalesforceId, SyncName};
use crate::outcome::Failure;
use crate::version::Version;

pub use stream::{FallBack, StreamState, StreamStatus};

/// A question, with the service that answers it and the type of the answer.
pub trait Question: Serialize + for<'de> Deserialize<'de> + Send {
    /// The service's name on the bus.
    const SERVICE: &'static str;
    /// What comes back.
    type Answer: Serialize + for<'de> Deserialize<'de> + Send;
}

macro_rules! question {
    ($question:ty, $service:literal, $answer:ty) => {
        impl Question for $question {
            const SERVICE: &'static str = $service;
            type Answer = $answer;
        }
    };
}

mod condition;
mod estimate;
mod undo;

pub use condition::{Condition, ConditionKind};
pub use estimate::{Estimate, EstimateReading, EstimateWriting, EstimatedCalls, EstimatedLinks};
pub use undo::{UndoPage, UndoStatus, UndonePage};

// ---- of the extractor

/// Does the Salesforce connection work, who are we there, what is allowed?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestSalesforce {}
question!(TestSalesforce, "test-salesforce", SalesforceTest);

/// How the Salesforce connection stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SalesforceTest {
    /// The org's 18-character id.
    pub org_id: String,
    /// The org's name, as its company information has it; none when the user may not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_name: Option<String>,
    /// The user that Landbridge is there.
    pub user: String,
    /// Where calls go.
    pub instance_url: String,
    /// API version in use.
    pub api_version: String,
    /// API calls allowed in a day.
    pub daily_calls_max: Option<u64>,
    /// API calls left of them.
    pub daily_calls_left: Option<u64>,
    /// The org's clock, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ms: Option<i64>,
    /// What is missing, each with its remedy; empty when all is well.
    pub problems: Vec<String>,
}

/// Which objects are there?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListObjects {}
question!(ListObjects, "objects", Vec<ObjectSummary>);

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ObjectSummary {
    /// API name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Whether it is a custom object.
    pub custom: bool,
}

/// What fields does an object have?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DescribeObject {
    /// API name.
    pub object: String,
}
question!(DescribeObject, "describe", crate::salesforce::ObjectDescribe);

/// How many records would an import of this sync read?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CountRecords {
    /// The sync; its filter applies.
    pub sync: SyncName,
    /// The sync as it would be, resolved; the stored one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Box<Sync>>,
}
question!(CountRecords, "count", Count);

/// A number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Count {
    /// So many match the filter.
    pub count: u64,
    /// So many there are, whatever the filter says.
    #[serde(default)]
    pub total: u64,
    /// Whether `count` is the filter's own: a condition that Salesforce cannot say in a query lets more through.
    #[serde(default)]
    pub exact: bool,
}

/// Read all records of a sync into the check lane, under this run; answers at once, tells its end by a report.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartCompare {
    /// The sync.
    pub sync: SyncName,
    /// The run's id.
    pub run: RunId,
    /// Only these records; all when empty.
    #[serde(default)]
    pub ids: Vec<SalesforceId>,
    /// A dry run: the run's draft is compared, not a stored sync.
    #[serde(default)]
    pub draft: bool,
    /// Only so many records, those that a query gives first; all when left out.
    #[serde(default)]
    pub sample: Option<u64>,
}
question!(StartCompare, "compare", Started);

/// Look for what HubSpot has of a sync in Salesforce, now: what was purged, and what HubSpot is behind with. Answers at once,
/// also when one is under way already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartReconcile {
    /// The sync.
    pub sync: SyncName,
}
question!(StartReconcile, "reconcile", ReconcileStatus);

/// How a look for a sync's records in Salesforce stands, or how the last one ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReconcileStatus {
    /// When it began, in milliseconds since 1970 by the org's clock: the version of what it finds absent.
    pub began_ms: i64,
    /// Whether it is still to end.
    pub is_running: bool,
    /// Records of HubSpot that were looked for in Salesforce.
    pub looked_for: u64,
    /// Of them, those that Salesforce shows with a newer stamp than HubSpot has, and that were read again.
    pub behind: u64,
    /// Those that Salesforce has deleted, and keeps in the recycle bin.
    pub deleted: u64,
    /// Those of which Salesforce shows nothing.
    pub absent: u64,
    /// The same, where a person has decided to keep them.
    pub kept: u64,
}

/// Which of a sync's mapped fields change without a stamp, and what reading them again costs?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskFormulas {
    /// The sync.
    pub sync: SyncName,
}
question!(AskFormulas, "formulas", FormulaReading);

/// How a sync's records are read again for the sake of formulas and parents' fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FormulaReading {
    /// The mapped fields that change without their record being stamped.
    pub fields: Vec<crate::formula::Unstamped>,
    /// How often all records are read again, in seconds; never when none.
    pub every_seconds: Option<u64>,
    /// Records that are read then.
    pub records: u64,
    /// Calls to Salesforce that one reading of all takes.
    pub calls: u64,
    /// Calls a day that all of it takes: readings of all by their schedule, and looks at parents.
    pub calls_per_day: u64,
    /// When all records were read last, in milliseconds since 1970 by the org's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<i64>,
    /// Records that were read then.
    pub last_read: u64,
    /// Of them, those that said something new and were sent on.
    pub last_sent: u64,
}

/// Read no more for a compare. What is on its way still travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StopCompare {
    /// The run.
    pub run: RunId,
}
question!(StopCompare, "stop-compare", Started);

/// It has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Started {}

/// What the two systems' calls have cost since this worker started, and where the live sources stand.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AskStatus {}
question!(AskStatus, "status", StageStatus);

/// How a stage stands with one tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StageStatus {
    /// Calls to the outside by family, since the worker took the shard.
    pub calls: Vec<CallCount>,
    /// Messages in hand by lane.
    pub in_hand: Vec<(crate::ids::Lane, u64)>,
    /// For the extractor: each live source.
    pub live: Vec<LiveStatus>,
    /// For the resolver: links that wait.
    pub parked: u64,
    /// What people should know, such as "daily limit reached, resumes at …".
    pub notes: Vec<String>,
    /// The same, with its kinds.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// For extractor and loader: the account's daily calls, once an answer has told them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<CallBudget>,
}

/// An account's daily calls, and Landbridge's part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallBudget {
    /// Calls that the account may make in a day.
    pub limit: u64,
    /// Calls that everything in the account has made of them.
    pub used: u64,
    /// Calls of the last day that this worker has made, since it took the tenant; none where they are not counted apart.
    pub own: Option<u64>,
    /// Calls that Landbridge may make.
    pub allocated: u64,
    /// Calls that Landbridge leaves to others.
    pub reserved: u64,
    /// Calls that the day will have seen at its end, at the pace of the last minutes; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<u64>,
}

/// How often a family of calls was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallCount {
    /// Such as `query`, `bulk`, `objects`, `associations`.
    pub family: String,
    /// Calls made.
    pub calls: u64,
    /// Of them, refused for a rate limit.
    pub refused: u64,
}

/// Where a sync's live reading stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveStatus {
    /// The sync.
    pub sync: SyncName,
    /// Everything before this is on the bus: milliseconds since 1970 by the org's clock.
    pub covered_ms: i64,
    /// How far behind the org's clock the window's end is kept, in milliseconds.
    pub lag_ms: u64,
    /// The last trouble, if reading has not succeeded since.
    pub trouble: Option<String>,
    /// How its object's change events stand; none where there are to be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamStatus>,
    /// How its records are looked for in Salesforce, as far as the worker has seen it; none where they were not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<ReconcileStatus>,
}

// ---- of every stage

/// What do you know of this record?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explain {
    /// The record.
    pub id: SalesforceId,
}
question!(Explain, "explain", Story);

/// What a stage knows of a record, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Story {
    /// One fact each.
    pub lines: Vec<StoryLine>,
    /// What last became of it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<LatestOutcome>,
}

/// What last became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LatestOutcome {
    /// The verdict.
    pub outcome: crate::outcome::Outcome,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The HubSpot record that it was written as, as far as was told.
    pub hubspot_id: Option<HubSpotId>,
}

/// One fact about a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StoryLine {
    /// When it became so, in milliseconds since 1970, if it has a time.
    pub at_ms: Option<i64>,
    /// Who says it.
    pub stage: crate::ids::StageKind,
    /// In which sync.
    pub sync: Option<SyncName>,
    /// The fact, as a sentence for a person.
    pub text: String,
}

// ---- of the loader

/// Does the HubSpot connection work, which portal is it, what is allowed?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestHubSpot {}
question!(TestHubSpot, "test-hubspot", HubSpotTest);

/// How the HubSpot connection stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HubSpotTest {
    /// The portal.
    pub portal_id: u64,
    /// `STANDARD`, `SANDBOX`, …
    pub account_type: String,
    /// The zone whose midnight resets the daily limit.
    pub time_zone: String,
    /// Where people sign in to the portal, such as `app-eu1.hubspot.com`; an account has no name. None when it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ui_domain: Option<String>,
    /// Where its data lies, such as `eu1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_hosting: Option<String>,
    /// Calls per ten seconds, by the headers.
    pub burst_max: Option<u64>,
    /// Calls a day.
    pub daily_max: Option<u64>,
    /// Calls left of them.
    pub daily_left: Option<u64>,
    /// Custom object types allowed and used.
    pub object_types: Option<LimitUse>,
    /// What is missing, each with its remedy; empty when all is well.
    pub problems: Vec<String>,
}

/// A limit and how much of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LimitUse {
    /// Allowed.
    pub limit: u64,
    /// Used.
    pub used: u64,
}

/// Which custom object types does the portal have?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListSchemas {}
question!(ListSchemas, "schemas", Vec<ObjectSchema>);

/// What does this object type look like? Standard types go by their names (`companies`) too.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GetSchema {
    /// Name, fully qualified name or id.
    pub object_type: String,
}
question!(GetSchema, "schema", ObjectSchema);

/// Which association labels does a pair have?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GetLabels {
    /// Child's type.
    pub from: ObjectTypeId,
    /// Parent's type.
    pub to: ObjectTypeId,
}
question!(GetLabels, "labels", Vec<AssociationLabel>);

/// Create what a sync needs and the portal lacks: the unique property, `landbridge_version`, their group, labels.
/// Idempotent.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Provision {
    /// The sync's object type.
    pub object_type: ObjectTypeId,
    /// The unique property.
    pub id_property: String,
    /// Associations wanted.
    pub associations: Vec<WantedAssociation>,
    /// Options to add to enumerations, for rules that say so.
    #[serde(default)]
    pub options: Vec<WantedOption>,
}
question!(Provision, "provision", Provisioned);

/// An association that a sync wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WantedAssociation {
    /// The lookup field.
    pub field: String,
    /// Which of the objects that the field may lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<crate::batch::LookupTarget>,
    /// Parent's type.
    pub to: ObjectTypeId,
    /// The property by which the parent is found.
    pub match_property: String,
    /// The label; plain when none.
    pub label: Option<String>,
}

/// An option that a sync wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WantedOption {
    /// The enumeration.
    pub property: String,
    /// The option.
    pub value: String,
}

/// What the portal now has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Provisioned {
    /// The object type, read afresh.
    pub object_type: ObjectSchema,
    /// The associations, in the order in which they were wanted.
    pub associations: Vec<Association>,
    /// What was created, as sentences.
    pub created: Vec<String>,
}

/// Create an object type from a proposal (rehearsals, and the wizard).
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreateObjectType {
    /// HubSpot's own document of `POST …/schemas`.
    pub schema: serde_json::Value,
}
question!(CreateObjectType, "create-object-type", ObjectSchema);

/// Create a property of an object type, in Landbridge's own group; answers when HubSpot shows it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreateProperty {
    /// Of which type.
    pub object_type: ObjectTypeId,
    /// As it shall be.
    pub property: PropertyDefinition,
}
question!(CreateProperty, "create-property", PropertyDefinition);

/// Which HubSpot records are these Salesforce records?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindIdentities {
    /// Their type.
    pub object_type: ObjectTypeId,
    /// The property that holds the Salesforce id.
    pub property: String,
    /// Whether it is unique: then it is read at once, else looked up in a scan that is kept fresh.
    pub unique: bool,
    /// Whether what the loader remembers will do, once it has listed the type: it has written everything since. Saves a call
    /// for each hundred parents that are only just on their way; whoever looks for what others did in HubSpot asks without.
    #[serde(default)]
    pub remembered: bool,
    /// The Salesforce records.
    pub ids: Vec<SalesforceId>,
}
question!(FindIdentities, "identities", FoundIdentities);

/// Those that are there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FoundIdentities {
    /// Pairs; what is not here is not in HubSpot.
    pub found: Vec<(SalesforceId, HubSpotId)>,
    /// Salesforce records that two or more HubSpot records claim to be: a failure to show, never a guess.
    pub ambiguous: Vec<(SalesforceId, Vec<HubSpotId>)>,
    /// What `landbridge_version` says of those found, where it was read: an older link intent than that is stale.
    #[serde(default)]
    pub versions: Vec<(SalesforceId, Version)>,
}

/// A person's word on deletes that are held: write them, or let them be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecideHeld {
    /// Of which sync.
    pub sync: SyncName,
    /// Of which records; all that the sync holds when empty.
    #[serde(default)]
    pub ids: Vec<SalesforceId>,
    /// What is to become of them.
    pub decision: HeldDecision,
}
question!(DecideHeld, "decide-held", Decided);

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Decided {
    /// Of so many held deletes.
    pub count: u64,
}

/// Send again what HubSpot refused, as it was: nothing is asked of Salesforce.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendAgain {
    /// Of which sync.
    pub sync: SyncName,
    /// Which records.
    pub ids: Vec<SalesforceId>,
}
question!(SendAgain, "send-again", SentAgain);

/// What will be sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAgain {
    /// These records. The others must be read again: an older revision mapped them, or they failed elsewhere.
    pub ids: Vec<SalesforceId>,
}

/// What is to become of held deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeldDecision {
    /// The records are archived in HubSpot, unless they came back meanwhile.
    Approve,
    /// HubSpot keeps the records.
    Discard,
}

/// A page of what the portal holds of a type.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListRecords {
    /// The type.
    pub object_type: ObjectTypeId,
    /// The unique property.
    pub id_property: String,
    /// Where the last page ended.
    pub after: Option<String>,
}
question!(ListRecords, "records", RecordPage);

/// Records of a portal, by listing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<ListedRecord>,
    /// Where to go on; none at the end.
    pub after: Option<String>,
}

/// A HubSpot record in a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListedRecord {
    /// HubSpot's id.
    pub hubspot_id: HubSpotId,
    /// The unique property's value, as it stands.
    pub salesforce_id: Option<String>,
    /// `landbridge_version`, as it stands: only ours have one.
    pub version: Option<String>,
}

/// Hold the deletes of a page of what a sync wrote, because the sync is removed with it. What the safety limit allows is
/// due at once, the rest waits for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HoldWritten {
    /// Which sync.
    pub sync: SyncName,
    /// Where the last page ended.
    pub after: Option<String>,
}
question!(HoldWritten, "hold-written", HeldPage);

/// What came of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPage {
    /// Deletes that are written at once.
    pub due: u64,
    /// Deletes that wait for a person.
    pub waiting: u64,
    /// Where to go on; none at the end.
    pub after: Option<String>,
}

// ---- of every stage that holds a key

/// Seal this tenant's secrets to the current key of whoever is asked, whichever of its earlier keys they are sealed to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reseal {}
question!(Reseal, "reseal", Vec<SealedSecret>);

/// How a secret is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SealedSecret {
    /// What it is and whose, in words.
    pub what: String,
    /// The public key it is sealed to, base64.
    pub to: String,
    /// Why it cannot be opened, and what to do; none when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

// ---- of control

/// Follow a change of Salesforce's schema: hold the sync's definition against both schemas again, and start an import that
/// writes over what is there, if all records are to be read again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FollowSchema {
    /// Which sync.
    pub sync: SyncName,
    /// The version of the schema, as its events count them.
    pub version: u32,
    /// Whether all records are to be read again.
    pub back_fill: bool,
}
question!(FollowSchema, "follow-schema", FollowedSchema);

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedSchema {
    /// What must be put right first; then nothing was done.
    pub problems: Vec<String>,
    /// The import that was started.
    pub import: Option<ImportId>,
}

/// Where do this tenant's imports stand?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListImports {
    /// Only this one.
    pub id: Option<ImportId>,
}
question!(ListImports, "imports", Vec<ImportStatus>);

/// How an import stands: design's conservation, computed from outcomes and lanes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportStatus {
    /// Its id.
    pub id: ImportId,
    /// Of which sync.
    pub sync: SyncName,
    /// The revision it runs for.
    pub revision: Revision,
    /// Queued, Counting, Running, Paused, Completed, Completed with errors, Failed, Canceled, Undoing, Undone.
    pub state: String,
    /// Salesforce's own total, when known.
    pub salesforce_total: Option<u64>,
    /// Distinct records put on the bus.
    pub extracted: u64,
    /// Distinct records by their latest outcome.
    pub outcomes: Vec<(crate::outcome::Outcome, u64)>,
    /// Distinct records counted in the lanes.
    pub in_flight: u64,
    /// Links by their latest outcome.
    pub links: Vec<(crate::outcome::LinkOutcome, u64)>,
    /// Settled records a second, lately.
    pub rate: f64,
    /// How long the rest takes at this rate, in seconds; absent while the total is not known, nothing settles, or the import
    /// stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_seconds: Option<f64>,
    /// Who started it.
    #[serde(default)]
    pub started_by: String,
    /// Started, milliseconds since 1970.
    pub started_ms: i64,
    /// Ended, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// Extracted less settled less in flight: 0, or something is wrong.
    pub unaccounted: i64,
    /// Why it failed.
    pub reason: Option<String>,
    /// Imports that are read first, while it is queued behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<ImportId>,
    /// Whether it keeps what was there before, so that it can be undone.
    #[serde(default)]
    pub keeps_before: bool,
    /// Its undo, when one was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoStatus>,
}

/// Which records failed?
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ListFailures {
    /// Only of this sync.
    pub sync: Option<SyncName>,
    /// Only this record.
    pub id: Option<SalesforceId>,
}
question!(ListFailures, "failures", Vec<FailureEntry>);

/// A record that failed, as it stands in the memory of failures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FailureEntry {
    /// Of which sync.
    pub sync: SyncName,
    /// The record.
    pub id: SalesforceId,
    /// The change.
    pub version: Version,
    /// Who refused it.
    pub stage: crate::ids::StageKind,
    /// Why.
    pub failure: Failure,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// The lookup field, when it is a link that failed.
    pub link_field: Option<String>,
    /// The import that brought the change, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

//! Questions about dry runs: what an import of a definition would do, before the definition is applied.

use landbridge_model::ask::{Estimate, Question};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::validate::Problem;
use landbridge_model::{
    FailureCategory, LinkStance, Outcome, PredictedRecord, RunId, SalesforceId, SyncName,
};
use serde::{Deserialize, Serialize};

use super::{AppliedSync, Done};

/// Find out what an import of a definition would do. Nothing is written anywhere. Answers at once, ask [`DryRunState`]
/// how it goes.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StartDryRun {
    /// The definition. It need not be applied.
    pub definition: SyncDefinition,
    /// Over which records.
    pub scope: DryRunScope,
    /// Further definitions that would be applied with it, such as those of its parents.
    #[serde(default)]
    pub together: Vec<SyncDefinition>,
    /// Earlier dry runs whose records count as there: those of the parents that would be imported first.
    #[serde(default)]
    pub assuming: Vec<RunId>,
    /// The object type that would be created, when the portal has none of the definition's name. Its id means nothing.
    #[serde(default)]
    pub proposed: Option<ObjectSchema>,
}
question!(StartDryRun, "start-dry-run", DryRunStarted);

/// Over which records a dry run goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DryRunScope {
    /// All that an import would read.
    All,
    /// Only so many of them, in the order of their ids.
    Sample(u64),
    /// These records, whatever the filter says of them.
    Ids(Vec<SalesforceId>),
}

/// It has begun, or the definition has problems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunStarted {
    /// Ask by this; `None` when there is a problem.
    pub run: Option<RunId>,
    /// What applying the definition would do, and what is wrong with it.
    pub checked: AppliedSync,
}

/// How does a dry run stand?
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunState {
    /// Which one.
    pub run: RunId,
}
question!(DryRunState, "dry-run-state", DryRunProgress);

/// Which dry runs are remembered? The newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListDryRuns {}
question!(ListDryRuns, "dry-runs", Vec<DryRunLine>);

/// One dry run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunLine {
    /// Ask by this.
    pub run: RunId,
    /// Of which definition.
    pub sync: SyncName,
    /// What it is doing, in words: counting, comparing, estimating, done, canceled, broken off.
    pub phase: String,
    /// Whether nothing more comes.
    pub over: bool,
    /// Records answered so far.
    pub answered: u64,
    /// Records to be answered, when known.
    pub expected: Option<u64>,
}

/// Stop a dry run. What it has found so far can still be asked for.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CancelDryRun {
    /// Which one.
    pub run: RunId,
}
question!(CancelDryRun, "cancel-dry-run", Done);

/// Where a dry run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunProgress {
    /// What it is doing, in words: counting, comparing, estimating, done, canceled, broken off.
    pub phase: String,
    /// Whether nothing more comes.
    pub over: bool,
    /// Records answered so far.
    pub answered: u64,
    /// Records to be answered, when known.
    pub expected: Option<u64>,
    /// Records so far by what would become of them.
    pub outcomes: Vec<(Outcome, u64)>,
    /// The result, at the end.
    pub report: Option<DryRunReport>,
    /// Why there is none.
    pub trouble: Option<String>,
}

/// What an import would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunReport {
    /// Of which definition.
    pub sync: SyncName,
    /// Over which records.
    pub scope: DryRunScope,
    /// How many records there are, and how many of them match the filter.
    pub records: MatchingCount,
    /// Records that were looked at.
    pub compared: u64,
    /// Records by what would become of them; those that there are.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Of the updated: those of which nothing would change but Landbridge's own properties.
    pub marked_only: u64,
    /// Refused records by category.
    pub failures: Vec<(FailureCategory, u64)>,
    /// Filtered records by the condition that they miss.
    pub filtered_by: Vec<(String, u64)>,
    /// Links by lookup.
    pub links: Vec<LookupTotals>,
    /// What would be created in HubSpot first, as sentences.
    pub would_create: Vec<String>,
    /// What reading costs.
    pub salesforce: Estimate,
    /// What writing costs.
    pub hubspot: Estimate,
    /// Whether the costs are those of all records, reckoned from the sample.
    pub extrapolated: bool,
    /// Records that were asked for by id, and that Salesforce does not show.
    pub unseen: Vec<SalesforceId>,
    /// Records that can be shown, at most, of each outcome and each stance of links; the totals are of all.
    pub shown_max: u64,
    /// What nobody can predict, as sentences: nothing of it is in the numbers.
    pub unpredictable: Vec<String>,
    /// What people should know of the definition.
    pub notes: Vec<Problem>,
}

/// The links of one lookup by where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LookupTotals {
    /// The lookup field.
    pub field: String,
    /// The parents' object type, as the definition names it.
    pub to: String,
    /// Links by stance; those that there are.
    pub links: Vec<(LinkStance, u64)>,
}

/// Show records of a dry run, a page at a time, in the order of their ids.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunPage {
    /// Of which one.
    pub run: RunId,
    /// Which records.
    pub part: DryRunPart,
    /// Where the last page ended.
    #[serde(default)]
    pub after: Option<SalesforceId>,
    /// At most so many; a page may be shorter when its records are large.
    pub limit: usize,
}
question!(DryRunPage, "dry-run-page", DryRunRecords);

/// Which records of a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DryRunPart {
    /// Those that would end so.
    Outcome(Outcome),
    /// Those that have a link that stands so.
    Link(LinkStance),
}

/// A page of records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DryRunRecords {
    /// The records.
    pub records: Vec<PredictedRecord>,
    /// Where to go on; none at the end.
    pub after: Option<SalesforceId>,
    /// So many can be shown.
    pub kept: u64,
    /// So many there are: records, or links.
    pub total: u64,
}

/// How many records does a definition's filter let through? The rest of the definition need not be finished.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CountMatching {
    /// The definition.
    pub definition: SyncDefinition,
}
question!(CountMatching, "count-matching", MatchingCount);

/// Records in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MatchingCount {
    /// Records that match the filter.
    pub matching: u64,
    /// Records that there are.
    pub total: u64,
    /// Whether `matching` is the filter's own: a condition that Salesforce cannot count by lets more through.
    pub exact: bool,
}

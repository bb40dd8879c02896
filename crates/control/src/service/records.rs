//! Single records: what was refused, and any record's story; and whole syncs compared.

use landbridge_model::ask::{
    Explain, FailureEntry, LatestOutcome, ListFailures, ReconcileStatus, StartReconcile, StoryLine,
};
use landbridge_model::{FailureCategory, HubSpotId, ImportId, RunId, SalesforceId, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use crate::ask::{
    FindByHubSpotId, Repair, Retried, RetryFailures, StartVerify, VerifyProgress, VerifyStarted, VerifyState,
};

/// Which failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureFilter {
    /// Only of this sync.
    pub sync: Option<SyncName>,
    /// Only of this category.
    pub category: Option<FailureCategory>,
    /// Only of this record.
    pub id: Option<SalesforceId>,
    /// Only what this import brought.
    pub import: Option<ImportId>,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureGroup {
    /// Of which sync.
    pub sync: SyncName,
    /// Why.
    pub category: FailureCategory,
    /// How many.
    pub count: u64,
    /// When the newest was refused, in milliseconds since 1970.
    pub latest_ms: i64,
}

/// Which failures to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// Only of this sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncName>,
    /// Only of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<FailureCategory>,
    /// Only these records; all when empty.
    #[serde(default)]
    pub ids: Vec<SalesforceId>,
}

/// A record's story.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordStory {
    /// The Salesforce record.
    pub id: SalesforceId,
    /// Where it is in Salesforce.
    pub salesforce_url: String,
    /// The syncs that carry its object.
    pub syncs: Vec<SyncName>,
    /// What last became of it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<LatestOutcome>,
    /// Whether it is among the failures now.
    pub refused: bool,
    /// What is known of it, in the order of time.
    pub lines: Vec<StoryLine>,
}

/// What somebody may write to mean a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordQuery {
    Salesforce(SalesforceId),
    HubSpot(HubSpotId),
}

/// A Salesforce id, an address of a record in Salesforce or HubSpot, or a HubSpot id.
pub(crate) fn parse_query(text: &str) -> Option<RecordQuery> {
    let text = text.trim();
    let parts = text
        .split(['/', '?', '&', '=', '#'])
        .filter(|part| !part.is_empty());
    let is_address = text.contains("://");
    let mut parts: Vec<&str> = parts.collect();
    // In an address the record stands behind its object and its portal.
    parts.reverse();
    if !is_address {
        parts.truncate(1);
    }
    for part in &parts {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        // A number of 15 digits could be either: HubSpot's ids are shorter by far, Salesforce's begin with letters or
        // zeros.
        if is_number && part.len() < 15 {
            return part.parse().ok().map(RecordQuery::HubSpot);
        }
        if let Ok(id) = SalesforceId::parse(part) {
            return Some(RecordQuery::Salesforce(id));
        }
    }
    None
}

impl TenantService {
    async fn failures_of(&self, filter: &FailureFilter) -> Result<Vec<FailureEntry>, ServiceError> {
        self.require(Role::Viewer)?;
        let question = ListFailures {
            sync: filter.sync.clone(),
            id: filter.id,
        };
        let run = filter.import.as_ref().map(RunId::from);
        let mut entries = self.ask_control(&question).await?;
        entries.retain(|entry| {
            filter
                .category
                .is_none_or(|category| category == entry.failure.category)
                && (run.is_none() || entry.run == run)
        });
        entries.sort_by_key(failure_key);
        Ok(entries)
    }

    /// What was refused, newest first.
    pub async fn failures(
        &self,
        filter: &FailureFilter,
        request: &PageRequest,
    ) -> Result<Page<FailureEntry>, ServiceError> {
        paginate(self.failures_of(filter).await?, failure_key, request)
    }

    /// How much was refused, by sync and category, the most first.
    pub async fn failure_groups(&self) -> Result<Vec<FailureGroup>, ServiceError> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        for entry in self.failures_of(&FailureFilter::default()).await? {
            let category = entry.failure.category;
            match groups
                .iter_mut()
                .find(|group| group.sync == entry.sync && group.category == category)
            {
                Some(group) => {
                    group.count += 1;
                    group.latest_ms = group.latest_ms.max(entry.at_ms);
                }
                None => groups.push(FailureGroup {
                    sync: entry.sync,
                    category,
                    count: 1,
                    latest_ms: entry.at_ms,
                }),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(groups)
    }

    /// What was refused of one record.
    pub async fn failures_of_record(&self, id: SalesforceId) -> Result<Vec<FailureEntry>, ServiceError> {
        self.require(Role::Viewer)?;
        let question = ListFailures {
            sync: None,
            id: Some(id),
        };
        let entries = self.ask_control(&question).await?;
        if entries.is_empty() {
            return Err(ServiceError::NotFound(format!(
                "{id} has no failure in {}",
                self.id()
            )));
        }
        Ok(entries)
    }

    /// All that was refused, as a CSV file.
    pub async fn failures_csv(&self, filter: &FailureFilter) -> Result<Vec<u8>, ServiceError> {
        let entries = self.failures_of(filter).await?;
        csv_of(&entries, |id| self.salesforce_url(id))
            .map_err(|error| ServiceError::Internal(format!("the file cannot be written: {error}")))
    }

    /// What an import brought and is still refused, as a CSV file.
    pub async fn import_errors_csv(&self, id: &ImportId) -> Result<Vec<u8>, ServiceError> {
        let import = self.import(id).await?;
        let filter = FailureFilter {
            sync: Some(import.sync),
            import: Some(id.clone()),
            ..FailureFilter::default()
        };
        self.failures_csv(&filter).await
    }

    /// Where a record is in Salesforce: My Domain leads to its page by the id alone.
    pub fn salesforce_url(&self, id: SalesforceId) -> String {
        format!("{}/{id}", self.tenant.salesforce.login_url)
    }

    /// Where a record is in HubSpot, in the portal that the tenant is pinned to; none in a rehearsal's.
    pub(crate) fn hubspot_url(&self, sync: &SyncName, id: HubSpotId) -> Option<String> {
        let hubspot = &self.tenant.hubspot;
        let portal = hubspot
            .portal_id
            .filter(|_| hubspot.base_url == "https://api.hubapi.com")?;
        let sync = self.service.config().sync(self.id(), sync)?;
        let object_type = &sync.resolved.as_ref()?.object_type.object_type_id;
        Some(format!(
            "https://app.hubspot.com/contacts/{portal}/record/{object_type}/{id}"
        ))
    }

    /// The names of the tenant's syncs.
    pub(crate) fn sync_names(&self) -> Vec<SyncName> {
        let syncs = self.service.config().syncs(self.id());
        syncs
            .iter()
            .map(|sync| sync.definition.metadata.name.clone())
            .collect()
    }

    /// Reads refused records again, and tries again.
    pub async fn retry_failures(&self, request: RetryRequest) -> Result<Retried, ServiceError> {
        self.require(Role::Operator)?;
        let subject = request
            .sync
            .as_ref()
            .map_or_else(|| "all".to_owned(), ToString::to_string);
        let question = RetryFailures {
            sync: request.sync,
            category: request.category,
            ids: request.ids,
        };
        self.audited("failures.retried", &subject, async {
            let retried = self.ask_control(&question).await?;
            let change = Change::told(format!("{} records", retried.records));
            Ok((retried, change.into()))
        })
        .await
    }

    /// The story of a record, by its Salesforce id, its address in Salesforce or HubSpot, or its HubSpot id.
    pub async fn explain(&self, query: &str) -> Result<RecordStory, ServiceError> {
        self.require(Role::Viewer)?;
        let parsed = parse_query(query).ok_or_else(|| {
            ServiceError::invalid(
                "this is no Salesforce id (15 or 18 characters), no address of a record, and no HubSpot id (a number)",
            )
        })?;
        let id = match parsed {
            RecordQuery::Salesforce(id) => id,
            RecordQuery::HubSpot(id) => self.ask_control(&FindByHubSpotId { id }).await?.id,
        };
        let (question, failures) = (
            Explain { id },
            ListFailures {
                sync: None,
                id: Some(id),
            },
        );
        let (story, failures) = futures::try_join!(self.ask_control(&question), self.ask_control(&failures))?;
        Ok(RecordStory {
            id,
            salesforce_url: self.salesforce_url(id),
            syncs: self.syncs_of(id),
            latest: story.latest,
            refused: !failures.is_empty(),
            lines: story.lines,
        })
    }

    /// The syncs that carry a record's object, by the first three characters of its id.
    pub(crate) fn syncs_of(&self, id: SalesforceId) -> Vec<SyncName> {
        let syncs = self.service.config().syncs(self.id());
        let carries = syncs.iter().filter(|sync| {
            let resolved = sync.resolved.as_ref();
            resolved.is_some_and(|resolved| resolved.object.key_prefix.as_deref() == Some(id.key_prefix()))
        });
        carries
            .map(|sync| sync.definition.metadata.name.clone())
            .collect()
    }

    /// Has what HubSpot has of a sync looked for in Salesforce now. A look that is under way already is the one that is wanted.
    pub async fn start_reconcile(&self, sync: &SyncName) -> Result<ReconcileStatus, ServiceError> {
        self.require(Role::Operator)?;
        self.stored_sync(sync)?;
        self.audited("reconcile.started", sync.as_str(), async {
            let status = self.ask_control(&StartReconcile { sync: sync.clone() }).await?;
            let is_new = status.looked_for == 0;
            let change = Change::told(if is_new { "" } else { "one was under way" });
            Ok((status, change.into()))
        })
        .await
    }

    /// Begins to compare a sync's records on both sides.
    pub async fn start_verify(&self, sync: &SyncName) -> Result<VerifyStarted, ServiceError> {
        self.require(Role::Operator)?;
        self.stored_sync(sync)?;
        self.audited("verify.started", sync.as_str(), async {
            let started = self.ask_control(&StartVerify { sync: sync.clone() }).await?;
            let change = Change::told(started.run.as_str());
            Ok((started, change.into()))
        })
        .await
    }

    /// How a verify stands.
    pub async fn verify_state(&self, run: &RunId) -> Result<VerifyProgress, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask_control(&VerifyState { run: run.clone() }).await
    }

    /// Reads records again and writes them, whatever was written before.
    pub async fn repair(&self, sync: &SyncName, ids: Vec<SalesforceId>) -> Result<Retried, ServiceError> {
        self.require(Role::Operator)?;
        self.stored_sync(sync)?;
        let question = Repair {
            sync: sync.clone(),
            ids,
        };
        self.audited("records.repaired", sync.as_str(), async {
            let repaired = self.ask_control(&question).await?;
            let change = Change::told(format!("{} records", repaired.records));
            Ok((repaired, change.into()))
        })
        .await
    }
}

/// By what failures are ordered: the newest first.
pub(crate) type FailureKey = (std::cmp::Reverse<i64>, SyncName, SalesforceId, Option<String>);

pub(crate) fn failure_key(entry: &FailureEntry) -> FailureKey {
    let newest_first = std::cmp::Reverse(entry.at_ms);
    (
        newest_first,
        entry.sync.clone(),
        entry.id,
        entry.link_field.clone(),
    )
}

fn csv_of(entries: &[FailureEntry], url: impl Fn(SalesforceId) -> String) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "record id",
        "link",
        "category",
        "property",
        "value",
        "message",
        "sync",
        "at",
    ])?;
    for entry in entries {
        let failure = &entry.failure;
        let property = failure
            .property
            .as_ref()
            .or(failure.field.as_ref())
            .or(entry.link_field.as_ref());
        let at = jiff::Timestamp::from_millisecond(entry.at_ms).map(|at| at.to_string());
        writer.write_record([
            entry.id.as_str(),
            &url(entry.id),
            failure.category.as_str(),
            &harmless(property.map_or("", String::as_str)),
            &harmless(failure.value.as_deref().unwrap_or_default()),
            &harmless(&failure.message),
            entry.sync.as_str(),
            &at.unwrap_or_default(),
        ])?;
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

/// A spreadsheet takes some texts for formulas and runs them: such a text gets an apostrophe before it.
pub(super) fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if is_formula {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Failure, StageKind, Version};

    use super::*;

    #[test]
    fn a_record_is_meant_in_many_ways() {
        let salesforce = RecordQuery::Salesforce(SalesforceId::parse("a00Hs000001ABCdIAO").unwrap());
        for (text, meant) in [
            ("a00Hs000001ABCd", Some(salesforce)),
            (" a00Hs000001ABCdIAO ", Some(salesforce)),
            ("https://acme.my.salesforce.com/a00Hs000001ABCd", Some(salesforce)),
            (
                "https://acme.lightning.force.com/lightning/r/Vehicle__c/a00Hs000001ABCdIAO/view",
                Some(salesforce),
            ),
            ("42", Some(RecordQuery::HubSpot(HubSpotId(42)))),
            (
                "https://app.hubspot.com/contacts/123/record/2-77/9001",
                Some(RecordQuery::HubSpot(HubSpotId(9001))),
            ),
            ("vehicles", None),
            ("", None),
            ("https://acme.my.salesforce.com/", None),
        ] {
            assert_eq!(parse_query(text), meant, "{text:?}");
        }
    }

    #[test]
    fn a_files_cells_are_no_formulas() {
        let id = SalesforceId::parse("a00Hs000001ABCd").unwrap();
        let failure = Failure::new(FailureCategory::InvalidValue, "not a number, \"really\"")
            .property("price")
            .value("=HYPERLINK(\"http://evil\")");
        let entry = FailureEntry {
            sync: SyncName::new("vehicles").unwrap(),
            id,
            version: Version::new(1, 1),
            stage: StageKind::Mapper,
            failure,
            at_ms: 0,
            attempts: 1,
            link_field: None,
            run: None,
        };
        let file = csv_of(&[entry], |id| format!("https://acme/{id}")).unwrap();
        expect_test::expect![[r#"
            record id,link,category,property,value,message,sync,at
            a00Hs000001ABCdIAO,https://acme/a00Hs000001ABCdIAO,invalid-value,price,"'=HYPERLINK(""http://evil"")","not a number, ""really""",vehicles,1970-01-01T00:00:00Z
        "#]]
        .assert_eq(&String::from_utf8(file).unwrap());
        assert_eq!(harmless("-5.5"), "-5.5", "a negative number is no formula");
    }
}

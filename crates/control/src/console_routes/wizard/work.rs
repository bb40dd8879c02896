//! The work of somebody who edits a sync: kept among the tenant's drafts, so that it survives a closed browser.

use jiff::Timestamp;
use landbridge_model::config::SyncStatus;
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::validate::validate;
use landbridge_model::{Problem, RunId, SyncName};
use serde::{Deserialize, Serialize};

use crate::ask::Seen;
use crate::console::Trouble;
use crate::console::wizard::read::{self, ReadRules};
use crate::console::wizard::{Draft, Step};
use crate::service::{DraftId, Look, ServiceError, SyncView, TenantService, definition_tag};

/// A sync under way, as its draft stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Work {
    /// As far as it has come; it need not be valid.
    pub(super) definition: SyncDefinition,
    /// The tag of the stored definition that it takes the place of; none for a sync that is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
    /// The furthest step that was opened.
    pub(super) reached: Step,
    /// The safety limit of deletes as it was typed, when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_deletes_text: Option<String>,
    /// The last dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dry_run: Option<Tried>,
    /// The object type that was created on the way, which HubSpot's lists may show late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_type: Option<ObjectSchema>,
    /// Properties that were created on the way, which HubSpot's lists may show late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) created_properties: Vec<PropertyDefinition>,
}

/// A dry run that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tried {
    /// Which one.
    pub(super) run: RunId,
    /// The tag of the definition that it is of: of another one it says nothing.
    pub(super) of: String,
    /// When, in milliseconds since 1970.
    pub(super) at_ms: i64,
}

impl Work {
    /// A sync that nobody has stored yet.
    pub(super) fn new(definition: SyncDefinition) -> Self {
        Self {
            definition,
            base: None,
            reached: Step::Rules,
            max_deletes_text: None,
            dry_run: None,
            created_type: None,
            created_properties: Vec::new(),
        }
    }

    fn of_stored(sync: &SyncView) -> Self {
        Self {
            base: Some(sync.tag.clone()),
            reached: Step::TurnOn,
            ..Self::new(sync.definition.clone())
        }
    }

    /// The dry run of this very definition.
    pub(super) fn dry_run(&self) -> Option<&Tried> {
        let tag = definition_tag(&self.definition);
        self.dry_run.as_ref().filter(|tried| tried.of == tag)
    }

    /// Both systems, with what was created on the way.
    pub(super) async fn look(&self, tenant: &TenantService) -> Result<Look, ServiceError> {
        let mut look = tenant.look(&self.definition).await?;
        look.with_created(self.created_type.as_ref(), &self.created_properties);
        Ok(look)
    }

    /// Everything that is to be put right.
    pub(super) fn problems(&self, look: &Look) -> Vec<Problem> {
        let mut problems = validate(&self.definition, &look.around());
        problems.extend(self.max_deletes_text.as_deref().map(ReadRules::problem));
        problems
            .into_iter()
            .map(|problem| self.in_words(problem))
            .collect()
    }

    /// A control that was left empty is told as such, and not as a name that nobody knows.
    fn in_words(&self, problem: Problem) -> Problem {
        let spec = &self.definition.spec;
        let row = |list: &str| {
            let rest = problem.place.strip_prefix(list)?;
            rest.split_once(']')?.0.parse::<usize>().ok()
        };
        let rule = row("spec.fields[").and_then(|place| spec.fields.get(place));
        let conditions = spec.filter.as_ref().map_or(&[][..], |filter| &filter.all);
        let condition = row("spec.filter.all[").and_then(|place| conditions.get(place));
        let (what, remedy) = match (rule, condition) {
            (Some(rule), _) if rule.from.is_empty() && problem.place.ends_with(".from") => {
                ("no field is chosen", "choose one, or remove the row")
            }
            (Some(rule), _) if rule.to.is_empty() && problem.place.ends_with(".to") => (
                "no property is chosen",
                "choose one, create it, or remove the row",
            ),
            (_, Some(condition)) if condition.field.is_empty() => {
                ("no field is chosen", "choose one, or remove the condition")
            }
            (_, Some(condition)) if condition.value.is_none() && !read::is_bare(condition.op) => {
                ("no value is given", "give one, or compare with “is empty”")
            }
            _ => return problem,
        };
        Problem::new(problem.place, what, remedy)
    }
}

/// Work that was opened, and what it was opened beside.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) name: SyncName,
    pub(super) work: Work,
    /// The draft's tag, once there is a draft.
    kept: Option<String>,
    saved: Option<Timestamp>,
    /// The sync as it is stored.
    pub(super) stored: Option<SyncView>,
}

fn missing_is_none<T>(answer: Result<T, ServiceError>) -> Result<Option<T>, ServiceError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn draft_id(name: &SyncName) -> Result<DraftId, ServiceError> {
    let id = name.as_str().parse::<DraftId>();
    id.map_err(|error| ServiceError::invalid(error.to_string()))
}

/// The work that a draft holds; none when it was not made here.
pub(super) fn work_of(draft: &crate::service::Draft) -> Option<Work> {
    serde_json::from_value(draft.body.clone()).ok()
}

impl Opened {
    /// The draft of a sync, or the sync as it is stored.
    pub(super) async fn open(tenant: &TenantService, name: &str) -> Result<Self, ServiceError> {
        let not_here = || ServiceError::NotFound(format!("{} has no sync {name}", tenant.id()));
        let name = SyncName::new(name).map_err(|_| not_here())?;
        let stored = missing_is_none(tenant.sync(&name))?;
        let draft = missing_is_none(tenant.draft(&draft_id(&name)?).await)?;
        let (work, kept, saved) = match (draft, &stored) {
            (Some(draft), _) => {
                let work = work_of(&draft).ok_or_else(|| {
                    ServiceError::Conflict(format!(
                        "the draft {name} was not made by the console and cannot be opened here; remove it over the API"
                    ))
                })?;
                let saved = Timestamp::from_millisecond(draft.changed_ms).ok();
                (work, Some(draft.tag), saved)
            }
            (None, Some(stored)) => (Work::of_stored(stored), None, None),
            (None, None) => return Err(not_here()),
        };
        Ok(Self {
            name,
            work,
            kept,
            saved,
            stored,
        })
    }

    /// Work that is begun: nothing of it is kept yet.
    pub(super) fn begin(name: SyncName, work: Work) -> Self {
        Self {
            name,
            work,
            kept: None,
            saved: None,
            stored: None,
        }
    }

    /// Stands for what the visitor has seen.
    pub(super) fn etag(&self) -> String {
        match &self.kept {
            Some(tag) => format!("draft-{tag}"),
            None => format!("sync-{}", self.work.base.as_deref().unwrap_or("none")),
        }
    }

    /// Keeps the work.
    pub(super) async fn save(&mut self, tenant: &TenantService) -> Result<(), ServiceError> {
        let body = serde_json::to_value(&self.work)?;
        let id = draft_id(&self.name)?;
        let draft = tenant.put_draft(&id, body, self.kept.as_deref()).await?;
        self.saved = Timestamp::from_millisecond(draft.changed_ms).ok();
        self.kept = Some(draft.tag);
        Ok(())
    }

    /// Forgets the work, if any was kept.
    pub(super) async fn forget(&self, tenant: &TenantService) -> Result<(), ServiceError> {
        if self.kept.is_none() {
            return Ok(());
        }
        missing_is_none(tenant.remove_draft(&draft_id(&self.name)?, &Seen::Anything).await).map(drop)
    }

    /// Whether the sync runs or has run, so that an edit makes a revision of it.
    pub(super) fn is_running(&self) -> bool {
        self.stored
            .as_ref()
            .is_some_and(|sync| sync.status != SyncStatus::Draft)
    }

    /// What stands around every step.
    pub(super) fn draft(&self, tenant: &TenantService, look: &Look, problems: &[Problem]) -> Draft {
        let spec = &self.work.definition.spec;
        let or = |label: Option<&str>, name: &str| {
            let label = label.filter(|label| !label.is_empty()).unwrap_or(name);
            (label.to_owned(), name.to_owned())
        };
        let reached = self.work.reached;
        let mut wrong: Vec<Step> = problems.iter().map(Step::of_problem).collect();
        wrong.retain(|step| *step <= reached);
        wrong.sort_unstable();
        wrong.dedup();
        Draft {
            tenant: tenant.id().clone(),
            sync: self.name.clone(),
            object: or(
                look.object.as_ref().map(|object| object.label.as_str()),
                &spec.salesforce.object,
            ),
            object_type: or(
                look.object_type.as_ref().map(|schema| schema.label.as_str()),
                &spec.hubspot.object_type,
            ),
            etag: self.etag(),
            reached,
            wrong,
            editing: self
                .stored
                .as_ref()
                .filter(|_| self.is_running())
                .map(|sync| sync.revision),
            saved: self.saved,
            trouble: self.overtaken(),
        }
    }

    /// What is stored is no longer what this work began from.
    fn overtaken(&self) -> Option<Trouble> {
        let stored = self.stored.as_ref().map(|sync| sync.tag.as_str());
        if stored == self.work.base.as_deref() {
            return None;
        }
        let what = match (&self.stored, &self.work.base) {
            (Some(sync), Some(_)) => format!(
                "{} was changed by somebody else after this draft was begun: it is at {} now.",
                self.name, sync.revision
            ),
            (Some(_), None) => format!("Somebody else has made a sync named {} meanwhile.", self.name),
            (None, _) => format!("{} was removed after this draft was begun.", self.name),
        };
        Some(Trouble::new(
            what,
            "This draft cannot take its place. Discard it and begin again from what is there.",
        ))
    }
}

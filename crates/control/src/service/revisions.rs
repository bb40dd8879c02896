//! What a sync was before, and what is not a sync yet.

use landbridge_bus::{Key, KeyFilter, KvError};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{InvalidIdentity, Revision, RunId, SyncName, yaml};
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};
use utoipa::ToSchema;

use super::TenantService;
use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::page::{Page, PageRequest, paginate};
use crate::ask::Seen;
use crate::definitions::revisions;

pub use crate::definitions::revisions::StoredRevision;

/// Largest draft, in bytes of JSON.
const DRAFT_MAX: usize = 256 * 1024;
/// Most drafts of a tenant.
const DRAFTS_MAX: usize = 200;

/// One revision in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionLine {
    /// Which.
    pub revision: Revision,
    /// Who made it; none when nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was stored, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Two revisions side by side, as lines of their files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevisionDiff {
    /// The older one.
    pub from: Revision,
    /// The newer one.
    pub to: Revision,
    /// Lines, each with `+`, `-` or a space before it.
    pub lines: Vec<String>,
}

/// A draft's name: 1 to 64 lower-case letters, digits, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DraftId(RunId);

impl std::str::FromStr for DraftId {
    type Err = InvalidIdentity;
    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        RunId::new(text).map(Self)
    }
}

/// A definition under way: whatever its editor needs to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Draft {
    /// Its name.
    pub id: String,
    /// Who changed it last.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub changed_ms: i64,
    /// Counts its changes: the `ETag`, without its quotes.
    #[serde(default)]
    pub tag: String,
    /// What was stored.
    pub body: serde_json::Value,
}

impl TenantService {
    async fn stored_revisions(&self, sync: &SyncName) -> Result<Vec<StoredRevision>, ServiceError> {
        let stored = self.stored_sync(sync)?;
        let kept = &self.service.inner.definitions;
        Ok(revisions::with_current(kept, &stored, self.service.now_ms()).await?)
    }

    /// A sync's revisions with their definitions, oldest first.
    pub(crate) async fn kept_revisions(&self, sync: &SyncName) -> Result<Vec<StoredRevision>, ServiceError> {
        self.require(Role::Viewer)?;
        self.stored_revisions(sync).await
    }

    /// A sync's revisions, newest first.
    pub async fn revisions(
        &self,
        sync: &SyncName,
        request: &PageRequest,
    ) -> Result<Page<RevisionLine>, ServiceError> {
        self.require(Role::Viewer)?;
        let kept = self.stored_revisions(sync).await?;
        let lines = kept.into_iter().rev().map(|kept| RevisionLine {
            revision: kept.revision,
            by: kept.by,
            at_ms: kept.at_ms,
        });
        paginate(lines, |line| std::cmp::Reverse(line.revision), request)
    }

    /// One revision, with its definition.
    pub async fn revision(
        &self,
        sync: &SyncName,
        revision: Revision,
    ) -> Result<StoredRevision, ServiceError> {
        self.require(Role::Viewer)?;
        let kept = self.stored_revisions(sync).await?;
        let found = kept.into_iter().find(|kept| kept.revision == revision);
        found.ok_or_else(|| ServiceError::NotFound(format!("{sync} has no revision {}", revision.0)))
    }

    /// The revision before one; itself for the first.
    pub async fn revision_before(
        &self,
        sync: &SyncName,
        revision: Revision,
    ) -> Result<Revision, ServiceError> {
        self.require(Role::Viewer)?;
        let kept = self.stored_revisions(sync).await?;
        let before = kept
            .iter()
            .map(|kept| kept.revision)
            .filter(|kept| *kept < revision);
        Ok(before.max().unwrap_or(revision))
    }

    /// What is different between two revisions.
    pub async fn revision_diff(
        &self,
        sync: &SyncName,
        from: Revision,
        to: Revision,
    ) -> Result<RevisionDiff, ServiceError> {
        let (old, new) = (self.revision(sync, from).await?, self.revision(sync, to).await?);
        Ok(RevisionDiff {
            from,
            to,
            lines: definition_diff(&old.definition, &new.definition),
        })
    }

    fn draft_key(&self, id: &DraftId) -> Key {
        Key::new(["draft", self.id().as_str(), id.0.as_str()])
    }

    /// The tenant's drafts.
    pub async fn drafts(&self) -> Result<Vec<Draft>, ServiceError> {
        self.require(Role::Viewer)?;
        let under = Key::new(["draft", self.id().as_str()]);
        let entries = self
            .service
            .inner
            .definitions
            .list(&KeyFilter::Under(under))
            .await?;
        let mut drafts = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut draft: Draft = entry.json()?;
            draft.tag = entry.revision.to_string();
            drafts.push(draft);
        }
        drafts.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(drafts)
    }

    /// One draft.
    pub async fn draft(&self, id: &DraftId) -> Result<Draft, ServiceError> {
        self.require(Role::Viewer)?;
        let found = self
            .service
            .inner
            .definitions
            .get_json::<Draft>(&self.draft_key(id))
            .await?;
        let (draft, revision) = found.ok_or_else(|| self.no_draft(id))?;
        Ok(Draft {
            tag: revision.to_string(),
            ..draft
        })
    }

    fn no_draft(&self, id: &DraftId) -> ServiceError {
        ServiceError::NotFound(format!("{} has no draft {}", self.id(), id.0))
    }

    /// Stores a draft: over what the caller has seen, or, when they have seen nothing, where there is none.
    pub async fn put_draft(
        &self,
        id: &DraftId,
        body: serde_json::Value,
        seen: Option<&str>,
    ) -> Result<Draft, ServiceError> {
        self.require(Role::Editor)?;
        let (draft, value) = self.draft_of(id, body)?;
        let (kv, key) = (&self.service.inner.definitions, self.draft_key(id));
        let revision = match seen {
            Some(seen) => {
                let stale =
                    || ServiceError::Stale("the draft was changed since; look at it again".to_owned());
                let seen = seen.parse().map_err(|_| stale())?;
                match kv.update(&key, value, seen).await {
                    Err(KvError::Conflict) => return Err(stale()),
                    written => written?,
                }
            }
            None => {
                self.refuse_many_drafts().await?;
                match kv.create(&key, value).await {
                    Err(KvError::Exists) => {
                        let what = format!(
                            "there is a draft {} already; look at it before you change it",
                            id.0
                        );
                        return Err(ServiceError::Stale(what));
                    }
                    written => written?,
                }
            }
        };
        Ok(Draft {
            tag: revision.to_string(),
            ..draft
        })
    }

    /// Stores a draft where there is none; `None` where there is one, whatever it holds.
    pub(crate) async fn create_draft(
        &self,
        id: &DraftId,
        body: serde_json::Value,
    ) -> Result<Option<Draft>, ServiceError> {
        self.require(Role::Editor)?;
        let (draft, value) = self.draft_of(id, body)?;
        self.refuse_many_drafts().await?;
        let kv = &self.service.inner.definitions;
        match kv.create(&self.draft_key(id), value).await {
            Ok(revision) => Ok(Some(Draft {
                tag: revision.to_string(),
                ..draft
            })),
            Err(KvError::Exists) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A draft that is made now, with what is stored of it.
    fn draft_of(&self, id: &DraftId, body: serde_json::Value) -> Result<(Draft, Vec<u8>), ServiceError> {
        let draft = Draft {
            id: id.0.to_string(),
            by: self.caller.who.clone(),
            changed_ms: self.service.now_ms(),
            tag: String::new(),
            body,
        };
        let value = serde_json::to_vec(&draft)?;
        if value.len() > DRAFT_MAX {
            return Err(ServiceError::invalid(format!(
                "a draft has {DRAFT_MAX} bytes at most"
            )));
        }
        Ok((draft, value))
    }

    async fn refuse_many_drafts(&self) -> Result<(), ServiceError> {
        let under = KeyFilter::Under(Key::new(["draft", self.id().as_str()]));
        let drafts = self.service.inner.definitions.list(&under).await?;
        if drafts.len() < DRAFTS_MAX {
            return Ok(());
        }
        Err(ServiceError::Conflict(format!(
            "{} has {DRAFTS_MAX} drafts: remove some first",
            self.id()
        )))
    }

    /// Forgets a draft, if it is as the caller has seen it.
    pub async fn remove_draft(&self, id: &DraftId, seen: &Seen) -> Result<(), ServiceError> {
        self.require(Role::Editor)?;
        let before = self.draft(id).await?;
        let stale = || ServiceError::Stale("the draft was changed since; look at it again".to_owned());
        if !seen.holds(Some(&before.tag)) {
            return Err(stale());
        }
        self.audited("draft.removed", &before.id, async {
            let (kv, key) = (&self.service.inner.definitions, self.draft_key(id));
            match (seen, before.tag.parse()) {
                (Seen::Tag(_), Ok(revision)) => match kv.delete_at(&key, revision).await {
                    Err(KvError::Conflict) => return Err(stale()),
                    removed => removed?,
                },
                _ => kv.delete(&key).await?,
            }
            Ok(((), Change::between(Some(&before.body), None)?.into()))
        })
        .await
    }
}

/// Two definitions' files, line by line: each line with `+`, `-` or a space before it.
pub fn definition_diff(old: &SyncDefinition, new: &SyncDefinition) -> Vec<String> {
    let (old, new) = (
        yaml::export(std::slice::from_ref(old)),
        yaml::export(std::slice::from_ref(new)),
    );
    let lines = TextDiff::from_lines(&old, &new);
    let marked = lines.iter_all_changes().map(|change| {
        let mark = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{mark}{}", change.value().trim_end_matches('\n'))
    });
    marked.collect()
}

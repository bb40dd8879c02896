//! Adopting another org: decided by a person, written down, carried out step by step, and gone on with by whoever owns the
//! shard next, until everything is read again.
//!
//! * **I1** An org is adopted by its id, as a person has read it, and never because it happens to answer.
//! * **I2** Nothing that was known of the org before is used for the one after: no position, no open import.
//! * **I3** What the org after does not have is held for a person, record by record.
//! * **I4** What was decided is carried out to its end, over any crash, and each import of it is started once.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_model::ask::{SalesforceTest, TestSalesforce};
use landbridge_model::config::{Import, ImportWish, SyncStatus, Tenant};
use landbridge_model::{ImportId, StageKind, SyncName, TenantId};
use landbridge_stage::StageError;
use landbridge_wire::{AskError, AskErrorCode};
use serde::{Deserialize, Serialize};

use super::forget_positions;
use crate::ask::{AdoptOrg, Adopted, CancelImport, StartImports, StartedImport, StartedImports, Writing};
use crate::definitions;
use crate::imports::order::parents_first;
use crate::shard::{ControlShard, lock, unavailable};

/// Signing in takes a few calls.
const SIGN_IN: Duration = Duration::from_secs(60);
/// How often imports are tried while the workers may not have seen yet that the org is meant.
const TRIES: u32 = 20;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// How often adoptions are looked for that somebody else began.
const LOOK: Duration = Duration::from_secs(2);

/// What a person decided, kept until all that follows from it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Adoption {
    org_id: String,
    by: String,
    /// The org before.
    from: Option<String>,
    /// When it was decided, by this clock: imports that were started before are of the org before.
    began_ms: i64,
    /// The least version of what is read of the org.
    adopted_ms: i64,
}

impl Adoption {
    /// Whether the tenant is set up for the org already.
    fn is_pinned(&self, tenant: &Tenant) -> bool {
        let salesforce = &tenant.salesforce;
        salesforce.org_id.as_ref() == Some(&self.org_id) && salesforce.adopted_ms == Some(self.adopted_ms)
    }

    /// Whether an import is one that this adoption has started.
    fn has_started(&self, import: &Import, sync: &SyncName) -> bool {
        import.sync == *sync
            && import.overwrite
            && import.started_ms >= self.began_ms
            && import.wish != ImportWish::Cancel
    }
}

/// The tenants whose adoption is being carried out in this process.
pub(crate) type InHand = Mutex<HashSet<TenantId>>;

/// A tenant's adoption, in one pair of hands.
struct Hand<'s> {
    in_hand: &'s InHand,
    tenant: TenantId,
}

impl<'s> Hand<'s> {
    fn take(in_hand: &'s InHand, tenant: &TenantId) -> Option<Self> {
        lock(in_hand).insert(tenant.clone()).then(|| Self {
            in_hand,
            tenant: tenant.clone(),
        })
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        lock(self.in_hand).remove(&self.tenant);
    }
}

fn key(tenant: &TenantId) -> Key {
    Key::new(["adoption", tenant.as_str()])
}

/// Whether an org may be adopted, with the one that is pinned. Pure.
fn adoptable(tenant: &Tenant, ask: &AdoptOrg, test: &SalesforceTest) -> Result<(), String> {
    if test.org_id != ask.org_id {
        return Err(format!(
            "the org that answers is {}, and not {}: nothing was done; look at the connection again",
            test.org_id, ask.org_id
        ));
    }
    if tenant.suspended.is_none() && tenant.salesforce.org_id.as_deref() == Some(ask.org_id.as_str()) {
        return Err(format!("{} is the org that the tenant reads already", ask.org_id));
    }
    Ok(())
}

/// What became of the imports.
#[derive(Debug, Default)]
struct ReadAgain {
    imports: Vec<StartedImport>,
    /// Why there is none, by sync: a person has to put it right.
    problems: Vec<String>,
    /// The same for what may be well by itself.
    later: Vec<String>,
}

impl ControlShard {
    /// Takes the org that answers in the place of the one before: everything is read again, and deletes are held.
    pub(crate) async fn adopt_org(&self, tenant_id: &TenantId, ask: AdoptOrg) -> Result<Adopted, AskError> {
        let tenant = definitions::tenant(&self.context, tenant_id)?;
        let hub = &self.context.hub;
        let Some(_hand) = Hand::take(&self.adoptions, tenant_id) else {
            let what = "an org is being adopted just now; wait until that is done".to_owned();
            return Err(AskError::new(AskErrorCode::Conflict, what));
        };
        let test = hub
            .ask(StageKind::Extractor, tenant_id, &TestSalesforce {}, SIGN_IN)
            .await?;
        adoptable(&tenant, &ask, &test).map_err(|what| AskError::new(AskErrorCode::Invalid, what))?;
        let began_ms = hub.now_ms();
        let adoption = Adoption {
            org_id: ask.org_id,
            by: ask.by,
            from: tenant.salesforce.org_id.clone(),
            began_ms,
            adopted_ms: began_ms.max(test.clock_ms.unwrap_or_default()),
        };
        // First the decision: whatever ends this, it is carried out.
        let bucket = hub.bus().kv(Bucket::Config);
        let decided = bucket.put_json(&key(tenant_id), &adoption).await;
        decided.map_err(|error| unavailable(error.into()))?;
        self.pin_adopted(tenant_id, &adoption).await?;
        let read = self.read_again(tenant_id, &adoption).await;
        if read.later.is_empty() {
            self.forget_adoption(tenant_id).await.map_err(unavailable)?;
        }
        let later = read.later.into_iter();
        let later = later.map(|problem| format!("{problem}; it is tried again by itself"));
        Ok(Adopted {
            from: adoption.from,
            to: adoption.org_id,
            imports: read.imports,
            problems: read.problems.into_iter().chain(later).collect(),
        })
    }

    /// Carries out what was decided and not carried out, for as long as the shard is owned.
    pub(crate) async fn look_after_adoptions(&self) {
        loop {
            if let Err(error) = self.go_on_with_adoptions().await {
                tracing::warn!(shard = %self.context.shard, error = %error.chain(), "adoptions could not be gone on with; they are soon again");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn go_on_with_adoptions(&self) -> Result<(), StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        for entry in bucket.list(&KeyFilter::Under(Key::new(["adoption"]))).await? {
            let tokens = entry.key.tokens();
            let [_, tenant] = tokens.as_slice() else { continue };
            let Ok(tenant) = TenantId::new(tenant) else {
                continue;
            };
            if self.context.hub.shard_of(&tenant) != self.context.shard {
                continue;
            }
            // Who has asked for it is at it.
            let Some(_hand) = Hand::take(&self.adoptions, &tenant) else {
                continue;
            };
            // It may have been carried out, or given up, since it was listed.
            if let Some((adoption, _)) = bucket.get_json::<Adoption>(&entry.key).await? {
                self.go_on_with(&tenant, &adoption).await?;
            }
        }
        Ok(())
    }

    async fn go_on_with(&self, tenant: &TenantId, adoption: &Adoption) -> Result<(), StageError> {
        let Some(stored) = self.context.config.tenant(tenant) else {
            return self.forget_adoption(tenant).await;
        };
        if !adoption.is_pinned(&stored) {
            let pinned = self.pin_adopted(tenant, adoption).await;
            pinned.map_err(|error| StageError::caused("an org that was adopted cannot be set up", error))?;
        }
        let read = self.read_again(tenant, adoption).await;
        for problem in read.problems.iter().chain(&read.later) {
            tracing::warn!(%tenant, org = adoption.org_id, problem, "what was adopted is not read again");
        }
        if read.later.is_empty() {
            self.forget_adoption(tenant).await?;
        }
        Ok(())
    }

    /// Nothing of a tenant is being adopted any more.
    pub(super) async fn forget_adoption(&self, tenant: &TenantId) -> Result<(), StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Config);
        Ok(bucket.delete(&key(tenant)).await?)
    }

    /// Sets the tenant up for the org. May be repeated from its beginning.
    async fn pin_adopted(&self, tenant_id: &TenantId, adoption: &Adoption) -> Result<(), AskError> {
        let context = &self.context;
        self.stand_still(
            tenant_id,
            &format!("the org {} is being adopted", adoption.org_id),
        )
        .await?;
        let is_of_org_before = |id: &ImportId| {
            let import = context.config.import(tenant_id, id);
            import.is_none_or(|import| import.started_ms < adoption.began_ms)
        };
        for import in self.open_imports(tenant_id).await.map_err(unavailable)? {
            if is_of_org_before(&import.id) {
                self.cancel_import(tenant_id, &CancelImport { id: import.id })
                    .await?;
            }
        }
        // An import that has ended says so by its position, which is looked at by nobody else.
        let positions = forget_positions(context, tenant_id, |kind| !matches!(kind, "import" | "deletes"));
        positions.await.map_err(unavailable)?;
        self.mark_adopting(tenant_id, &adoption.org_id)
            .await
            .map_err(unavailable)?;
        let adopted = context.config.change_tenant(tenant_id, |stored| {
            let Some(mut tenant) = stored else {
                return Ok::<_, Infallible>(None);
            };
            tenant.salesforce.org_id = Some(adoption.org_id.clone());
            tenant.salesforce.adopted_ms = Some(adoption.adopted_ms);
            tenant.suspended = None;
            Ok(Some(tenant))
        });
        adopted
            .await
            .map_err(unavailable)?
            .unwrap_or_else(|never| match never {});
        let Adoption { org_id, by, from, .. } = adoption;
        tracing::info!(tenant = %tenant_id, ?from, to = org_id, by, "another org is adopted");
        Ok(())
    }

    /// Every sync that may have written something looks at once for what the org does not have.
    async fn mark_adopting(&self, tenant: &TenantId, org: &str) -> Result<(), StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Checkpoints);
        for sync in self.context.config.syncs(tenant) {
            if sync.resolved.is_some() {
                let name = sync.definition.metadata.name.as_str();
                let key = Key::new(["adopting", tenant.as_str(), name]);
                bucket.put_json(&key, &org).await?;
            }
        }
        Ok(())
    }

    /// Imports of all active syncs, parents first, that write over what is there, unless they were started before; and why
    /// there are none.
    async fn read_again(&self, tenant: &TenantId, adoption: &Adoption) -> ReadAgain {
        let mut syncs = self.context.config.syncs(tenant);
        syncs.retain(|sync| sync.status == SyncStatus::Active);
        let definitions: Vec<_> = syncs.iter().map(|sync| sync.definition.clone()).collect();
        let mut read = ReadAgain::default();
        for sync in parents_first(&definitions) {
            let imports = self.context.config.imports(tenant);
            if imports.iter().any(|import| adoption.has_started(import, &sync)) {
                continue;
            }
            match self.import_when_seen(tenant, &sync, &adoption.by).await {
                Ok(one) => {
                    read.imports.extend(one.imports);
                    let lines = one.problems.iter();
                    let told = lines
                        .flat_map(|line| line.problems.iter().map(|problem| format!("{sync}: {problem}")));
                    read.problems.extend(told);
                }
                Err(error) if may_pass(error.code) => read.later.push(format!("{sync}: {error}")),
                Err(error) => read.problems.push(format!("{sync}: {error}")),
            }
        }
        read
    }

    /// The extractor may not have seen yet that the org is meant: it is asked again for a moment.
    async fn import_when_seen(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        by: &str,
    ) -> Result<StartedImports, AskError> {
        let wanted = || StartImports {
            syncs: vec![sync.clone()],
            writing: Writing::Everything,
            keep_before: false,
            started_by: by.to_owned(),
            once: None,
        };
        let mut tries = 1;
        loop {
            match self.start_imports(tenant, wanted()).await {
                Err(error)
                    if matches!(error.code, AskErrorCode::Forbidden | AskErrorCode::Invalid)
                        && tries < TRIES =>
                {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }
}

/// Whether what was refused may go well a little later, with nobody doing anything.
fn may_pass(code: AskErrorCode) -> bool {
    match code {
        AskErrorCode::Unavailable | AskErrorCode::Limited | AskErrorCode::Conflict => true,
        AskErrorCode::Invalid
        | AskErrorCode::NotFound
        | AskErrorCode::Unauthorized
        | AskErrorCode::Forbidden
        | AskErrorCode::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::identity::tests::tenant;

    use super::*;

    #[test]
    fn an_org_is_adopted_only_by_the_id_that_a_person_has_read() {
        let ask = AdoptOrg {
            org_id: "00D2".into(),
            by: "user:ann".into(),
        };
        let answers = |org: &str| SalesforceTest {
            org_id: org.to_owned(),
            ..SalesforceTest::default()
        };
        for (pinned, suspended, answering, may) in [
            (Some("00D1"), true, "00D2", true),
            (Some("00D1"), true, "00D3", false),
            (Some("00D1"), true, "00D1", false),
            (Some("00D1"), false, "00D2", true),
            (Some("00D2"), false, "00D2", false),
            // The positions are of another org, though this one is pinned.
            (Some("00D2"), true, "00D2", true),
            (None, true, "00D2", true),
        ] {
            let judged = adoptable(&tenant(pinned, suspended), &ask, &answers(answering));
            assert_eq!(
                judged.is_ok(),
                may,
                "{pinned:?} {suspended} {answering}: {judged:?}"
            );
        }
    }

    #[test]
    fn only_what_was_started_since_is_of_an_adoption() {
        let adoption = Adoption {
            org_id: "00D2".into(),
            by: "user:ann".into(),
            from: Some("00D1".into()),
            began_ms: 5_000,
            adopted_ms: 9_000,
        };
        let sync = SyncName::new("vehicles").unwrap();
        let import = |started_ms, overwrite, wish| Import {
            id: "imp-1".parse().unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            sync: sync.clone(),
            revision: landbridge_model::Revision(1),
            wish,
            overwrite,
            only: None,
            started_by: "user:ann".into(),
            started_ms,
            continues: None,
            after: Vec::new(),
            keep_before: false,
            undo_ms: None,
        };
        for (started_ms, overwrite, wish, is_of_it) in [
            (5_000, true, ImportWish::Run, true),
            (6_000, true, ImportWish::Pause, true),
            (4_999, true, ImportWish::Run, false),
            (6_000, false, ImportWish::Run, false),
            (6_000, true, ImportWish::Cancel, false),
        ] {
            let judged = adoption.has_started(&import(started_ms, overwrite, wish), &sync);
            assert_eq!(judged, is_of_it, "{started_ms} {overwrite} {wish:?}");
        }
        let mut set_up = tenant(Some("00D2"), false);
        assert!(
            !adoption.is_pinned(&set_up),
            "it was adopted before, at another time"
        );
        set_up.salesforce.adopted_ms = Some(9_000);
        assert!(adoption.is_pinned(&set_up));
    }
}

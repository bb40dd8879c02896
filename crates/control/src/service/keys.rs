//! To which keys secrets are sealed: whoever changes a key pair sees here when the earlier one is needed no more.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use landbridge_bus::seal::{self, SealError};
use landbridge_bus::{Bucket, KeyFilter};
use landbridge_model::ask::{Reseal, SealedSecret};
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{Side, StoredSecret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Caller, Role};
use super::error::ServiceError;
use super::{PATIENCE, Service};
use crate::alerts::resealing::secrets_of;
use crate::alerts::settings::AlertStore;

/// To which keys the secrets of one stage are sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageKeys {
    /// Whose.
    pub stage: StageKind,
    /// The public key that it announces (base64); none when none of its kind has run yet.
    pub current: Option<String>,
    /// Secrets that are sealed to it.
    pub sealed: u64,
    /// Secrets that are not.
    pub others: Vec<OtherSecret>,
}

/// A secret that is not sealed to the current key of its stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherSecret {
    /// Whose.
    pub tenant: TenantId,
    /// The public key it is sealed to, base64.
    pub to: String,
    /// Whether the stage that needs it cannot open it, as opposed to not having sealed it again yet.
    pub is_lost: bool,
    /// What it is, and what to do.
    pub text: String,
}

/// Sealed secrets, wherever they lie.
type Lying = BTreeMap<StageKind, BTreeMap<TenantId, Vec<SealedSecret>>>;

/// Tenants whose owners are asked at the same time.
const ASKED_AT_ONCE: usize = 16;

impl Service {
    /// To which keys secrets are sealed, by stage. The stages are asked to seal to their current keys first what is not.
    /// For admins of everything.
    pub async fn keys_in_use(&self, caller: &Caller) -> Result<Vec<StageKeys>, ServiceError> {
        self.require_everywhere(caller, Role::Admin)?;
        let mut lying = self.sealed_secrets().await?;
        let mut told = Vec::new();
        for stage in [StageKind::Extractor, StageKind::Loader, StageKind::Control] {
            let current = match seal::public_key(self.hub().bus(), stage).await {
                Ok(key) => Some(key.text()),
                Err(SealError::NoKey(_)) => None,
                Err(error) => return Err(ServiceError::Unavailable(error.to_string())),
            };
            let secrets = lying.remove(&stage).unwrap_or_default();
            let answers = secrets
                .into_iter()
                .map(|(tenant, secrets)| self.standing(stage, current.clone(), tenant, secrets));
            let mut keys = StageKeys {
                stage,
                current: current.clone(),
                sealed: 0,
                others: Vec::new(),
            };
            let mut answers = futures::stream::iter(answers).buffered(ASKED_AT_ONCE);
            while let Some((sealed, others)) = answers.next().await {
                keys.sealed += sealed;
                keys.others.extend(others);
            }
            drop(answers);
            told.push(keys);
        }
        Ok(told)
    }

    /// How one tenant's secrets at one stage are sealed: how many to the current key, and the others. Its owner is asked
    /// when there are others.
    async fn standing(
        &self,
        stage: StageKind,
        current: Option<String>,
        tenant: TenantId,
        secrets: Vec<SealedSecret>,
    ) -> (u64, Vec<OtherSecret>) {
        let is_own = |secret: &SealedSecret| secret.trouble.is_none() && Some(&secret.to) == current.as_ref();
        if secrets.iter().all(is_own) {
            return (secrets.len() as u64, Vec::new());
        }
        let (secrets, silence) = match self.hub().ask(stage, &tenant, &Reseal {}, PATIENCE).await {
            Ok(answer) => (answer, None),
            Err(error) => (secrets, Some(error.to_string())),
        };
        let (own, others): (Vec<_>, Vec<_>) = secrets.into_iter().partition(is_own);
        let others = others
            .into_iter()
            .map(|secret| other(&tenant, secret, silence.as_deref()));
        (own.len() as u64, others.collect())
    }

    /// All sealed secrets, by stage and tenant.
    async fn sealed_secrets(&self) -> Result<Lying, ServiceError> {
        let mut lying = Lying::new();
        let mut add = |stage: StageKind, tenant: TenantId, what: String, to: String| {
            let of_stage = lying.entry(stage).or_default();
            of_stage.entry(tenant).or_default().push(SealedSecret {
                what,
                to,
                trouble: None,
            });
        };
        let bus = self.hub().bus();
        for entry in bus.kv(Bucket::Secrets).list(&KeyFilter::All).await? {
            let tokens = entry.key.tokens();
            let [tenant, of] = tokens.as_slice() else { continue };
            let sides = [Side::Salesforce, Side::HubSpot];
            let side = sides.into_iter().find(|side| side.as_str() == of);
            let (Ok(tenant), Some(side)) = (TenantId::new(tenant), side) else {
                continue;
            };
            let what = format!("the {} credentials of {tenant}", side.name());
            add(
                side.stage(),
                tenant,
                what,
                entry.json::<StoredSecret>()?.sealed.to,
            );
        }
        for (tenant, settings) in AlertStore::new(bus).all().await? {
            for (what, sealed) in secrets_of(&tenant, &settings) {
                add(StageKind::Control, tenant.clone(), what, sealed.to.clone());
            }
        }
        Ok(lying)
    }
}

fn other(tenant: &TenantId, secret: SealedSecret, silence: Option<&str>) -> OtherSecret {
    let is_lost = secret.trouble.is_some();
    let text = match (secret.trouble, silence) {
        (Some(trouble), _) => trouble,
        (None, Some(silence)) => format!("{} is sealed to another key: {silence}", secret.what),
        (None, None) => format!(
            "{} is sealed to another key than is announced: processes of one kind have different current keys",
            secret.what
        ),
    };
    OtherSecret {
        tenant: tenant.clone(),
        to: secret.to,
        is_lost,
        text,
    }
}

//! The two connections of a tenant, and what can be seen through them.

use landbridge_bus::seal::{self, SealError, Sealed};
use landbridge_model::ask::{DescribeObject, GetLabels, GetSchema, ListObjects, ListSchemas, ObjectSummary};
use landbridge_model::config::{
    HubSpotConnection, HubSpotCredentials, SalesforceConnection, SalesforceCredentials,
};
use landbridge_model::hubspot::{AssociationLabel, ObjectSchema};
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::{ObjectTypeId, StageKind};
use landbridge_stage::Side;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Change;
use super::caller::Role;
use super::error::ServiceError;
use super::{LONG_PATIENCE, Service, TenantService};
use crate::ask::{ChangeTenant, ConnectionSide, ConnectionsTest, TestConnections};

/// Both connections, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connections {
    /// The Salesforce side.
    pub salesforce: SalesforceConnection,
    /// The HubSpot side.
    pub hubspot: HubSpotConnection,
    /// What credentials can be sealed to.
    pub keys: Keys,
}

/// The public keys (base64) to which credentials can be sealed by whoever enters them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// The extractor's, for Salesforce; none while no extractor has run.
    pub salesforce: Option<String>,
    /// The loader's, for HubSpot; none while no loader has run.
    pub hubspot: Option<String>,
}

/// Which side's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PutSide {
    /// Read and opened by the extractor alone.
    Salesforce,
    /// Read and opened by the loader alone.
    HubSpot,
}

impl PutSide {
    pub(super) fn side(self) -> Side {
        match self {
            Self::Salesforce => Side::Salesforce,
            Self::HubSpot => Side::HubSpot,
        }
    }

    /// Whether a document is credentials of this side. The error quotes nothing of it.
    fn check(self, document: &serde_json::Value) -> Result<(), ServiceError> {
        let (fits, flows) = match self {
            Self::Salesforce => (
                SalesforceCredentials::deserialize(document).is_ok(),
                "client-credentials (client_id, client_secret), jwt (client_id, username, private_key) or refresh-token \
                 (client_id, client_secret, refresh_token)",
            ),
            Self::HubSpot => (
                HubSpotCredentials::deserialize(document).is_ok(),
                "token (token) or oauth (client_id, client_secret, refresh_token)",
            ),
        };
        if fits {
            return Ok(());
        }
        Err(ServiceError::invalid(format!(
            "these are no credentials of {}: `flow` is one of {flows}, with the keys in brackets",
            self.side().as_str()
        )))
    }
}

/// Credentials as they are entered: in the open, to be sealed at once and never shown again, or sealed already.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PutCredentials {
    /// In the open: `{"flow": "client-credentials", "client_id": …, "client_secret": …}`, `{"flow": "jwt", "client_id": …,
    /// "username": …, "private_key": …}` or `{"flow": "refresh-token", …}` for Salesforce; `{"flow": "token", "token": …}`
    /// or `{"flow": "oauth", "client_id": …, "client_secret": …, "refresh_token": …}` for HubSpot.
    Open(serde_json::Value),
    /// Sealed by whoever enters them, to the key that the connections show.
    Sealed {
        /// The public key it was sealed to.
        to: String,
        /// The sealed bytes, base64.
        sealed: String,
    },
}

impl std::fmt::Debug for PutCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PutCredentials([redacted])")
    }
}

impl Service {
    /// What credentials can be sealed to. Public: whoever is signed in may know.
    pub async fn keys(&self) -> Result<Keys, ServiceError> {
        let key = async |side: Side| match seal::public_key(self.hub().bus(), side.stage()).await {
            Ok(key) => Ok(Some(key.text())),
            Err(SealError::NoKey(_)) => Ok(None),
            Err(error) => Err(no_key(error)),
        };
        Ok(Keys {
            salesforce: key(Side::Salesforce).await?,
            hubspot: key(Side::HubSpot).await?,
        })
    }

    /// Seals to the key of the worker that will use it.
    pub(super) async fn seal(
        &self,
        side: PutSide,
        credentials: Option<PutCredentials>,
    ) -> Result<Option<Sealed>, ServiceError> {
        let Some(credentials) = credentials else {
            return Ok(None);
        };
        let key = seal::public_key(self.hub().bus(), side.side().stage())
            .await
            .map_err(no_key)?;
        match credentials {
            PutCredentials::Sealed { to, sealed } if to == key.text() => Ok(Some(Sealed { to, sealed })),
            PutCredentials::Sealed { .. } => Err(ServiceError::invalid(
                "the credentials are sealed to another key than the worker's; read the connections again and seal anew",
            )),
            PutCredentials::Open(document) => {
                side.check(&document)?;
                let sealed = key.seal(&serde_json::to_vec(&document)?);
                sealed
                    .map(Some)
                    .map_err(|_| ServiceError::Internal("the credentials cannot be sealed".to_owned()))
            }
        }
    }
}

pub(super) fn no_key(error: SealError) -> ServiceError {
    ServiceError::Unavailable(format!(
        "there is nobody to seal the credentials to: {error}; start the extractor and the loader first"
    ))
}

impl TenantService {
    /// Where both sides are.
    pub async fn connections(&self) -> Result<Connections, ServiceError> {
        self.require(Role::Viewer)?;
        Ok(Connections {
            salesforce: self.tenant.salesforce.clone(),
            hubspot: self.tenant.hubspot.clone(),
            keys: self.service.keys().await?,
        })
    }

    /// Replaces one side's credentials.
    pub async fn put_credentials(
        &self,
        side: PutSide,
        credentials: PutCredentials,
    ) -> Result<(), ServiceError> {
        self.require(Role::Admin)?;
        let sealed = self.service.seal(side, Some(credentials)).await?;
        let sealed = sealed.ok_or_else(|| ServiceError::Internal("nothing was sealed".to_owned()))?;
        let (side_of, address) = match side {
            PutSide::Salesforce => (ConnectionSide::Salesforce, &self.tenant.salesforce.login_url),
            PutSide::HubSpot => (ConnectionSide::HubSpot, &self.tenant.hubspot.base_url),
        };
        let change = ChangeTenant::Credentials {
            side: side_of,
            sealed,
            address: address.clone(),
        };
        self.audited("credentials.replaced", side.side().as_str(), async {
            self.ask_control(&change).await?;
            self.service.inner.sides.forget(self.id());
            Ok(((), Change::done().into()))
        })
        .await
    }

    /// Signs in to both sides and tells how they stand.
    pub async fn test_connections(&self) -> Result<ConnectionsTest, ServiceError> {
        self.require(Role::Operator)?;
        self.audited("connections.tested", self.id().as_str(), async {
            let mut test = self.ask_control(&TestConnections {}).await?;
            self.service.inner.sides.forget(self.id());
            // Whose portal it is besides is no business of somebody who may not see that tenant.
            test.rival = test.rival.filter(|rival| self.caller.role_in(rival).is_some());
            Ok((test, Change::done().into()))
        })
        .await
    }

    /// The org's objects.
    pub async fn salesforce_objects(&self) -> Result<Vec<ObjectSummary>, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask(StageKind::Extractor, &ListObjects {}, LONG_PATIENCE)
            .await
    }

    /// One object's fields.
    pub async fn salesforce_object(&self, object: &str) -> Result<ObjectDescribe, ServiceError> {
        self.require(Role::Viewer)?;
        let question = DescribeObject {
            object: object.to_owned(),
        };
        self.ask(StageKind::Extractor, &question, LONG_PATIENCE).await
    }

    /// The portal's custom object types.
    pub async fn hubspot_schemas(&self) -> Result<Vec<ObjectSchema>, ServiceError> {
        self.require(Role::Viewer)?;
        self.ask(StageKind::Loader, &ListSchemas {}, LONG_PATIENCE).await
    }

    /// One object type.
    pub async fn hubspot_schema(&self, object_type: &str) -> Result<ObjectSchema, ServiceError> {
        self.require(Role::Viewer)?;
        let question = GetSchema {
            object_type: object_type.to_owned(),
        };
        self.ask(StageKind::Loader, &question, LONG_PATIENCE).await
    }

    /// The association labels between two object types.
    pub async fn hubspot_labels(&self, from: &str, to: &str) -> Result<Vec<AssociationLabel>, ServiceError> {
        self.require(Role::Viewer)?;
        let question = GetLabels {
            from: ObjectTypeId::new(from),
            to: ObjectTypeId::new(to),
        };
        self.ask(StageKind::Loader, &question, LONG_PATIENCE).await
    }
}

//! The records and what is said of them, as mapper and loader would: service visits, each of a vehicle of its own.

use std::ops::Range;

use anyhow::Context as _;
use landbridge_model::{
    Envelope, HubSpotId, Identities, Identity, LinkIntents, ObjectTypeId, Purpose, Revision, SalesforceId,
    Source, SyncName, Table, TenantId, Version,
};
use landbridge_wire::LinkMessage;
use serde_json::Value;

use crate::installation::HubSpotAccess;

/// Their syncs and object types.
pub(super) const CHILDREN: (&str, &str) = ("service-visits", "service_visits");
pub(super) const PARENTS: (&str, &str) = ("vehicles", "vehicles");
/// The children's lookup.
pub(super) const FIELD: &str = "Vehicle__c";

/// Records by number.
#[derive(Clone, Debug)]
pub(super) struct Records {
    tenant: TenantId,
    child_type: ObjectTypeId,
    parent_type: ObjectTypeId,
}

impl Records {
    /// With the ids that the portal gave to the object types.
    pub(super) async fn of(access: &HubSpotAccess, tenant: TenantId) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}/crm-object-schemas/2026-09/schemas", access.base_url);
        let answer = http.get(url).bearer_auth(&access.token).send().await?;
        let schemas: Value = serde_json::from_slice(&answer.error_for_status()?.bytes().await?)?;
        let of = |name: &str| {
            let schemas = schemas["results"].as_array();
            let schema = schemas.and_then(|all| all.iter().find(|schema| schema["name"] == name));
            let id = schema.and_then(|schema| schema["objectTypeId"].as_str());
            id.map(ObjectTypeId::new)
                .with_context(|| format!("the portal has no object type {name}"))
        };
        Ok(Self {
            tenant,
            child_type: of(CHILDREN.1)?,
            parent_type: of(PARENTS.1)?,
        })
    }

    pub(super) fn parent_type(&self) -> &ObjectTypeId {
        &self.parent_type
    }

    /// What the mapper says of children: each names its parent.
    pub(super) fn intents(&self, numbers: Range<u64>) -> LinkMessage {
        let mut table = Table::with_columns([FIELD]);
        for number in numbers.clone() {
            table.push_row([Some(parent(number).as_str())]);
        }
        LinkMessage::Intents(LinkIntents {
            envelope: self.envelope(CHILDREN.0),
            children: numbers.clone().map(child).collect(),
            versions: numbers.clone().map(version).collect(),
            deleted: numbers.map(|_| false).collect(),
            table,
        })
    }

    /// What the loader says of children that it has written.
    pub(super) fn children(&self, numbers: Range<u64>) -> LinkMessage {
        let identity = |number| Identity {
            id: child(number),
            hubspot_id: Some(child_hubspot_id(number)),
            version: version(number),
        };
        LinkMessage::Identities(Identities {
            envelope: self.envelope(CHILDREN.0),
            object_type: self.child_type.clone(),
            identities: numbers.map(identity).collect(),
        })
    }

    /// What the loader says of parents that it has written.
    pub(super) fn parents(&self, numbers: &[u64]) -> LinkMessage {
        let identity = |&number| Identity {
            id: parent(number),
            hubspot_id: Some(parent_hubspot_id(number)),
            version: version(number),
        };
        LinkMessage::Identities(Identities {
            envelope: self.envelope(PARENTS.0),
            object_type: self.parent_type.clone(),
            identities: numbers.iter().map(identity).collect(),
        })
    }

    fn envelope(&self, sync: &str) -> Envelope {
        Envelope {
            tenant: self.tenant.clone(),
            sync: SyncName::new(sync).expect("a token of letters and hyphens"),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source: Source::Import,
            run: None,
            force: false,
            only: None,
        }
    }
}

pub(super) fn child(number: u64) -> SalesforceId {
    id("a03", number)
}

pub(super) fn parent(number: u64) -> SalesforceId {
    id("a01", number)
}

pub(super) fn child_hubspot_id(number: u64) -> HubSpotId {
    HubSpotId(10_000_000_000 + number)
}

pub(super) fn parent_hubspot_id(number: u64) -> HubSpotId {
    HubSpotId(20_000_000_000 + number)
}

fn id(prefix: &str, number: u64) -> SalesforceId {
    SalesforceId::parse(&format!("{prefix}Hs{number:010}")).expect("15 letters and digits make an id")
}

fn version(number: u64) -> Version {
    Version::new(
        1_700_000_000_000 + 1_000 * i64::try_from(number % 1_000_000).unwrap_or_default(),
        1_767_225_600_000,
    )
}

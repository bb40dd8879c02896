//! Link intents, identities and link writes.

use landbridge_model::{
    ChangeKind, Former, HubSpotId, Identities, Identity, LinkIntents, LinkWrite, LinkWrites, ObjectTypeId,
    SalesforceId, Version,
};
use prost::Message as _;

use crate::common::{decode, envelope_in, envelope_out, invalid, rows_in, rows_out, table_in, table_out};
use crate::{Wire, WireError, v1};

/// What the lanes of the links stream carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkMessage {
    /// From the mapper.
    Intents(LinkIntents),
    /// From the loader.
    Identities(Identities),
}

impl Wire for LinkMessage {
    fn encode(&self) -> Vec<u8> {
        let body = match self {
            Self::Intents(intents) => v1::link_message::Body::Intents(intents_out(intents)),
            Self::Identities(identities) => v1::link_message::Body::Identities(identities_out(identities)),
        };
        v1::LinkMessage { body: Some(body) }.encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: v1::LinkMessage = decode("link message", bytes)?;
        match message.body {
            Some(v1::link_message::Body::Intents(intents)) => intents_in(intents).map(Self::Intents),
            Some(v1::link_message::Body::Identities(identities)) => {
                identities_in(identities).map(Self::Identities)
            }
            None => Err(invalid("link message", "it is of a kind that is not known here")),
        }
    }
}

fn intents_out(intents: &LinkIntents) -> v1::LinkIntents {
    let kinds: Vec<ChangeKind> = intents
        .deleted
        .iter()
        .map(|deleted| {
            if *deleted {
                ChangeKind::Delete
            } else {
                ChangeKind::Upsert
            }
        })
        .collect();
    v1::LinkIntents {
        envelope: Some(envelope_out(&intents.envelope)),
        rows: Some(rows_out(&intents.children, &intents.versions, &kinds)),
        columns: table_out(&intents.table),
    }
}

fn intents_in(intents: v1::LinkIntents) -> Result<LinkIntents, WireError> {
    let envelope = envelope_in(intents.envelope)?;
    let rows = rows_in(intents.rows)?;
    let table = table_in(intents.columns, rows.ids.len())?;
    let deleted = rows
        .kinds
        .iter()
        .map(|kind| *kind == ChangeKind::Delete)
        .collect();
    Ok(LinkIntents {
        envelope,
        children: rows.ids,
        versions: rows.versions,
        deleted,
        table,
    })
}

fn identities_out(identities: &Identities) -> v1::Identities {
    let ids: Vec<SalesforceId> = identities.identities.iter().map(|identity| identity.id).collect();
    let versions: Vec<Version> = identities
        .identities
        .iter()
        .map(|identity| identity.version)
        .collect();
    v1::Identities {
        envelope: Some(envelope_out(&identities.envelope)),
        object_type: identities.object_type.to_string(),
        rows: Some(rows_out(&ids, &versions, &[])),
        hubspot_ids: identities
            .identities
            .iter()
            .map(|identity| identity.hubspot_id.map_or(0, |id| id.0))
            .collect(),
    }
}

fn identities_in(identities: v1::Identities) -> Result<Identities, WireError> {
    let envelope = envelope_in(identities.envelope)?;
    let rows = rows_in(identities.rows)?;
    if identities.hubspot_ids.len() != rows.ids.len() {
        return Err(invalid(
            "identities",
            "Salesforce ids and HubSpot ids differ in number",
        ));
    }
    let pairs = rows.ids.iter().zip(&rows.versions).zip(&identities.hubspot_ids);
    let identities_list = pairs
        .map(|((id, version), hubspot_id)| Identity {
            id: *id,
            hubspot_id: hubspot_id_in(*hubspot_id),
            version: *version,
        })
        .collect();
    let object_type = ObjectTypeId::new(&identities.object_type);
    Ok(Identities {
        envelope,
        object_type,
        identities: identities_list,
    })
}

fn hubspot_id_in(id: u64) -> Option<HubSpotId> {
    (id != 0).then_some(HubSpotId(id))
}

impl Wire for LinkWrites {
    fn encode(&self) -> Vec<u8> {
        v1::LinkWrites {
            envelope: Some(envelope_out(&self.envelope)),
            links: self.links.iter().map(link_write_out).collect(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: v1::LinkWrites = decode("link writes", bytes)?;
        let envelope = envelope_in(message.envelope)?;
        let links = message
            .links
            .into_iter()
            .map(link_write_in)
            .collect::<Result<_, _>>()?;
        Ok(Self { envelope, links })
    }
}

fn link_write_out(link: &LinkWrite) -> v1::LinkWrite {
    let former = match link.former {
        Former::Nothing => None,
        Former::Record(id) => Some(v1::link_write::Former::FormerHubspotId(id.0)),
        Former::Unknown => Some(v1::link_write::Former::FormerUnknown(true)),
    };
    v1::LinkWrite {
        child: link.child.to_string(),
        child_hubspot_id: link.child_hubspot_id.0,
        field: link.field.clone(),
        parent: link.parent.map(|(id, _)| id.to_string()).unwrap_or_default(),
        parent_hubspot_id: link.parent.map_or(0, |(_, id)| id.0),
        former,
        stamp_ms: link.version.stamp_ms,
        read_ms: link.version.read_ms,
    }
}

fn link_write_in(link: v1::LinkWrite) -> Result<LinkWrite, WireError> {
    let id = |text: &str| SalesforceId::parse(text).map_err(|error| invalid("link write", error));
    let parent = match (link.parent.as_str(), hubspot_id_in(link.parent_hubspot_id)) {
        ("", _) => None,
        (parent, Some(hubspot_id)) => Some((id(parent)?, hubspot_id)),
        (_, None) => return Err(invalid("link write", "the parent has no HubSpot id")),
    };
    let former = match link.former {
        None => Former::Nothing,
        Some(v1::link_write::Former::FormerHubspotId(id)) => Former::Record(HubSpotId(id)),
        Some(v1::link_write::Former::FormerUnknown(_)) => Former::Unknown,
    };
    Ok(LinkWrite {
        child: id(&link.child)?,
        child_hubspot_id: HubSpotId(link.child_hubspot_id),
        field: link.field,
        parent,
        former,
        version: Version::new(link.stamp_ms, link.read_ms),
    })
}

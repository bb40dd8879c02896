//! Before-images, and what an undo made of them.

use landbridge_model::batch::AssociationType;
use landbridge_model::before::{
    Association, BeforeBody, BeforeImage, LeftValue, LinksBefore, PairBefore, RecordsBefore, UndoneImage,
};
use landbridge_model::{HubSpotId, ObjectTypeId};
use prost::Message as _;

use crate::common::{
    decode, envelope_in, envelope_out, ids_in, ids_out, invalid, parse_id, rows_in, rows_out, table_in,
    table_out,
};
use crate::{Wire, WireError, v1};

fn id_out(id: Option<HubSpotId>) -> u64 {
    id.map_or(0, |id| id.0)
}

fn id_in(id: u64) -> Option<HubSpotId> {
    (id != 0).then_some(HubSpotId(id))
}

fn association_out(association: &Association) -> Option<v1::AssociatedBy> {
    let kinds = association.as_ref()?.iter().map(|kind| v1::AssociationKind {
        category: kind.category.clone(),
        type_id: kind.type_id,
    });
    Some(v1::AssociatedBy {
        labels: kinds.collect(),
    })
}

fn association_in(association: Option<v1::AssociatedBy>) -> Association {
    let kinds = association?.labels.into_iter().map(|kind| AssociationType {
        category: kind.category,
        type_id: kind.type_id,
    });
    Some(kinds.collect())
}

fn records_in(records: v1::RecordsBefore) -> Result<RecordsBefore, WireError> {
    let keys = rows_in(records.rows)?;
    let rows = keys.ids.len();
    if records.hubspot_ids.len() != rows {
        return Err(invalid("before-image", "ids and HubSpot ids differ in number"));
    }
    let (before, ours) = (table_in(records.before, rows)?, table_in(records.ours, rows)?);
    if !before.names().eq(ours.names()) {
        return Err(invalid(
            "before-image",
            "what was there and what is set differ in columns",
        ));
    }
    Ok(RecordsBefore {
        id_property: records.id_property,
        ids: keys.ids,
        versions: keys.versions,
        kinds: keys.kinds,
        hubspot_ids: records.hubspot_ids.into_iter().map(id_in).collect(),
        before,
        ours,
    })
}

fn links_in(links: v1::LinksBefore) -> Result<LinksBefore, WireError> {
    let pair = |pair: v1::PairBefore| {
        Ok(PairBefore {
            child: parse_id(&pair.child)?,
            from: HubSpotId(pair.from),
            to: HubSpotId(pair.to),
            before: association_in(pair.before),
            ours: association_in(pair.ours),
        })
    };
    Ok(LinksBefore {
        to: ObjectTypeId::new(&links.to),
        pairs: links
            .pairs
            .into_iter()
            .map(pair)
            .collect::<Result<_, WireError>>()?,
    })
}

impl Wire for BeforeImage {
    fn encode(&self) -> Vec<u8> {
        let body = match &self.body {
            BeforeBody::Records(records) => v1::before_image::Body::Records(v1::RecordsBefore {
                id_property: records.id_property.clone(),
                rows: Some(rows_out(&records.ids, &records.versions, &records.kinds)),
                hubspot_ids: records.hubspot_ids.iter().copied().map(id_out).collect(),
                before: table_out(&records.before),
                ours: table_out(&records.ours),
            }),
            BeforeBody::Links(links) => v1::before_image::Body::Links(v1::LinksBefore {
                to: links.to.to_string(),
                pairs: links.pairs.iter().map(pair_out).collect(),
            }),
        };
        v1::BeforeImage {
            envelope: Some(envelope_out(&self.envelope)),
            object_type: self.object_type.to_string(),
            body: Some(body),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let image: v1::BeforeImage = decode("before-image", bytes)?;
        let body = match image.body {
            Some(v1::before_image::Body::Records(records)) => BeforeBody::Records(records_in(records)?),
            Some(v1::before_image::Body::Links(links)) => BeforeBody::Links(links_in(links)?),
            None => {
                return Err(invalid(
                    "before-image",
                    "it holds nothing that this version knows",
                ));
            }
        };
        Ok(Self {
            envelope: envelope_in(image.envelope)?,
            object_type: ObjectTypeId::new(&image.object_type),
            body,
        })
    }
}

fn pair_out(pair: &PairBefore) -> v1::PairBefore {
    v1::PairBefore {
        child: pair.child.to_string(),
        from: pair.from.0,
        to: pair.to.0,
        before: association_out(&pair.before),
        ours: association_out(&pair.ours),
    }
}

impl Wire for UndoneImage {
    fn encode(&self) -> Vec<u8> {
        let left = self.left.iter().map(|left| v1::LeftValue {
            id: left.id.to_string(),
            hubspot_id: id_out(left.hubspot_id),
            property: left.property.clone(),
            has_now: left.now.is_some(),
            now: left.now.clone().unwrap_or_default(),
            has_before: left.before.is_some(),
            before: left.before.clone().unwrap_or_default(),
            reason: left.reason.clone(),
        });
        v1::UndoneImage {
            restored: ids_out(&self.restored),
            archived: ids_out(&self.archived),
            links: self.links,
            left: left.collect(),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let undone: v1::UndoneImage = decode("undone image", bytes)?;
        let left = undone.left.into_iter().map(|left| {
            Ok(LeftValue {
                id: parse_id(&left.id)?,
                hubspot_id: id_in(left.hubspot_id),
                property: left.property,
                now: left.has_now.then_some(left.now),
                before: left.has_before.then_some(left.before),
                reason: left.reason,
            })
        });
        Ok(Self {
            restored: ids_in(&undone.restored)?,
            archived: ids_in(&undone.archived)?,
            links: undone.links,
            left: left.collect::<Result<_, WireError>>()?,
        })
    }
}

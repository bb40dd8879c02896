//! The shape of an object's change events: which fields they carry, in which order, and the Avro schema of it.

use crate::salesforce::{
    ids::RecordId,
    schema::{Field, Kind, Object, Source, SystemField},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// What a field of an event holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// One field of the object.
    Field(usize, Kind),
    /// A record of parts: each a field, or nothing ever.
    Parts(Vec<Option<(usize, Kind)>>),
}

/// One field of an event after the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) slot: Slot,
    /// Users may see it: others' values are left out.
    pub(super) visible: bool,
}

/// An object's events.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) entity: String,
    /// Field 0 is the header; these are 1 and on.
    pub(super) columns: Vec<Column>,
    pub(super) schema_id: String,
    pub(super) schema: Json,
}

impl Layout {
    pub(super) fn of(index: usize, object: &Object) -> Layout {
        let mut columns = Vec::new();
        let mut fields = vec![json!({
            "name": "ChangeEventHeader", "doc": "Data:ComplexValueType", "type": header_schema(),
        })];
        let mut defined: Vec<&'static str> = Vec::new();
        for place in order(object) {
            let field = &object.fields[place];
            let (slot, kind) = if field.kind.is_compound() {
                let parts = parts(object, field);
                let kind = record_schema(field.kind, &parts, &mut defined);
                (
                    Slot::Parts(parts.into_iter().map(|(_, part)| part).collect()),
                    kind,
                )
            } else {
                (Slot::Field(place, field.kind), json!(avro_type(field.kind)))
            };
            fields.push(json!({
                "name": field.name, "type": ["null", kind], "doc": doc(index, place, field), "default": null,
            }));
            columns.push(Column {
                name: field.name.clone(),
                slot,
                visible: field.visible,
            });
        }
        let schema = json!({
            "name": event_name(&object.name), "type": "record", "namespace": "com.sforce.eventbus", "fields": fields,
        });
        let hash = Sha256::digest(schema.to_string());
        Layout {
            entity: object.name.clone(),
            columns,
            schema_id: BASE64_URL_SAFE_NO_PAD.encode(&hash[..16]),
            schema,
        }
    }
}

/// `Property__c` has `Property__ChangeEvent`, `Account` has `AccountChangeEvent`.
pub(super) fn event_name(object: &str) -> String {
    match object.strip_suffix("__c") {
        Some(stem) => format!("{stem}__ChangeEvent"),
        None => format!("{object}ChangeEvent"),
    }
}

/// The fields that events carry: the system's first, then the others in order of creation.
fn order(object: &Object) -> Vec<usize> {
    const FIRST: [&str; 6] = [
        "OwnerId",
        "Name",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
    ];
    let first = FIRST.iter().filter_map(|name| object.field_index(name));
    let rest = object.fields.iter().enumerate().filter(|(_, field)| {
        let carried = match field.source {
            Source::System(which) => !matches!(
                which,
                SystemField::Id | SystemField::IsDeleted | SystemField::SystemModstamp
            ),
            Source::Nothing => false,
            Source::Slot(_) | Source::Formula(_) | Source::Compound => true,
        };
        // A deleted field has lost its name; where a record was merged to is not told.
        let is_told = !field.name.contains(' ') && field.name != "MasterRecordId";
        carried && field.part_of.is_none() && is_told
    });
    let mut all: Vec<usize> = first.collect();
    for (place, _) in rest {
        if !all.contains(&place) {
            all.push(place);
        }
    }
    all
}

/// A compound field's parts with their names there; geolocations have one more that never holds anything.
fn parts(object: &Object, whole: &Field) -> Vec<(String, Option<(usize, Kind)>)> {
    let fields = object.fields.iter().enumerate();
    let mut parts: Vec<(String, Option<(usize, Kind)>)> = fields
        .filter(|(_, part)| part.part_of.as_deref() == Some(&whole.name))
        .map(|(place, part)| (part_name(&part.name, &whole.name), Some((place, part.kind))))
        .collect();
    if whole.kind == Kind::Location {
        parts.push(("XyzEncoded".to_owned(), None));
    }
    parts
}

/// `BillingCity` of `BillingAddress` is `City`, `Place__Latitude__s` of `Place__c` is `Latitude`.
fn part_name(part: &str, whole: &str) -> String {
    let name = match whole.strip_suffix("Address") {
        Some(stem) => part.strip_prefix(stem).unwrap_or(part),
        None => part
            .strip_suffix("__s")
            .and_then(|name| name.rsplit("__").next())
            .unwrap_or(part),
    };
    name.to_owned()
}

/// A compound's record, defined where it is first used and named from then on.
fn record_schema(
    kind: Kind,
    parts: &[(String, Option<(usize, Kind)>)],
    defined: &mut Vec<&'static str>,
) -> Json {
    let name = if kind == Kind::Location {
        "Location"
    } else {
        "Address"
    };
    if defined.contains(&name) {
        return json!(name);
    }
    defined.push(name);
    let fields: Vec<Json> = parts
        .iter()
        .map(|(name, part)| {
            let kind = part.map_or("string", |(_, kind)| avro_type(kind));
            json!({ "name": name, "type": ["null", kind], "default": null })
        })
        .collect();
    json!({ "type": "record", "name": name, "fields": fields })
}

fn avro_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Double | Kind::Currency | Kind::Percent => "double",
        Kind::Date | Kind::DateTime | Kind::Time => "long",
        _ => "string",
    }
}

/// What a field's doc says: its role and type, and a custom field's id.
fn doc(object: usize, place: usize, field: &Field) -> String {
    let kind = match field.kind {
        _ if field.name == "CreatedDate" => "CreatedDate:DateTime",
        Kind::Id | Kind::Reference => "ForeignKey:EntityId",
        Kind::Text | Kind::TextArea => "Data:Text",
        Kind::LongTextArea => "Data:StringPlusClob",
        Kind::Html => "Data:HtmlStringPlusClob",
        Kind::Picklist => "Data:DynamicEnum",
        Kind::MultiPicklist => "Data:MultiEnum",
        Kind::Boolean => "Data:Boolean",
        Kind::Int => "Data:Integer",
        Kind::Double => "Data:Double",
        Kind::Currency => "Data:Currency",
        Kind::Percent => "Data:Percent",
        Kind::Date => "Data:DateOnly",
        Kind::DateTime => "Data:DateTime",
        Kind::Time => "Data:TimeOnly",
        Kind::Email => "Data:Email",
        Kind::Phone => "Data:Phone",
        Kind::Url => "Data:Url",
        Kind::Encrypted => "Data:EncryptedText",
        Kind::Location => "Data:Location",
        Kind::Address => "Data:Address",
    };
    if !field.custom {
        return kind.to_owned();
    }
    let id = RecordId::new(*b"00N", (object * 1000 + place) as u64 + 1);
    format!("{kind}:{}", id.short())
}

/// The header of every change event.
fn header_schema() -> Json {
    let texts = json!({ "type": "array", "items": "string" });
    json!({ "type": "record", "name": "ChangeEventHeader", "fields": [
        { "name": "entityName", "type": "string" },
        { "name": "recordIds", "type": texts },
        { "name": "changeType", "type": { "type": "enum", "name": "ChangeType", "namespace": "", "symbols": [
            "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE",
            "GAP_OVERFLOW", "SNAPSHOT",
        ] } },
        { "name": "changeOrigin", "type": "string" },
        { "name": "transactionKey", "type": "string" },
        { "name": "sequenceNumber", "type": "int" },
        { "name": "commitTimestamp", "type": "long" },
        { "name": "commitNumber", "type": "long" },
        { "name": "commitUser", "type": "string" },
        { "name": "nulledFields", "type": texts },
        { "name": "diffFields", "type": texts },
        { "name": "changedFields", "type": texts },
    ] })
}

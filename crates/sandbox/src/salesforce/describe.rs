//! What the org tells about its objects and fields.

use crate::salesforce::{
    call::Call,
    clock::{http_date, parse_http_date, whole_second},
    companions,
    errors::{ApiError, json_ok},
    schema::{Field, Kind, Object, OnDelete, Picklist, Schema, Source},
};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value as Json, json};

/// `GET /sobjects`: all objects, those that cannot be queried too.
pub(super) fn global(call: &Call) -> Result<Response, ApiError> {
    if let Some(unchanged) = unchanged(call) {
        return Ok(unchanged);
    }
    let org = call.handle.org.read();
    let mut list = Vec::new();
    for object in &org.schema().objects {
        list.push(Json::Object(attributes(object, &call.version)));
        for companion in companions::of(object) {
            list.push(Json::Object(companion_attributes(
                object,
                &companion,
                &call.version,
            )));
        }
    }
    list.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    Ok(dated(
        call,
        json_ok(&json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list })),
    ))
}

/// `GET /sobjects/<object>/describe`.
pub(super) fn object(call: &Call, name: &str) -> Result<Response, ApiError> {
    let org = call.handle.org.read();
    let schema = org.schema();
    let described = match schema.object(name) {
        Some(object) => describe(schema, object, &call.version),
        None => {
            let companion = companions::find(schema, name).ok_or_else(ApiError::no_object)?;
            describe_companion(schema, &companion, &call.version)
        }
    };
    Ok(unchanged(call).unwrap_or_else(|| dated(call, json_ok(&described))))
}

fn unchanged(call: &Call) -> Option<Response> {
    let since = parse_http_date(call.headers.get(header::IF_MODIFIED_SINCE)?.to_str().ok()?)?;
    (since >= whole_second(call.handle.schema_since()))
        .then(|| dated(call, StatusCode::NOT_MODIFIED.into_response()))
}

fn dated(call: &Call, mut response: Response) -> Response {
    if let Ok(date) = HeaderValue::try_from(http_date(call.handle.schema_since())) {
        response.headers_mut().insert(header::LAST_MODIFIED, date);
    }
    response
}

/// The attributes that the global and the object's own description share.
fn attributes(object: &Object, version: &str) -> Map<String, Json> {
    let name = &object.name;
    let base = format!("/services/data/{version}/sobjects/{name}");
    let writable = object.writable;
    let merges = matches!(name.as_str(), "Account" | "Contact" | "Lead");
    let described = json!({
        "activateable": false,
        "associateEntityType": null,
        "associateParentEntity": null,
        "createable": writable,
        "custom": object.custom,
        "customSetting": false,
        "deepCloneable": false,
        "deletable": writable,
        "deprecatedAndHidden": false,
        "feedEnabled": !object.custom,
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "keyPrefix": String::from_utf8_lossy(&object.prefix),
        "label": object.label,
        "labelPlural": object.plural,
        "layoutable": true,
        "mergeable": merges,
        "mruEnabled": true,
        "name": name,
        "queryable": true,
        "replicateable": true,
        "retrieveable": true,
        "searchable": true,
        "triggerable": true,
        "undeletable": writable,
        "updateable": writable,
        "urls": {
            "sobject": base,
            "describe": format!("{base}/describe"),
            "rowTemplate": format!("{base}/{{ID}}"),
        },
    });
    match described {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The attributes of a companion: those of its object, and nothing that clients could do with it.
fn companion_attributes(object: &Object, companion: &Object, version: &str) -> Map<String, Json> {
    let mut map = attributes(companion, version);
    for key in [
        "custom",
        "layoutable",
        "mergeable",
        "mruEnabled",
        "queryable",
        "replicateable",
        "retrieveable",
        "searchable",
    ] {
        map.insert(key.to_owned(), json!(false));
    }
    map.insert("associateParentEntity".to_owned(), json!(object.name));
    map.insert("keyPrefix".to_owned(), Json::Null);
    map
}

/// The description of a companion.
fn describe_companion(schema: &Schema, companion: &Object, version: &str) -> Json {
    let mut described = describe(schema, companion, version);
    let object = schema.objects.iter().find(|object| {
        companions::of(object)
            .iter()
            .any(|one| one.name == companion.name)
    });
    if let (Some(object), Json::Object(map)) = (object, &mut described) {
        let urls = map.get("urls").cloned();
        map.extend(companion_attributes(object, companion, version));
        map.extend(urls.map(|urls| ("urls".to_owned(), urls)));
    }
    described
}

fn describe(schema: &Schema, object: &Object, version: &str) -> Json {
    let mut map = attributes(object, version);
    let base = format!("/services/data/{version}/sobjects/{}", object.name);
    let children: Vec<Json> = object
        .children
        .iter()
        .filter(|link| schema.objects[link.object].fields[link.field].visible)
        .map(|link| {
            let child = &schema.objects[link.object];
            json!({
                "cascadeDelete": link.on_delete == OnDelete::Cascade,
                "childSObject": child.name,
                "deprecatedAndHidden": false,
                "field": child.fields[link.field].name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": link.name,
                "restrictedDelete": link.on_delete == OnDelete::Restrict,
            })
        })
        .collect();
    let fields: Vec<Json> = object
        .fields
        .iter()
        .filter(|field| field.visible)
        .map(|field| describe_field(object, field))
        .collect();
    let more = json!({
        "actionOverrides": [],
        "childRelationships": children,
        "compactLayoutable": true,
        "defaultImplementation": null,
        "extendedBy": null,
        "extendsInterfaces": null,
        "fields": fields,
        "implementedBy": null,
        "implementsInterfaces": null,
        "listviewable": null,
        "lookupLayoutable": null,
        "namedLayoutInfos": [],
        "networkScopeFieldName": null,
        "recordTypeInfos": [{
            "active": true,
            "available": true,
            "defaultRecordTypeMapping": true,
            "developerName": "Master",
            "master": true,
            "name": "Master",
            "recordTypeId": "012000000000000AAA",
            "urls": { "layout": format!("{base}/describe/layouts/012000000000000AAA") },
        }],
        "searchLayoutable": true,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            { "label": format!("All {}", object.plural), "name": "everything" },
            { "label": format!("My {}", object.plural), "name": "mine" },
        ],
        "urls": {
            "approvalLayouts": format!("{base}/describe/approvalLayouts"),
            "compactLayouts": format!("{base}/describe/compactLayouts"),
            "describe": format!("{base}/describe"),
            "layouts": format!("{base}/describe/layouts"),
            "quickActions": format!("{base}/quickActions"),
            "rowTemplate": format!("{base}/{{ID}}"),
            "sobject": base,
            "uiDetailTemplate": "/{ID}",
            "uiEditTemplate": "/{ID}/e",
            "uiNewRecord": format!("/{}/e", String::from_utf8_lossy(&object.prefix)),
        },
    });
    if let Json::Object(more) = more {
        map.extend(more);
    }
    Json::Object(map)
}

/// The digits of a number as describe tells them.
fn digits(field: &Field) -> (u32, u32, u32) {
    match field.kind {
        Kind::Int => (field.precision, 0, 0),
        kind if kind.is_number() => (0, field.precision, field.scale),
        _ => (0, 0, 0),
    }
}

fn describe_field(object: &Object, field: &Field) -> Json {
    let kind = field.kind;
    let is_system = !field.custom;
    let formula = match &field.source {
        Source::Formula(formula) => Some(formula),
        _ => None,
    };
    let is_html = kind == Kind::Html || formula.is_some_and(|formula| formula.is_html());
    let reference = field.reference.as_ref();
    let extra = match (kind, is_html) {
        (Kind::Html, _) => Some("richtextarea"),
        (Kind::TextArea | Kind::LongTextArea, _) => Some("plaintextarea"),
        (Kind::Text, true) => Some("imageurl"),
        _ => None,
    };
    let (digits, precision, scale) = digits(field);
    let has_default = field.default.is_some()
        || field.kind == Kind::Boolean
        || field.name == "OwnerId"
        || !field.is_nillable() && is_system && !field.required
        || field.is_name() && !field.required;
    let default_formula = field.default.as_ref().map(|default| default.text.as_str());
    let default_value = (kind == Kind::Boolean)
        .then(|| json!(default_formula.is_some_and(|text| text.eq_ignore_ascii_case("true"))));
    let byte_length = match kind {
        Kind::Id | Kind::Reference => 18,
        kind if kind.is_text() => field.length * 3,
        _ => 0,
    };
    let described = [
        json!({
            "aggregatable": kind.is_filterable() && kind != Kind::MultiPicklist && kind != Kind::Boolean,
            "aiPredictionField": false,
            "autoNumber": field.auto_number.is_some(),
            "byteLength": byte_length,
            "calculated": field.is_calculated(),
            "calculatedFormula": formula.map(|formula| formula.text.as_str()),
            "cascadeDelete": reference.is_some_and(|to| to.on_delete == OnDelete::Cascade),
            "caseSensitive": field.case_sensitive,
            "compoundFieldName": field.part_of,
            "controllerName": null,
            "createable": field.createable && object.writable,
            "custom": field.custom,
            "defaultValue": default_value,
            "defaultValueFormula": default_formula,
            "defaultedOnCreate": has_default,
            "dependentPicklist": false,
            "deprecatedAndHidden": false,
            "digits": digits,
            "displayLocationInDecimal": kind == Kind::Location,
            "encrypted": kind == Kind::Encrypted,
            "externalId": field.external_id,
            "extraTypeInfo": extra,
            "filterable": kind.is_filterable(),
            "filteredLookupInfo": null,
            "formulaTreatNullNumberAsZero": formula.is_some_and(|formula| formula.blank_as_zero),
            "groupable": kind.is_sortable() && !kind.is_number() && kind != Kind::DateTime && formula.is_none(),
        }),
        json!({
            "highScaleNumber": false,
            "htmlFormatted": is_html,
            "idLookup": kind == Kind::Id || field.external_id || field.is_name(),
            "inlineHelpText": field.help,
            "label": field.label,
            "length": field.length,
            "mask": null,
            "maskType": null,
            "name": field.name,
            "nameField": field.is_name(),
            "namePointing": reference.is_some_and(|to| to.to.len() > 1),
            "nillable": field.is_nillable(),
            "permissionable": field.custom && !field.required,
            "picklistValues": field.picklist.as_ref().map(picklist_values).unwrap_or_default(),
            "polymorphicForeignKey": false,
            "precision": precision,
            "queryByDistance": kind == Kind::Location,
            "referenceTargetField": null,
            "referenceTo": reference.map(|to| to.to.clone()).unwrap_or_default(),
            "relationshipName": reference.and_then(|to| to.relationship.as_deref()),
            "relationshipOrder": reference.and_then(|to| to.master),
            "restrictedDelete": reference.is_some_and(|to| to.on_delete == OnDelete::Restrict),
            "restrictedPicklist": field.picklist.as_ref().is_some_and(|list| list.restricted),
            "scale": scale,
            "searchPrefilterable": kind == Kind::Reference,
            "soapType": kind.soap_type(),
            "sortable": kind.is_sortable(),
            "type": kind.describe_type(),
            "unique": field.unique,
            "updateable": updateable(field) && object.writable,
            "writeRequiresMasterRead": false,
        }),
    ];
    let mut all = Map::new();
    for part in described {
        if let Json::Object(part) = part {
            all.extend(part);
        }
    }
    Json::Object(all)
}

fn updateable(field: &Field) -> bool {
    let fixed = field
        .reference
        .as_ref()
        .is_some_and(|to| to.master.is_some() && !to.reparentable);
    field.updateable && !fixed
}

fn picklist_values(list: &Picklist) -> Vec<Json> {
    list.values
        .iter()
        .map(|value| {
            json!({
                "active": value.active,
                "defaultValue": value.default,
                "label": value.label,
                "validFor": null,
                "value": value.value,
            })
        })
        .collect()
}

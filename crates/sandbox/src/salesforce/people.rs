//! What every org holds before anybody adds anything: itself, its user with a profile, a queue.

use crate::salesforce::{clock::DAY_MS, ids::RecordId, schema::Source, store::Org, value::Value};

/// Adds the org's own record, its one user and a queue.
pub(super) fn add(org: &mut Org, seed: u64, now_ms: i64) {
    let schema = org.schema().clone();
    let then = now_ms - 400 * DAY_MS;
    let username = format!("integration@sandbox{seed}.example");
    let organization = [
        ("Name", "Sandbox"),
        ("InstanceName", "SBX1"),
        ("OrganizationType", "Enterprise Edition"),
        ("DefaultLocaleSidKey", "en_US"),
    ];
    let user = [
        ("Name", "Integration User"),
        ("FirstName", "Integration"),
        ("LastName", "User"),
        ("Username", &username),
        ("Email", &username),
        ("TimeZoneSidKey", "UTC"),
    ];
    let queue = [("Name", "Queue"), ("Type", "Queue")];
    for (object, fields) in [
        ("Organization", &organization[..]),
        ("User", &user[..]),
        ("Group", &queue[..]),
    ] {
        let Some(index) = schema.index(object) else {
            continue;
        };
        let mut values = vec![Value::Null; schema.objects[index].slots];
        for field in &schema.objects[index].fields {
            let Source::Slot(slot) = field.source else {
                continue;
            };
            let given = fields.iter().find(|(name, _)| *name == field.name);
            values[slot] = match (given, field.name.as_str()) {
                (Some((_, text)), _) => Value::text(*text),
                (None, "IsActive") => Value::Bool(true),
                (None, "IsSandbox") => Value::Bool(false),
                _ => Value::Null,
            };
        }
        org.add(index, values.into_boxed_slice(), then, then);
    }
    let profile = put(
        org,
        "PermissionSet",
        then,
        &[
            ("Name", Value::text("Integration")),
            ("IsOwnedByProfile", Value::Bool(true)),
            ("PermissionsViewAllData", Value::Bool(true)),
        ],
    );
    let user = org.user_id;
    if let Some(profile) = profile {
        let assigned = [
            ("AssigneeId", Value::Id(user)),
            ("PermissionSetId", Value::Id(profile)),
        ];
        put(org, "PermissionSetAssignment", then, &assigned);
    }
}

/// Says what the user sees whatever sharing says: everything, or all records of some objects.
pub(super) fn permit(org: &mut Org, view_all_data: Option<bool>, view_all: &[String], now_ms: i64) {
    let Some(sets) = org.schema().index("PermissionSet") else {
        return;
    };
    let place = org.schema().objects[sets]
        .field("PermissionsViewAllData")
        .map(|field| field.source.clone());
    if let (Some(everything), Some(Source::Slot(slot))) = (view_all_data, place) {
        org.convert(sets, slot, |_| Value::Bool(everything));
    }
    let profile = org.table(sets).row(0).map(|record| record.id);
    let Some(profile) = profile else { return };
    for object in view_all {
        put(
            org,
            "ObjectPermissions",
            now_ms,
            &[
                ("ParentId", Value::Id(profile)),
                ("SobjectType", Value::text(object.as_str())),
                ("PermissionsRead", Value::Bool(true)),
                ("PermissionsViewAllRecords", Value::Bool(true)),
            ],
        );
    }
}

fn put(org: &mut Org, object: &str, at_ms: i64, fields: &[(&str, Value)]) -> Option<RecordId> {
    let index = org.schema().index(object)?;
    let object = &org.schema().objects[index];
    let mut values = vec![Value::Null; object.slots];
    for (name, value) in fields {
        if let Some(Source::Slot(slot)) = object.field(name).map(|field| &field.source) {
            values[*slot] = value.clone();
        }
    }
    Some(org.add(index, values.into_boxed_slice(), at_ms, at_ms))
}

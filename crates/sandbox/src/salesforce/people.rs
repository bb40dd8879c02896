//! What every org holds before anybody adds anything: itself, its user, a queue.

use crate::salesforce::{clock::DAY_MS, schema::Source, store::Org, value::Value};

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
}

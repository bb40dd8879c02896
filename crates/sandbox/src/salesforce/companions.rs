//! The objects that come with an object: its change events and its shares. They can be described, as every
//! object that the global description names can, and no query reads them.

use crate::salesforce::schema::{Field, Kind, Object, OnDelete, Picklist, Reference, Schema};

/// An object's companions.
pub(super) fn of(object: &Object) -> Vec<Object> {
    if object.writable {
        vec![change_event(object), share(object)]
    } else {
        Vec::new()
    }
}

/// A companion by its name in any case.
pub(super) fn find(schema: &Schema, name: &str) -> Option<Object> {
    // All of the candidates would be built to compare their names, so most names are turned away first.
    let lower = name.to_ascii_lowercase();
    if !lower.ends_with("changeevent") && !lower.ends_with("share") {
        return None;
    }
    let mut all = schema.objects.iter().flat_map(of);
    all.find(|companion| companion.name.eq_ignore_ascii_case(name))
}

/// `Foo__c` has `Foo__Share`, `Account` has `AccountShare`.
fn named(object: &Object, suffix: &str, label: &str) -> Object {
    let name = match object.name.strip_suffix("__c") {
        Some(stem) => format!("{stem}__{suffix}"),
        None => format!("{}{suffix}", object.name),
    };
    let label = format!("{label}: {}", object.label);
    let mut companion = Object::new(&name, &label, &label, object.prefix);
    companion.writable = false;
    companion
}

/// The event's own fields, then the object's without those that events do not carry.
fn change_event(object: &Object) -> Object {
    const LEFT_OUT: [&str; 6] = [
        "Id",
        "IsDeleted",
        "SystemModstamp",
        "LastActivityDate",
        "LastViewedDate",
        "LastReferencedDate",
    ];
    let mut event = named(object, "ChangeEvent", "Change Event");
    event.push(fixed(Field::new("Id", "Change Event ID", Kind::Id)));
    event.push(fixed(Field::new("ReplayId", "Replay ID", Kind::Text)));
    let carried = object
        .fields
        .iter()
        .filter(|field| field.visible && !LEFT_OUT.contains(&field.name.as_str()));
    for field in carried {
        event.push(fixed(field.clone()));
    }
    event
}

fn share(object: &Object) -> Object {
    let mut share = named(object, "Share", "Share");
    let (parent, access) = if object.custom {
        ("ParentId".to_owned(), "AccessLevel".to_owned())
    } else {
        (
            format!("{}Id", object.name),
            format!("{}AccessLevel", object.name),
        )
    };
    let mut level = Field::new(&access, "Access Level", Kind::Picklist);
    level.picklist = Some(Picklist::of(true, &["Read", "Edit", "All"]));
    let mut cause = Field::new("RowCause", "Row Cause", Kind::Picklist);
    cause.picklist = Some(Picklist::of(true, &["Owner", "Manual", "Rule"]));
    let fields = [
        Field::new("Id", "Share ID", Kind::Id),
        reference(&parent, &[&object.name], "Parent"),
        level,
        reference("UserOrGroupId", &["Group", "User"], "UserOrGroup"),
        cause,
        Field::new("LastModifiedDate", "Last Modified Date", Kind::DateTime),
        reference("LastModifiedById", &["User"], "LastModifiedBy"),
        Field::new("IsDeleted", "Deleted", Kind::Boolean),
    ];
    for mut field in fields {
        field.custom = false;
        share.push(fixed(field));
    }
    share
}

fn reference(name: &str, to: &[&str], relationship: &str) -> Field {
    let mut field = Field::new(name, name, Kind::Reference);
    field.reference = Some(Reference {
        to: to.iter().map(|name| (*name).to_owned()).collect(),
        relationship: Some(relationship.to_owned()),
        children: None,
        on_delete: OnDelete::SetNull,
        master: None,
        reparentable: true,
    });
    field
}

fn fixed(mut field: Field) -> Field {
    field.createable = false;
    field.updateable = false;
    field
}

//! The standard objects and the system fields that every org has.

use crate::salesforce::{
    ids::KeyPrefix,
    schema::{Field, Kind, Object, OnDelete, Picklist, Reference, Schema, Source, SystemField},
};

/// Key prefixes of standard objects that an org folder may add fields to.
const PREFIXES: [(&str, &str, &[u8; 3]); 15] = [
    ("Account", "Accounts", b"001"),
    ("Contact", "Contacts", b"003"),
    ("Opportunity", "Opportunities", b"006"),
    ("Lead", "Leads", b"00Q"),
    ("Case", "Cases", b"500"),
    ("Campaign", "Campaigns", b"701"),
    ("Product2", "Products", b"01t"),
    ("Task", "Tasks", b"00T"),
    ("Event", "Events", b"00U"),
    ("User", "Users", b"005"),
    ("Group", "Groups", b"00G"),
    ("Organization", "Organizations", b"00D"),
    ("PermissionSet", "Permission Sets", b"0PS"),
    ("PermissionSetAssignment", "Permission Set Assignments", b"0Pa"),
    ("ObjectPermissions", "Object Permissions", b"110"),
];

/// A standard object's plural and key prefix.
pub fn standard(name: &str) -> Option<(&'static str, &'static str, KeyPrefix)> {
    PREFIXES
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
        .map(|(name, plural, prefix)| (*name, *plural, **prefix))
}

/// The objects that are there before anybody adds any: the org itself, its people, Accounts, Contacts.
pub fn base_schema() -> Schema {
    let mut schema = Schema::default();
    schema.push(organization());
    schema.push(user());
    schema.push(group());
    schema.push(permission_set());
    schema.push(permission_set_assignment());
    schema.push(object_permissions());
    schema.push(account());
    schema.push(contact());
    schema
}

/// A standard object that is known by name only: system fields and a name.
pub fn plain_standard(name: &str) -> Option<Object> {
    let (name, plural, prefix) = standard(name)?;
    let mut object = Object::new(name, name, plural, prefix);
    add_system_fields(&mut object, None);
    Some(object)
}

/// Adds the fields that records of every object have, in describe's order. `auto_number` makes the name a
/// number given by the org. Details of a master have no owner, so their master-detail fields must be
/// there before.
pub fn add_system_fields(object: &mut Object, auto_number: Option<&str>) {
    let own = std::mem::take(&mut object.fields);
    let is_detail = own
        .iter()
        .any(|field| field.reference.as_ref().is_some_and(|to| to.master.is_some()));
    object.push(system("Id", "Record ID", Kind::Id, SystemField::Id));
    if !is_detail {
        let mut owner = reference("OwnerId", "Owner ID", &["Group", "User"], "Owner");
        owner.updateable = true;
        object.push(owner);
    }
    object.push(system(
        "IsDeleted",
        "Deleted",
        Kind::Boolean,
        SystemField::IsDeleted,
    ));
    let mut name = Field::new("Name", &format!("{} Name", object.label), Kind::Text);
    name.length = 80;
    if let Some(format) = auto_number {
        name.auto_number = Some(format.to_owned());
        name.createable = false;
        name.updateable = false;
        name.required = true;
    }
    object.push(name);
    object.push(system(
        "CreatedDate",
        "Created Date",
        Kind::DateTime,
        SystemField::CreatedDate,
    ));
    object.push(user_stamp(
        "CreatedById",
        "Created By ID",
        "CreatedBy",
        SystemField::CreatedById,
    ));
    object.push(system(
        "LastModifiedDate",
        "Last Modified Date",
        Kind::DateTime,
        SystemField::LastModifiedDate,
    ));
    object.push(user_stamp(
        "LastModifiedById",
        "Last Modified By ID",
        "LastModifiedBy",
        SystemField::LastModifiedById,
    ));
    object.push(system(
        "SystemModstamp",
        "System Modstamp",
        Kind::DateTime,
        SystemField::SystemModstamp,
    ));
    object.push(nothing("LastActivityDate", "Last Activity Date", Kind::Date));
    object.push(nothing("LastViewedDate", "Last Viewed Date", Kind::DateTime));
    object.push(nothing(
        "LastReferencedDate",
        "Last Referenced Date",
        Kind::DateTime,
    ));
    own.into_iter().for_each(|field| object.push(field));
}

/// A geolocation field and its two parts.
pub fn location(name: &str, label: &str, scale: u32) -> [Field; 3] {
    let stem = name.strip_suffix("__c").unwrap_or(name);
    let part = |which: &str| {
        let mut field = Field::new(
            &format!("{stem}__{which}__s"),
            &format!("{label} ({which})"),
            Kind::Double,
        );
        field.scale = scale;
        field.precision = scale + 3;
        field.part_of = Some(name.to_owned());
        field
    };
    [
        part("Latitude"),
        part("Longitude"),
        Field::new(name, label, Kind::Location),
    ]
}

/// A reference that standard objects have.
fn reference(name: &str, label: &str, to: &[&str], relationship: &str) -> Field {
    let mut field = Field::new(name, label, Kind::Reference);
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

fn system(name: &str, label: &str, kind: Kind, which: SystemField) -> Field {
    let mut field = Field::new(name, label, kind);
    field.source = Source::System(which);
    field.createable = false;
    field.updateable = false;
    field
}

fn user_stamp(name: &str, label: &str, relationship: &str, which: SystemField) -> Field {
    let mut field = reference(name, label, &["User"], relationship);
    field.source = Source::System(which);
    field.createable = false;
    field.updateable = false;
    field
}

fn nothing(name: &str, label: &str, kind: Kind) -> Field {
    let mut field = Field::new(name, label, kind);
    field.source = Source::Nothing;
    field.createable = false;
    field.updateable = false;
    field
}

fn text(name: &str, label: &str, length: u32) -> Field {
    let mut field = Field::new(name, label, Kind::Text);
    field.length = length;
    field
}

fn picklist(name: &str, label: &str, values: &[&str]) -> Field {
    let mut field = Field::new(name, label, Kind::Picklist);
    field.picklist = Some(Picklist::of(false, values));
    field
}

/// An address field and its parts.
fn address(object: &mut Object, stem: &str) {
    let whole = format!("{stem}Address");
    let parts = [
        ("Street", Kind::TextArea, 255),
        ("City", Kind::Text, 40),
        ("State", Kind::Text, 80),
        ("PostalCode", Kind::Text, 20),
        ("Country", Kind::Text, 80),
        ("Latitude", Kind::Double, 0),
        ("Longitude", Kind::Double, 0),
        ("GeocodeAccuracy", Kind::Picklist, 40),
    ];
    for (part, kind, length) in parts {
        let mut field = Field::new(&format!("{stem}{part}"), &format!("{stem} {part}"), kind);
        field.length = length;
        field.part_of = Some(whole.clone());
        if kind == Kind::Double {
            field.scale = 15;
        }
        object.push(field);
    }
    object.push(Field::new(&whole, &format!("{stem} Address"), Kind::Address));
}

fn account() -> Object {
    let mut object = Object::new("Account", "Account", "Accounts", *b"001");
    add_system_fields(&mut object, None);
    if let Some(name) = object.fields.iter_mut().find(|field| field.name == "Name") {
        name.length = 255;
        name.required = true;
    }
    let mut parent = reference("ParentId", "Parent Account ID", &["Account"], "Parent");
    if let Some(reference) = &mut parent.reference {
        reference.children = Some("ChildAccounts".to_owned());
    }
    object.push(parent);
    object.push(picklist(
        "Type",
        "Account Type",
        &["Prospect", "Customer", "Partner", "Other"],
    ));
    address(&mut object, "Billing");
    object.push(Field::new("Phone", "Account Phone", Kind::Phone));
    object.push(text("AccountNumber", "Account Number", 40));
    object.push(Field::new("Website", "Website", Kind::Url));
    object.push(picklist(
        "Industry",
        "Industry",
        &["Energy", "Finance", "Logistics", "Retail", "Technology"],
    ));
    let mut revenue = Field::new("AnnualRevenue", "Annual Revenue", Kind::Currency);
    revenue.scale = 0;
    object.push(revenue);
    let mut employees = Field::new("NumberOfEmployees", "Employees", Kind::Int);
    employees.precision = 8;
    object.push(employees);
    let mut description = Field::new("Description", "Account Description", Kind::LongTextArea);
    description.length = 32_000;
    object.push(description);
    object.push(master_record("Account"));
    object
}

/// Where a record that was merged away went. Only the org writes it.
fn master_record(object: &str) -> Field {
    let mut field = reference("MasterRecordId", "Master Record ID", &[object], "MasterRecord");
    field.createable = false;
    field.updateable = false;
    field
}

fn contact() -> Object {
    let mut object = Object::new("Contact", "Contact", "Contacts", *b"003");
    add_system_fields(&mut object, None);
    // A contact's name is put together from its parts.
    if let Some(name) = object.fields.iter_mut().find(|field| field.name == "Name") {
        name.length = 121;
        name.createable = false;
        name.updateable = false;
    }
    let mut account = reference("AccountId", "Account ID", &["Account"], "Account");
    if let Some(reference) = &mut account.reference {
        reference.children = Some("Contacts".to_owned());
        reference.on_delete = OnDelete::Cascade;
    }
    object.push(account);
    let mut last = text("LastName", "Last Name", 80);
    last.required = true;
    object.push(last);
    object.push(text("FirstName", "First Name", 40));
    address(&mut object, "Mailing");
    object.push(Field::new("Phone", "Business Phone", Kind::Phone));
    object.push(Field::new("MobilePhone", "Mobile Phone", Kind::Phone));
    object.push(Field::new("Email", "Email", Kind::Email));
    object.push(text("Title", "Title", 128));
    object.push(master_record("Contact"));
    object
}

fn read_only(mut object: Object) -> Object {
    object.writable = false;
    object.fields.retain(|field| field.name != "OwnerId");
    object
}

fn organization() -> Object {
    let mut object = Object::new("Organization", "Organization", "Organizations", *b"00D");
    add_system_fields(&mut object, None);
    object.push(text("InstanceName", "Instance Name", 5));
    object.push(text("OrganizationType", "Edition", 40));
    object.push(Field::new("IsSandbox", "Is Sandbox", Kind::Boolean));
    object.push(text("NamespacePrefix", "Namespace Prefix", 15));
    object.push(text("DefaultLocaleSidKey", "Locale", 40));
    read_only(object)
}

fn permission_set() -> Object {
    let mut object = Object::new("PermissionSet", "Permission Set", "Permission Sets", *b"0PS");
    add_system_fields(&mut object, None);
    object.push(Field::new("IsOwnedByProfile", "Owned by Profile", Kind::Boolean));
    object.push(Field::new(
        "PermissionsViewAllData",
        "View All Data",
        Kind::Boolean,
    ));
    read_only(object)
}

fn permission_set_assignment() -> Object {
    let (label, plural) = ("Permission Set Assignment", "Permission Set Assignments");
    let mut object = Object::new("PermissionSetAssignment", label, plural, *b"0Pa");
    add_system_fields(&mut object, None);
    object.push(reference("AssigneeId", "Assignee ID", &["User"], "Assignee"));
    object.push(reference(
        "PermissionSetId",
        "Permission Set ID",
        &["PermissionSet"],
        "PermissionSet",
    ));
    read_only(object)
}

fn object_permissions() -> Object {
    let mut object = Object::new(
        "ObjectPermissions",
        "Object Permissions",
        "Object Permissions",
        *b"110",
    );
    add_system_fields(&mut object, None);
    object.push(reference("ParentId", "Parent ID", &["PermissionSet"], "Parent"));
    object.push(text("SobjectType", "Object", 40));
    object.push(Field::new("PermissionsRead", "Read", Kind::Boolean));
    object.push(Field::new("PermissionsViewAllRecords", "View All", Kind::Boolean));
    read_only(object)
}

fn user() -> Object {
    let mut object = Object::new("User", "User", "Users", *b"005");
    add_system_fields(&mut object, None);
    let mut username = text("Username", "Username", 80);
    username.required = true;
    object.push(username);
    object.push(text("LastName", "Last Name", 80));
    object.push(text("FirstName", "First Name", 40));
    object.push(Field::new("Email", "Email", Kind::Email));
    object.push(Field::new("IsActive", "Active", Kind::Boolean));
    object.push(text("TimeZoneSidKey", "Time Zone", 40));
    read_only(object)
}

fn group() -> Object {
    let mut object = Object::new("Group", "Group", "Groups", *b"00G");
    add_system_fields(&mut object, None);
    object.push(picklist("Type", "Type", &["Queue", "Regular"]));
    object.push(Field::new("Email", "Email", Kind::Email));
    read_only(object)
}

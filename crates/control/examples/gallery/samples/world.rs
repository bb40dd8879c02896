//! The sample tenant: a car rental, with an org and a portal.

use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use landbridge_control::console::connected::SyncSummary;
use landbridge_control::console::parts::Paging;
use landbridge_control::console::wizard::{Draft, Step};
use landbridge_control::console::{Person, Place, Role, Shell, TenantHead, Theme, Trouble};
use landbridge_model::config::SyncStatus;
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition, PropertyOption, PropertyType};
use landbridge_model::salesforce::{FieldDescribe, FieldType, ObjectDescribe, PicklistValue};
use landbridge_model::sync::{
    AssociationRule, Condition, DeleteRule, FieldRule, Filter, HubSpotEnd, MaxDeletes, Metadata, OnLeave,
    Operator, Rules, SalesforceEnd, Scalars, SyncDefinition, SyncSpec, Unmatched,
};
use landbridge_model::{ObjectTypeId, SalesforceId, SyncName, TenantId, Version};

/// When every page of the gallery is written.
pub(crate) fn now() -> Timestamp {
    "2026-03-12T09:30:00Z".parse().expect("a time")
}

/// So long before that.
pub(crate) fn before(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).expect("a time")
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").expect("a tenant's name")
}

pub(crate) fn sync_name(name: &str) -> SyncName {
    SyncName::new(name).expect("a sync's name")
}

pub(crate) fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a04Hs00000{number:05}")).expect("an id")
}

pub(crate) fn version() -> Version {
    Version::new(before(400).as_millisecond(), before(390).as_millisecond())
}

/// A visitor who may do everything, at a place of the sample tenant.
pub(crate) fn shell(place: Place) -> Shell {
    Shell {
        person: Some(Person {
            name: "Mira Okonkwo".to_owned(),
            role: Role::Admin,
        }),
        csrf: "sample-token".to_owned(),
        theme: Theme::System,
        tenant: Some(TenantHead {
            id: tenant(),
            suspended: None,
        }),
        place,
        notices: Vec::new(),
        now: now(),
        path: "/tenants/acme".to_owned(),
    }
}

/// The same outside of any tenant.
pub(crate) fn wide_shell(place: Place) -> Shell {
    Shell {
        tenant: None,
        path: "/".to_owned(),
        ..shell(place)
    }
}

/// The same for somebody who may only look.
pub(crate) fn viewer(shell: Shell) -> Shell {
    let person = Person {
        name: "Jo Lind".to_owned(),
        role: Role::Viewer,
    };
    Shell {
        person: Some(person),
        ..shell
    }
}

/// What a page shows when control cannot be asked.
pub(crate) fn unavailable() -> Trouble {
    Trouble {
        what: "Landbridge cannot be asked about this tenant just now.".to_owned(),
        remedy: "The worker that looks after it is being replaced, which takes some seconds. Load the page again; if this stays, see whether a control process is running.".to_owned(),
        reference: Some("7f2c1e90".to_owned()),
    }
}

pub(crate) fn paging() -> Paging {
    Paging {
        first: 51,
        last: 100,
        total: Some(200),
        previous: Some("/?page=1".to_owned()),
        next: Some("/?page=3".to_owned()),
    }
}

pub(crate) fn field(name: &str, label: &str, kind: FieldType) -> FieldDescribe {
    FieldDescribe {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        length: 255,
        precision: 18,
        scale: 2,
        nillable: true,
        unique: false,
        calculated: false,
        calculated_formula: None,
        custom: name.ends_with("__c"),
        reference_to: Vec::new(),
        relationship_order: None,
        relationship_name: None,
        restricted_picklist: false,
        picklist_values: Vec::new(),
        compound_field_name: None,
        extra_type_info: None,
    }
}

pub(crate) fn lookup(name: &str, label: &str, to: &[&str]) -> FieldDescribe {
    FieldDescribe {
        reference_to: to.iter().map(|name| (*name).to_owned()).collect(),
        relationship_order: None,
        relationship_name: Some(name.replace("__c", "__r")),
        ..field(name, label, FieldType::Reference)
    }
}

fn picklist(name: &str, label: &str, values: &[(&str, bool)]) -> FieldDescribe {
    let values = values.iter().map(|(value, active)| PicklistValue {
        value: (*value).to_owned(),
        label: None,
        active: *active,
    });
    FieldDescribe {
        picklist_values: values.collect(),
        ..field(name, label, FieldType::Picklist)
    }
}

pub(crate) fn property(name: &str, label: &str, kind: PropertyType, field_type: &str) -> PropertyDefinition {
    PropertyDefinition {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        field_type: field_type.to_owned(),
        options: Vec::new(),
        has_unique_value: false,
        read_only: false,
    }
}

fn enumeration(name: &str, label: &str, options: &[(&str, &str)]) -> PropertyDefinition {
    let options = options.iter().map(|(value, label)| PropertyOption {
        label: (*label).to_owned(),
        value: (*value).to_owned(),
    });
    PropertyDefinition {
        options: options.collect(),
        ..property(name, label, PropertyType::Enumeration, "select")
    }
}

/// `Vehicle__c`, as the org describes it.
pub(crate) fn vehicle() -> ObjectDescribe {
    ObjectDescribe {
        name: "Vehicle__c".to_owned(),
        label: "Vehicle".to_owned(),
        custom: true,
        queryable: true,
        key_prefix: Some("a04".to_owned()),
        fields: vec![
            field("Id", "Record ID", FieldType::Id),
            field("Name", "Vehicle Name", FieldType::String),
            field("Vin__c", "VIN", FieldType::String),
            field("Price__c", "List Price", FieldType::Currency),
            field("Mileage__c", "Mileage", FieldType::Double),
            field("Discount__c", "Discount", FieldType::Percent),
            field("Registered__c", "Registered", FieldType::DateTime),
            field("Next_Service__c", "Next Service", FieldType::Date),
            field("Electric__c", "Electric", FieldType::Boolean),
            field("Notes__c", "Notes", FieldType::TextArea),
            field("Position__c", "Position", FieldType::Location),
            picklist(
                "Status__c",
                "Status",
                &[
                    ("Available", true),
                    ("Rented", true),
                    ("In Service", true),
                    ("Scrapped", false),
                ],
            ),
            picklist(
                "Fuel__c",
                "Fuel",
                &[
                    ("Petrol", true),
                    ("Diesel", true),
                    ("Electric", true),
                    ("Hydrogen", true),
                ],
            ),
            lookup("Account__c", "Owner Account", &["Account"]),
            lookup("Depot__c", "Depot", &["Depot__c"]),
            lookup("Insurer__c", "Insurer", &["Insurer__c"]),
            lookup("Responsible__c", "Responsible", &["User", "Group"]),
        ],
    }
}

/// `vehicles`, as the portal describes it.
pub(crate) fn vehicles() -> ObjectSchema {
    let read_only = PropertyDefinition {
        read_only: true,
        ..property(
            "hs_createdate",
            "Object create date/time",
            PropertyType::DateTime,
            "date",
        )
    };
    ObjectSchema {
        object_type_id: ObjectTypeId::new("2-4127733"),
        name: "vehicles".to_owned(),
        fully_qualified_name: Some("p139902_vehicles".to_owned()),
        label: "Vehicle".to_owned(),
        required_properties: vec!["name".to_owned(), "vin".to_owned()],
        properties: vec![
            property("name", "Name", PropertyType::String, "text"),
            property("vin", "VIN", PropertyType::String, "text"),
            property("price", "Price", PropertyType::Number, "number"),
            property("mileage", "Mileage", PropertyType::Number, "number"),
            property("discount", "Discount", PropertyType::Number, "number"),
            property("registered_on", "Registered on", PropertyType::Date, "date"),
            property("next_service", "Next service", PropertyType::Date, "date"),
            property("notes", "Notes", PropertyType::String, "textarea"),
            enumeration(
                "status",
                "Status",
                &[
                    ("Available", "Available"),
                    ("Rented", "Rented"),
                    ("In Service", "In service"),
                ],
            ),
            enumeration(
                "fuel_type",
                "Fuel type",
                &[("petrol", "Petrol"), ("diesel", "Diesel"), ("ev", "Electric")],
            ),
            read_only,
        ],
    }
}

pub(crate) fn rule(from: &str, to: &str) -> FieldRule {
    FieldRule {
        from: from.to_owned(),
        to: to.to_owned(),
        values: IndexMap::new(),
        unmatched: Unmatched::Fail,
    }
}

/// The sync of vehicles with nothing left to put right.
pub(crate) fn definition() -> SyncDefinition {
    let fuel = [("Petrol", "petrol"), ("Diesel", "diesel"), ("Electric", "ev")];
    SyncDefinition {
        api_version: "landbridge/v1".to_owned(),
        kind: "Sync".to_owned(),
        metadata: Metadata {
            tenant: tenant(),
            name: sync_name("vehicles"),
        },
        spec: SyncSpec {
            salesforce: SalesforceEnd {
                object: "Vehicle__c".to_owned(),
            },
            hubspot: HubSpotEnd {
                object_type: "vehicles".to_owned(),
                id_property: "salesforce_id".to_owned(),
            },
            rules: Rules {
                delete: DeleteRule::DeleteRecord,
                max_deletes: Some(MaxDeletes::Percent(5)),
                grace: Some("24h".to_owned()),
                ..Rules::default()
            },
            filter: Some(Filter {
                all: vec![Condition {
                    field: "Status__c".to_owned(),
                    op: Operator::NotEquals,
                    value: Some(Scalars(vec!["Scrapped".to_owned()])),
                }],
                on_leave: OnLeave::Keep,
            }),
            associations: vec![
                AssociationRule {
                    field: "Account__c".to_owned(),
                    object: None,
                    to: "companies".to_owned(),
                    match_property: Some("salesforceaccountid".to_owned()),
                    label: None,
                },
                AssociationRule {
                    field: "Depot__c".to_owned(),
                    object: None,
                    to: "depots".to_owned(),
                    match_property: None,
                    label: Some("stationed at".to_owned()),
                },
            ],
            fields: vec![
                rule("Name", "name"),
                rule("Vin__c", "vin"),
                rule("Price__c", "price"),
                rule("Registered__c", "registered_on"),
                rule("Status__c", "status"),
                FieldRule {
                    values: fuel
                        .iter()
                        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                        .collect(),
                    unmatched: Unmatched::LeaveEmpty,
                    ..rule("Fuel__c", "fuel_type")
                },
            ],
        },
    }
}

/// Around every step of the wizard for vehicles.
pub(crate) fn draft(reached: Step) -> Draft {
    Draft {
        tenant: tenant(),
        sync: sync_name("vehicles"),
        object: ("Vehicle".to_owned(), "Vehicle__c".to_owned()),
        object_type: ("Vehicle".to_owned(), "vehicles".to_owned()),
        etag: "r3-9c1f".to_owned(),
        reached,
        wrong: Vec::new(),
        editing: None,
        saved: Some(before(42)),
        trouble: None,
    }
}

/// The tenant's syncs.
pub(crate) fn syncs() -> Vec<SyncSummary> {
    let pair = |label: &str, name: &str| (label.to_owned(), name.to_owned());
    let summary = |name: &str, object: (String, String), to: (String, String), status| SyncSummary {
        name: sync_name(name),
        object,
        object_type: to,
        status,
        reason: None,
        behind: None,
        failures: Some(0),
        last: Some(before(11)),
        draft_step: None,
    };
    vec![
        SyncSummary {
            behind: Some(Duration::from_secs(7)),
            failures: Some(38),
            ..summary("vehicles", pair("Vehicle", "Vehicle__c"), pair("Vehicle", "vehicles"), SyncStatus::Active)
        },
        SyncSummary {
            behind: Some(Duration::from_secs(9)),
            last: Some(before(5_400)),
            ..summary("depots", pair("Depot", "Depot__c"), pair("Depot", "depots"), SyncStatus::Active)
        },
        SyncSummary {
            reason: Some("HubSpot's object type rentals no longer has the property ends_on, which 1 field is mapped to.".to_owned()),
            last: Some(before(90_000)),
            ..summary("rentals", pair("Rental", "Rental__c"), pair("Rental", "rentals"), SyncStatus::Suspended)
        },
        SyncSummary {
            last: None,
            draft_step: Some(Step::Mappings),
            ..summary("inspections", pair("Inspection", "Inspection__c"), pair("Inspection", "inspections"), SyncStatus::Draft)
        },
    ]
}

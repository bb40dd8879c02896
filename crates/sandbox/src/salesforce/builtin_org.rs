//! The org that is there without asking: Accounts, depots, vehicles, service visits and inspections.

mod data;

use crate::salesforce::{
    formula::{self, Formula},
    handle::OrgReport,
    schema::{Field, Kind, Object, OnDelete, Picklist, Reference, Schema, Source},
    standard::{add_system_fields, base_schema, location},
    store::Org,
};

/// Builds and fills the org. `records` is the number of custom records in all.
pub fn load(records: Option<usize>, seed: u64, now_ms: i64, report: &mut OrgReport) -> Org {
    let mut schema = schema();
    for (object, field, error) in formula::bind_all(&mut schema) {
        report.notes.push(format!("{object}.{field}: {error}"));
    }
    let mut org = Org::new(schema, seed);
    data::fill(&mut org, records, seed, now_ms);
    org
}

/// The objects and their fields.
fn schema() -> Schema {
    let mut schema = base_schema();
    for build in [depot, vehicle, service_visit, inspection] {
        let mut object = build();
        object.prefix = schema.next_custom_prefix();
        schema.push(object);
    }
    schema.finish();
    schema
}

fn object(name: &str, label: &str, plural: &str, fields: Vec<Field>, auto_number: Option<&str>) -> Object {
    let mut object = Object::new(name, label, plural, *b"a00");
    fields.into_iter().for_each(|field| object.push(field));
    add_system_fields(&mut object, auto_number);
    object
}

fn field(name: &str, kind: Kind) -> Field {
    let label = name.trim_end_matches("__c").replace('_', " ");
    Field::new(name, &label, kind)
}

fn text(name: &str, length: u32) -> Field {
    Field {
        length,
        ..field(name, Kind::Text)
    }
}

fn number(name: &str, kind: Kind, precision: u32, scale: u32) -> Field {
    Field {
        precision,
        scale,
        ..field(name, kind)
    }
}

fn picklist(name: &str, kind: Kind, values: &[&str]) -> Field {
    Field {
        picklist: Some(Picklist::of(true, values)),
        ..field(name, kind)
    }
}

fn external_id(field: Field) -> Field {
    Field {
        external_id: true,
        unique: true,
        ..field
    }
}

fn formula(name: &str, kind: Kind, text: &str) -> Field {
    let source = Source::Formula(Box::new(Formula::new(text, false)));
    Field {
        source,
        createable: false,
        updateable: false,
        ..field(name, kind)
    }
}

fn lookup(name: &str, to: &str, children: &str) -> Field {
    let stem = name.trim_end_matches("__c");
    let reference = Reference {
        to: vec![to.to_owned()],
        relationship: Some(format!("{stem}__r")),
        children: Some(format!("{children}__r")),
        on_delete: OnDelete::SetNull,
        master: None,
        reparentable: true,
    };
    Field {
        reference: Some(reference),
        ..field(name, Kind::Reference)
    }
}

fn depot() -> Object {
    let fields = vec![
        external_id(text("Code__c", 40)),
        lookup("Account__c", "Account", "Depots"),
        lookup("Parent_Depot__c", "Depot__c", "Child_Depots"),
        number("Capacity__c", Kind::Double, 8, 0),
        field("Opened_On__c", Kind::Date),
    ];
    object("Depot__c", "Depot", "Depots", fields, None)
}

fn vehicle() -> Object {
    let mut fields = vec![
        external_id(text("External_Id__c", 40)),
        field("Notes__c", Kind::LongTextArea),
        number("Mileage__c", Kind::Double, 10, 1),
        number("Price__c", Kind::Currency, 18, 2),
        field("Purchased_On__c", Kind::Date),
        field("Last_Service_At__c", Kind::DateTime),
        field("Active__c", Kind::Boolean),
        picklist(
            "Fuel__c",
            Kind::Picklist,
            &["Petrol", "Diesel", "Electric", "Hybrid"],
        ),
        picklist(
            "Features__c",
            Kind::MultiPicklist,
            &["Tow Bar", "Roof Rack", "Tail Lift", "Refrigerated", "Navigation"],
        ),
        field("Daily_Start__c", Kind::Time),
        field("Website__c", Kind::Url),
        field("Contact_Email__c", Kind::Email),
        field("Phone__c", Kind::Phone),
        number("Discount__c", Kind::Percent, 5, 2),
    ];
    fields.extend(location("Location__c", "Location", 6));
    fields.extend([
        formula("Age_Days__c", Kind::Double, "TODAY() - Purchased_On__c"),
        Field {
            length: 1300,
            ..formula("Label__c", Kind::Text, "Name & \" / \" & Depot__r.Name")
        },
        lookup("Account__c", "Account", "Vehicles"),
        lookup("Depot__c", "Depot__c", "Vehicles"),
    ]);
    object("Vehicle__c", "Vehicle", "Vehicles", fields, None)
}

fn service_visit() -> Object {
    let mut master = lookup("Vehicle__c", "Vehicle__c", "Service_Visits");
    master.required = true;
    if let Some(reference) = &mut master.reference {
        reference.on_delete = OnDelete::Cascade;
        reference.master = Some(0);
        reference.reparentable = false;
    }
    let fields = vec![
        master,
        lookup("Depot__c", "Depot__c", "Service_Visits"),
        field("Visited_At__c", Kind::DateTime),
        number("Cost__c", Kind::Currency, 10, 2),
        picklist(
            "Outcome__c",
            Kind::Picklist,
            &["Completed", "Parts Ordered", "Cancelled"],
        ),
        field("Summary__c", Kind::TextArea),
    ];
    object(
        "Service_Visit__c",
        "Service Visit",
        "Service Visits",
        fields,
        Some("SV-{000000}"),
    )
}

fn inspection() -> Object {
    let mut score = number("Score__c", Kind::Double, 3, 0);
    score.required = true;
    let fields = vec![
        lookup("Vehicle__c", "Vehicle__c", "Inspections"),
        lookup("Depot__c", "Depot__c", "Inspections"),
        picklist("Result__c", Kind::Picklist, &["Pass", "Fail", "Deferred"]),
        field("Inspected_On__c", Kind::Date),
        score,
    ];
    object("Inspection__c", "Inspection", "Inspections", fields, None)
}

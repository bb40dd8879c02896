//! The object types that every portal has, and the properties that every object type has.

use super::{
    account,
    object_type::{Definition, Group},
    property::{Kind, Property, System},
    table::Table,
};

/// (type id, singular, plural) as paths and errors know them.
pub(super) const STANDARD: &[(&str, &str, &str)] = &[
    ("0-1", "contact", "contacts"),
    ("0-2", "company", "companies"),
    ("0-3", "deal", "deals"),
    ("0-5", "ticket", "tickets"),
    ("0-7", "product", "products"),
    ("0-8", "line_item", "line_items"),
    ("0-14", "quote", "quotes"),
    ("0-18", "communication", "communications"),
    ("0-19", "feedback_submission", "feedback_submissions"),
    ("0-27", "task", "tasks"),
    ("0-46", "note", "notes"),
    ("0-47", "meeting", "meetings"),
    ("0-48", "call", "calls"),
    ("0-49", "email", "emails"),
    ("0-51", "conversation", "conversations"),
    ("0-53", "invoice", "invoices"),
    ("0-69", "subscription", "subscriptions"),
    ("0-101", "commerce_payment", "commerce_payments"),
    ("0-116", "postal_mail", "postal_mail"),
    ("0-123", "order", "orders"),
    ("0-136", "lead", "leads"),
    ("0-162", "service", "services"),
    ("0-410", "course", "courses"),
    ("0-420", "listing", "listings"),
    ("0-421", "appointment", "appointments"),
];

/// A new custom object type is associated with these without being asked.
pub(super) const ACTIVITIES: &[&str] = &["0-27", "0-46", "0-47", "0-48", "0-49", "0-51", "0-18", "0-116"];

/// (name, label, type, field type) of the properties that matter, by type id.
fn own_properties(type_id: &str) -> &'static [(&'static str, &'static str, Kind, &'static str)] {
    use Kind::{Bool, Datetime, Enumeration, Number, String};
    match type_id {
        "0-1" => &[
            ("email", "Email", String, "text"),
            ("firstname", "First Name", String, "text"),
            ("lastname", "Last Name", String, "text"),
            ("phone", "Phone Number", String, "phonenumber"),
            ("mobilephone", "Mobile Phone Number", String, "phonenumber"),
            ("company", "Company Name", String, "text"),
            ("website", "Website URL", String, "text"),
            ("jobtitle", "Job Title", String, "text"),
            ("city", "City", String, "text"),
            ("country", "Country/Region", String, "text"),
            ("lifecyclestage", "Lifecycle Stage", Enumeration, "radio"),
            ("salesforcecontactid", "Salesforce Contact ID", String, "text"),
            ("salesforceleadid", "Salesforce Lead ID", String, "text"),
            ("salesforceaccountid", "Salesforce Account ID", String, "text"),
            ("salesforceownerid", "Salesforce Owner ID", String, "text"),
            ("salesforcecampaignids", "Salesforce Campaign IDs", String, "text"),
            (
                "salesforceopportunitystage",
                "Salesforce Opportunity Stage",
                String,
                "text",
            ),
            (
                "salesforcelastsynctime",
                "Last Salesforce Sync Time",
                Datetime,
                "date",
            ),
            ("salesforcedeleted", "Salesforce Deleted", Bool, "booleancheckbox"),
        ],
        "0-2" => &[
            ("name", "Company name", String, "text"),
            ("domain", "Company Domain Name", String, "text"),
            ("website", "Website URL", String, "text"),
            ("phone", "Phone Number", String, "phonenumber"),
            ("industry", "Industry", String, "text"),
            ("description", "Description", String, "textarea"),
            ("address", "Street Address", String, "text"),
            ("city", "City", String, "text"),
            ("state", "State/Region", String, "text"),
            ("zip", "Postal Code", String, "text"),
            ("country", "Country/Region", String, "text"),
            ("numberofemployees", "Number of Employees", Number, "number"),
            ("annualrevenue", "Annual Revenue", Number, "number"),
            ("lifecyclestage", "Lifecycle Stage", Enumeration, "radio"),
            ("salesforceaccountid", "Salesforce Account ID", String, "text"),
            (
                "salesforcelastsynctime",
                "Last Salesforce Sync Time",
                Datetime,
                "date",
            ),
        ],
        "0-3" => &[
            ("dealname", "Deal Name", String, "text"),
            ("amount", "Amount", Number, "number"),
            ("dealstage", "Deal Stage", Enumeration, "radio"),
            ("pipeline", "Pipeline", Enumeration, "select"),
            ("closedate", "Close Date", Datetime, "date"),
            ("description", "Deal Description", String, "textarea"),
            (
                "hs_salesforceopportunityid",
                "Salesforce Opportunity ID",
                String,
                "text",
            ),
            (
                "salesforcelastsynctime",
                "Last Salesforce Sync Time",
                Datetime,
                "date",
            ),
        ],
        "0-5" => &[
            ("subject", "Ticket name", String, "text"),
            ("content", "Ticket description", String, "textarea"),
            ("hs_pipeline", "Pipeline", Enumeration, "select"),
            ("hs_pipeline_stage", "Ticket status", Enumeration, "select"),
            ("hs_ticket_category", "Category", Enumeration, "checkbox"),
            ("hs_ticket_priority", "Priority", Enumeration, "select"),
            ("salesforcecaseid", "Salesforce Case ID", String, "text"),
        ],
        _ => &[("hs_name", "Name", String, "text")],
    }
}

fn options(name: &str) -> &'static [&'static str] {
    match name {
        "lifecyclestage" => &[
            "subscriber",
            "lead",
            "opportunity",
            "customer",
            "evangelist",
            "other",
        ],
        "dealstage" => &[
            "appointmentscheduled",
            "qualifiedtobuy",
            "contractsent",
            "closedwon",
            "closedlost",
        ],
        "pipeline" => &["default"],
        "hs_pipeline" => &["0"],
        "hs_pipeline_stage" => &["1", "2", "3", "4"],
        "hs_ticket_category" => &[
            "PRODUCT_ISSUE",
            "BILLING_ISSUE",
            "FEATURE_REQUEST",
            "GENERAL_INQUIRY",
        ],
        "hs_ticket_priority" => &["LOW", "MEDIUM", "HIGH", "URGENT"],
        "salesforcedeleted" => &["true", "false"],
        _ => &[],
    }
}

/// Columns of a read that names none, without those that every answer holds.
fn shown_by_default(type_id: &str) -> &'static [&'static str] {
    match type_id {
        "0-1" => &["email", "firstname", "lastname"],
        "0-2" => &["domain", "name"],
        "0-3" => &["amount", "closedate", "dealname", "dealstage", "pipeline"],
        "0-5" => &[
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "subject",
        ],
        _ => &[],
    }
}

fn choice(value: &str) -> super::property::Choice {
    super::property::Choice {
        label: value.to_owned(),
        value: value.to_owned(),
        description: String::new(),
        display_order: -1,
        hidden: false,
    }
}

/// One of the standard object types, empty.
pub(super) fn standard(type_id: &str, singular: &str, plural: &str, ignore_case: bool) -> Table {
    let title = |name: &str| {
        let mut text = name.replace('_', " ");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text
    };
    let own = own_properties(type_id);
    let definition = Definition {
        name: singular.to_owned(),
        singular: title(singular),
        plural: title(plural),
        primary_display: own.first().map(|(name, ..)| (*name).to_owned()),
        ..Definition::default()
    };
    let mut table = Table::new(type_id, singular, false, definition, ignore_case);
    let group = format!("{}information", singular.replace('_', ""));
    table.groups.push(Group {
        name: group.clone(),
        label: format!("{} information", title(singular)),
        display_order: 0,
    });
    add_built_ins(&mut table, &group);
    for (name, label, kind, field_type) in own {
        let mut property = Property::built_in(name, label, *kind, field_type, &group);
        property.set_choices(options(name).iter().map(|value| choice(value)).collect());
        property.form_field = true;
        property.email = *name == "email" && type_id == "0-1";
        let identity = property.email;
        table.put_property(property, identity);
    }
    table.by_default = shown_by_default(type_id)
        .iter()
        .filter_map(|name| table.column(name))
        .collect();
    table
}

/// (name, label, type, field type, what it tells) of the properties that the portal fills itself.
type SystemProperty = (&'static str, &'static str, Kind, &'static str, System);

fn system_properties(type_id: &str) -> [SystemProperty; 7] {
    use Kind::{Datetime, Enumeration, Number, String};
    // Standard types kept their first names for these two.
    let created = match type_id {
        "0-1" | "0-2" | "0-3" | "0-5" => "createdate",
        _ => "hs_createdate",
    };
    let modified = match type_id {
        "0-1" => "lastmodifieddate",
        _ => "hs_lastmodifieddate",
    };
    [
        ("hs_object_id", "Record ID", Number, "number", System::ObjectId),
        (created, "Create date", Datetime, "date", System::Created),
        (modified, "Last modified date", Datetime, "date", System::Modified),
        (
            "hs_object_source",
            "Record source",
            String,
            "text",
            System::Source,
        ),
        (
            "hs_object_source_id",
            "Source ID",
            String,
            "text",
            System::SourceId,
        ),
        (
            "hs_object_source_label",
            "Source label",
            String,
            "text",
            System::SourceLabel,
        ),
        (
            "hs_merged_object_ids",
            "Merged IDs",
            Enumeration,
            "checkbox",
            System::MergedIds,
        ),
    ]
}

/// (name, label, type, field type) of those that nobody fills here.
const EMPTY: &[(&str, &str, Kind, &str)] = &[
    (
        "hs_created_by_user_id",
        "Created by user ID",
        Kind::Number,
        "number",
    ),
    (
        "hs_updated_by_user_id",
        "Updated by user ID",
        Kind::Number,
        "number",
    ),
    (
        "hs_all_accessible_team_ids",
        "All teams",
        Kind::Enumeration,
        "checkbox",
    ),
    (
        "hs_user_ids_of_all_owners",
        "All owners",
        Kind::Enumeration,
        "checkbox",
    ),
    (
        "hs_user_ids_of_all_notification_followers",
        "Followers",
        Kind::Enumeration,
        "checkbox",
    ),
    (
        "hs_user_ids_of_all_notification_unfollowers",
        "Unfollowers",
        Kind::Enumeration,
        "checkbox",
    ),
    ("hs_read_only", "Read only object", Kind::Bool, "booleancheckbox"),
    ("hs_was_imported", "Was imported", Kind::Bool, "booleancheckbox"),
    (
        "hs_object_source_user_id",
        "Source user ID",
        Kind::Number,
        "number",
    ),
    (
        "hs_unique_creation_key",
        "Unique creation key",
        Kind::String,
        "text",
    ),
    (
        "hubspot_owner_assigneddate",
        "Owner assigned",
        Kind::Datetime,
        "date",
    ),
    (
        "hubspot_team_id",
        "Owner's main team",
        Kind::Enumeration,
        "select",
    ),
];

/// The properties that the portal gives to every object type, in the type's own group.
pub(super) fn add_built_ins(table: &mut Table, group: &str) {
    for (name, label, kind, field_type, system) in system_properties(&table.type_id) {
        let mut property = Property::built_in(name, label, kind, field_type, group);
        property.read_only = true;
        property.system = Some(system);
        let column = table.put_property(property, false);
        if matches!(system, System::ObjectId | System::Created | System::Modified) {
            table.always.push(column);
        }
    }
    for (name, label, kind, field_type) in EMPTY {
        let mut property = Property::built_in(name, label, *kind, field_type, group);
        property.read_only = true;
        let column = table.put_property(property, false);
        // Said to be unique, but nobody can fill it: it needs no index.
        table.property_mut(column).unique = *name == "hs_unique_creation_key";
    }
    let units = "hs_all_assigned_business_unit_ids";
    let units = Property::built_in(units, "Business units", Kind::Enumeration, "checkbox", group);
    table.put_property(units, false);
    let mut owner = Property::built_in("hubspot_owner_id", "Owner", Kind::Enumeration, "select", group);
    owner.external_options = true;
    owner.referenced_object_type = Some("OWNER".to_owned());
    owner.accepted = account::OWNERS.iter().map(|owner| owner.id.into()).collect();
    table.put_property(owner, false);
}

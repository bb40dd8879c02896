//! HubSpot's standard object types that a lookup may lead to, and how HubSpot's own Salesforce integration marks their
//! records.

/// A standard object type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardType {
    /// As paths take it.
    pub object_type_id: &'static str,
    /// As definitions name it.
    pub name: &'static str,
    /// The other name it goes by.
    pub singular: &'static str,
    /// The Salesforce objects that HubSpot's own integration turns into it.
    pub salesforce_objects: &'static [&'static str],
    /// The property in which that integration keeps the Salesforce id. Not unique: found by scan, not by batch read.
    pub match_property: &'static str,
}

/// Those that HubSpot's own integration keeps.
pub const STANDARD_TYPES: [StandardType; 4] = [
    StandardType {
        object_type_id: "0-1",
        name: "contacts",
        singular: "contact",
        salesforce_objects: &["Contact", "Lead"],
        match_property: "salesforcecontactid",
    },
    StandardType {
        object_type_id: "0-2",
        name: "companies",
        singular: "company",
        salesforce_objects: &["Account"],
        match_property: "salesforceaccountid",
    },
    StandardType {
        object_type_id: "0-3",
        name: "deals",
        singular: "deal",
        salesforce_objects: &["Opportunity"],
        match_property: "hs_salesforceopportunityid",
    },
    StandardType {
        object_type_id: "0-5",
        name: "tickets",
        singular: "ticket",
        salesforce_objects: &["Case"],
        match_property: "salesforcecaseid",
    },
];

/// The standard type that a definition names: by name in either number and any case, or by id.
pub fn standard_type(name: &str) -> Option<&'static StandardType> {
    STANDARD_TYPES.iter().find(|standard| {
        standard.object_type_id == name
            || standard.name.eq_ignore_ascii_case(name)
            || standard.singular.eq_ignore_ascii_case(name)
    })
}

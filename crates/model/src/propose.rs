//! A HubSpot object type for a Salesforce object: what to create in a portal that has none, and the sync that fills it.

use serde_json::{Value, json};

use crate::hubspot::{PropertyDefinition, PropertyOption, PropertyType};
use crate::ids::{SyncName, TenantId};
use crate::plan::SYSTEM_FIELDS;
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use crate::sync::{
    API_VERSION, DEFAULT_ID_PROPERTY, FieldRule, HubSpotEnd, KIND, Metadata, Rules, SalesforceEnd,
    SyncDefinition, SyncSpec, Unmatched,
};

/// Longest name of a HubSpot object type.
const TYPE_NAME_CHARS: usize = 50;
/// Longest name of a HubSpot property.
const PROPERTY_NAME_CHARS: usize = 100;
/// Fields that Salesforce keeps for itself; they say nothing about the customer's business.
const HOUSEKEEPING: [&str; 12] = [
    "OwnerId",
    "CreatedById",
    "LastModifiedById",
    "CreatedDate",
    "LastModifiedDate",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
    "RecordTypeId",
    "CurrencyIsoCode",
    "ConnectionReceivedId",
    "ConnectionSentId",
];

/// An object type to create, and what would fill it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Name of the object type.
    pub name: String,
    /// Singular label.
    pub singular: String,
    /// Plural label.
    pub plural: String,
    /// The property that people see first.
    pub primary_display: String,
    /// Properties, the unique one first.
    pub properties: Vec<PropertyDefinition>,
    /// Field to property.
    pub fields: Vec<FieldRule>,
    /// Fields that were left out, each with the reason.
    pub left_out: Vec<(String, String)>,
}

/// Proposes an object type with a property for every field that can be carried.
pub fn object_type(describe: &ObjectDescribe) -> Proposal {
    let mut proposal = Proposal {
        name: type_name(&describe.name),
        singular: describe.label.clone(),
        plural: plural(&describe.label),
        primary_display: DEFAULT_ID_PROPERTY.to_owned(),
        properties: vec![unique_property()],
        fields: Vec::new(),
        left_out: Vec::new(),
    };
    for field in &describe.fields {
        let is_own = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
        if is_own(&SYSTEM_FIELDS) || is_own(&HOUSEKEEPING) {
            continue;
        }
        match property(field) {
            Ok(property) => proposal.add(field, property),
            Err(reason) => proposal.left_out.push((field.name.clone(), reason)),
        }
    }
    proposal
}

impl Proposal {
    fn add(&mut self, field: &FieldDescribe, mut property: PropertyDefinition) {
        let stem = property.name.clone();
        let mut copy = 2;
        while self.properties.iter().any(|other| other.name == property.name) {
            property.name = format!("{stem}_{copy}");
            copy += 1;
        }
        if field.name.eq_ignore_ascii_case("Name") {
            self.primary_display = property.name.clone();
        }
        self.fields.push(FieldRule {
            from: field.name.clone(),
            to: property.name.clone(),
            values: indexmap::IndexMap::new(),
            unmatched: Unmatched::Fail,
        });
        self.properties.push(property);
    }

    /// The document that HubSpot takes to create the type.
    pub fn schema(&self) -> Value {
        let properties: Vec<Value> = self.properties.iter().map(property_document).collect();
        json!({
            "name": self.name,
            "labels": { "singular": self.singular, "plural": self.plural },
            "primaryDisplayProperty": self.primary_display,
            "secondaryDisplayProperties": [],
            "requiredProperties": [],
            "searchableProperties": [self.primary_display],
            "associatedObjects": [],
            "allowsSensitiveProperties": false,
            "properties": properties,
        })
    }

    /// A sync of the object to the proposed type, without associations.
    pub fn definition(&self, tenant: TenantId, name: SyncName, object: &str) -> SyncDefinition {
        SyncDefinition {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            metadata: Metadata { tenant, name },
            spec: SyncSpec {
                salesforce: SalesforceEnd {
                    object: object.to_owned(),
                },
                hubspot: HubSpotEnd {
                    object_type: self.name.clone(),
                    id_property: DEFAULT_ID_PROPERTY.to_owned(),
                },
                rules: Rules::default(),
                filter: None,
                associations: Vec::new(),
                fields: self.fields.clone(),
            },
        }
    }
}

/// One property as HubSpot's documents write it.
pub fn property_document(property: &PropertyDefinition) -> Value {
    let mut document = json!({
        "name": property.name,
        "label": property.label,
        "type": property.kind.as_str(),
        "fieldType": property.field_type,
    });
    if property.has_unique_value {
        document["hasUniqueValue"] = Value::Bool(true);
    }
    if !property.options.is_empty() {
        let options = property.options.iter().enumerate().map(|(place, option)| {
            json!({ "label": option.label, "value": option.value, "displayOrder": place, "hidden": false })
        });
        document["options"] = options.collect();
    }
    document
}

/// HubSpot's type and field type for a Salesforce type; `None` when it cannot be carried as a property.
pub fn property_kind(kind: FieldType, extra_type_info: Option<&str>) -> Option<(PropertyType, &'static str)> {
    match kind {
        FieldType::String
        | FieldType::Email
        | FieldType::Url
        | FieldType::EncryptedString
        | FieldType::Time => Some((PropertyType::String, "text")),
        FieldType::Combobox | FieldType::Id => Some((PropertyType::String, "text")),
        FieldType::Phone => Some((PropertyType::String, "phonenumber")),
        FieldType::TextArea if extra_type_info == Some("richtextarea") => {
            Some((PropertyType::String, "html"))
        }
        FieldType::TextArea => Some((PropertyType::String, "textarea")),
        FieldType::Picklist => Some((PropertyType::Enumeration, "select")),
        FieldType::MultiPicklist => Some((PropertyType::Enumeration, "checkbox")),
        FieldType::Boolean => Some((PropertyType::Bool, "booleancheckbox")),
        FieldType::Int | FieldType::Long | FieldType::Double | FieldType::Currency | FieldType::Percent => {
            Some((PropertyType::Number, "number"))
        }
        FieldType::Date => Some((PropertyType::Date, "date")),
        FieldType::DateTime => Some((PropertyType::DateTime, "date")),
        FieldType::Reference
        | FieldType::Location
        | FieldType::Address
        | FieldType::Base64
        | FieldType::AnyType
        | FieldType::ComplexValue
        | FieldType::Json
        | FieldType::DataCategoryGroupReference
        | FieldType::Unknown => None,
    }
}

/// The property that carries a field, by the name that is like the field's; or why none can.
pub fn property(field: &FieldDescribe) -> Result<PropertyDefinition, String> {
    if field.kind == FieldType::Reference {
        return Err(format!(
            "a lookup to {}: make it an association",
            field.reference_to.join(", ")
        ));
    }
    let (mut kind, mut field_type) =
        property_kind(field.kind, field.extra_type_info.as_deref()).ok_or_else(|| {
            match crate::convert::Family::of(field.kind) {
                crate::convert::Family::None(reason) => reason.to_owned(),
                _ => "not carried as a property".to_owned(),
            }
        })?;
    let mut options = options(field, kind);
    if kind == PropertyType::Enumeration && options.is_empty() {
        (kind, field_type, options) = (PropertyType::String, "text", Vec::new());
    }
    Ok(PropertyDefinition {
        name: property_name(&field.name),
        label: field.label.clone(),
        kind,
        field_type: field_type.to_owned(),
        options,
        has_unique_value: false,
        read_only: false,
    })
}

fn options(field: &FieldDescribe, kind: PropertyType) -> Vec<PropertyOption> {
    let option = |label: &str, value: &str| PropertyOption {
        label: label.to_owned(),
        value: value.to_owned(),
    };
    match kind {
        PropertyType::Bool => vec![option("Yes", "true"), option("No", "false")],
        PropertyType::Enumeration => field
            .picklist_values
            .iter()
            .filter(|value| !value.value.contains(';'))
            .map(|value| option(value.label.as_deref().unwrap_or(&value.value), &value.value))
            .collect(),
        _ => Vec::new(),
    }
}

fn unique_property() -> PropertyDefinition {
    PropertyDefinition {
        name: DEFAULT_ID_PROPERTY.to_owned(),
        label: "Salesforce Id".to_owned(),
        kind: PropertyType::String,
        field_type: "text".to_owned(),
        options: Vec::new(),
        has_unique_value: true,
        read_only: false,
    }
}

/// `Property__c` becomes `properties`: plural, as HubSpot names its own types.
fn type_name(object: &str) -> String {
    let stem = property_name(object);
    plural(&stem)
        .to_lowercase()
        .chars()
        .take(TYPE_NAME_CHARS)
        .collect()
}

/// `Days_On_Market__c` becomes `days_on_market`, `Location__Latitude__s` becomes `location_latitude`.
fn property_name(field: &str) -> String {
    let stem = field
        .strip_suffix("__c")
        .or_else(|| field.strip_suffix("__s"))
        .unwrap_or(field);
    let mut name = String::new();
    for c in stem.chars() {
        let plain = if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        };
        if plain != '_' || !name.ends_with('_') {
            name.push(plain);
        }
    }
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.starts_with("hs_");
    let name = if starts_well {
        name
    } else {
        format!("sf_{}", name.trim_start_matches('_'))
    };
    name.chars().take(PROPERTY_NAME_CHARS).collect()
}

/// English, well enough for a label that a person will see and may change.
fn plural(singular: &str) -> String {
    let lower = singular.to_lowercase();
    let vowel_before_y = ["ay", "ey", "oy", "uy"].iter().any(|end| lower.ends_with(end));
    if lower.ends_with('y') && !vowel_before_y {
        format!("{}ies", &singular[..singular.len() - 1])
    } else if ["s", "x", "z", "ch", "sh"].iter().any(|end| lower.ends_with(end)) {
        format!("{singular}es")
    } else {
        format!("{singular}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{field, lookup, object};

    #[test]
    fn a_type_with_a_property_for_every_field() {
        let mut status = field("Status__c", FieldType::Picklist);
        status.picklist_values = vec![crate::salesforce::PicklistValue {
            value: "Available".to_owned(),
            label: None,
            active: true,
        }];
        let describe = object(
            "Property__c",
            vec![
                field("Price__c", FieldType::Currency),
                field("Days_On_Market__c", FieldType::Double),
                field("Location__c", FieldType::Location),
                field("Location__Latitude__s", FieldType::Double),
                field("Sold__c", FieldType::Boolean),
                field("hs_Kind__c", FieldType::String),
                lookup("Broker__c", "Broker__c"),
                status,
            ],
        );
        let proposal = object_type(&describe);
        assert_eq!(
            (proposal.name.as_str(), proposal.plural.as_str()),
            ("properties", "Properties")
        );
        assert_eq!(proposal.primary_display, "name");
        let lines: Vec<String> = proposal
            .properties
            .iter()
            .map(|p| {
                format!(
                    "{} {} {} {}",
                    p.name,
                    p.kind.as_str(),
                    p.field_type,
                    p.options.len()
                )
            })
            .collect();
        expect_test::expect![[r#"
            salesforce_id string text 0
            name string text 0
            price number number 0
            days_on_market number number 0
            location_latitude number number 0
            sold bool booleancheckbox 2
            sf_hs_kind string text 0
            status enumeration select 1"#]]
        .assert_eq(&lines.join("\n"));
        let left: Vec<&str> = proposal.left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["Location__c", "Broker__c"]);
        assert_eq!(proposal.schema()["properties"][0]["hasUniqueValue"], true);
    }
}

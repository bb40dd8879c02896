//! One property's definition: what it is and how it is told.

use super::{clock, dice::FastSet, property_rules::PropertyRule, version::Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A property's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    String,
    Number,
    Bool,
    Enumeration,
    Date,
    Datetime,
    PhoneNumber,
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "string" => Kind::String,
            "number" => Kind::Number,
            "bool" => Kind::Bool,
            "enumeration" => Kind::Enumeration,
            "date" => Kind::Date,
            "datetime" => Kind::Datetime,
            "phone_number" => Kind::PhoneNumber,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Number => "number",
            Kind::Bool => "bool",
            Kind::Enumeration => "enumeration",
            Kind::Date => "date",
            Kind::Datetime => "datetime",
            Kind::PhoneNumber => "phone_number",
        }
    }

    /// Whether a `fieldType` goes with it.
    pub(super) fn takes(self, field_type: &str) -> bool {
        let allowed: &[&str] = match self {
            Kind::String => &[
                "text",
                "textarea",
                "html",
                "phonenumber",
                "file",
                "calculation_equation",
            ],
            Kind::Number => &["number", "calculation_equation"],
            Kind::Bool => &["booleancheckbox", "calculation_equation"],
            Kind::Enumeration => &[
                "select",
                "radio",
                "checkbox",
                "booleancheckbox",
                "calculation_equation",
            ],
            Kind::Date | Kind::Datetime => &["date"],
            Kind::PhoneNumber => &["phonenumber"],
        };
        allowed.contains(&field_type)
    }
}

/// A value that the portal itself knows, so that it is stored in no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum System {
    ObjectId,
    Created,
    Modified,
    Source,
    SourceId,
    SourceLabel,
    MergedIds,
}

/// One choice of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Choice {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) description: String,
    pub(super) display_order: i64,
    pub(super) hidden: bool,
}

/// A property of one object type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) description: String,
    pub(super) group: String,
    pub(super) kind: Kind,
    pub(super) field_type: String,
    pub(super) choices: Vec<Choice>,
    /// What an enumeration accepts: its choices, or the owners' ids.
    pub(super) accepted: FastSet<Box<str>>,
    pub(super) unique: bool,
    pub(super) read_only: bool,
    pub(super) hubspot_defined: bool,
    pub(super) hidden: bool,
    pub(super) form_field: bool,
    pub(super) display_order: i64,
    pub(super) external_options: bool,
    pub(super) referenced_object_type: Option<String>,
    pub(super) calculation_formula: Option<String>,
    pub(super) data_sensitivity: String,
    pub(super) email: bool,
    pub(super) system: Option<System>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) archived_ms: Option<i64>,
    /// Values are refused before.
    pub(super) usable_from_ms: i64,
    /// What an administrator asks of values besides.
    pub(super) rules: Vec<PropertyRule>,
}

impl Property {
    /// One of HubSpot's own.
    pub(super) fn built_in(name: &str, label: &str, kind: Kind, field_type: &str, group: &str) -> Property {
        Property {
            name: name.to_owned(),
            label: label.to_owned(),
            description: String::new(),
            group: group.to_owned(),
            kind,
            field_type: field_type.to_owned(),
            choices: Vec::new(),
            accepted: FastSet::default(),
            unique: false,
            read_only: false,
            hubspot_defined: true,
            hidden: false,
            form_field: false,
            display_order: -1,
            external_options: false,
            referenced_object_type: None,
            calculation_formula: None,
            data_sensitivity: "non_sensitive".to_owned(),
            email: false,
            system: None,
            created_ms: 0,
            updated_ms: 0,
            archived_ms: None,
            usable_from_ms: 0,
            rules: Vec::new(),
        }
    }

    pub(super) fn multiple(&self) -> bool {
        self.kind == Kind::Enumeration && self.field_type == "checkbox"
    }

    pub(super) fn set_choices(&mut self, choices: Vec<Choice>) {
        self.accepted = choices
            .iter()
            .map(|choice| choice.value.as_str().into())
            .collect();
        self.choices = choices;
    }

    /// As a definition is told; `stamps` where the endpoint tells when and by whom.
    pub(super) fn to_json(&self, version: Version, stamps: bool) -> Value {
        let choices: Vec<Value> = self
            .choices
            .iter()
            .map(|choice| {
                json!({
                    "label": choice.label, "value": choice.value, "description": choice.description,
                    "displayOrder": choice.display_order, "hidden": choice.hidden,
                })
            })
            .collect();
        let mut told = json!({
            "name": self.name, "label": self.label, "type": self.kind.as_str(),
            "fieldType": self.field_type, "description": self.description, "groupName": self.group,
            "options": choices, "displayOrder": self.display_order,
            "calculated": self.calculation_formula.is_some(), "externalOptions": self.external_options,
            "hasUniqueValue": self.unique, "hidden": self.hidden, "formField": self.form_field,
            "dataSensitivity": self.data_sensitivity,
            "modificationMetadata": {
                "archivable": !self.hubspot_defined, "readOnlyDefinition": self.hubspot_defined,
                "readOnlyValue": self.read_only,
            },
        });
        if let Value::Object(told) = &mut told {
            self.add_optional(told, version, stamps);
        }
        told
    }

    fn add_optional(&self, told: &mut Map<String, Value>, version: Version, stamps: bool) {
        if self.hubspot_defined {
            told.insert("hubspotDefined".to_owned(), json!(true));
        }
        if let Some(kind) = &self.referenced_object_type {
            told.insert("referencedObjectType".to_owned(), json!(kind));
        }
        if let Some(formula) = &self.calculation_formula {
            told.insert("calculationFormula".to_owned(), json!(formula));
        }
        if !version.is_2026_09() && self.kind == Kind::Number {
            told.insert("showCurrencySymbol".to_owned(), json!(false));
        }
        if !stamps {
            return;
        }
        if !self.hubspot_defined {
            told.insert("archived".to_owned(), json!(self.archived_ms.is_some()));
            told.insert("createdUserId".to_owned(), json!("1"));
            told.insert("updatedUserId".to_owned(), json!("1"));
        }
        told.insert("createdAt".to_owned(), json!(clock::instant(self.created_ms)));
        told.insert("updatedAt".to_owned(), json!(clock::instant(self.updated_ms)));
        if let Some(at) = self.archived_ms {
            told.insert("archivedAt".to_owned(), json!(clock::instant(at)));
        }
    }
}

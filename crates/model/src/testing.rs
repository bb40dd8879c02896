//! Small schemas for this crate's own tests.

use crate::hubspot::{ObjectSchema, PropertyDefinition, PropertyType};
use crate::ids::ObjectTypeId;
use crate::salesforce::{FieldDescribe, FieldType, ObjectDescribe};

/// A custom field of that type.
pub(crate) fn field(name: &str, kind: FieldType) -> FieldDescribe {
    FieldDescribe {
        name: name.to_owned(),
        label: name.trim_end_matches("__c").replace('_', " "),
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

/// A lookup to one object.
pub(crate) fn lookup(name: &str, to: &str) -> FieldDescribe {
    FieldDescribe {
        reference_to: vec![to.to_owned()],
        relationship_order: None,
        relationship_name: Some(name.replace("__c", "__r")),
        ..field(name, FieldType::Reference)
    }
}

/// A writable property of that type.
pub(crate) fn property(name: &str, kind: PropertyType) -> PropertyDefinition {
    PropertyDefinition {
        name: name.to_owned(),
        label: name.to_owned(),
        kind,
        field_type: "text".to_owned(),
        options: Vec::new(),
        has_unique_value: false,
        read_only: false,
    }
}

/// A custom object with these fields, Id and Name.
pub(crate) fn object(name: &str, fields: Vec<FieldDescribe>) -> ObjectDescribe {
    let mut all = vec![field("Id", FieldType::Id), field("Name", FieldType::String)];
    all.extend(fields);
    ObjectDescribe {
        name: name.to_owned(),
        label: name.trim_end_matches("__c").to_owned(),
        custom: true,
        queryable: true,
        key_prefix: Some("a01".to_owned()),
        fields: all,
    }
}

/// An object type with these properties.
pub(crate) fn object_type(id: &str, name: &str, properties: Vec<PropertyDefinition>) -> ObjectSchema {
    ObjectSchema {
        object_type_id: ObjectTypeId::new(id),
        name: name.to_owned(),
        fully_qualified_name: Some(format!("p1_{name}")),
        label: name.to_owned(),
        required_properties: Vec::new(),
        properties,
    }
}

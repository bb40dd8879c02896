//! Object types that are proposed for Salesforce objects, reviewed by a person, and created in HubSpot.

mod reviewed;

use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition};
use landbridge_model::propose::{self, Proposal};
use landbridge_model::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use landbridge_model::standard::{STANDARD_TYPES, standard_type};
use landbridge_model::sync::{FieldRule, SyncDefinition};
use landbridge_model::{ObjectTypeId, SyncName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Role;
use super::error::ServiceError;
use super::{Look, TenantService};

pub use reviewed::Reviewed;

/// An object type as it would be created for a Salesforce object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TypeProposal {
    /// Its name in HubSpot.
    pub name: String,
    /// Singular label.
    pub singular: String,
    /// Plural label.
    pub plural: String,
    /// The property that people see first.
    pub primary_display: String,
    /// Its properties. The one with unique values holds the Salesforce id, and must stay.
    pub properties: Vec<PropertyDefinition>,
    /// Names of properties that a new record must have: those of fields that Salesforce never leaves empty.
    #[serde(default)]
    pub required: Vec<String>,
    /// What a sync would carry into it: field to property.
    #[serde(default)]
    pub fields: Vec<FieldRule>,
    /// Fields that cannot be carried.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// The object types that its records can be associated with.
    #[serde(default)]
    pub associated: Vec<Associated>,
}

/// A field that cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// The field.
    pub field: String,
    /// Why not.
    pub reason: String,
}

/// A lookup whose parents come to HubSpot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Associated {
    /// The lookup field.
    pub field: String,
    /// Its label.
    pub label: String,
    /// What HubSpot calls the parents.
    pub to: String,
    /// The parents' object type.
    pub object_type: ObjectTypeId,
}

/// A Salesforce object, and what surrounds it: what a proposal is made of.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The object.
    pub object: ObjectDescribe,
    look: Look,
}

impl Proposed {
    /// The proposal as nobody has touched it. Fields that Salesforce never leaves empty are required.
    pub fn untouched(&self) -> Reviewed {
        let never_empty = |field: &str| {
            let found = self.object.field(field);
            found
                .is_some_and(|field| !field.nillable && field.kind != FieldType::Boolean && !field.calculated)
        };
        Reviewed::untouched(propose::object_type(&self.object), never_empty)
    }

    /// Whether the portal has an object type of that name.
    pub fn is_taken(&self, name: &str) -> bool {
        self.look.object_types.iter().any(|schema| schema.is_called(name))
    }

    /// Lookups whose parents come to HubSpot, by another sync or by HubSpot's own integration.
    pub fn associated(&self) -> Vec<Associated> {
        associated(&self.object, &self.look)
    }

    /// For people and programs to review.
    pub fn proposal(&self) -> TypeProposal {
        let Reviewed {
            proposal, required, ..
        } = self.untouched();
        let left_out = proposal.left_out.into_iter();
        TypeProposal {
            name: proposal.name,
            singular: proposal.singular,
            plural: proposal.plural,
            primary_display: proposal.primary_display,
            properties: proposal.properties,
            required,
            fields: proposal.fields,
            left_out: left_out
                .map(|(field, reason)| LeftOut { field, reason })
                .collect(),
            associated: self.associated(),
        }
    }
}

impl From<TypeProposal> for Reviewed {
    fn from(wanted: TypeProposal) -> Self {
        let proposal = Proposal {
            name: wanted.name,
            singular: wanted.singular,
            plural: wanted.plural,
            primary_display: wanted.primary_display,
            properties: wanted.properties,
            fields: wanted.fields,
            left_out: Vec::new(),
        };
        Self {
            proposal,
            required: wanted.required,
            excluded: Vec::new(),
        }
    }
}

/// The customer's own lookups come first.
fn associated(object: &ObjectDescribe, look: &Look) -> Vec<Associated> {
    let mut lookups: Vec<&FieldDescribe> = object
        .fields
        .iter()
        .filter(|field| field.kind == FieldType::Reference)
        .collect();
    lookups.sort_by_key(|field| !field.custom);
    let of_field = |field: &FieldDescribe| {
        let [referenced] = field.reference_to.as_slice() else {
            return None;
        };
        let (to, object_type) = end(referenced, look)?;
        Some(Associated {
            field: field.name.clone(),
            label: field.label.clone(),
            to,
            object_type,
        })
    };
    lookups.into_iter().filter_map(of_field).collect()
}

/// Where an object's records are in HubSpot: the type's label and id.
fn end(referenced: &str, look: &Look) -> Option<(String, ObjectTypeId)> {
    let carries = |sync: &&SyncDefinition| sync.spec.salesforce.object.eq_ignore_ascii_case(referenced);
    let of_sync = |sync: &SyncDefinition| {
        let name = &sync.spec.hubspot.object_type;
        if let Some(standard) = standard_type(name) {
            return Some((name.clone(), ObjectTypeId::new(standard.object_type_id)));
        }
        let schema = look.object_types.iter().find(|schema| schema.is_called(name))?;
        let label = if schema.label.is_empty() {
            name
        } else {
            &schema.label
        };
        Some((label.clone(), schema.object_type_id.clone()))
    };
    let synced = look.syncs.iter().filter(carries).find_map(of_sync);
    synced.or_else(|| {
        let mut standard = STANDARD_TYPES.iter();
        let found = standard.find(|standard| standard.salesforce_objects.contains(&referenced))?;
        let id = ObjectTypeId::new(found.object_type_id);
        let seen = look
            .object_types
            .iter()
            .find(|schema| schema.object_type_id == id);
        let label = seen
            .map(|schema| schema.label.clone())
            .filter(|label| !label.is_empty());
        Some((label.unwrap_or_else(|| found.name.to_owned()), id))
    })
}

impl TenantService {
    /// Looks at a Salesforce object for which an object type may be created.
    pub async fn propose_type(&self, object: &str) -> Result<Proposed, ServiceError> {
        let object = self.salesforce_object(object).await?;
        let name = SyncName::new("new").map_err(|error| ServiceError::invalid(error.to_string()))?;
        let definition = propose::object_type(&object).definition(self.id().clone(), name, &object.name);
        let mut look = self.look(&definition).await?;
        // The sync that does not exist yet carries nothing.
        look.syncs.retain(|sync| sync.key() != definition.key());
        Ok(Proposed { object, look })
    }

    /// Creates an object type as it was reviewed, with the associations that come with its lookups.
    pub async fn create_proposed_type(
        &self,
        proposed: &Proposed,
        reviewed: &Reviewed,
    ) -> Result<ObjectSchema, ServiceError> {
        self.require(Role::Editor)?;
        let problems = reviewed.problems(|name| proposed.is_taken(name));
        if !problems.is_empty() {
            return Err(ServiceError::Invalid {
                message: "the object type cannot be created like this".to_owned(),
                problems,
            });
        }
        let mut schema = reviewed.included().schema();
        schema["requiredProperties"] = serde_json::to_value(&reviewed.required)?;
        let mut ends: Vec<String> = proposed
            .associated()
            .into_iter()
            .map(|end| end.object_type.to_string())
            .collect();
        ends.sort();
        ends.dedup();
        schema["associatedObjects"] = serde_json::to_value(ends)?;
        self.create_object_type(schema).await
    }
}

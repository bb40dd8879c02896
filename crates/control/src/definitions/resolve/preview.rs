//! A definition resolved without anything being created: what a dry run is mapped and compared by.

use landbridge_model::ask::{GetLabels, WantedAssociation};
use landbridge_model::batch::slot_name;
use landbridge_model::config::{Missing, Resolved, Sync, SyncStatus};
use landbridge_model::hubspot::{ObjectSchema, PropertyOption};
use landbridge_model::sync::{SyncDefinition, VERSION_PROPERTY};
use landbridge_model::validate::{wanted_associations, wanted_options};
use landbridge_model::{Association, ObjectTypeId, Revision, StageKind};
use landbridge_wire::{AskError, AskErrorCode};

use super::{LOOK_UP, Resolver, reduce_object, reduce_type};

/// What the ids of types that do not exist begin with.
const PROPOSED: &str = "proposed-";

/// A definition as it would run.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    /// The sync that applying the definition would make.
    pub(crate) sync: Sync,
    /// What of it does not exist yet.
    pub(crate) missing: Missing,
    /// The same as sentences.
    pub(crate) would_create: Vec<String>,
}

fn is_proposed(object_type: &ObjectTypeId) -> bool {
    object_type.as_str().starts_with(PROPOSED)
}

impl Resolver<'_> {
    /// Takes an object type for there that would be created, unless the portal has one of its name.
    pub(in crate::definitions) async fn propose(&mut self, mut schema: ObjectSchema) -> Result<(), AskError> {
        self.list().await?;
        if !self.schemas.iter().any(|known| known.is_called(&schema.name)) {
            schema.object_type_id = ObjectTypeId::new(&format!("{PROPOSED}{}", schema.name));
            self.schemas.push(schema);
        }
        Ok(())
    }

    /// Resolves a definition without problems.
    pub(in crate::definitions) async fn preview(
        &mut self,
        definition: &SyncDefinition,
        revision: Revision,
    ) -> Result<Preview, AskError> {
        let found = self.find(definition).await?;
        let around = found.surroundings(&self.syncs);
        let (Some(object), Some(object_type)) = (&found.object, &found.object_type) else {
            return Err(AskError::new(
                AskErrorCode::Invalid,
                "the sync is not valid any more; validate it again",
            ));
        };
        let mut schema = self.afresh(object_type).await?;
        let mut missing = Missing {
            object_type: is_proposed(&schema.object_type_id),
            ..Missing::default()
        };
        let mut would_create = Vec::new();
        if missing.object_type {
            would_create.push(format!("object type {}", schema.name));
        }
        let id_property = &definition.spec.hubspot.id_property;
        missing.id_property = schema.property(id_property).is_none();
        for name in [id_property.as_str(), VERSION_PROPERTY] {
            if schema.property(name).is_none() {
                would_create.push(format!("property {name} of {}", schema.name));
            }
        }
        for option in wanted_options(definition, &around) {
            let property = schema
                .properties
                .iter_mut()
                .find(|one| one.name == option.property);
            if let Some(property) = property {
                would_create.push(format!("option {} of {}", option.value, option.property));
                property.options.push(PropertyOption {
                    label: option.value.clone(),
                    value: option.value,
                });
            }
        }
        let mut associations = Vec::new();
        for wanted in wanted_associations(definition, &around) {
            let parent = found
                .object_types
                .iter()
                .find(|schema| schema.object_type_id == wanted.to);
            let association = self
                .association(&schema, parent, wanted, &mut missing, &mut would_create)
                .await?;
            associations.push(association);
        }
        let resolved = Resolved {
            object: reduce_object(object, definition),
            parent_fields: found.parents.clone(),
            object_type: reduce_type(&schema, definition),
            associations,
        };
        Ok(Preview {
            sync: draft(definition, revision, resolved),
            missing,
            would_create,
        })
    }

    /// An object type with its properties read by themselves: the list of types shows new ones late.
    async fn afresh(&self, listed: &ObjectSchema) -> Result<ObjectSchema, AskError> {
        if is_proposed(&listed.object_type_id) {
            return Ok(listed.clone());
        }
        let read = self.schema(listed.object_type_id.as_str()).await?;
        Ok(read.unwrap_or_else(|| listed.clone()))
    }

    /// An association as it would be; what it lacks is noted.
    async fn association(
        &self,
        from: &ObjectSchema,
        parent: Option<&ObjectSchema>,
        wanted: WantedAssociation,
        missing: &mut Missing,
        would_create: &mut Vec<String>,
    ) -> Result<Association, AskError> {
        let to = parent.map_or_else(|| wanted.to.to_string(), |schema| schema.name.clone());
        let object = wanted.target.as_ref().map(|target| target.object.as_str());
        let slot = slot_name(&wanted.field, object).into_owned();
        let labels = if missing.object_type || is_proposed(&wanted.to) {
            Vec::new()
        } else {
            let question = GetLabels {
                from: from.object_type_id.clone(),
                to: wanted.to.clone(),
            };
            self.ask(StageKind::Loader, &question, LOOK_UP).await?
        };
        if labels.is_empty() {
            would_create.push(format!("association from {} to {to}", from.name));
        }
        let label = wanted.label.as_ref().and_then(|wanted| {
            let is_it = |text: &str| text.eq_ignore_ascii_case(wanted);
            labels.iter().find(|one| one.label.as_deref().is_some_and(is_it))
        });
        if let (Some(name), None) = (&wanted.label, label) {
            would_create.push(format!("label {name:?} from {} to {to}", from.name));
        }
        if labels.is_empty() || (wanted.label.is_some() && label.is_none()) {
            missing.labels.push(slot.clone());
        }
        let has_it = |schema: &ObjectSchema| schema.property(&wanted.match_property).is_some();
        let parent = match parent {
            Some(schema) if has_it(schema) => Some(schema.clone()),
            Some(schema) => Some(self.afresh(schema).await?),
            None => None,
        };
        let matched = parent
            .as_ref()
            .and_then(|schema| schema.property(&wanted.match_property));
        if matched.is_none() {
            missing.parents.push(slot);
            let property = format!("property {} of {to}", wanted.match_property);
            if !would_create.contains(&property) {
                would_create.push(property);
            }
        }
        Ok(Association {
            field: wanted.field,
            target: wanted.target,
            to: wanted.to,
            match_property: wanted.match_property,
            match_unique: matched.is_none_or(|property| property.has_unique_value),
            // One that does not exist has no number yet; nothing is read or written by it.
            label: label.map(|label| label.kind.clone()),
        })
    }

    /// As much of a definition as its filter needs.
    pub(in crate::definitions) async fn filter_alone(
        &mut self,
        definition: &SyncDefinition,
    ) -> Result<Sync, AskError> {
        let mut definition = definition.clone();
        definition.spec.fields.clear();
        definition.spec.associations.clear();
        let name = definition.spec.salesforce.object.clone();
        let Some(object) = self.describe(&name).await? else {
            let what =
                format!("the org shows no object {name}; create it, or let the Salesforce user read it");
            return Err(AskError::new(AskErrorCode::NotFound, what));
        };
        let parent_fields = self.parent_fields(&object, &definition).await?;
        let resolved = Resolved {
            object: reduce_object(&object, &definition),
            parent_fields,
            object_type: ObjectSchema {
                object_type_id: ObjectTypeId::new(&format!("{PROPOSED}none")),
                name: definition.spec.hubspot.object_type.clone(),
                fully_qualified_name: None,
                label: String::new(),
                required_properties: Vec::new(),
                properties: Vec::new(),
            },
            associations: Vec::new(),
        };
        Ok(draft(&definition, Revision(0), resolved))
    }
}

fn draft(definition: &SyncDefinition, revision: Revision, resolved: Resolved) -> Sync {
    Sync {
        definition: definition.clone(),
        revision,
        status: SyncStatus::Draft,
        reason: None,
        resolved: Some(resolved),
        activation: 0,
    }
}

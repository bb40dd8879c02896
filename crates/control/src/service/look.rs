//! What a definition is held against while somebody edits it: both systems as they are now, and the other syncs.

use std::collections::HashMap;

use landbridge_model::ask::{CreateObjectType, CreateProperty, HubSpotTest, LimitUse, TestHubSpot};
use landbridge_model::config::ParentField;
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition};
use landbridge_model::plan::parent_paths;
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::standard::{STANDARD_TYPES, standard_type};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::validate::lookup_targets;
use landbridge_model::{ObjectTypeId, StageKind, Surroundings};

use super::audit::{Change, Trace};
use super::caller::Role;
use super::error::ServiceError;
use super::{LONG_PATIENCE, TenantService};

/// Both systems, as far as one definition concerns them.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The Salesforce object, when the org shows it.
    pub object: Option<ObjectDescribe>,
    /// Names of the org's objects; empty when `object` is there.
    pub objects: Vec<String>,
    /// The parents' fields that the definition names, those that there are.
    pub parents: Vec<ParentField>,
    /// The HubSpot object type, when the portal shows it.
    pub object_type: Option<ObjectSchema>,
    /// The portal's custom object types, and the standard types that lookups of the object may become.
    pub object_types: Vec<ObjectSchema>,
    /// The objects that rules name because a lookup may lead to several, those that the org shows.
    pub targets: Vec<ObjectDescribe>,
    /// The tenant's other syncs, and the definition itself.
    pub syncs: Vec<SyncDefinition>,
}

impl Look {
    /// For [`landbridge_model::validate`].
    pub fn around(&self) -> Surroundings<'_> {
        Surroundings {
            object: self.object.as_ref(),
            objects: &self.objects,
            parents: &self.parents,
            object_type: self.object_type.as_ref(),
            object_types: &self.object_types,
            targets: &self.targets,
            syncs: &self.syncs,
        }
    }

    /// Counts as there what was created a moment ago and does not show yet: HubSpot's schema reads lag behind its writes.
    pub fn with_created(&mut self, object_type: Option<&ObjectSchema>, properties: &[PropertyDefinition]) {
        if self.object_type.is_none() {
            self.object_type = object_type.cloned();
            self.object_types.extend(object_type.cloned());
        }
        let Some(seen) = &mut self.object_type else {
            return;
        };
        for property in properties {
            if seen.property(&property.name).is_none() {
                seen.properties.push(property.clone());
            }
        }
        let same = |schema: &&mut ObjectSchema| schema.object_type_id == seen.object_type_id;
        if let Some(listed) = self.object_types.iter_mut().find(same) {
            listed.clone_from(seen);
        }
    }
}

fn missing_is_none<T>(answer: Result<T, ServiceError>) -> Result<Option<T>, ServiceError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl TenantService {
    /// Looks into both systems for one definition.
    pub async fn look(&self, definition: &SyncDefinition) -> Result<Look, ServiceError> {
        self.require(Role::Viewer)?;
        let wanted = &definition.spec;
        let object = missing_is_none(self.salesforce_object(&wanted.salesforce.object).await)?;
        let mut look = Look {
            object_types: self.hubspot_schemas().await?,
            syncs: self.syncs_with(definition),
            ..Look::default()
        };
        match &object {
            Some(object) => {
                look.parents = self.parent_fields(object, definition).await?;
                for name in lookup_targets(definition, object) {
                    look.targets
                        .extend(missing_is_none(self.salesforce_object(name).await)?);
                }
            }
            None => {
                let objects = self.salesforce_objects().await?;
                look.objects = objects.into_iter().map(|object| object.name).collect();
            }
        }
        for standard in STANDARD_TYPES {
            let comes = |to: &String| standard.salesforce_objects.contains(&to.as_str());
            let fields = object.iter().flat_map(|object| &object.fields);
            let is_looked_up = fields.flat_map(|field| &field.reference_to).any(comes);
            let is_named = wanted
                .associations
                .iter()
                .any(|rule| standard_type(&rule.to).is_some_and(|named| named.name == standard.name));
            if is_looked_up || is_named {
                let found = missing_is_none(self.hubspot_schema(standard.object_type_id).await)?;
                look.object_types.extend(found);
            }
        }
        let name = &wanted.hubspot.object_type;
        look.object_type = self.object_type(name, &mut look.object_types).await?;
        look.object = object;
        Ok(look)
    }

    /// The type by its name, its properties read by themselves: the list of types shows new ones late.
    async fn object_type(
        &self,
        name: &str,
        listed: &mut Vec<ObjectSchema>,
    ) -> Result<Option<ObjectSchema>, ServiceError> {
        if name.is_empty() || standard_type(name).is_some() {
            return Ok(None);
        }
        let known = listed.iter_mut().find(|schema| schema.is_called(name));
        let id = known
            .as_ref()
            .map_or(name, |schema| schema.object_type_id.as_str())
            .to_owned();
        let read = match missing_is_none(self.hubspot_schema(&id).await) {
            // A name that is no type's makes no sense to HubSpot.
            Err(ServiceError::Invalid { .. }) => None,
            read => read?,
        };
        match (known, read) {
            (Some(listed), Some(read)) => {
                listed.clone_from(&read);
                Ok(Some(read))
            }
            (Some(listed), None) => Ok(Some(listed.clone())),
            (None, read) => {
                listed.extend(read.clone());
                Ok(read)
            }
        }
    }

    fn syncs_with(&self, definition: &SyncDefinition) -> Vec<SyncDefinition> {
        let stored = self.service.config().syncs(self.id());
        let others = stored.iter().map(|sync| sync.definition.clone());
        let mut syncs: Vec<SyncDefinition> = others.filter(|other| other.key() != definition.key()).collect();
        syncs.push(definition.clone());
        syncs
    }

    async fn parent_fields(
        &self,
        object: &ObjectDescribe,
        definition: &SyncDefinition,
    ) -> Result<Vec<ParentField>, ServiceError> {
        let mut seen: HashMap<String, Option<ObjectDescribe>> = HashMap::new();
        let mut found = Vec::new();
        for path in parent_paths(definition) {
            let mut at = Some(object.clone());
            let mut steps: Vec<&str> = path.split('.').collect();
            let Some(last) = steps.pop() else { continue };
            for step in steps {
                let Some(parent) = at.as_ref().and_then(|object| parent_object(object, step)) else {
                    at = None;
                    break;
                };
                if !seen.contains_key(&parent) {
                    let read = missing_is_none(self.salesforce_object(&parent).await)?;
                    seen.insert(parent.clone(), read);
                }
                at = seen.get(&parent).cloned().flatten();
            }
            if let Some(field) = at.as_ref().and_then(|object| object.field(last)) {
                found.push(ParentField {
                    path: path.to_owned(),
                    field: field.clone(),
                });
            }
        }
        Ok(found)
    }

    /// Custom object types that the portal has and may have, when HubSpot says so.
    pub async fn object_type_limit(&self) -> Result<Option<LimitUse>, ServiceError> {
        self.require(Role::Viewer)?;
        let test: HubSpotTest = self
            .ask(StageKind::Loader, &TestHubSpot {}, LONG_PATIENCE)
            .await?;
        Ok(test.object_types)
    }

    /// Creates an object type in HubSpot from HubSpot's own document of `POST …/schemas`.
    pub async fn create_object_type(&self, schema: serde_json::Value) -> Result<ObjectSchema, ServiceError> {
        self.require(Role::Editor)?;
        let question = CreateObjectType { schema };
        let name = question.schema["name"].as_str().unwrap_or("without a name");
        self.audited("object-type.created", name, async {
            let created: ObjectSchema = self.ask(StageKind::Loader, &question, LONG_PATIENCE).await?;
            let change = Change::between(None, Some(&question.schema))?;
            let trace = Trace::nothing().and("object-type.created", created.name.as_str(), change);
            Ok((created, trace))
        })
        .await
    }

    /// Creates a property of an object type in HubSpot.
    pub async fn create_property(
        &self,
        object_type: &ObjectTypeId,
        property: PropertyDefinition,
    ) -> Result<PropertyDefinition, ServiceError> {
        self.require(Role::Editor)?;
        let question = CreateProperty {
            object_type: object_type.clone(),
            property,
        };
        let subject = format!("{object_type}.{}", question.property.name);
        self.audited("property.created", &subject, async {
            let created: PropertyDefinition = self.ask(StageKind::Loader, &question, LONG_PATIENCE).await?;
            let change = Change::between(None, Some(&created))?;
            Ok((created, change.into()))
        })
        .await
    }
}

/// The object that a relationship such as `Depot__r` leads to.
fn parent_object(object: &ObjectDescribe, relationship: &str) -> Option<String> {
    let lookup = object.fields.iter().find(|field| {
        let name = field.relationship_name.as_deref();
        name.is_some_and(|name| name.eq_ignore_ascii_case(relationship))
    })?;
    lookup.reference_to.first().cloned()
}

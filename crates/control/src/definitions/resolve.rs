//! A definition held against both systems: what is wrong with it, and what the stages need to run it.

use std::collections::HashMap;
use std::time::Duration;

use landbridge_model::ask::{
    DescribeObject, GetSchema, ListObjects, ListSchemas, Provision, Provisioned, Question,
};
use landbridge_model::config::{ParentField, Resolved, SyncStatus};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::plan::parent_paths;
use landbridge_model::salesforce::{FieldDescribe, ObjectDescribe};
use landbridge_model::standard::standard_type;
use landbridge_model::sync::{SyncDefinition, VERSION_PROPERTY};
use landbridge_model::validate::{
    Problem, Surroundings, lookup_targets, notes, validate, wanted_associations, wanted_options,
};
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::ShardContext;
use landbridge_wire::{AskError, AskErrorCode};
use tokio::time::{Instant, sleep_until};

mod preview;

pub(crate) use preview::Preview;

use super::back_fill::Lacking;
use super::plan;
use crate::ask::{AppliedSync, Change};
use crate::shard::ControlShard;

/// Describes and schemas of large orgs and portals take a while.
const LOOK_UP: Duration = Duration::from_secs(60);
/// Properties and labels are created one by one, under HubSpot's limits.
const CREATE: Duration = Duration::from_secs(120);
/// How often an object type that does not show is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Fields that a resolved object keeps whatever the definition names.
const SYSTEM_FIELDS: [&str; 5] = ["Id", "Name", "SystemModstamp", "IsDeleted", "CreatedDate"];

/// Looks into both systems, each thing once.
pub(super) struct Resolver<'a> {
    context: &'a ShardContext,
    tenant: &'a TenantId,
    /// The tenant's syncs as they will be.
    syncs: Vec<SyncDefinition>,
    describes: HashMap<String, Option<ObjectDescribe>>,
    /// What has been seen of the portal.
    schemas: Vec<ObjectSchema>,
    /// Whether the portal's list is among it, as it is since the last change of ours.
    is_listed: bool,
    /// How long types that do not show are looked for again, and until when: one allowance for all definitions, which
    /// begins where the first type is missing.
    object_type_patience: Duration,
    look_until: Option<Instant>,
    objects: Option<Vec<String>>,
}

/// What a definition is held against.
struct Found {
    object: Option<ObjectDescribe>,
    objects: Vec<String>,
    parents: Vec<ParentField>,
    targets: Vec<ObjectDescribe>,
    object_type: Option<ObjectSchema>,
    object_types: Vec<ObjectSchema>,
}

impl<'a> Resolver<'a> {
    /// For a tenant whose syncs will include `coming`.
    pub(super) fn new(shard: &'a ControlShard, tenant: &'a TenantId, coming: &[SyncDefinition]) -> Self {
        let context = &shard.context;
        let stored = context.config.syncs(tenant);
        let stays = |sync: &SyncDefinition| coming.iter().all(|other| other.key() != sync.key());
        let mut syncs: Vec<SyncDefinition> = stored.iter().map(|sync| sync.definition.clone()).collect();
        syncs.retain(stays);
        syncs.extend_from_slice(coming);
        Self {
            context,
            tenant,
            syncs,
            describes: HashMap::new(),
            schemas: Vec::new(),
            is_listed: false,
            object_type_patience: shard.object_type_patience,
            look_until: None,
            objects: None,
        }
    }

    /// What is wrong with a definition, what applying it would do, and what people should know.
    pub(super) async fn check(&mut self, definition: &SyncDefinition) -> Result<AppliedSync, AskError> {
        let mut problems = Vec::new();
        if definition.metadata.tenant != *self.tenant {
            problems.push(Problem::new(
                "metadata.tenant",
                format!(
                    "the sync belongs to {}, not to {}",
                    definition.metadata.tenant, self.tenant
                ),
                "apply it for its own tenant",
            ));
        }
        let same = self
            .syncs
            .iter()
            .filter(|other| other.key() == definition.key())
            .count();
        if same > 1 {
            problems.push(Problem::new(
                "metadata.name",
                format!("{} is defined {same} times", definition.metadata.name),
                "keep one definition of each sync",
            ));
        }
        let found = self.find(definition).await?;
        let around = found.surroundings(&self.syncs);
        problems.extend(validate(definition, &around));
        let notes = if problems.is_empty() {
            notes(definition, &around)
        } else {
            Vec::new()
        };
        let stored = self.context.config.sync(self.tenant, &definition.metadata.name);
        let (change, revision) = plan(stored.as_deref(), definition);
        // What never ran has written nothing.
        let ran = stored
            .as_deref()
            .filter(|sync| sync.status != SyncStatus::Draft || sync.resolved.is_some());
        let touched = ran.map(|sync| Lacking::between(&sync.definition, definition));
        let touched = touched.filter(|_| problems.is_empty()).unwrap_or_default();
        Ok(AppliedSync {
            name: definition.metadata.name.clone(),
            change: if problems.is_empty() {
                change
            } else {
                Change::Unchanged
            },
            revision,
            stored_tag: stored
                .as_deref()
                .map(|sync| super::definition_tag(&sync.definition)),
            problems,
            notes,
            provisioned: Vec::new(),
            touched_properties: touched.part.properties,
            touched_lookups: touched.part.lookups,
        })
    }

    /// Creates in HubSpot what a definition without problems needs, and gives what the stages need to run it.
    pub(super) async fn provision(
        &mut self,
        definition: &SyncDefinition,
    ) -> Result<(Resolved, Vec<String>), AskError> {
        let found = self.find(definition).await?;
        let around = found.surroundings(&self.syncs);
        let (Some(object), Some(object_type)) = (&found.object, &found.object_type) else {
            return Err(AskError::new(
                AskErrorCode::Invalid,
                "the sync is not valid any more; validate it again",
            ));
        };
        let mut created = self.provision_parents(definition, &found).await?;
        let wanted = Provision {
            object_type: object_type.object_type_id.clone(),
            id_property: definition.spec.hubspot.id_property.clone(),
            associations: wanted_associations(definition, &around),
            options: wanted_options(definition, &around),
        };
        let provisioned: Provisioned = self.ask(StageKind::Loader, &wanted, CREATE).await?;
        created.extend(provisioned.created);
        let resolved = Resolved {
            object: reduce_object(object, definition),
            parent_fields: found.parents,
            object_type: reduce_type(&provisioned.object_type, definition),
            associations: provisioned.associations,
        };
        // What was created changes what the next definition finds.
        self.is_listed = false;
        Ok((resolved, created))
    }

    /// The parents' unique properties must be there before an association can look for parents by them.
    async fn provision_parents(
        &self,
        definition: &SyncDefinition,
        found: &Found,
    ) -> Result<Vec<String>, AskError> {
        let mut created = Vec::new();
        for rule in &definition.spec.associations {
            let Some(parent_type) = found
                .object_types
                .iter()
                .find(|schema| schema.is_called(&rule.to))
            else {
                continue;
            };
            let parent = self.syncs.iter().find(|sync| {
                sync.key() != definition.key() && parent_type.is_called(&sync.spec.hubspot.object_type)
            });
            let Some(parent) = parent else { continue };
            if parent_type.property(&parent.spec.hubspot.id_property).is_some() {
                continue;
            }
            let wanted = Provision {
                object_type: parent_type.object_type_id.clone(),
                id_property: parent.spec.hubspot.id_property.clone(),
                associations: Vec::new(),
                options: Vec::new(),
            };
            let provisioned: Provisioned = self.ask(StageKind::Loader, &wanted, CREATE).await?;
            created.extend(provisioned.created);
        }
        Ok(created)
    }

    async fn find(&mut self, definition: &SyncDefinition) -> Result<Found, AskError> {
        let object = self.describe(&definition.spec.salesforce.object).await?;
        let objects = if object.is_none() {
            self.objects().await?
        } else {
            Vec::new()
        };
        let parents = match &object {
            Some(object) => self.parent_fields(object, definition).await?,
            None => Vec::new(),
        };
        let mut targets = Vec::new();
        for name in object
            .iter()
            .flat_map(|object| lookup_targets(definition, object))
        {
            targets.extend(self.describe(name).await?);
        }
        let object_types = self.object_types(definition).await?;
        let name = &definition.spec.hubspot.object_type;
        let object_type = object_types.iter().find(|schema| schema.is_called(name)).cloned();
        Ok(Found {
            object,
            objects,
            parents,
            targets,
            object_type,
            object_types,
        })
    }

    /// The parents' fields that a definition names, those that there are.
    async fn parent_fields(
        &mut self,
        object: &ObjectDescribe,
        definition: &SyncDefinition,
    ) -> Result<Vec<ParentField>, AskError> {
        let mut parents = Vec::new();
        for path in parent_paths(definition) {
            if let Some(field) = self.parent_field(object, path).await? {
                parents.push(ParentField {
                    path: path.to_owned(),
                    field,
                });
            }
        }
        Ok(parents)
    }

    async fn describe(&mut self, object: &str) -> Result<Option<ObjectDescribe>, AskError> {
        let key = object.to_ascii_lowercase();
        if let Some(known) = self.describes.get(&key) {
            return Ok(known.clone());
        }
        let question = DescribeObject {
            object: object.to_owned(),
        };
        let found = missing_is_none(self.ask(StageKind::Extractor, &question, LOOK_UP).await)?;
        self.describes.insert(key, found.clone());
        Ok(found)
    }

    async fn objects(&mut self) -> Result<Vec<String>, AskError> {
        if self.objects.is_none() {
            let list = self.ask(StageKind::Extractor, &ListObjects {}, LOOK_UP).await?;
            self.objects = Some(list.into_iter().map(|object| object.name).collect());
        }
        Ok(self.objects.clone().unwrap_or_default())
    }

    /// The field at the end of a path such as `Depot__r.Region__r.Name`.
    async fn parent_field(
        &mut self,
        object: &ObjectDescribe,
        path: &str,
    ) -> Result<Option<FieldDescribe>, AskError> {
        let mut at = object.clone();
        let mut steps = path.split('.').peekable();
        while let Some(step) = steps.next() {
            if steps.peek().is_none() {
                return Ok(at.field(step).cloned());
            }
            let lookup = at.fields.iter().find(|field| {
                field
                    .relationship_name
                    .as_deref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(step))
            });
            let Some(parent) = lookup.and_then(|field| field.reference_to.first()).cloned() else {
                return Ok(None);
            };
            match self.describe(&parent).await? {
                Some(describe) => at = describe,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The portal's custom object types, and the standard ones that the definition's associations lead to.
    async fn object_types(&mut self, definition: &SyncDefinition) -> Result<Vec<ObjectSchema>, AskError> {
        self.list().await?;
        let ends = definition.spec.associations.iter().map(|rule| rule.to.as_str());
        for name in ends.chain([definition.spec.hubspot.object_type.as_str()]) {
            match standard_type(name) {
                Some(standard) => drop(self.look(standard.object_type_id).await?),
                None => self.look_for(name).await?,
            }
        }
        Ok(self.schemas.clone())
    }

    async fn list(&mut self) -> Result<(), AskError> {
        if self.is_listed {
            return Ok(());
        }
        let listed: Vec<ObjectSchema> = self.ask(StageKind::Loader, &ListSchemas {}, LOOK_UP).await?;
        // What was seen once is there, though this list may not show it yet.
        self.schemas.retain(|seen| {
            listed
                .iter()
                .all(|schema| schema.object_type_id != seen.object_type_id)
        });
        self.schemas.extend(listed);
        self.is_listed = true;
        Ok(())
    }

    /// Looks for a custom object type, again and again while the patience lasts: HubSpot's schema reads lag behind its
    /// writes by seconds, and people apply a sync right after they have created its type.
    async fn look_for(&mut self, name: &str) -> Result<(), AskError> {
        while !self.look(name).await? {
            let now = Instant::now();
            let until = *self.look_until.get_or_insert(now + self.object_type_patience);
            if now >= until {
                break;
            }
            sleep_until(until.min(now + LOOK_AGAIN)).await;
        }
        Ok(())
    }

    /// Whether an object type is seen, if need be when it is asked for by itself.
    async fn look(&mut self, name: &str) -> Result<bool, AskError> {
        if self.schemas.iter().any(|schema| schema.is_called(name)) {
            return Ok(true);
        }
        let found = self.schema(name).await?;
        let is_found = found.is_some();
        self.schemas.extend(found);
        Ok(is_found)
    }

    /// One object type, read by itself.
    async fn schema(&self, name: &str) -> Result<Option<ObjectSchema>, AskError> {
        let question = GetSchema {
            object_type: name.to_owned(),
        };
        match self.ask(StageKind::Loader, &question, LOOK_UP).await {
            // A name that is no type's is not found, or makes no sense.
            Err(error) if error.code == AskErrorCode::Invalid => Ok(None),
            answer => missing_is_none(answer),
        }
    }

    async fn ask<Q: Question + Sync>(
        &self,
        stage: StageKind,
        question: &Q,
        deadline: Duration,
    ) -> Result<Q::Answer, AskError> {
        self.context.hub.ask(stage, self.tenant, question, deadline).await
    }
}

fn missing_is_none<T>(answer: Result<T, AskError>) -> Result<Option<T>, AskError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code == AskErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Found {
    fn surroundings<'s>(&'s self, syncs: &'s [SyncDefinition]) -> Surroundings<'s> {
        Surroundings {
            object: self.object.as_ref(),
            objects: &self.objects,
            parents: &self.parents,
            object_type: self.object_type.as_ref(),
            object_types: &self.object_types,
            targets: &self.targets,
            syncs,
        }
    }
}

/// The object with the fields that the definition names and the system fields.
pub(super) fn reduce_object(object: &ObjectDescribe, definition: &SyncDefinition) -> ObjectDescribe {
    let spec = &definition.spec;
    let fields = spec.fields.iter().map(|rule| rule.from.as_str());
    let lookups = spec.associations.iter().map(|rule| rule.field.as_str());
    let filtered = spec
        .filter
        .iter()
        .flat_map(|filter| &filter.all)
        .map(|condition| condition.field.as_str());
    let named: Vec<&str> = fields
        .chain(lookups)
        .chain(filtered)
        .chain(SYSTEM_FIELDS)
        .collect();
    let mut reduced = object.clone();
    reduced
        .fields
        .retain(|field| named.iter().any(|name| name.eq_ignore_ascii_case(&field.name)));
    reduced
}

/// The object type with the properties that the definition names, the required ones and our own.
pub(super) fn reduce_type(schema: &ObjectSchema, definition: &SyncDefinition) -> ObjectSchema {
    let spec = &definition.spec;
    let mut reduced = schema.clone();
    reduced.properties.retain(|property| {
        let name = property.name.as_str();
        spec.fields.iter().any(|rule| rule.to == name)
            || schema.required_properties.iter().any(|required| required == name)
            || name == spec.hubspot.id_property
            || name == VERSION_PROPERTY
    });
    reduced
}

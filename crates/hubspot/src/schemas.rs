//! Object types, properties and property groups.

use std::collections::HashMap;

use landbridge_model::ObjectTypeId;
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition, PropertyOption, PropertyType};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{Call, Client, json_body};
use crate::error::Error;
use crate::governor::{Family, Share};
use crate::verdict::{Effect, ErrorBody, Verdict};

/// A property to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewProperty {
    /// Internal name: lower case.
    pub name: String,
    /// Label.
    pub label: String,
    /// HubSpot's type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// HubSpot's field type.
    pub field_type: &'static str,
    /// The group it stands in, which must exist.
    pub group_name: String,
    /// For people.
    pub description: String,
    /// Whether no two records may share a value. Never changeable.
    pub has_unique_value: bool,
    /// Whether forms may show it.
    pub form_field: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaBody {
    #[serde(default)]
    id: String,
    object_type_id: Option<String>,
    name: String,
    fully_qualified_name: Option<String>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    required_properties: Vec<String>,
    #[serde(default)]
    properties: Vec<PropertyBody>,
    #[serde(default)]
    archived: bool,
}

#[derive(Default, Deserialize)]
struct Labels {
    singular: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PropertyBody {
    name: String,
    label: Option<String>,
    #[serde(rename = "type")]
    kind: PropertyType,
    field_type: Option<String>,
    #[serde(default)]
    options: Vec<OptionBody>,
    #[serde(default)]
    has_unique_value: Option<bool>,
    #[serde(default)]
    calculated: Option<bool>,
    #[serde(default)]
    archived: Option<bool>,
    modification_metadata: Option<Modification>,
}

#[derive(Deserialize)]
struct OptionBody {
    label: Option<String>,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modification {
    #[serde(default)]
    read_only_value: bool,
}

impl From<SchemaBody> for ObjectSchema {
    fn from(body: SchemaBody) -> Self {
        let object_type_id = body.object_type_id.unwrap_or_else(|| format!("2-{}", body.id));
        Self {
            object_type_id: ObjectTypeId::new(&object_type_id),
            label: body.labels.singular.unwrap_or_else(|| body.name.clone()),
            name: body.name,
            fully_qualified_name: body.fully_qualified_name,
            required_properties: body.required_properties,
            properties: live(body.properties),
        }
    }
}

impl From<PropertyBody> for PropertyDefinition {
    fn from(body: PropertyBody) -> Self {
        let guarded = body
            .modification_metadata
            .is_some_and(|metadata| metadata.read_only_value);
        let options = body.options.into_iter().map(|option| PropertyOption {
            label: option.label.unwrap_or_else(|| option.value.clone()),
            value: option.value,
        });
        Self {
            label: body.label.unwrap_or_else(|| body.name.clone()),
            name: body.name,
            kind: body.kind,
            field_type: body.field_type.unwrap_or_default(),
            options: options.collect(),
            has_unique_value: body.has_unique_value.unwrap_or(false),
            read_only: guarded || body.calculated.unwrap_or(false),
        }
    }
}

fn live(properties: Vec<PropertyBody>) -> Vec<PropertyDefinition> {
    properties
        .into_iter()
        .filter(|property| property.archived != Some(true))
        .map(Into::into)
        .collect()
}

#[derive(Deserialize)]
struct Listing<T> {
    results: Vec<T>,
    #[serde(default)]
    errors: Vec<ErrorBody>,
}

impl Client {
    /// All custom object types with their properties.
    pub async fn schemas(&self) -> Result<Vec<ObjectSchema>, Error> {
        let call = Call::get(self.version().schemas(""), Family::Schema, Share::Live);
        let listing: Listing<SchemaBody> = self.send(call).await?.json()?;
        Ok(listing
            .results
            .into_iter()
            .filter(|schema| !schema.archived)
            .map(Into::into)
            .collect())
    }

    /// One object type by id or fully qualified name, standard ones by their names too; `None` when it is not there or
    /// archived, or when HubSpot can make nothing of the name. Its properties may lag behind those of
    /// [`Client::properties`] by more than a minute.
    pub async fn schema(&self, object_type: &str) -> Result<Option<ObjectSchema>, Error> {
        let path = self.version().schemas(&format!("/{object_type}"));
        let call = Call::get(path, Family::Schema, Share::Live);
        let body: SchemaBody = match self.send(call).await {
            Ok(reply) => reply.json()?,
            Err(error) if matches!(error.verdict, Verdict::NotFound | Verdict::Configuration) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok((!body.archived).then(|| body.into()))
    }

    /// Creates an object type from HubSpot's own document.
    pub async fn create_schema(&self, document: &Value) -> Result<ObjectSchema, Error> {
        let (path, body) = (self.version().schemas(""), json_body(document));
        let call = Call::post(path, body, Family::Schema, Share::Live, Effect::Writes);
        let schema: SchemaBody = self.send(call).await?.json()?;
        Ok(schema.into())
    }

    /// Lets records of two types be associated.
    pub async fn create_association(
        &self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        name: &str,
    ) -> Result<(), Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            from_object_type_id: &'a str,
            to_object_type_id: &'a str,
            name: &'a str,
        }
        let body = json_body(&Body {
            from_object_type_id: from.as_str(),
            to_object_type_id: to.as_str(),
            name,
        });
        let path = self.version().schemas(&format!("/{from}/associations"));
        self.send(Call::post(
            path,
            body,
            Family::Schema,
            Share::Live,
            Effect::Writes,
        ))
        .await
        .map(drop)
    }

    /// All properties of a type that are not archived.
    pub async fn properties(&self, object_type: &ObjectTypeId) -> Result<Vec<PropertyDefinition>, Error> {
        let path = self.version().properties(object_type, "");
        let call = Call::get(path, Family::Schema, Share::Live).query("archived", "false");
        let listing: Listing<PropertyBody> = self.send(call).await?.json()?;
        Ok(live(listing.results))
    }

    /// Creates one property from HubSpot's own document.
    pub async fn create_property(
        &self,
        object_type: &ObjectTypeId,
        document: &Value,
    ) -> Result<PropertyDefinition, Error> {
        let path = self.version().properties(object_type, "");
        let call = Call::post(
            path,
            json_body(document),
            Family::Schema,
            Share::Live,
            Effect::Writes,
        );
        let property: PropertyBody = self.send(call).await?.json()?;
        Ok(property.into())
    }

    /// Creates properties; answers the names made. One that exists already is no error.
    pub async fn create_properties(
        &self,
        object_type: &ObjectTypeId,
        properties: &[NewProperty],
    ) -> Result<Vec<String>, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            inputs: &'a [NewProperty],
        }
        let path = self.version().properties(object_type, "/batch/create");
        let body = json_body(&Body { inputs: properties });
        let call = Call::post(path, body, Family::Schema, Share::Live, Effect::Writes);
        let reply = self.send(call).await?;
        let listing: Listing<PropertyBody> = reply.json()?;
        let refused = listing
            .errors
            .into_iter()
            .find(|error| error.category != "OBJECT_ALREADY_EXISTS");
        if let Some(error) = refused {
            let verdict = crate::verdict::judge_item(&error);
            let call = "POST properties/batch/create";
            return Err(Error::answered(
                verdict,
                reply.status,
                call,
                error,
                reply.correlation_id,
            ));
        }
        Ok(listing
            .results
            .into_iter()
            .map(|property| property.name)
            .collect())
    }

    /// Replaces the options of an enumeration: all that should stay must be named.
    pub async fn set_options(
        &self,
        object_type: &ObjectTypeId,
        property: &str,
        options: &[PropertyOption],
    ) -> Result<(), Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct OptionInput<'a> {
            label: &'a str,
            value: &'a str,
            display_order: usize,
            hidden: bool,
        }
        let inputs: Vec<OptionInput<'_>> = options
            .iter()
            .enumerate()
            .map(|(display_order, option)| OptionInput {
                label: &option.label,
                value: &option.value,
                display_order,
                hidden: false,
            })
            .collect();
        let path = self.version().properties(object_type, &format!("/{property}"));
        let body = json_body(&HashMap::from([("options", inputs)]));
        let mut call = Call::post(path, body, Family::Schema, Share::Live, Effect::Writes);
        call.method = Method::PATCH;
        self.send(call).await.map(drop)
    }

    /// Creates a property group; one that exists already is no error. Answers whether it is new.
    pub async fn create_group(
        &self,
        object_type: &ObjectTypeId,
        name: &str,
        label: &str,
    ) -> Result<bool, Error> {
        let path = self.version().properties(object_type, "/groups");
        let body = json_body(&HashMap::from([("name", name), ("label", label)]));
        let call = Call::post(path, body, Family::Schema, Share::Live, Effect::Writes);
        match self.send(call).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.verdict, crate::Verdict::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

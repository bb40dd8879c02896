//! Making in the portal what a sync needs and the portal lacks. Idempotent: what is there already is left alone.

use std::time::Duration;

use landbridge_hubspot::schemas::NewProperty;
use landbridge_hubspot::{Client, Error, Share};
use landbridge_model::ask::{CreateProperty, Provision, Provisioned, WantedAssociation, WantedOption};
use landbridge_model::hubspot::{
    AssociationLabel, ObjectSchema, PropertyDefinition, PropertyOption, PropertyType,
};
use landbridge_model::propose::property_document;
use landbridge_model::sync::{PROPERTY_GROUP, VERSION_PROPERTY};
use landbridge_model::{Association, ObjectTypeId};
use landbridge_wire::{AskError, AskErrorCode};

use crate::portal::{Portal, ask_error};

/// How long a new property may take to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An object type by any of its names. Its properties are read apart: the schema's own copy lags.
pub(crate) async fn schema(portal: &Portal, name: &str) -> Result<ObjectSchema, AskError> {
    let failed = |error: Error| ask_error(&error);
    let client = &portal.client;
    let listed = client.schemas().await.map_err(failed)?;
    let mut found = listed.into_iter().find(|schema| schema.is_called(name));
    // The list lags behind a type's creation by seconds. A type by itself does not, but a custom one must be asked for
    // by its full name.
    let names = [name.to_owned(), full_name(portal.details.portal_id, name)];
    let mut names = names.iter();
    while found.is_none()
        && let Some(name) = names.next()
    {
        found = client.schema(name).await.map_err(failed)?;
    }
    let mut schema = found.ok_or_else(|| not_found(name))?;
    schema.properties = client.properties(&schema.object_type_id).await.map_err(failed)?;
    Ok(schema)
}

/// The name that no other portal's type has.
fn full_name(portal_id: u64, name: &str) -> String {
    format!("p{portal_id}_{name}")
}

fn not_found(name: &str) -> AskError {
    let message =
        format!("the portal has no object type called {name:?}; create it in HubSpot, or name another");
    AskError::new(AskErrorCode::NotFound, message)
}

/// Makes everything that is wanted.
pub(crate) async fn provision(portal: &Portal, wanted: &Provision) -> Result<Provisioned, AskError> {
    let client = &portal.client;
    let mut created = Vec::new();
    let object_type = &wanted.object_type;
    properties(client, object_type, &wanted.id_property, &mut created).await?;
    options(client, object_type, &wanted.options, &mut created).await?;
    let mut associations = Vec::new();
    for association in &wanted.associations {
        associations.push(associate(client, object_type, association, &mut created).await?);
    }
    let object_type = schema(portal, object_type.as_str()).await?;
    Ok(Provisioned {
        object_type,
        associations,
        created,
    })
}

async fn properties(
    client: &Client,
    object_type: &ObjectTypeId,
    id_property: &str,
    created: &mut Vec<String>,
) -> Result<(), AskError> {
    let failed = |error: Error| ask_error(&error);
    let present = client.properties(object_type).await.map_err(failed)?;
    let mut missing = Vec::new();
    match present.iter().find(|property| property.name == id_property) {
        Some(property) if !property.has_unique_value => {
            let message = format!(
                "the property {id_property} of {object_type} exists, but its values need not be unique, and HubSpot \
                 cannot change that; name another idProperty, which will be created"
            );
            return Err(AskError::new(AskErrorCode::Invalid, message));
        }
        Some(_) => {}
        None => {
            let text = "The 18-character id of the Salesforce record. Kept by Landbridge.";
            missing.push(property(id_property, "Salesforce ID", text, true));
        }
    }
    if !present.iter().any(|property| property.name == VERSION_PROPERTY) {
        let text = "Which version of the Salesforce record this is. Kept by Landbridge; do not change it.";
        missing.push(property(VERSION_PROPERTY, "Landbridge version", text, false));
    }
    if missing.is_empty() {
        return Ok(());
    }
    client
        .create_group(object_type, PROPERTY_GROUP, "Landbridge")
        .await
        .map_err(failed)?;
    client
        .create_properties(object_type, &missing)
        .await
        .map_err(failed)?;
    for property in &missing {
        created.push(format!("property {} of {object_type}", property.name));
    }
    let names: Vec<&str> = missing.iter().map(|property| property.name.as_str()).collect();
    seen(client, object_type, &names).await
}

fn property(name: &str, label: &str, description: &str, unique: bool) -> NewProperty {
    NewProperty {
        name: name.to_owned(),
        label: label.to_owned(),
        kind: "string",
        field_type: "text",
        group_name: PROPERTY_GROUP.to_owned(),
        description: description.to_owned(),
        has_unique_value: unique,
        form_field: false,
    }
}

/// Makes one property that a person wants.
pub(crate) async fn create_property(
    client: &Client,
    wanted: &CreateProperty,
) -> Result<PropertyDefinition, AskError> {
    let failed = |error: Error| ask_error(&error);
    let object_type = &wanted.object_type;
    client
        .create_group(object_type, PROPERTY_GROUP, "Landbridge")
        .await
        .map_err(failed)?;
    let mut document = property_document(&wanted.property);
    document["groupName"] = PROPERTY_GROUP.into();
    let created = client.create_property(object_type, &document).await;
    let created = created.map_err(failed)?;
    seen(client, object_type, &[created.name.as_str()]).await?;
    Ok(created)
}

/// Waits until new properties can be used.
async fn seen(client: &Client, object_type: &ObjectTypeId, missing: &[&str]) -> Result<(), AskError> {
    let looking = async {
        loop {
            let present = client
                .properties(object_type)
                .await
                .map_err(|error| ask_error(&error))?;
            if missing
                .iter()
                .all(|wanted| present.iter().any(|property| property.name == **wanted))
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(SEEN_WITHIN, looking)
        .await
        .unwrap_or_else(|_| {
            let message = "HubSpot created the properties, but does not show them yet; try again in a minute";
            Err(AskError::new(AskErrorCode::Unavailable, message))
        })
}

async fn options(
    client: &Client,
    object_type: &ObjectTypeId,
    wanted: &[WantedOption],
    created: &mut Vec<String>,
) -> Result<(), AskError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let failed = |error: Error| ask_error(&error);
    for property in client.properties(object_type).await.map_err(failed)? {
        let mut options = property.options.clone();
        for option in wanted.iter().filter(|option| option.property == property.name) {
            if property.kind == PropertyType::Enumeration
                && !options.iter().any(|one| one.value == option.value)
            {
                options.push(PropertyOption {
                    label: option.value.clone(),
                    value: option.value.clone(),
                });
                created.push(format!("option {} of {}", option.value, property.name));
            }
        }
        if options.len() > property.options.len() {
            client
                .set_options(object_type, &property.name, &options)
                .await
                .map_err(failed)?;
        }
    }
    Ok(())
}

async fn associate(
    client: &Client,
    from: &ObjectTypeId,
    wanted: &WantedAssociation,
    created: &mut Vec<String>,
) -> Result<Association, AskError> {
    let failed = |error: Error| ask_error(&error);
    let mut labels = client
        .labels(Share::Live, from, &wanted.to)
        .await
        .map_err(failed)?;
    if labels.is_empty() {
        let name = association_name(from, &wanted.to);
        client
            .create_association(from, &wanted.to, &name)
            .await
            .map_err(failed)?;
        created.push(format!("association from {from} to {}", wanted.to));
        labels = client
            .labels(Share::Live, from, &wanted.to)
            .await
            .map_err(failed)?;
    }
    let label = match &wanted.label {
        None => None,
        Some(label) => match find(&labels, label) {
            Some(found) => Some(found.kind.clone()),
            None => {
                let name = label_name(label, from, &wanted.to);
                client
                    .create_label(from, &wanted.to, &name, label)
                    .await
                    .map_err(failed)?;
                created.push(format!("label {label:?} from {from} to {}", wanted.to));
                // Either direction gets a number of its own; ours is the one that the labels of this pair show.
                let labels = client
                    .labels(Share::Live, from, &wanted.to)
                    .await
                    .map_err(failed)?;
                let found = find(&labels, label).map(|found| found.kind.clone());
                Some(found.ok_or_else(|| {
                    let message =
                        format!("HubSpot created the label {label:?}, but does not show it yet; try again");
                    AskError::new(AskErrorCode::Unavailable, message)
                })?)
            }
        },
    };
    let properties = client.properties(&wanted.to).await.map_err(failed)?;
    let Some(matched) = properties
        .iter()
        .find(|property| property.name == wanted.match_property)
    else {
        let message = format!(
            "{} has no property {} to find the records that {} names; name another by `match`",
            wanted.to, wanted.match_property, wanted.field
        );
        return Err(AskError::new(AskErrorCode::Invalid, message));
    };
    Ok(Association {
        field: wanted.field.clone(),
        target: wanted.target.clone(),
        to: wanted.to.clone(),
        match_property: wanted.match_property.clone(),
        match_unique: matched.has_unique_value,
        label,
    })
}

/// HubSpot's own label of main associations is written `Primary`; people write it as they like.
fn find<'l>(labels: &'l [AssociationLabel], label: &str) -> Option<&'l AssociationLabel> {
    labels.iter().find(|one| {
        one.label
            .as_deref()
            .is_some_and(|text| text.eq_ignore_ascii_case(label))
    })
}

/// Names are unique in the portal, of letters, digits and underscores, and begin with a letter.
fn label_name(label: &str, from: &ObjectTypeId, to: &ObjectTypeId) -> String {
    clean(&format!("lb_{label}_{from}_{to}"))
}

fn association_name(from: &ObjectTypeId, to: &ObjectTypeId) -> String {
    clean(&format!("lb_{from}_to_{to}"))
}

fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_hubspot_takes() {
        let (from, to) = (ObjectTypeId::new("2-345"), ObjectTypeId::new("0-2"));
        assert_eq!(
            label_name("Stationed at", &from, &to),
            "lb_stationed_at_2_345_0_2"
        );
        assert_eq!(association_name(&from, &to), "lb_2_345_to_0_2");
    }
}

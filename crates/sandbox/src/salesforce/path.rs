//! The way from a record to a field of its own or of a record above it: `Depot__r.Account__r.Name`.

use crate::salesforce::schema::{Field, Schema};
use serde::{Deserialize, Serialize};

/// A resolved way to a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldPath {
    /// The references to follow, each by the field's position in its object.
    pub hops: Vec<Hop>,
    /// The object at the end.
    pub object: usize,
    /// The field's position there.
    pub field: usize,
}

/// One reference to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The reference field.
    pub field: usize,
    /// The object that it leads to.
    pub object: usize,
}

/// Why a way leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The last name is no field.
    #[error("no field `{name}` on `{object}`")]
    NoField {
        /// As written.
        name: String,
        /// Where it was looked for.
        object: String,
    },
    /// A name before the last is no way up.
    #[error("no relationship `{name}` on `{object}`")]
    NoRelationship {
        /// As written.
        name: String,
        /// Where it was looked for.
        object: String,
    },
}

impl FieldPath {
    /// Follows `names` from `object`.
    pub fn resolve<S: AsRef<str>>(
        schema: &Schema,
        object: usize,
        names: &[S],
    ) -> Result<FieldPath, PathError> {
        let mut at = object;
        let mut hops = Vec::new();
        let (last, ways) = names
            .split_last()
            .unwrap_or_else(|| unreachable!("a path has a name"));
        for way in ways {
            let here = &schema.objects[at];
            let missing = || PathError::NoRelationship {
                name: way.as_ref().to_owned(),
                object: here.name.clone(),
            };
            let field = here.relationship(way.as_ref()).ok_or_else(missing)?;
            // A reference to several objects is followed as the last of them, which is the user for owners.
            let target = here.fields[field]
                .reference
                .as_ref()
                .and_then(|reference| reference.to.iter().rev().find_map(|name| schema.index(name)))
                .ok_or_else(missing)?;
            hops.push(Hop {
                field,
                object: target,
            });
            at = target;
        }
        let here = &schema.objects[at];
        let field = here
            .field_index(last.as_ref())
            .ok_or_else(|| PathError::NoField {
                name: last.as_ref().to_owned(),
                object: here.name.clone(),
            })?;
        Ok(FieldPath {
            hops,
            object: at,
            field,
        })
    }

    /// The field at the end.
    pub fn leaf<'s>(&self, schema: &'s Schema) -> &'s Field {
        &schema.objects[self.object].fields[self.field]
    }
}

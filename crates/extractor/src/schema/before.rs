//! What was known of an object before a look, and where what is not shown any more may be.

use std::collections::BTreeMap;

use landbridge_model::config::Sync;
use landbridge_model::drift::{Shape, WatchedField, Whereabouts};
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_salesforce::{Client, Verdict};

use crate::trouble::Trouble;

/// The sync's own object as it was resolved: what it leads over is known even when Salesforce shows it no more.
pub(super) fn with_resolved(
    sync: &Sync,
    objects: &BTreeMap<String, ObjectDescribe>,
) -> BTreeMap<String, ObjectDescribe> {
    let mut known = BTreeMap::new();
    if let Some(resolved) = &sync.resolved {
        let name = resolved.object.name.to_ascii_lowercase();
        if !objects.contains_key(&name) {
            known.insert(name, resolved.object.clone());
        }
    }
    known
}

/// What is known of an object that was never looked at: what the definition was resolved with.
pub(super) fn first_shape(sync: &Sync, object: &str, watched: &[WatchedField]) -> Option<Shape> {
    let resolved = sync.resolved.as_ref()?;
    if resolved.object.name.eq_ignore_ascii_case(object) {
        return Some(Shape::of(&resolved.object, watched, false));
    }
    let at_end = |parent: &&landbridge_model::config::ParentField| {
        let is_it = |watched: &&WatchedField| {
            watched.path.eq_ignore_ascii_case(&parent.path) && watched.object.eq_ignore_ascii_case(object)
        };
        watched.iter().any(|watched| is_it(&watched))
    };
    let fields = resolved.parent_fields.iter().filter(at_end);
    let described = ObjectDescribe {
        name: object.to_owned(),
        label: object.to_owned(),
        custom: true,
        queryable: true,
        key_prefix: None,
        fields: fields.map(|parent| parent.field.clone()).collect(),
    };
    Some(Shape::of(&described, watched, false))
}

/// Watched fields that were shown and are not; an empty name is the object.
pub(super) fn absent(
    before: Option<&Shape>,
    now: Option<&ObjectDescribe>,
    object: &str,
    watched: &[WatchedField],
) -> Vec<String> {
    let (Some(before), Some(now)) = (before, now) else {
        return if before.is_some() {
            vec![String::new()]
        } else {
            Vec::new()
        };
    };
    let is_gone = |watched: &&WatchedField| {
        watched.object.eq_ignore_ascii_case(object)
            && before.fields.contains_key(&watched.field.to_ascii_lowercase())
            && now.field(&watched.field).is_none()
    };
    watched
        .iter()
        .filter(is_gone)
        .map(|watched| watched.field.clone())
        .collect()
}

/// Where absent things are, as far as this user may ask.
pub(super) async fn whereabouts(
    client: &Client,
    object: &str,
    absent: &[String],
) -> Result<BTreeMap<String, Whereabouts>, Trouble> {
    let mut found = BTreeMap::new();
    if absent.is_empty() {
        return Ok(found);
    }
    let told = |is_there: bool| {
        if is_there {
            Whereabouts::Hidden
        } else {
            Whereabouts::Deleted
        }
    };
    for name in absent {
        let asked = if name.is_empty() {
            client.has_object_whatever_hides_it(object).await.map(told)
        } else {
            client.fields_whatever_hides_them(object).await.map(|fields| {
                // An answer without any field is no answer: every object has an Id.
                match fields.is_empty() {
                    true => Whereabouts::HiddenOrDeleted,
                    false => told(fields.iter().any(|field| field.eq_ignore_ascii_case(name))),
                }
            })
        };
        match asked {
            Ok(whereabouts) => drop(found.insert(name.clone(), whereabouts)),
            Err(error) if matches!(error.verdict(), Verdict::Retry { .. } | Verdict::Refresh) => {
                return Err(error.into());
            }
            Err(error) => tracing::debug!(object, %error, "the user may not ask where a field is"),
        }
    }
    Ok(found)
}

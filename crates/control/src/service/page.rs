//! Lists in pages: bounded, with a cursor that callers hand back as it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ServiceError;

/// Entries of a page when nobody says how many.
const LIMIT: usize = 100;
/// Most entries of a page.
const LIMIT_MAX: usize = 500;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Pass it as `cursor` to go on; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

impl PageRequest {
    /// How many entries, within bounds.
    pub(crate) fn limit(&self) -> Result<usize, ServiceError> {
        match self.limit {
            None => Ok(LIMIT),
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(limit) => Err(ServiceError::invalid(format!(
                "limit is {limit}; it must be 1 to {LIMIT_MAX}"
            ))),
        }
    }

    /// The place behind which the page begins.
    pub(crate) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, ServiceError> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let read = URL_SAFE_NO_PAD.decode(cursor).ok();
        let key = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        key.map(Some).ok_or_else(|| {
            ServiceError::invalid("the cursor is not one that this list gave; leave it out to begin anew")
        })
    }
}

/// The cursor that means "behind this key".
pub fn cursor<K: Serialize>(key: &K) -> Result<String, ServiceError> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(key)?))
}

/// A page of entries that are sorted by their keys. An entry that came or went meanwhile shifts nothing.
pub fn paginate<T, K: Ord + Serialize + DeserializeOwned>(
    sorted: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
    request: &PageRequest,
) -> Result<Page<T>, ServiceError> {
    let limit = request.limit()?;
    let after: Option<K> = request.after()?;
    let behind = |entry: &T| after.as_ref().is_none_or(|after| key(entry) > *after);
    let mut items: Vec<T> = sorted.into_iter().filter(behind).take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next = match items.last() {
        Some(last) if more => Some(cursor(&key(last))?),
        _ => None,
    };
    Ok(Page { items, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_complete_and_bounded() {
        let all: Vec<u32> = (0..250).collect();
        let mut request = PageRequest::default();
        let mut seen = Vec::new();
        loop {
            let page = paginate(all.clone(), |n| *n, &request).unwrap();
            assert!(page.items.len() <= LIMIT);
            seen.extend(page.items);
            match page.next {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn wrong_requests_are_refused() {
        for request in [
            PageRequest {
                limit: Some(0),
                cursor: None,
            },
            PageRequest {
                limit: Some(501),
                cursor: None,
            },
            PageRequest {
                limit: None,
                cursor: Some("none of ours".into()),
            },
        ] {
            assert!(paginate([1, 2], |n| *n, &request).is_err(), "{request:?}");
        }
    }
}

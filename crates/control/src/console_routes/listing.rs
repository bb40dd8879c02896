//! Which part of a list a page shows.

use serde::Deserialize;

use crate::console::parts::Paging;
use crate::console::paths;

/// Rows of a page.
pub(super) const ROWS: usize = 25;

/// The place in a list, as a page's address has it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Listing {
    /// Where the page before ended.
    pub(super) cursor: Option<String>,
    /// How many rows come before this page.
    #[serde(default)]
    pub(super) before: u64,
}

impl Listing {
    /// The links to the pages around this one; `kept` are the other fields of the address.
    pub(super) fn paging(
        &self,
        path: &str,
        kept: &[(&str, &str)],
        rows: usize,
        next: Option<String>,
    ) -> Paging {
        let rows = rows as u64;
        let before = if self.cursor.is_some() { self.before } else { 0 };
        let address = |more: Vec<(&str, &str)>| {
            let fields = kept
                .iter()
                .copied()
                .chain(more)
                .filter(|(_, value)| !value.is_empty());
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("{name}={}", paths::query_value(value)))
                .collect();
            if fields.is_empty() {
                path.to_owned()
            } else {
                format!("{path}?{}", fields.join("&"))
            }
        };
        let last = (before + rows).to_string();
        Paging {
            first: before + u64::from(rows > 0),
            last: before + rows,
            total: (self.cursor.is_none() && next.is_none()).then_some(rows),
            // A cursor leads forwards only: back is the beginning.
            previous: self.cursor.is_some().then(|| address(Vec::new())),
            next: next.map(|cursor| address(vec![("cursor", &cursor), ("before", &last)])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_walked_forwards_and_begun_anew() {
        let first =
            Listing::default().paging("/x", &[("sync", "a&b"), ("category", "")], 25, Some("c1".into()));
        assert_eq!((first.first, first.last, first.total), (1, 25, None));
        assert_eq!(first.previous, None);
        assert_eq!(first.next.as_deref(), Some("/x?sync=a%26b&cursor=c1&before=25"));
        let second = Listing {
            cursor: Some("c1".into()),
            before: 25,
        };
        let second = second.paging("/x", &[], 3, None);
        assert_eq!((second.first, second.last, second.total), (26, 28, None));
        assert_eq!((second.previous.as_deref(), second.next), (Some("/x"), None));
        let none = Listing::default().paging("/x", &[], 0, None);
        assert_eq!((none.first, none.last, none.total), (0, 0, Some(0)));
    }
}

//! Which columns a read asks for, in which order, and in which text form each is handed on.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use landbridge_model::Table;

use crate::normalise::{TextForm, normalise};

/// The columns of a read. Names may be paths over a parent (`Depot__r.Name`); they are matched in any case, as
/// Salesforce does, and handed on as they were asked for.
#[derive(Debug, Clone)]
pub struct Columns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    names: Vec<String>,
    forms: Vec<TextForm>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// Columns with their forms. A name that comes twice is kept once: SOQL refuses duplicates.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = (S, TextForm)>) -> Self {
        let mut inner = Inner {
            names: Vec::new(),
            forms: Vec::new(),
            places: HashMap::new(),
        };
        for (name, form) in columns {
            let name = name.into();
            let key = name.to_ascii_lowercase();
            if inner.places.contains_key(&key) {
                continue;
            }
            inner.places.insert(key, inner.names.len());
            inner.names.push(name);
            inner.forms.push(form);
        }
        Self(Arc::new(inner))
    }

    /// Columns that are all plain text.
    pub fn text<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::new(names.into_iter().map(|name| (name, TextForm::Text)))
    }

    /// The names in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.names.is_empty()
    }

    /// The place of a name, in any case.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        if let Some(place) = self.0.places.get(name) {
            return Some(*place);
        }
        self.0.places.get(&name.to_ascii_lowercase()).copied()
    }

    /// The SELECT list.
    #[must_use]
    pub fn select_list(&self) -> String {
        self.0.names.join(", ")
    }

    /// Those at some places, in this order.
    #[must_use]
    pub fn of(&self, places: &[usize]) -> Self {
        Self::new(
            places
                .iter()
                .map(|&place| (self.0.names[place].as_str(), self.0.forms[place])),
        )
    }

    /// Whether a name reaches over to a parent.
    #[must_use]
    pub fn has_parent_paths(&self) -> bool {
        self.0.names.iter().any(|name| name.contains('.'))
    }

    /// An empty table of these columns.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::with_columns(&self.0.names)
    }

    /// Brings a raw cell of a column into its form.
    #[must_use]
    pub(crate) fn cell<'a>(&self, place: usize, raw: &'a str) -> Option<Cow<'a, str>> {
        normalise(self.0.forms[place], raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_in_any_case_and_come_once() {
        let columns = Columns::text(["Id", "Depot__r.Name", "ID"]);
        assert_eq!(columns.select_list(), "Id, Depot__r.Name");
        assert_eq!(columns.place("depot__R.NAME"), Some(1));
        assert_eq!(columns.place("Other"), None);
        assert!(columns.has_parent_paths());
        assert_eq!(columns.of(&[1]).select_list(), "Depot__r.Name");
    }
}

//! What a posted step makes of the definition. Pure: fields in, the step's part of the definition out.
//!
//! * **W1** A form that is sent back as it was rendered changes nothing, to the letter: neither the order of keys, nor
//!   what is written out though it is the default, nor what the page has no control for.
//! * **W2** What cannot be understood is kept as it was typed, beside a problem that says so.

mod associations;
mod fields;
mod filter;
mod objects;
mod proposal;
mod rules;

pub use associations::associations;
pub use fields::{Fields, fields};
pub use filter::filter;
pub(crate) use filter::{is_bare, takes_list};
pub use objects::{Objects, objects};
pub use proposal::proposal;
pub use rules::{ReadRules, rules};

/// The fields of a form, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted(pub Vec<(String, String)>);

impl Posted {
    /// The first value of that name, to the letter.
    pub fn exactly(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of that name without white space around it; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.exactly(name).unwrap_or_default().trim()
    }

    /// The value as it stood, if it is what was rendered; else as it was typed, without white space around it.
    fn kept<'v>(&'v self, name: &str, before: &'v str) -> &'v str {
        match self.exactly(name) {
            Some(value) if value == before => before,
            Some(value) => value.trim(),
            None => before,
        }
    }

    /// The places of the rows of a list, in order: `3` of `spec.fields[3].to` for the list `spec.fields`.
    fn places(&self, list: &str) -> Vec<usize> {
        let place = |key: &str| {
            let rest = key.strip_prefix(list)?.strip_prefix('[')?;
            rest.split_once(']')?.0.parse::<usize>().ok()
        };
        let mut places: Vec<usize> = self.0.iter().filter_map(|(key, _)| place(key)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Posted {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self(pairs.collect())
    }
}

/// What a button does besides sending the step: the value of [`super::super::fields::ACTION`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only look.
    Check,
    /// Go on.
    Next,
    /// Keep it.
    Save,
    /// Another row.
    Add,
    /// One row less.
    Remove(usize),
    /// Create the property of a row.
    CreateProperty(usize),
    /// Take the suggestion for a field.
    Suggested(String),
    /// Take all suggestions.
    AddSuggested,
    /// Review an object type to create.
    CreateObjectType,
    /// Turn it on.
    Start,
    /// Something that no button sends.
    Unknown,
}

impl Action {
    /// Reads the word.
    pub fn parse(text: &str) -> Self {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        match (word, rest.parse::<usize>()) {
            ("check", _) => Self::Check,
            ("next", _) => Self::Next,
            ("save", _) => Self::Save,
            ("add", _) => Self::Add,
            ("remove", Ok(place)) => Self::Remove(place),
            ("create-property", Ok(place)) => Self::CreateProperty(place),
            ("suggested", _) if !rest.is_empty() => Self::Suggested(rest.to_owned()),
            ("add-suggested", _) => Self::AddSuggested,
            ("create-object-type", _) => Self::CreateObjectType,
            ("start", _) => Self::Start,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_read() {
        for (text, action) in [
            ("check", Action::Check),
            ("remove:3", Action::Remove(3)),
            ("remove:x", Action::Unknown),
            ("create-property:0", Action::CreateProperty(0)),
            ("suggested:Score__c", Action::Suggested("Score__c".to_owned())),
            ("suggested:", Action::Unknown),
            ("", Action::Unknown),
        ] {
            assert_eq!(Action::parse(text), action, "{text}");
        }
    }

    #[test]
    fn rows_are_found_by_their_places() {
        let posted: Posted = [
            ("a[2].x", ""),
            ("a[0].y", ""),
            ("a[2].y", ""),
            ("b[1].x", ""),
            ("a[z].x", ""),
        ]
        .into_iter()
        .collect();
        assert_eq!(posted.places("a"), [0, 2]);
    }
}

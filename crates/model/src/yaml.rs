//! A sync as a file: YAML in, YAML out. Several syncs may share a file, parted by `---`.
//!
//! What [`export`] writes, [`load`] reads to the same definition, and exporting that again gives the same bytes.

use serde::Deserialize;
use serde_saphyr::{Error, Options, Spanned};

use crate::names;
use crate::sync::{API_VERSION, KIND, SyncDefinition};

/// Why a file of syncs cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1, when known.
    pub line: Option<u64>,
    /// Column, from 1, when known.
    pub column: Option<u64>,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(f, ": {}", self.message)
    }
}

/// What every document must say first; read before the rest, so that a file of another kind gets a plain answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
}

/// Reads every sync of a file's text. `file` names it in errors.
pub fn load(file: &str, text: &str) -> Result<Vec<SyncDefinition>, FileError> {
    let failed = |error: Error| explain(file, &error);
    let heads: Vec<Head> = serde_saphyr::from_multiple_with_options(text, options()).map_err(failed)?;
    for head in &heads {
        check_head(file, "apiVersion", head.api_version.as_ref(), API_VERSION)?;
        check_head(file, "kind", head.kind.as_ref(), KIND)?;
    }
    let definitions: Vec<SyncDefinition> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(failed)?;
    if definitions.is_empty() {
        return Err(at(file, None, "there is no sync in it".to_owned()));
    }
    Ok(definitions)
}

/// Writes syncs as one file's text.
pub fn export(definitions: &[SyncDefinition]) -> String {
    let documents: Vec<String> = definitions.iter().map(document).collect();
    documents.join("---\n")
}

fn document(definition: &SyncDefinition) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = serde_saphyr::to_string_with_options(definition, options)
        .expect("a definition is made of texts, lists and maps of texts");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// `no` and `off` are texts here, and `0123` keeps its zero.
fn options() -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    }
}

fn check_head(
    file: &str,
    key: &str,
    found: Option<&Spanned<String>>,
    expected: &str,
) -> Result<(), FileError> {
    match found {
        Some(found) if found.value == expected => Ok(()),
        Some(found) => Err(at(
            file,
            Some(found.referenced),
            format!("{key}: {:?} is not known; write {key}: {expected}", found.value),
        )),
        None => Err(at(
            file,
            None,
            format!("{key} is missing; write {key}: {expected}"),
        )),
    }
}

fn at(file: &str, location: Option<serde_saphyr::Location>, message: String) -> FileError {
    let known = location.filter(|location| location.line() > 0);
    FileError {
        file: file.to_owned(),
        line: known.map(|location| location.line()),
        column: known.map(|location| location.column()),
        message,
    }
}

fn explain(file: &str, error: &Error) -> FileError {
    let error = error.without_snippet();
    let location = error.location();
    let message = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let nearest = names::closest(field, expected.iter().copied())
                .map(|name| format!("did you mean {name}? "))
                .unwrap_or_default();
            format!(
                "the key {field} is not known here; {nearest}Known keys: {}",
                expected.join(", ")
            )
        }
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            format!(
                "{variant:?} is not a value this key takes; it takes {}",
                expected.join(", ")
            )
        }
        Error::SerdeMissingField { field, .. } => format!("the key {field} is missing here"),
        Error::NullIntoString { .. } => {
            "a value is missing here; write one, in quotes if it is meant to be empty".to_owned()
        }
        other => plain(&other.to_string()),
    };
    at(file, location, message)
}

/// The parser's own words, without the position that is already said in front.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    let cut = first.find(" at line ").unwrap_or(first.len());
    first[..cut].trim_end_matches([',', ':', ' ']).to_owned()
}

#[cfg(test)]
mod tests;

//! Definitions from files: every file is read, and everything that is wrong with any of them is told at once.

use std::io::Read;
use std::path::{Path, PathBuf};

use landbridge_model::sync::SyncDefinition;
use landbridge_model::yaml;

use crate::output::CommandError;

/// Reads all definitions of files and folders.
pub(super) fn load(paths: &[PathBuf]) -> Result<Vec<SyncDefinition>, CommandError> {
    let mut problems = Vec::new();
    let mut definitions: Vec<(String, SyncDefinition)> = Vec::new();
    for path in paths {
        let files = match files_of(path) {
            Ok(files) => files,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        for file in files {
            let name = file.display().to_string();
            match text_of(&file).and_then(|text| yaml::load(&name, &text).map_err(|error| error.to_string()))
            {
                Ok(found) => {
                    definitions.extend(found.into_iter().map(|definition| (name.clone(), definition)))
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    for (place, (file, definition)) in definitions.iter().enumerate() {
        let earlier = definitions[..place]
            .iter()
            .find(|(_, other)| other.key() == definition.key());
        if let Some((first, _)) = earlier {
            problems.push(format!(
                "{file}: {} is defined in {first} already; keep one of the two",
                definition.key()
            ));
        }
    }
    if problems.is_empty() {
        return Ok(definitions
            .into_iter()
            .map(|(_, definition)| definition)
            .collect());
    }
    Err(CommandError::invalid("the definitions cannot be read; nothing was written").with_details(problems))
}

/// The file itself, or the YAML files of a folder in the order of their names.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries =
        std::fs::read_dir(path).map_err(|error| format!("{}: it cannot be read: {error}", path.display()))?;
    let is_yaml = |file: &PathBuf| file.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(is_yaml)
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "{}: there is no .yaml or .yml file in it",
            path.display()
        ));
    }
    Ok(files)
}

fn text_of(file: &Path) -> Result<String, String> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| format!("{}: it cannot be read: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> String {
        format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  salesforce: \
             {{ object: V__c }}\n  hubspot: {{ objectType: v }}\n  fields: [ {{ from: Name, to: name }} ]\n"
        )
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("b.yml", definition("second")),
            ("a.yaml", definition("first")),
            ("c.txt", "x".into()),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let found = load(&[folder.path().to_owned()]).unwrap();
        let names: Vec<&str> = found
            .iter()
            .map(|definition| definition.metadata.name.as_str())
            .collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.yaml"), definition("same")).unwrap();
        std::fs::write(path("b.yaml"), definition("same")).unwrap();
        std::fs::write(path("c.yaml"), definition("other").replace("object:", "objekt:")).unwrap();
        let error = load(&[folder.path().to_owned(), path("missing.yaml")])
            .unwrap_err()
            .to_string();
        for part in [
            "b.yaml: acme/same is defined in",
            "c.yaml:5",
            "objekt",
            "missing.yaml: it cannot be read",
        ] {
            assert!(error.contains(part), "{part:?} is not in:\n{error}");
        }
    }
}

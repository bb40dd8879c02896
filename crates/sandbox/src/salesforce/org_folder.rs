//! An org from a Salesforce DX source folder: object and field metadata, sample data with its plan.

mod fields;
mod sample;
mod xml;

use crate::salesforce::{
    formula,
    handle::{OrgReport, UnsupportedFormula},
    multiply::multiply,
    people,
    schema::{Object, Schema},
    standard::{add_system_fields, base_schema, plain_standard},
    store::Org,
};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};
use xml::Element;

/// Why a folder is no org. Every variant names the file and the place in it.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are no objects below the folder.
    #[error(
        "{path} holds no objects: name the folder with sfdx-project.json, or a package folder with main/default/objects"
    )]
    NoObjects {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A file that is not XML, or not JSON.
    #[error("{file} is malformed: {problem}")]
    Malformed {
        /// The file.
        file: PathBuf,
        /// With line and column.
        problem: String,
    },
    /// An element that is missing or makes no sense.
    #[error("{file}: <{element}> {problem}")]
    Element {
        /// The file.
        file: PathBuf,
        /// Its name.
        element: String,
        /// What is wrong.
        problem: String,
    },
    /// A sample record that the org refuses.
    #[error("{file}: record {record}: {problem}")]
    Record {
        /// The file.
        file: PathBuf,
        /// The record's reference name, or its position.
        record: String,
        /// The org's refusal.
        problem: String,
    },
}

/// Loads a folder. `records` multiplies the sample data to that many custom records in all.
pub fn load(
    folder: &Path,
    records: Option<usize>,
    seed: u64,
    now_ms: i64,
    report: &mut OrgReport,
) -> Result<Org, FolderError> {
    let mut schema = base_schema();
    let found = find_objects(folder)?;
    let value_sets = fields::value_sets(&found.value_sets)?;
    for (name, parts) in &found.objects {
        let object = read_object(&mut schema, name, parts, &value_sets, report)?;
        let Some(object) = object else { continue };
        match schema.index(&object.name) {
            Some(known) => schema.objects[known] = object,
            None => {
                schema.push(object);
            }
        }
    }
    complete_references(&mut schema, &found)?;
    schema.finish();
    for (object, field, error) in formula::bind_all(&mut schema) {
        report.unsupported_formulas.push(UnsupportedFormula {
            object,
            field,
            reason: error.to_string(),
        });
    }
    let mut org = Org::new(schema, seed);
    people::add(&mut org, seed, now_ms);
    let order = sample::load(&mut org, folder, now_ms, report)?;
    if let Some(wanted) = records {
        multiply(&mut org, &order, wanted, seed, now_ms, report);
    }
    Ok(org)
}

/// The files of one object.
#[derive(Debug, Default)]
struct ObjectFiles {
    definition: Option<PathBuf>,
    fields: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Found {
    objects: BTreeMap<String, ObjectFiles>,
    value_sets: Vec<PathBuf>,
}

/// Looks through the folder for `objects` folders, whichever package they are in.
fn find_objects(folder: &Path) -> Result<Found, FolderError> {
    let mut found = Found::default();
    let mut queue = vec![folder.to_path_buf()];
    while let Some(at) = queue.pop() {
        for entry in entries(&at)? {
            let name = entry
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default()
                .to_owned();
            if !entry.is_dir() {
                if name.ends_with(".globalValueSet-meta.xml") {
                    found.value_sets.push(entry);
                }
            } else if name == "objects" {
                for object in entries(&entry)?.into_iter().filter(|path| path.is_dir()) {
                    add_object(&mut found, &object)?;
                }
            } else if !name.starts_with('.') && name != "node_modules" {
                queue.push(entry);
            }
        }
    }
    if found.objects.is_empty() {
        return Err(FolderError::NoObjects {
            path: folder.to_path_buf(),
        });
    }
    Ok(found)
}

fn add_object(found: &mut Found, folder: &Path) -> Result<(), FolderError> {
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let files = found.objects.entry(name.to_owned()).or_default();
    let definition = folder.join(format!("{name}.object-meta.xml"));
    if definition.is_file() {
        files.definition = Some(definition);
    }
    let fields = folder.join("fields");
    if fields.is_dir() {
        let is_field = |path: &PathBuf| path.to_string_lossy().ends_with(".field-meta.xml");
        files
            .fields
            .extend(entries(&fields)?.into_iter().filter(is_field));
    }
    Ok(())
}

/// A folder's entries by name, so that loading is repeatable.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let failed = |source| FolderError::Read {
        path: folder.to_path_buf(),
        source,
    };
    let mut paths = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn read_object(
    schema: &mut Schema,
    name: &str,
    files: &ObjectFiles,
    value_sets: &fields::ValueSets,
    report: &mut OrgReport,
) -> Result<Option<Object>, FolderError> {
    if let Some(suffix) = ["__e", "__mdt", "__b", "__x", "__kav"]
        .iter()
        .find(|suffix| name.ends_with(**suffix))
    {
        report
            .notes
            .push(format!("{name}: objects of the kind {suffix} are left out"));
        return Ok(None);
    }
    let text = files.definition.as_deref().map(read_text).transpose()?;
    let definition = match (&files.definition, &text) {
        (Some(file), Some(text)) => Some((file.clone(), text)),
        _ => None,
    };
    let mut auto_number = None;
    let is_custom = name.ends_with("__c");
    let mut object = if is_custom {
        let Some((file, text)) = definition else {
            return Err(FolderError::Read {
                path: PathBuf::from(format!("objects/{name}/{name}.object-meta.xml")),
                source: io::ErrorKind::NotFound.into(),
            });
        };
        let document = xml::parse(&file, text)?;
        let root = Element::root(&file, &document, "CustomObject")?;
        let label = root.required("label")?;
        let plural = root.text("pluralLabel").unwrap_or_else(|| format!("{label}s"));
        let name_field = root.child("nameField");
        if let Some(name_field) = &name_field {
            match name_field.required("type")?.as_str() {
                "Text" => {}
                "AutoNumber" => {
                    auto_number = Some(
                        name_field
                            .text("displayFormat")
                            .unwrap_or_else(|| "{0}".to_owned()),
                    );
                }
                other => {
                    return Err(name_field.wrong("type", format!("`{other}` is neither Text nor AutoNumber")));
                }
            }
        }
        let mut object = Object::new(name, &label, &plural, schema.next_custom_prefix());
        object.fields.clear();
        object
    } else {
        match schema.object(name).cloned().or_else(|| plain_standard(name)) {
            Some(object) => object,
            None => {
                report.notes.push(format!(
                    "{name}: this standard object is not known here and is left out"
                ));
                return Ok(None);
            }
        }
    };
    for file in &files.fields {
        let text = read_text(file)?;
        let document = xml::parse(file, &text)?;
        let root = Element::root(file, &document, "CustomField")?;
        for field in fields::read(&root, name, value_sets, report)? {
            object.push(field);
        }
    }
    if is_custom {
        add_system_fields(&mut object, auto_number.as_deref());
    }
    Ok(Some(object))
}

/// Adds the standard objects that lookups name, and refuses lookups to nowhere.
fn complete_references(schema: &mut Schema, found: &Found) -> Result<(), FolderError> {
    let mut wanted = Vec::new();
    for object in &schema.objects {
        for field in object.fields.iter().filter(|field| field.custom) {
            for target in field.reference.iter().flat_map(|reference| &reference.to) {
                wanted.push((object.name.clone(), field.name.clone(), target.clone()));
            }
        }
    }
    for (object, field, target) in wanted {
        if schema.index(&target).is_some() {
            continue;
        }
        if let Some(standard) = plain_standard(&target) {
            schema.push(standard);
            continue;
        }
        let ending = format!("{field}.field-meta.xml");
        let files = found
            .objects
            .get(&object)
            .map(|files| files.fields.as_slice())
            .unwrap_or_default();
        let file = files
            .iter()
            .find(|file| file.to_string_lossy().ends_with(&ending))
            .cloned();
        return Err(FolderError::Element {
            file: file.unwrap_or_else(|| PathBuf::from(&ending)),
            element: "referenceTo".to_owned(),
            problem: format!(
                "names `{target}`, which is neither in this folder nor a standard object known here"
            ),
        });
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, FolderError> {
    std::fs::read_to_string(path).map_err(|source| FolderError::Read {
        path: path.to_path_buf(),
        source,
    })
}

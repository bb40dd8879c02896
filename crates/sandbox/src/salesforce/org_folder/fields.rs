//! Fields from their metadata files.

use super::{FolderError, read_text, xml, xml::Element};
use crate::salesforce::{
    formula::Formula,
    handle::OrgReport,
    schema::{Field, Kind, OnDelete, PickValue, Picklist, Reference, Rollup, Source},
    standard::location,
};
use std::{collections::HashMap, path::PathBuf};

/// The value sets that several picklists share, by name.
pub(super) type ValueSets = HashMap<String, Vec<PickValue>>;

/// Reads shared value sets.
pub(super) fn value_sets(files: &[PathBuf]) -> Result<ValueSets, FolderError> {
    let mut sets = ValueSets::new();
    for file in files {
        let text = read_text(file)?;
        let document = xml::parse(file, &text)?;
        let root = Element::root(file, &document, "GlobalValueSet")?;
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let name = name.trim_end_matches(".globalValueSet-meta.xml").to_owned();
        let values = root
            .children("customValue")
            .map(|value| pick_value(&value))
            .collect::<Result<_, _>>()?;
        sets.insert(name, values);
    }
    Ok(sets)
}

/// The field of a file: one, or three for a location.
pub(super) fn read(
    root: &Element<'_>,
    object: &str,
    value_sets: &ValueSets,
    report: &mut OrgReport,
) -> Result<Vec<Field>, FolderError> {
    let name = root.required("fullName")?;
    let label = root
        .text("label")
        .unwrap_or_else(|| name.trim_end_matches("__c").replace('_', " "));
    let Some(type_name) = root.text("type") else {
        // A standard field: the file only tells its tracking or its values.
        report.notes.push(format!(
            "{object}.{name}: settings of a standard field are left out"
        ));
        return Ok(Vec::new());
    };
    if type_name == "Location" {
        return Ok(location(&name, &label, root.number("scale")?.unwrap_or(0)).into());
    }
    let kind = kind_of(root, &type_name, root.text("summaryOperation").as_deref())?;
    if matches!(
        type_name.as_str(),
        "ExternalLookup" | "IndirectLookup" | "MetadataRelationship"
    ) {
        report.notes.push(format!(
            "{object}.{name}: a field of type {type_name} is served as text"
        ));
    }
    let mut field = Field::new(&name, &label, kind);
    limits(root, &mut field)?;
    field.required = root.flag("required")?;
    field.unique = root.flag("unique")?;
    field.case_sensitive = root.flag("caseSensitive")?;
    field.external_id = root.flag("externalId")?;
    field.help = root.text("inlineHelpText");
    if let Some(text) = root.text("formula") {
        let blank_as_zero = root.text("formulaTreatBlanksAs").as_deref() == Some("BlankAsZero");
        field.source = Source::Formula(Box::new(Formula::new(text, blank_as_zero)));
        field.createable = false;
        field.updateable = false;
        field.required = false;
        if kind == Kind::Text {
            field.length = 1300;
        }
        return Ok(vec![field]);
    }
    field.default = root
        .text("defaultValue")
        .map(|text| Box::new(Formula::new(text, false)));
    match type_name.as_str() {
        "Lookup" | "MasterDetail" | "Hierarchy" => reference(root, &mut field, &type_name)?,
        "Picklist" | "MultiselectPicklist" => {
            field.picklist = Some(picklist(root, value_sets, object, &name, report)?);
        }
        "AutoNumber" => {
            field.auto_number = Some(root.text("displayFormat").unwrap_or_else(|| "{0}".to_owned()));
            field.createable = false;
            field.updateable = false;
        }
        "Summary" => {
            field.rollup = Some(rollup(root)?);
            field.createable = false;
            field.updateable = false;
        }
        _ => {}
    }
    Ok(vec![field])
}

fn kind_of(root: &Element<'_>, type_name: &str, summary: Option<&str>) -> Result<Kind, FolderError> {
    Ok(match type_name {
        "Text" | "AutoNumber" | "ExternalLookup" | "IndirectLookup" | "MetadataRelationship" => Kind::Text,
        "TextArea" => Kind::TextArea,
        "LongTextArea" => Kind::LongTextArea,
        "Html" => Kind::Html,
        "EncryptedText" => Kind::Encrypted,
        "Lookup" | "MasterDetail" | "Hierarchy" => Kind::Reference,
        "Checkbox" => Kind::Boolean,
        "Number" => Kind::Double,
        "Currency" => Kind::Currency,
        "Percent" => Kind::Percent,
        "Date" => Kind::Date,
        "DateTime" => Kind::DateTime,
        "Time" => Kind::Time,
        "Email" => Kind::Email,
        "Phone" => Kind::Phone,
        "Url" => Kind::Url,
        "Picklist" => Kind::Picklist,
        "MultiselectPicklist" => Kind::MultiPicklist,
        "Summary" if summary.is_some() => Kind::Double,
        "Summary" => return Err(root.wrong("summaryOperation", "is missing".to_owned())),
        other => return Err(root.wrong("type", format!("`{other}` is no field type"))),
    })
}

/// Length, precision and scale.
fn limits(root: &Element<'_>, field: &mut Field) -> Result<(), FolderError> {
    if let Some(length) = root.number("length")? {
        let most = match field.kind {
            Kind::LongTextArea | Kind::Html => 131_072,
            _ => 255,
        };
        if length == 0 || length > most {
            return Err(root.wrong("length", format!("must be 1 to {most}, not {length}")));
        }
        field.length = length;
    }
    if field.kind.is_number() {
        field.precision = root.number("precision")?.unwrap_or(18);
        field.scale = root.number("scale")?.unwrap_or(0);
        if field.precision > 18 || field.scale > field.precision {
            let problem = format!(
                "of {} digits with {} after the point does not fit 18",
                field.precision, field.scale
            );
            return Err(root.wrong("precision", problem));
        }
    }
    Ok(())
}

fn reference(root: &Element<'_>, field: &mut Field, type_name: &str) -> Result<(), FolderError> {
    let is_master = type_name == "MasterDetail";
    let to = match type_name {
        "Hierarchy" => "User".to_owned(),
        _ => root.required("referenceTo")?,
    };
    let on_delete = match root.text("deleteConstraint").as_deref() {
        _ if is_master => OnDelete::Cascade,
        Some("SetNull") | None => OnDelete::SetNull,
        Some("Restrict") => OnDelete::Restrict,
        Some("Cascade") => OnDelete::Cascade,
        Some(other) => {
            let problem = format!("must be SetNull, Restrict or Cascade, not `{other}`");
            return Err(root.wrong("deleteConstraint", problem));
        }
    };
    let order = root.number("relationshipOrder")?.unwrap_or(0);
    field.required |= is_master;
    field.reference = Some(Reference {
        to: vec![to],
        relationship: field.name.strip_suffix("__c").map(|stem| format!("{stem}__r")),
        children: root.text("relationshipName").map(|name| format!("{name}__r")),
        on_delete,
        master: is_master.then_some(order.min(1) as u8),
        reparentable: !is_master || root.flag("reparentableMasterDetail")?,
    });
    Ok(())
}

fn picklist(
    root: &Element<'_>,
    value_sets: &ValueSets,
    object: &str,
    name: &str,
    report: &mut OrgReport,
) -> Result<Picklist, FolderError> {
    let set = root
        .child("valueSet")
        .ok_or_else(|| root.wrong("valueSet", "is missing".to_owned()))?;
    let mut restricted = set.flag("restricted")?;
    let values = match (set.child("valueSetDefinition"), set.text("valueSetName")) {
        (Some(definition), _) => definition
            .children("value")
            .map(|value| pick_value(&value))
            .collect::<Result<_, _>>()?,
        (None, Some(shared)) => match value_sets.get(&shared) {
            Some(values) => {
                // Shared sets are always restricted.
                restricted = true;
                values.clone()
            }
            None => {
                report.notes.push(format!(
                    "{object}.{name}: the value set {shared} is not in this folder; any value is taken"
                ));
                restricted = false;
                Vec::new()
            }
        },
        (None, None) => {
            return Err(root.wrong(
                "valueSet",
                "has neither valueSetDefinition nor valueSetName".to_owned(),
            ));
        }
    };
    Ok(Picklist { restricted, values })
}

fn pick_value(value: &Element<'_>) -> Result<PickValue, FolderError> {
    let name = value.required("fullName")?;
    Ok(PickValue {
        label: value.text("label").unwrap_or_else(|| name.clone()),
        active: value.text("isActive").as_deref() != Some("false"),
        default: value.flag("default")?,
        value: name,
    })
}

fn rollup(root: &Element<'_>) -> Result<Rollup, FolderError> {
    let key = root.required("summaryForeignKey")?;
    let (object, key) = key
        .split_once('.')
        .map(|(object, key)| (object.to_owned(), key.to_owned()))
        .ok_or_else(|| root.wrong("summaryForeignKey", format!("must be Object.Field, not `{key}`")))?;
    let operation = root.required("summaryOperation")?;
    if !matches!(operation.as_str(), "count" | "sum" | "min" | "max") {
        return Err(root.wrong(
            "summaryOperation",
            format!("`{operation}` is none of count, sum, min, max"),
        ));
    }
    let field = root
        .text("summarizedField")
        .and_then(|field| field.split('.').next_back().map(str::to_owned));
    if field.is_none() && operation != "count" {
        return Err(root.wrong("summarizedField", "is missing".to_owned()));
    }
    Ok(Rollup {
        operation,
        object,
        key,
        field,
    })
}

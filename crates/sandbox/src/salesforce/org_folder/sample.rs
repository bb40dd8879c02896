//! Sample records from a data plan and its tree files.

use super::{FolderError, entries, read_text};
use crate::salesforce::{clock::DAY_MS, composite::Planted, dml::Change, handle::OrgReport, store::Org};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// Loads what the plan lists; gives the objects in the order of the plan.
pub(super) fn load(
    org: &mut Org,
    folder: &Path,
    now_ms: i64,
    report: &mut OrgReport,
) -> Result<Vec<usize>, FolderError> {
    let Some(plan_file) = find_plan(folder)? else {
        report
            .notes
            .push("no data plan found: the org starts without records".to_owned());
        return Ok(Vec::new());
    };
    let plan = json(&plan_file)?;
    let malformed = |problem: String| FolderError::Malformed {
        file: plan_file.clone(),
        problem,
    };
    let steps = plan
        .as_array()
        .ok_or_else(|| malformed("a plan is a list".to_owned()))?;
    let mut planted = Planted::default();
    let mut order = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let name = step["sobject"]
            .as_str()
            .ok_or_else(|| malformed(format!("step {} has no \"sobject\"", position + 1)))?;
        let object = org.schema().index(name).ok_or_else(|| {
            malformed(format!(
                "step {} loads `{name}`, which is no object here",
                position + 1
            ))
        })?;
        let files = step["files"]
            .as_array()
            .ok_or_else(|| malformed(format!("step {} has no \"files\"", position + 1)))?;
        for file in files {
            let file = plan_file.with_file_name(file.as_str().unwrap_or_default());
            plant(org, &file, object, now_ms, &mut planted, report)?;
        }
        if !order.contains(&object) {
            order.push(object);
        }
    }
    // Records nested in others are of objects that the plan need not name.
    let nested = (0..org.schema().objects.len()).filter(|index| org.table(*index).live > 0);
    let nested: Vec<usize> = nested.filter(|index| !order.contains(index)).collect();
    order.extend(nested);
    Ok(order)
}

/// `data/sample-data-plan.json`, or the first other plan there.
fn find_plan(folder: &Path) -> Result<Option<PathBuf>, FolderError> {
    let data = folder.join("data");
    if !data.is_dir() {
        return Ok(None);
    }
    let preferred = data.join("sample-data-plan.json");
    if preferred.is_file() {
        return Ok(Some(preferred));
    }
    Ok(entries(&data)?
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with("plan.json")))
}

fn json(file: &Path) -> Result<Json, FolderError> {
    let text = read_text(file)?;
    serde_json::from_str(&text).map_err(|error| FolderError::Malformed {
        file: file.to_path_buf(),
        problem: error.to_string(),
    })
}

fn plant(
    org: &mut Org,
    file: &Path,
    object: usize,
    now_ms: i64,
    planted: &mut Planted,
    report: &mut OrgReport,
) -> Result<(), FolderError> {
    let mut tree = json(file)?;
    let records = tree
        .get_mut("records")
        .and_then(Json::as_array_mut)
        .ok_or_else(|| FolderError::Malformed {
            file: file.to_path_buf(),
            problem: "there is no list of \"records\"".to_owned(),
        })?;
    for (position, record) in records.iter_mut().enumerate() {
        drop_unknown_standard(org, object, record, report);
        // An hour apart, a day ago and earlier: sample data has a past.
        let stamp = now_ms - DAY_MS - (position as i64 % 500) * 3_600_000;
        planted.plant(org, object, record, None, Change { stamp });
        if let Some((name, error)) = planted.refused.pop() {
            let record = if name.is_empty() {
                (position + 1).to_string()
            } else {
                name
            };
            let problem = format!("{}: {}", error.code, error.message);
            return Err(FolderError::Record {
                file: file.to_path_buf(),
                record,
                problem,
            });
        }
    }
    Ok(())
}

/// Standard objects have more fields than are known here: those are left out, with a note.
fn drop_unknown_standard(org: &Org, object: usize, record: &mut Json, report: &mut OrgReport) {
    let definition = &org.schema().objects[object];
    if definition.custom {
        return;
    }
    let Some(fields) = record.as_object_mut() else {
        return;
    };
    fields.retain(|name, value| {
        let known = name == "attributes" || name.ends_with("__c") || value.is_object();
        if known || definition.field(name).is_some() {
            return true;
        }
        let note = format!(
            "{}.{name}: this standard field is not known here and is left out",
            definition.name
        );
        if !report.notes.contains(&note) {
            report.notes.push(note);
        }
        false
    });
}

//! A tenant's syncs as the tabs and the list show them: what is configured, what the workers say, and drafts.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::SyncName;
use landbridge_model::config::{Sync, SyncStatus};
use serde_json::Value;

use crate::ask::{SyncLine, TenantStatus};
use crate::console::connected::SyncSummary;
use crate::console::wizard::Step;
use crate::service::Draft;

/// The syncs by name, then the drafts of those that are not syncs yet. Without a status only what is configured is
/// told.
pub(super) fn summaries(
    syncs: &[std::sync::Arc<Sync>],
    drafts: &[Draft],
    status: Option<&TenantStatus>,
) -> Vec<SyncSummary> {
    let line =
        |name: &SyncName| status.and_then(|status| status.syncs.iter().find(|line| line.name == *name));
    let of_sync = |sync: &std::sync::Arc<Sync>| of_sync(sync, line(&sync.definition.metadata.name));
    let is_sync = |id: &str| {
        syncs
            .iter()
            .any(|sync| sync.definition.metadata.name.as_str() == id)
    };
    let new = drafts.iter().filter(|draft| !is_sync(&draft.id));
    syncs
        .iter()
        .map(of_sync)
        .chain(new.filter_map(of_draft))
        .collect()
}

fn of_sync(sync: &Sync, line: Option<&SyncLine>) -> SyncSummary {
    let spec = &sync.definition.spec;
    let resolved = sync.resolved.as_ref();
    let label = |label: Option<&str>, name: &str| {
        let label = label.filter(|label| !label.is_empty()).unwrap_or(name);
        (label.to_owned(), name.to_owned())
    };
    SyncSummary {
        name: sync.definition.metadata.name.clone(),
        object: label(
            resolved.map(|resolved| resolved.object.label.as_str()),
            &spec.salesforce.object,
        ),
        object_type: label(
            resolved.map(|resolved| resolved.object_type.label.as_str()),
            &spec.hubspot.object_type,
        ),
        status: sync.status,
        reason: sync.reason.clone(),
        behind: line.and_then(behind),
        failures: line.map(|line| line.failures),
        last: line.and_then(|line| moment(line.last_ms?)),
        draft_step: (sync.status == SyncStatus::Draft).then_some(Step::Preview),
    }
}

/// A draft of something that is no sync yet. What the wizard has stored says which objects, once they are chosen, and
/// how far it went.
fn of_draft(draft: &Draft) -> Option<SyncSummary> {
    let name = SyncName::new(&draft.id).ok()?;
    let body = draft.body.get("definition").unwrap_or(&draft.body);
    let text = |place: &str| {
        body.pointer(place)
            .and_then(Value::as_str)
            .unwrap_or("not chosen yet")
    };
    let (object, object_type) = (text("/spec/salesforce/object"), text("/spec/hubspot/objectType"));
    let step = draft.body.get("reached").or_else(|| draft.body.get("step"));
    let step = step.and_then(Value::as_str);
    let step = step.and_then(|step| Step::ALL.into_iter().find(|known| known.as_str() == step));
    Some(SyncSummary {
        name,
        object: (object.to_owned(), object.to_owned()),
        object_type: (object_type.to_owned(), object_type.to_owned()),
        status: SyncStatus::Draft,
        reason: None,
        behind: None,
        failures: Some(0),
        last: None,
        draft_step: Some(step.unwrap_or(Step::MapObjects)),
    })
}

/// How far HubSpot may be behind.
pub(super) fn behind(line: &SyncLine) -> Option<Duration> {
    let behind = u64::try_from(line.behind_ms?).ok()?;
    Some(Duration::from_millis(behind))
}

/// A length of time of the service, which reckons in seconds.
pub(super) fn length(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// A moment of the service, which tells them in milliseconds since 1970.
pub(super) fn moment(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

#[cfg(test)]
mod tests {
    use landbridge_model::Revision;
    use landbridge_model::yaml;
    use serde_json::json;

    use super::*;

    fn vehicles() -> Sync {
        let text = "apiVersion: landbridge/v1\nkind: Sync\nmetadata: { tenant: acme, name: vehicles }\nspec:\n  \
                    salesforce: { object: Vehicle__c }\n  hubspot: { objectType: vehicles }\n  fields: [ { from: Name, to: name } ]\n";
        Sync {
            definition: yaml::load("test.yaml", text).unwrap().remove(0),
            revision: Revision(1),
            status: SyncStatus::Active,
            reason: None,
            resolved: None,
            activation: 1,
        }
    }

    fn draft(id: &str, body: Value) -> Draft {
        Draft {
            id: id.to_owned(),
            by: "user:ann".to_owned(),
            changed_ms: 0,
            tag: String::new(),
            body,
        }
    }

    #[test]
    fn a_sync_is_told_as_far_as_it_is_known() {
        let syncs = [std::sync::Arc::new(vehicles())];
        let summary = summaries(&syncs, &[], None).remove(0);
        assert_eq!(summary.object, ("Vehicle__c".to_owned(), "Vehicle__c".to_owned()));
        assert_eq!(
            (summary.failures, summary.last, summary.behind),
            (None, None, None)
        );
        let line = SyncLine {
            name: SyncName::new("vehicles").unwrap(),
            object: "Vehicle__c".to_owned(),
            object_type: "vehicles".to_owned(),
            status: SyncStatus::Active,
            reason: None,
            revision: Revision(1),
            changes: Vec::new(),
            links: Vec::new(),
            failures: 3,
            live: None,
            behind_ms: Some(7_000),
            last_ms: Some(1_000),
        };
        let status = TenantStatus {
            syncs: vec![line],
            ..TenantStatus::default()
        };
        let summary = summaries(&syncs, &[], Some(&status)).remove(0);
        assert_eq!(summary.failures, Some(3));
        assert_eq!(summary.behind, Some(Duration::from_secs(7)));
        assert_eq!(summary.last, Timestamp::from_second(1).ok());
    }

    #[test]
    fn a_draft_is_listed_until_it_is_a_sync() {
        let syncs = [std::sync::Arc::new(vehicles())];
        let body =
            json!({"definition": {"spec": {"salesforce": {"object": "Depot__c"}}}, "reached": "mappings"});
        let drafts = [
            draft("vehicles", json!({})),
            draft("depots", body),
            draft("NO NAME", json!({})),
        ];
        let all = summaries(&syncs, &drafts, None);
        let names: Vec<&str> = all.iter().map(|sync| sync.name.as_str()).collect();
        assert_eq!(names, ["vehicles", "depots"]);
        assert_eq!(all[1].draft_step, Some(Step::Mappings));
        assert_eq!(all[1].object.0, "Depot__c");
        assert_eq!(all[1].object_type.0, "not chosen yet");
    }
}

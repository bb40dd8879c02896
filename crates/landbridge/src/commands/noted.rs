//! What goes into the audit log of commands that go over the bus: whoever has the bus in hand is asked by nobody, but
//! what they changed is written down as what others change is.

use landbridge_control::ask::{
    AdoptOrg, CancelImport, Disconnect, EditSyncs, PauseImport, PutTenant, RemoveSyncs, RemoveTenant, Repair,
    ResumeImport, RetryFailures, SetSyncs, StartImports, StartVerify, TestConnections, UndoImport,
    UndoRevision,
};
use landbridge_model::TenantId;
use landbridge_model::ask::{DecideHeld, Question, StartReconcile};
use serde_json::Value;

/// The action and the subject of a question that changes something; none for the others.
pub(super) fn of<Q: Question>(tenant: &TenantId, question: &Q) -> Option<(String, String)> {
    let question = serde_json::to_value(question).ok()?;
    let action = match Q::SERVICE {
        PutTenant::SERVICE => "tenant.changed",
        AdoptOrg::SERVICE => "tenant.org-adopted",
        Disconnect::SERVICE => "credentials.forgotten",
        RemoveTenant::SERVICE => "tenant.removed",
        TestConnections::SERVICE => "connections.tested",
        EditSyncs::SERVICE => "sync.applied",
        SetSyncs::SERVICE => {
            return Some((
                format!("sync.{}", question["status"].as_str()?),
                subject(tenant, &question),
            ));
        }
        RemoveSyncs::SERVICE if question["records"] == "delete" => "sync.removed-with-records",
        RemoveSyncs::SERVICE => "sync.removed",
        StartImports::SERVICE => "import.started",
        PauseImport::SERVICE => "import.paused",
        ResumeImport::SERVICE => "import.resumed",
        DecideHeld::SERVICE if question["decision"] == "approve" => "held.approved",
        DecideHeld::SERVICE => "held.discarded",
        CancelImport::SERVICE => "import.canceled",
        UndoImport::SERVICE => "import.undone",
        UndoRevision::SERVICE => "sync.revision-undone",
        RetryFailures::SERVICE => "failures.retried",
        StartReconcile::SERVICE => "reconcile.started",
        StartVerify::SERVICE => "verify.started",
        Repair::SERVICE => "records.repaired",
        _ => return None,
    };
    Some((action.to_owned(), subject(tenant, &question)))
}

/// What a question is about: names only, nothing of its content.
fn subject(tenant: &TenantId, question: &Value) -> String {
    let names = |list: &Value, at: &str| -> Vec<String> {
        let entries = list.as_array().into_iter().flatten();
        entries
            .filter_map(|entry| entry.pointer(at)?.as_str().map(str::to_owned))
            .collect()
    };
    let mut found = names(&question["names"], "");
    found.extend(names(&question["syncs"], ""));
    found.extend(names(&question["definitions"], "/metadata/name"));
    found.extend(
        ["id", "sync"]
            .iter()
            .filter_map(|key| question[*key].as_str().map(str::to_owned)),
    );
    if found.is_empty() {
        tenant.to_string()
    } else {
        found.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::SyncName;
    use landbridge_model::config::SyncStatus;

    use super::*;

    #[test]
    fn changes_are_noted_by_name_and_questions_are_not() {
        let tenant = TenantId::new("acme").unwrap();
        let names = ["depots", "vehicles"]
            .map(|name| SyncName::new(name).unwrap())
            .to_vec();
        let set = SetSyncs {
            names: names.clone(),
            status: SyncStatus::Active,
        };
        assert_eq!(
            of(&tenant, &set),
            Some(("sync.active".into(), "depots, vehicles".into()))
        );
        assert_eq!(
            of(&tenant, &RemoveTenant {}),
            Some(("tenant.removed".into(), "acme".into()))
        );
        let retry = RetryFailures {
            sync: Some(names[0].clone()),
            ..Default::default()
        };
        assert_eq!(
            of(&tenant, &retry),
            Some(("failures.retried".into(), "depots".into()))
        );
        let reconcile = StartReconcile {
            sync: names[1].clone(),
        };
        assert_eq!(
            of(&tenant, &reconcile),
            Some(("reconcile.started".into(), "vehicles".into()))
        );
        assert_eq!(of(&tenant, &landbridge_control::ask::AskTenant {}), None);
    }
}

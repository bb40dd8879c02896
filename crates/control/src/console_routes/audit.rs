//! The audit log, of one tenant or of everything.

use axum::extract::{Path, Query};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::yaml;
use serde::Deserialize;
use serde_json::Value;

use super::routes::Routes;
use super::summary::moment;
use super::visit::Refusal;
use super::visit::{Answer, Visit, trouble};
use crate::console::audit::{Audit, AuditRow, page};
use crate::console::parts::{Paging, who};
use crate::console::sync::{DiffLine, diff};
use crate::console::{Place, errors, fields, paths};
use crate::service::{AuditEntry, AuditFilter, Page, PageRequest, Role};

/// Entries on a page.
const ROWS: usize = 50;
/// Pages back that their links remember the way of.
const TRAIL: usize = 40;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get(paths::AUDIT, show_all)
        .get("/tenants/{tenant}/audit", show_tenant)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    q: String,
    kind: String,
    /// Where the page before this one ended.
    cursor: String,
    /// Where the pages before that ended, the oldest first.
    trail: String,
    /// The number of the first entry, for people only.
    from: u64,
}

impl Wanted {
    fn filter(&self) -> AuditFilter {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        AuditFilter {
            query: some(&self.q),
            kind: some(&self.kind),
        }
    }

    fn request(&self) -> PageRequest {
        PageRequest {
            cursor: Some(self.cursor.clone()).filter(|cursor| !cursor.is_empty()),
            limit: Some(ROWS),
        }
    }
}

async fn show_all(visit: Visit, Query(wanted): Query<Wanted>) -> Answer {
    let caller = &visit.session.caller;
    if caller.role_everywhere() < Some(Role::Admin) {
        let what = "read the audit log of the whole installation; each tenant's own is in its menu";
        return Err(Refusal::forbidden(errors::forbidden(&visit.shell(), what)));
    }
    let found = visit
        .service
        .search_audit_log(caller, &wanted.filter(), &wanted.request())
        .await;
    let content = found
        .map(|page| view(page, &wanted, paths::AUDIT))
        .map_err(|error| trouble(&error));
    Ok(visit.page(page(&visit.shell_at(Place::AllAudit), None, &content)))
}

async fn show_tenant(visit: Visit, Path(tenant): Path<String>, Query(wanted): Query<Wanted>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let found = tenant.search_audit_log(&wanted.filter(), &wanted.request()).await;
    let path = paths::tenant_audit(tenant.id());
    let content = found
        .map(|page| view(page, &wanted, &path))
        .map_err(|error| trouble(&error));
    let shell = visit.shell_in(&tenant, Place::Audit);
    Ok(visit.page(page(&shell, Some(tenant.id()), &content)))
}

fn view(found: Page<AuditEntry>, wanted: &Wanted, path: &str) -> Audit {
    let paging = paging(found.items.len(), found.next.as_deref(), wanted, path);
    Audit {
        rows: found.items.iter().filter_map(row).collect(),
        query: wanted.q.trim().to_owned(),
        actions: AuditFilter::KINDS.map(str::to_owned).to_vec(),
        action: wanted.kind.clone(),
        paging,
    }
}

/// A list that is read forwards only goes back by the way that it came.
fn paging(shown: usize, next: Option<&str>, wanted: &Wanted, path: &str) -> Paging {
    let first = wanted.from.max(1);
    let link = |cursor: &str, trail: &[&str], from: u64| {
        let mut link = format!("{path}?from={from}");
        let pairs = [
            (fields::QUERY, wanted.q.trim()),
            ("kind", &wanted.kind),
            ("cursor", cursor),
            ("trail", &trail.join(".")),
        ];
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            link.push_str(&format!("&{name}={}", paths::query_value(value)));
        }
        link
    };
    let trail: Vec<&str> = wanted
        .trail
        .split('.')
        .filter(|place| !place.is_empty())
        .collect();
    let previous = (!wanted.cursor.is_empty()).then(|| match trail.split_last() {
        Some((last, before)) => link(last, before, first.saturating_sub(ROWS as u64).max(1)),
        None => link("", &[], 1),
    });
    let next = next.map(|next| {
        let mut trail = trail.clone();
        if !wanted.cursor.is_empty() {
            trail.push(&wanted.cursor);
        }
        let kept = trail.len().saturating_sub(TRAIL);
        link(next, &trail[kept..], first + shown as u64)
    });
    Paging {
        first: if shown == 0 { 0 } else { first },
        last: if shown == 0 { 0 } else { first + shown as u64 - 1 },
        total: None,
        previous,
        next,
    }
}

fn row(entry: &AuditEntry) -> Option<AuditRow> {
    let (person, via) = who(&entry.who);
    Some(AuditRow {
        at: moment(entry.at_ms)?,
        who: person,
        via,
        tenant: entry.tenant.clone(),
        action: entry.action.clone(),
        what: sentence(entry),
        state: entry.state,
        diff: difference(entry.before.as_ref(), entry.after.as_ref()),
    })
}

/// What was done, as a sentence.
fn sentence(entry: &AuditEntry) -> String {
    let subject = &entry.subject;
    let done = match entry.action.as_str() {
        "sync.applied" => format!("Applied definitions, {subject}"),
        "sync.created" => format!("Made the sync {subject}"),
        "sync.changed" => format!("Changed the sync {subject}"),
        "sync.removed" => format!("Deleted the sync {subject}"),
        "sync.active" => format!("Turned on the sync {subject}"),
        "sync.paused" => format!("Paused the sync {subject}"),
        "draft.removed" => format!("Discarded the draft {subject}"),
        "tenant.added" => format!("Added the tenant {subject}"),
        "tenant.changed" => format!("Changed the tenant {subject}"),
        "tenant.removed" => format!("Removed the tenant {subject}"),
        "credentials.replaced" => format!("Replaced the credentials of {subject}"),
        "connections.tested" => "Tested both connections".to_owned(),
        "import.started" => format!("Started the import {subject}"),
        "import.canceled" => format!("Cancelled the import {subject}"),
        "failures.retried" => format!("Had refused records tried again, {subject}"),
        "records.repaired" => format!("Had records repaired, {subject}"),
        "reconcile.started" => format!("Had HubSpot's records looked for in Salesforce, {subject}"),
        "verify.started" => format!("Had both sides compared, {subject}"),
        "user.added" => format!("Added the user {subject}"),
        "user.changed" => format!("Changed the user {subject}"),
        "user.removed" => format!("Removed the user {subject}"),
        "token.created" => format!("Made the API token {subject}"),
        "token.revoked" => format!("Revoked the API token {subject}"),
        "session.begun" => "Signed in".to_owned(),
        "session.ended" => "Signed out".to_owned(),
        // What a newer Landbridge wrote is still told, in its own words.
        other => format!("{other} {subject}"),
    };
    match entry.detail.as_deref().filter(|detail| !detail.is_empty()) {
        Some(detail) => format!("{done}: {detail}."),
        None => format!("{done}."),
    }
}

/// The lines that changed: of the definition's file, or of whatever else was written down.
fn difference(before: Option<&Value>, after: Option<&Value>) -> Vec<DiffLine> {
    if before.is_none() && after.is_none() {
        return Vec::new();
    }
    let file = |value: Option<&Value>| value.map(text).unwrap_or_default();
    diff(&file(before), &file(after))
}

fn text(value: &Value) -> String {
    match SyncDefinition::deserialize(value) {
        Ok(definition) => yaml::export(&[definition]),
        Err(_) => serde_json::to_string_pretty(value).map_or_else(|_| value.to_string(), |text| text + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::service::AuditState;

    fn entry(action: &str, subject: &str, detail: Option<&str>) -> AuditEntry {
        AuditEntry {
            sequence: 1,
            at_ms: 1_000,
            tenant: None,
            who: "token:k3f9 of user:ann".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: detail.map(str::to_owned),
            before: None,
            after: None,
            state: AuditState::Done,
        }
    }

    #[test]
    fn an_entry_is_a_sentence() {
        for (action, subject, detail, expected) in [
            ("sync.paused", "vehicles", None, "Paused the sync vehicles."),
            (
                "sync.active",
                "vehicles",
                Some(""),
                "Turned on the sync vehicles.",
            ),
            (
                "import.started",
                "imp-1",
                Some("of vehicles"),
                "Started the import imp-1: of vehicles.",
            ),
            ("held.decided", "vehicles", None, "held.decided vehicles."),
        ] {
            assert_eq!(sentence(&entry(action, subject, detail)), expected);
        }
        let row = row(&entry("session.begun", "user:ann", None)).unwrap();
        assert_eq!((row.who.as_str(), row.via.as_str()), ("ann", "API token k3f9"));
        assert!(row.diff.is_empty());
    }

    #[test]
    fn what_was_before_is_beside_what_is() {
        let before = json!({"name": "ann", "grants": []});
        let after = json!({"name": "ann", "grants": ["viewer"]});
        let lines = difference(Some(&before), Some(&after));
        assert!(
            lines.contains(&DiffLine::Same("  \"name\": \"ann\"".to_owned())),
            "{lines:?}"
        );
        assert!(
            lines
                .iter()
                .any(|line| matches!(line, DiffLine::Added(text) if text.contains("viewer")))
        );
        assert!(
            difference(None, Some(&after))
                .iter()
                .all(|line| matches!(line, DiffLine::Added(_)))
        );
    }

    #[test]
    fn pages_lead_forwards_and_back_by_the_same_way() {
        let path = "/audit";
        let first = Wanted {
            kind: "sync".to_owned(),
            ..Wanted::default()
        };
        let one = paging(50, Some("AA"), &first, path);
        assert_eq!((one.first, one.last, one.previous), (1, 50, None));
        assert_eq!(one.next.as_deref(), Some("/audit?from=51&kind=sync&cursor=AA"));
        let second = Wanted {
            cursor: "AA".to_owned(),
            from: 51,
            ..first.clone()
        };
        let two = paging(50, Some("BB"), &second, path);
        assert_eq!(two.previous.as_deref(), Some("/audit?from=1&kind=sync"));
        assert_eq!(
            two.next.as_deref(),
            Some("/audit?from=101&kind=sync&cursor=BB&trail=AA")
        );
        let third = Wanted {
            cursor: "BB".to_owned(),
            trail: "AA".to_owned(),
            from: 101,
            ..first
        };
        let three = paging(7, None, &third, path);
        assert_eq!((three.first, three.last, three.next), (101, 107, None));
        assert_eq!(
            three.previous.as_deref(),
            Some("/audit?from=51&kind=sync&cursor=AA")
        );
    }
}

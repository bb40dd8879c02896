//! Where each page is. Identities are safe in a path as they are: tokens, or letters and digits.

use landbridge_model::{ImportId, SalesforceId, SyncName, TenantId};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::wizard::Step;

/// All tenants.
pub const TENANTS: &str = "/";
/// The form that adds a tenant.
pub const NEW_TENANT: &str = "/tenants/new";
/// Health across tenants.
pub const HEALTH: &str = "/health";
/// Who did what.
pub const AUDIT: &str = "/audit";
/// Users and API tokens.
pub const PEOPLE: &str = "/people";
/// Signing in.
pub const SIGN_IN: &str = "/sign-in";
/// Signing in by OpenID Connect.
pub const SIGN_IN_OIDC: &str = "/sign-in/oidc";
/// Signing out.
pub const SIGN_OUT: &str = "/sign-out";
/// Choosing light or dark.
pub const THEME: &str = "/theme";

/// A text as one value of a query.
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Connected apps › Salesforce of a tenant.
pub fn tenant(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}")
}

/// The form of one connection.
pub fn connection(tenant: &TenantId, side: super::connections::Side) -> String {
    format!("/tenants/{tenant}/connections/{}", side.as_str())
}

/// Which org answers, and what is to become of the tenant.
pub fn identity(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/identity")
}

/// A part of it: `adopt` or `disconnect`.
pub fn identity_part(tenant: &TenantId, part: &str) -> String {
    format!("/tenants/{tenant}/identity/{part}")
}

/// The first step of the wizard.
pub fn new_sync(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/syncs/new")
}

/// The review of an object type to create.
pub fn new_object_type(tenant: &TenantId, object: &str) -> String {
    format!(
        "/tenants/{tenant}/syncs/new/object-type?object={}",
        query_value(object)
    )
}

/// A sync's tab.
pub fn sync(tenant: &TenantId, sync: &SyncName) -> String {
    format!("/tenants/{tenant}/syncs/{sync}")
}

/// A part of a sync's tab, such as `revisions` or `delete`.
pub fn sync_part(tenant: &TenantId, sync: &SyncName, part: &str) -> String {
    format!("/tenants/{tenant}/syncs/{sync}/{part}")
}

/// Undoing one of a sync's revisions.
pub fn revision_undo(tenant: &TenantId, sync: &SyncName, revision: &str) -> String {
    format!("/tenants/{tenant}/syncs/{sync}/revisions/{revision}/undo")
}

/// A step of the wizard for a sync that has a name.
pub fn step(tenant: &TenantId, sync: &SyncName, step: Step) -> String {
    format!("/tenants/{tenant}/syncs/{sync}/edit/{}", step.as_str())
}

/// Forgetting what was entered in the wizard.
pub fn discard(tenant: &TenantId, sync: &SyncName) -> String {
    format!("/tenants/{tenant}/syncs/{sync}/edit/discard")
}

/// The page after a sync was turned on.
pub fn turned_on(tenant: &TenantId, sync: &SyncName) -> String {
    format!("/tenants/{tenant}/syncs/{sync}/turned-on")
}

/// The imports of a tenant.
pub fn imports(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/imports")
}

/// The form that starts imports.
pub fn new_import(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/imports/new")
}

/// One import.
pub fn import(tenant: &TenantId, id: &ImportId) -> String {
    format!("/tenants/{tenant}/imports/{id}")
}

/// The events of the imports' table.
pub fn imports_events(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/imports/events")
}

/// The events of one import.
pub fn import_events(tenant: &TenantId, id: &ImportId) -> String {
    format!("/tenants/{tenant}/imports/{id}/events")
}

/// The events of a tenant's health.
pub fn health_events(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/health/events")
}

/// An import's errors as CSV.
pub fn import_errors(tenant: &TenantId, id: &ImportId) -> String {
    format!("/tenants/{tenant}/imports/{id}/errors.csv")
}

/// What an import's undo left, as CSV.
pub fn import_left(tenant: &TenantId, id: &ImportId) -> String {
    format!("/tenants/{tenant}/imports/{id}/left.csv")
}

/// The sync health of a tenant.
pub fn health(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/health")
}

/// A part of a tenant's health that takes a form, such as `allocation`.
pub fn health_part(tenant: &TenantId, part: &str) -> String {
    format!("/tenants/{tenant}/health/{part}")
}

/// Where a tenant's alerts go.
pub fn alerts(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/alerts")
}

/// Sends a test alert.
pub fn alerts_test(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/alerts/test")
}

/// The failures of a tenant.
pub fn failures(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/failures")
}

/// One refused record.
pub fn failure(tenant: &TenantId, sync: &SyncName, id: &SalesforceId) -> String {
    format!("/tenants/{tenant}/failures/{sync}/{id}")
}

/// Find a record.
pub fn find(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/records")
}

/// The story of one record.
pub fn record(tenant: &TenantId, id: &SalesforceId) -> String {
    format!("/tenants/{tenant}/records?q={id}")
}

/// What people did to one tenant.
pub fn tenant_audit(tenant: &TenantId) -> String {
    format!("/tenants/{tenant}/audit")
}

//! Another org behind a tenant's address: a person says whether it is meant, or disconnects a side.

use landbridge_model::TenantId;
use maud::{Markup, html};

use super::parts::{self, Icon, icon, submit};
use super::{Content, Shell, Trouble, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct IdentityView {
    /// The org that the tenant was set up for; none when none was seen yet.
    pub pinned: Option<String>,
    /// The org that answers now, or why none does.
    pub answers: Result<String, Trouble>,
    /// Whether the tenant stands still.
    pub is_suspended: bool,
    /// Active syncs, that would be imported again.
    pub active: u64,
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<IdentityView>) -> Markup {
    let body = html! {
        div.page-head { div { ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } } h1 { "Which org is this?" } } }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document(&format!("Org of {tenant}"), &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &IdentityView) -> Markup {
    let pinned = view.pinned.as_deref().unwrap_or("none seen yet");
    let is_other = matches!(&view.answers, Ok(org) if view.is_suspended || Some(org) != view.pinned.as_ref());
    html! {
        dl.facts {
            div { dt { "Set up for" } dd { code { (pinned) } } }
            div { dt { "Answers now" } dd { @match &view.answers { Ok(org) => code { (org) }, Err(trouble) => (trouble.what) } } }
        }
        @if let (Ok(org), true) = (&view.answers, is_other) { (adopt(shell, tenant, view, org)) }
        @else if view.answers.is_ok() {
            div.banner.good { (icon(Icon::Good)) p { "The org that answers is the one that the tenant was set up for." } }
        }
        (disconnect(shell, tenant))
    }
}

fn adopt(shell: &Shell, tenant: &TenantId, view: &IdentityView, org: &str) -> Markup {
    let imports = parts::one_or_many(view.active, "active sync is", "active syncs are");
    html! {
        section.card aria-labelledby="adopt-title" {
            h2 #adopt-title { "Adopt this org" }
            p { "If it is meant, as after the refresh of a sandbox: nothing that was known of the other org is used. " (imports) " imported again and write over what HubSpot has. Records that this org does not have are held under Sync health until a person approves or discards their deletes." }
            p { "If it is not meant, enter the right credentials under Connected apps and test them: the tenant goes on by itself when the org that it was set up for answers." }
            (shell.form(&paths::identity_part(tenant, "adopt"), "form", html! {
                input type="hidden" name="org" value=(org);
                div.actions { (submit("Adopt this org", "", "danger")) a.button.quiet href=(paths::tenant(tenant)) { "Cancel" } }
            }))
        }
    }
}

fn disconnect(shell: &Shell, tenant: &TenantId) -> Markup {
    let button = |side: &str, label: &str| {
        shell.form(
            &paths::identity_part(tenant, "disconnect"),
            "form",
            html! {
                input type="hidden" name="side" value=(side);
                div.actions { (submit(label, "", "danger")) }
            },
        )
    };
    html! {
        section.card aria-labelledby="disconnect-title" {
            h2 #disconnect-title { "Disconnect" }
            p { "The credentials of the side are forgotten, and all syncs of the tenant stand still. What was written to HubSpot stays. To go on, enter credentials again and test them." }
            (button("salesforce", "Disconnect Salesforce"))
            (button("hubspot", "Disconnect HubSpot"))
        }
    }
}

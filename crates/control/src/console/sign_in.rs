//! Signing in: by OpenID Connect, or as a local user.

use std::time::Duration;

use maud::{Markup, html};

use super::parts::{Control, duration, submit, text_input};
use super::{Shell, Trouble, fields, parts, paths};

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    /// Name of the OpenID Connect provider, when one is set up.
    pub provider: Option<String>,
    /// Whether local users may sign in.
    pub has_local_users: bool,
    /// The user name as it was entered.
    pub user: String,
    /// Why the last attempt failed. The words are the same for an unknown user and for a wrong password.
    pub trouble: Option<Trouble>,
    /// How long further attempts are refused.
    pub wait: Option<Duration>,
    /// The page to go to afterwards.
    pub then: String,
}

/// The page.
pub fn page(shell: &Shell, view: &SignIn) -> Markup {
    let body = html! {
        div.stack.wide {
            div.stack.tight {
                p.brand { svg.mark viewBox="0 0 32 32" aria-hidden="true" { rect width="32" height="32" rx="7" {} path d="M4 21h24M8 21v-6m16 6v-6M4 17c3 0 4-2 4-5 0 6 16 6 16 0 0 3 1 5 4 5" {} } "Landbridge" }
                h1 { "Sign in" }
                p.quiet { "Salesforce custom objects in HubSpot, with an account of every record." }
            }
            @if let Some(trouble) = &view.trouble { (parts::trouble(trouble)) }
            @if let Some(wait) = view.wait { div.banner.attention role="alert" { (parts::icon(parts::Icon::Pause)) p { "Too many attempts. Try again in " (duration(wait)) "." } } }
            @if let Some(provider) = &view.provider {
                (shell.form(paths::SIGN_IN_OIDC, "stack", html! {
                    input type="hidden" name=(fields::RETURN) value=(view.then);
                    button.button.primary { "Continue with " (provider) }
                }))
            }
            @if view.has_local_users { (local(shell, view)) }
            @if view.provider.is_none() && !view.has_local_users {
                div.empty {
                    h2 { "Nobody can sign in yet" }
                    p { "Create the first user on the machine that runs Landbridge, then load this page again:" }
                    code.value { "landbridge user add --role admin <name>" }
                }
            }
        }
    };
    shell.bare_document("Sign in", &body)
}

fn local(shell: &Shell, view: &SignIn) -> Markup {
    let locked = view.wait.is_some();
    shell.form(
        paths::SIGN_IN,
        "card",
        html! {
            @if view.provider.is_some() { h2 { "Or as a local user" } }
            input type="hidden" name=(fields::RETURN) value=(view.then);
            (text_input(Control { name: "user", label: "User name", value: &view.user, required: true, ..Control::default() }, "text", "username"))
            (text_input(Control { name: "password", label: "Password", required: true, ..Control::default() }, "password", "current-password"))
            @if locked { button.button.primary disabled { "Sign in" } }
            @else { (submit("Sign in", "", if view.provider.is_some() { "" } else { "primary" })) }
        },
    )
}

//! The pages for what is not there, not allowed, or broken.

use maud::{Markup, html};

use super::{Shell, Trouble, parts, paths};

fn page(shell: &Shell, code: &str, title: &str, text: &str, extra: &Markup) -> Markup {
    let body = html! {
        div.empty {
            p.big-code aria-hidden="true" { (code) }
            h1 { (title) }
            p { (text) }
            (extra)
            div.actions { a.button.primary href=(paths::TENANTS) { "All tenants" } }
        }
    };
    if shell.person.is_some() {
        shell.document(title, &body)
    } else {
        shell.bare_document(title, &body)
    }
}

/// Nothing is there, or nothing that the visitor may know of: the two look alike, so that nobody can guess.
pub fn not_found(shell: &Shell) -> Markup {
    page(
        shell,
        "404",
        "There is nothing here",
        "The address may be mistyped, what it led to may have been removed, or it belongs to a tenant that you have no access to.",
        &html! {},
    )
}

/// The visitor's role does not allow it. `what` ends the sentence "Your role does not allow you to …".
pub fn forbidden(shell: &Shell, what: &str) -> Markup {
    let text = format!(
        "Your role does not allow you to {what}. An administrator can give you another role under Users and tokens."
    );
    page(shell, "403", "This is not yours to do", &text, &html! {})
}

/// A form came from elsewhere, or its page was open too long.
pub fn stale_form(shell: &Shell) -> Markup {
    page(
        shell,
        "403",
        "This form is too old",
        "It was opened before you signed in last, or it did not come from this console. Nothing was changed. Go back, load the page again, and send it once more.",
        &html! {},
    )
}

/// Landbridge is wrong.
pub fn broken(shell: &Shell, reference: &str) -> Markup {
    page(
        shell,
        "500",
        "Something went wrong here",
        "It is not your doing, and syncs keep running. Load the page again; if this stays, give the reference to whoever runs Landbridge.",
        &html! { p.quiet { "Reference " code { (reference) } } },
    )
}

/// What the page would show cannot be had now, or what was sent cannot be taken.
pub fn unavailable(shell: &Shell, trouble: &Trouble) -> Markup {
    let body = html! {
        div.page-head { h1 { "This did not work" } }
        (parts::trouble(trouble))
        div.actions { a.button href=(shell.path) { "Load the page again" } a.button.primary href=(paths::TENANTS) { "All tenants" } }
    };
    shell.document("This did not work", &body)
}

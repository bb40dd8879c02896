//! Users and API tokens.

use jiff::Timestamp;
use landbridge_model::{Problem, TenantId};
use maud::{Markup, html};

use super::parts::{
    self, Choice, Control, Icon, Table, ago, badge, cell, check, date_input, empty, icon, moment, select,
    submit, text_input,
};
use super::{Content, Role, Shell, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct People {
    /// Users.
    pub users: Vec<User>,
    /// API tokens.
    pub tokens: Vec<Token>,
    /// Tenants, to grant roles for.
    pub tenants: Vec<TenantId>,
    /// A token that was made just now: shown this once.
    pub new_token: Option<NewToken>,
    /// The form of a new token as it was entered.
    pub token_form: TokenForm,
    /// Whether the visitor may add local users here.
    pub has_local_users: bool,
    /// What was wrong with the last form. Places are the names of its fields.
    pub problems: Vec<Problem>,
}

/// One user.
#[derive(Clone, Debug)]
pub struct User {
    /// Login name, or the provider's.
    pub name: String,
    /// Where they sign in: "local", or the provider's name.
    pub via: String,
    /// Roles; `None` is all tenants.
    pub roles: Vec<(Option<TenantId>, Role)>,
    /// When they last signed in.
    pub last: Option<Timestamp>,
    /// Whether it is the visitor.
    pub is_self: bool,
}

/// One API token. Its secret is stored hashed.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id, for forms.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where; `None` is all tenants.
    pub tenant: Option<TenantId>,
    /// Who made it.
    pub by: String,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was last used.
    pub last: Option<Timestamp>,
}

/// A token that was made just now.
#[derive(Clone)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// The secret: shown this once, and stored nowhere.
    pub secret: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewToken({:?}, [redacted])", self.name)
    }
}

/// The form of a new token.
#[derive(Clone, Debug, Default)]
pub struct TokenForm {
    /// Its name.
    pub name: String,
    /// `viewer`, `editor`, `operator` or `admin`.
    pub role: String,
    /// A tenant's name; empty for all.
    pub tenant: String,
    /// The day it ends, as `YYYY-MM-DD`.
    pub expires: String,
}

/// The page.
pub fn page(shell: &Shell, content: &Content<People>) -> Markup {
    let body = html! {
        div.page-head { div { h1 { "Users and tokens" } p.quiet { "Who may do what: people who sign in, and programs that hold a token." } } }
        (parts::loaded(content, |view| inner(shell, view)))
    };
    shell.document("Users and tokens", &body)
}

fn inner(shell: &Shell, view: &People) -> Markup {
    html! {
        @if let Some(token) = &view.new_token { (once(token)) }
        (users(shell, view))
        (grant(shell, view))
        (tokens(shell, view))
        (new_token(shell, view))
        section.card {
            h2 { "What the roles allow" }
            dl.facts { @for role in Role::ALL { div { dt { (role.as_str()) } dd { (role.allows()) } } } }
        }
    }
}

fn once(token: &NewToken) -> Markup {
    html! {
        div.banner.good role="status" {
            (icon(Icon::Lock))
            div {
                p { strong { "The token " (token.name) " is made. " } "Copy it now: it is shown this once and cannot be shown again." }
                div.once {
                    label.hidden for="new-token" { "The token" }
                    input #new-token type="text" readonly value=(token.secret) autocomplete="off" spellcheck="false";
                    button.button type="button" data-copy="new-token" hidden { "Copy" }
                }
            }
        }
    }
}

fn users(shell: &Shell, view: &People) -> Markup {
    if view.users.is_empty() {
        return empty(
            Icon::Lock,
            "No user is known yet",
            "People appear here when they sign in for the first time, or when a local user is made on the command line.",
            &html! {},
        );
    }
    let mut table = Table::new("Users")
        .column("User")
        .column("Roles")
        .column("Last signed in")
        .controls("Actions");
    for user in &view.users {
        table.row(vec![
            cell(html! { (user.name) @if user.is_self { span.quiet { " (you)" } } br; span.quiet { (user.via) } }),
            cell(html! {
                @if user.roles.is_empty() { span.quiet { "none: sees nothing" } }
                ul.plain-list {
                    @for (tenant, role) in &user.roles {
                        li.actions {
                            span { strong { (role.as_str()) } " of " @match tenant { Some(tenant) => (tenant), None => "all tenants" } }
                            @if !user.is_self {
                                (shell.button(&format!("{}/revoke", paths::PEOPLE), "Take away", "quiet small", &[("user", &user.name), ("role", role.as_str()), ("tenant", tenant.as_ref().map_or("", TenantId::as_str))]))
                            }
                        }
                    }
                }
            }),
            cell(html! { @match user.last { Some(last) => (ago(shell.now, last)), None => span.quiet { "never" } } }),
            cell(html! { @if !user.is_self { (shell.button(&format!("{}/sign-out", paths::PEOPLE), "End sessions", "small", &[("user", &user.name)])) } }),
        ]);
    }
    table.show()
}

fn roles() -> Vec<Choice> {
    Role::ALL
        .iter()
        .map(|role| Choice {
            value: role.as_str().to_owned(),
            label: role.as_str().to_owned(),
            ..Choice::default()
        })
        .collect()
}

fn tenants(view: &People) -> Vec<Choice> {
    let all = Choice {
        label: "All tenants".to_owned(),
        ..Choice::default()
    };
    let of = |tenant: &TenantId| Choice {
        value: tenant.to_string(),
        label: tenant.to_string(),
        ..Choice::default()
    };
    std::iter::once(all).chain(view.tenants.iter().map(of)).collect()
}

fn wrong<'a>(view: &'a People, place: &str) -> Vec<&'a Problem> {
    view.problems
        .iter()
        .filter(|problem| problem.place == place)
        .collect()
}

fn grant(shell: &Shell, view: &People) -> Markup {
    let user = wrong(view, "grant.user");
    html! {
        section.card {
            h2 { "Give a role" }
            @if view.has_local_users { p.quiet { "Local users are made on the machine itself: " code { "landbridge user add <name>" } "." } }
            (shell.form(&format!("{}/grant", paths::PEOPLE), "row", html! {
                (text_input(Control { name: "grant.user", label: "User", required: true, problems: &user, ..Control::default() }, "text", "off"))
                (select(Control { name: "grant.role", label: "Role", value: "viewer", ..Control::default() }, &roles()))
                (select(Control { name: "grant.tenant", label: "Of", ..Control::default() }, &tenants(view)))
                (submit("Give", "", ""))
            }))
        }
    }
}

fn tokens(shell: &Shell, view: &People) -> Markup {
    if view.tokens.is_empty() {
        return empty(
            Icon::Lock,
            "There is no API token",
            "A program uses the API with a token: the command line with --server, or your deployment. Make one below.",
            &html! {},
        );
    }
    let mut table = Table::new("API tokens")
        .column("Token")
        .column("May")
        .column("Ends")
        .column("Last used")
        .controls("Actions");
    for token in &view.tokens {
        let ended = token.expires <= shell.now;
        table.row(vec![
            cell(html! { (token.name) br; span.quiet { "by " (token.by) } }),
            cell(html! { strong { (token.role.as_str()) } " of " @match &token.tenant { Some(tenant) => (tenant), None => "all tenants" } }),
            cell(html! { @if ended { (badge("bad", Icon::Bad, "Ended")) " " } (moment(token.expires)) }),
            cell(html! { @match token.last { Some(last) => (ago(shell.now, last)), None => span.quiet { "never" } } }),
            cell(shell.button(&format!("{}/tokens/revoke", paths::PEOPLE), "Revoke", "small danger", &[("id", &token.id)])),
        ]);
    }
    table.show()
}

fn new_token(shell: &Shell, view: &People) -> Markup {
    let form = &view.token_form;
    let (name, expires) = (wrong(view, "token.name"), wrong(view, "token.expires"));
    html! {
        section.card {
            h2 { "Make a token" }
            (shell.form(&format!("{}/tokens", paths::PEOPLE), "stack", html! {
                div.row {
                    (text_input(Control { name: "token.name", label: "Name", hint: "What it is for.", value: &form.name, required: true, problems: &name, ..Control::default() }, "text", "off"))
                    (select(Control { name: "token.role", label: "May", hint: "The least that it needs.", value: if form.role.is_empty() { "viewer" } else { &form.role }, ..Control::default() }, &roles()))
                    (select(Control { name: "token.tenant", label: "Of", hint: "One tenant, or all.", value: &form.tenant, ..Control::default() }, &tenants(view)))
                    (date_input(Control { name: "token.expires", label: "Ends on", hint: "At most a year ahead.", value: &form.expires, required: true, problems: &expires, ..Control::default() }))
                }
                div.actions { (check("token.understood", "on", &html! { "I can store it now; it is shown once." }, false, false)) (submit("Make token", "", "primary")) }
            }))
        }
    }
}

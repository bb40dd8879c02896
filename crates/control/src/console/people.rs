//! Users and API tokens.

use jiff::Timestamp;
use landbridge_model::{Problem, TenantId};
use maud::{Markup, html};

use super::parts::{
    self, Choice, Control, Icon, Table, ago, anchor, badge, cell, date_input, empty, error_summary, icon,
    moment, select, submit, text_input,
};
use super::{Content, Role, Shell, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct People {
    /// Users; `None` for a visitor who may not manage them.
    pub users: Option<Vec<User>>,
    /// API tokens: the visitor's own, or everybody's for those who manage users.
    pub tokens: Vec<Token>,
    /// Tenants that the visitor sees, to grant roles for.
    pub tenants: Vec<TenantId>,
    /// Whether the visitor's own reach is all tenants.
    pub has_all_tenants: bool,
    /// The visitor's user name, when they have a password here.
    pub own_password: Option<String>,
    /// A token that was made just now: shown this once.
    pub new_token: Option<NewToken>,
    /// The form of a new token as it was entered.
    pub token_form: TokenForm,
    /// For how many days a token of the visitor's is good at most.
    pub token_days: u32,
    /// The form of a new user as it was entered.
    pub user_form: UserForm,
    /// What was wrong with the last form. Places are the names of its fields.
    pub problems: Vec<Problem>,
}

/// What somebody or something may do, and where; no tenant is all of them.
pub type Granted = (Option<TenantId>, Role);

/// One local user.
#[derive(Clone, Debug)]
pub struct User {
    /// Login name.
    pub name: String,
    /// What they may do.
    pub roles: Vec<Granted>,
    /// Since when they are known.
    pub since: Timestamp,
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
    pub roles: Vec<Granted>,
    /// Whose it is.
    pub by: String,
    /// When it was made.
    pub since: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
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

/// The form of a new user. Its password is never shown again.
#[derive(Clone, Debug, Default)]
pub struct UserForm {
    /// The name.
    pub name: String,
    /// `viewer`, `editor`, `operator` or `admin`.
    pub role: String,
    /// A tenant's name; empty for all.
    pub tenant: String,
}

/// A link to the control that a problem is about, if it is about one.
fn address(problem: &Problem) -> Option<String> {
    (!problem.place.is_empty()).then(|| format!("#{}", anchor(&problem.place)))
}

/// The path of one of the page's forms.
pub fn form_path(form: &str) -> String {
    format!("{}/{form}", paths::PEOPLE)
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
        (error_summary(&view.problems, address))
        @if let Some(token) = &view.new_token { (once(token)) }
        @if let Some(all) = &view.users {
            (users(shell, all))
            (new_user(shell, view))
            @if !all.is_empty() { (grant(shell, view, all)) (set_password(shell, view, all)) }
        }
        @if let Some(name) = &view.own_password { (own_password(shell, view, name)) }
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

fn granted((tenant, role): &Granted) -> Markup {
    html! { span { strong { (role.as_str()) } " of " @match tenant { Some(tenant) => (tenant), None => "all tenants" } } }
}

fn users(shell: &Shell, users: &[User]) -> Markup {
    if users.is_empty() {
        return empty(
            Icon::Lock,
            "There is no local user",
            "People who sign in by your organisation's provider have the roles that it gives them. Local users have a name and a password here; add one below.",
            &html! {},
        );
    }
    let mut table = Table::new("Local users")
        .column("User")
        .column("Roles")
        .column("Since")
        .controls("Actions");
    for user in users {
        table.row(vec![
            cell(html! { (user.name) @if user.is_self { span.quiet { " (you)" } } }),
            cell(html! {
                @if user.roles.is_empty() { span.quiet { "none: sees nothing" } }
                ul.plain-list {
                    @for role in &user.roles {
                        li.actions {
                            (granted(role))
                            @if !user.is_self {
                                (shell.button(&form_path("revoke"), "Take away", "quiet small", &[("user", &user.name), ("role", role.1.as_str()), ("tenant", role.0.as_ref().map_or("", TenantId::as_str))]))
                            }
                        }
                    }
                }
            }),
            cell(html! { (ago(shell.now, user.since)) }),
            cell(html! { @if !user.is_self { (shell.button(&form_path("remove"), "Remove", "small danger", &[("user", &user.name)])) } }),
        ]);
    }
    table.show()
}

fn new_user(shell: &Shell, view: &People) -> Markup {
    let form = &view.user_form;
    let (name, password) = (wrong(view, "user.name"), wrong(view, "user.password"));
    html! {
        section.card {
            h2 { "Add a user" }
            (shell.form(&form_path("users"), "stack", html! {
                div.row {
                    (text_input(Control { name: "user.name", label: "Name", hint: "To sign in with.", value: &form.name, required: true, problems: &name, ..Control::default() }, "text", "off"))
                    (text_input(Control { name: "user.password", label: "Password", hint: "At least 12 characters.", required: true, problems: &password, ..Control::default() }, "password", "new-password"))
                    (select(Control { name: "user.role", label: "May", hint: "The least that they need.", value: or_viewer(&form.role), ..Control::default() }, &roles()))
                    (select(Control { name: "user.tenant", label: "Of", hint: "One tenant, or all.", value: &form.tenant, ..Control::default() }, &tenants(view)))
                }
                div.actions { (submit("Add user", "", "primary")) }
            }))
        }
    }
}

fn or_viewer(role: &str) -> &str {
    if role.is_empty() {
        Role::Viewer.as_str()
    } else {
        role
    }
}

fn user_choices(users: &[User]) -> Vec<Choice> {
    let of = |user: &User| Choice {
        value: user.name.clone(),
        label: user.name.clone(),
        ..Choice::default()
    };
    users.iter().filter(|user| !user.is_self).map(of).collect()
}

fn set_password(shell: &Shell, view: &People, users: &[User]) -> Markup {
    let others = user_choices(users);
    let password = wrong(view, "password.new");
    html! {
        @if !others.is_empty() {
            section.card {
                h2 { "Set somebody's password" }
                p.quiet { "Their sessions end, and they sign in with the new one." }
                (shell.form(&form_path("password"), "row", html! {
                    (select(Control { name: "password.user", label: "User", ..Control::default() }, &others))
                    (text_input(Control { name: "password.new", label: "New password", required: true, problems: &password, ..Control::default() }, "password", "new-password"))
                    (submit("Set password", "", ""))
                }))
            }
        }
    }
}

fn own_password(shell: &Shell, view: &People, name: &str) -> Markup {
    let (old, new) = (wrong(view, "own.old"), wrong(view, "own.new"));
    html! {
        section.card {
            h2 { "Change your password" }
            p.quiet { "All your sessions end, this one too: you sign in again as " strong { (name) } "." }
            (shell.form(&form_path("own-password"), "row", html! {
                (text_input(Control { name: "own.old", label: "Password now", required: true, problems: &old, ..Control::default() }, "password", "current-password"))
                (text_input(Control { name: "own.new", label: "New password, at least 12 characters", required: true, problems: &new, ..Control::default() }, "password", "new-password"))
                (submit("Change password", "", ""))
            }))
        }
    }
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
    let all = view.has_all_tenants.then_some(all);
    all.into_iter().chain(view.tenants.iter().map(of)).collect()
}

fn wrong<'a>(view: &'a People, place: &str) -> Vec<&'a Problem> {
    parts::problems_of(&view.problems, place)
}

fn grant(shell: &Shell, view: &People, users: &[User]) -> Markup {
    let others = user_choices(users);
    html! {
        @if !others.is_empty() {
            section.card {
                h2 { "Give a role" }
                (shell.form(&form_path("grant"), "row", html! {
                    (select(Control { name: "grant.user", label: "User", ..Control::default() }, &others))
                    (select(Control { name: "grant.role", label: "Role", value: "viewer", ..Control::default() }, &roles()))
                    (select(Control { name: "grant.tenant", label: "Of", ..Control::default() }, &tenants(view)))
                    (submit("Give", "", ""))
                }))
            }
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
        .column("Made")
        .column("Ends")
        .controls("Actions");
    for token in &view.tokens {
        let ended = token.expires <= shell.now;
        table.row(vec![
            cell(html! { (token.name) br; span.quiet { "by " (token.by) } }),
            cell(html! { ul.plain-list { @for role in &token.roles { li { (granted(role)) } } } }),
            cell(html! { (ago(shell.now, token.since)) }),
            cell(html! { @if ended { (badge("bad", Icon::Bad, "Ended")) " " } (moment(token.expires)) }),
            cell(shell.button(
                &form_path("tokens/revoke"),
                "Revoke",
                "small danger",
                &[("id", &token.id)],
            )),
        ]);
    }
    table.show()
}

fn new_token(shell: &Shell, view: &People) -> Markup {
    let form = &view.token_form;
    let (name, expires) = (wrong(view, "token.name"), wrong(view, "token.expires"));
    let ends = format!("At most {} days ahead.", view.token_days);
    html! {
        section.card {
            h2 { "Make a token" }
            (shell.form(&form_path("tokens"), "stack", html! {
                div.row {
                    (text_input(Control { name: "token.name", label: "Name", hint: "What it is for.", value: &form.name, required: true, problems: &name, ..Control::default() }, "text", "off"))
                    (select(Control { name: "token.role", label: "May", hint: "The least that it needs.", value: or_viewer(&form.role), ..Control::default() }, &roles()))
                    (select(Control { name: "token.tenant", label: "Of", hint: "One tenant, or all.", value: &form.tenant, ..Control::default() }, &tenants(view)))
                    (date_input(Control { name: "token.expires", label: "Ends on", hint: &ends, value: &form.expires, required: true, problems: &expires, ..Control::default() }))
                }
                div.actions { (submit("Make token", "", "primary")) span.quiet { "It is shown once: have a place ready to store it." } }
            }))
        }
    }
}

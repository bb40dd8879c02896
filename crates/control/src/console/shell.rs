//! What stands around every page: who is here, where they are, and the page's frame.

use jiff::Timestamp;
use landbridge_model::TenantId;
use maud::{DOCTYPE, Markup, html};

use super::parts::{Icon, icon};
use super::{assets, fields, paths};

/// What a page knows of its visitor, and of its place.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Who is signed in; `None` on the pages before that.
    pub person: Option<Person>,
    /// The token that forms carry in [`fields::CSRF`].
    pub csrf: String,
    /// Light, dark, or what the system says.
    pub theme: Theme,
    /// The tenant that the page is about.
    pub tenant: Option<TenantHead>,
    /// Where the page is in the menu.
    pub place: Place,
    /// What just happened, such as "Paused".
    pub notices: Vec<Notice>,
    /// When the page is written; ages are told from it.
    pub now: Timestamp,
    /// The page's own path with its query, to come back to.
    pub path: String,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// As they are called.
    pub name: String,
    /// What they may do with what the page is about.
    pub role: Role,
}

/// What a person may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Change definitions.
    Editor,
    /// Turn on, pause, import, retry, approve.
    Operator,
    /// Connections, users, tokens.
    Admin,
}

impl Role {
    /// Every role, the smallest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Editor, Self::Operator, Self::Admin];

    /// The word in forms and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// What it allows, as a sentence.
    pub fn allows(self) -> &'static str {
        match self {
            Self::Viewer => "Sees everything, changes nothing.",
            Self::Editor => "Also changes definitions.",
            Self::Operator => "Also turns syncs on and off, imports, retries, and approves held deletes.",
            Self::Admin => "Also manages connections, users and API tokens.",
        }
    }
}

/// Light, dark, or what the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// What the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The word in the cookie and in `data-theme`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The tenant that a page is about.
#[derive(Clone, Debug)]
pub struct TenantHead {
    /// Its name.
    pub id: TenantId,
    /// Why it stands still, when it does: said on each of its pages.
    pub suspended: Option<String>,
}

/// Where a page is in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All tenants.
    Tenants,
    /// Health across tenants.
    AllHealth,
    /// Audit log across tenants.
    AllAudit,
    /// Users and API tokens.
    People,
    /// A tenant's connected apps, its syncs and the wizard.
    Connected,
    /// A tenant's imports.
    Imports,
    /// A tenant's health and failures.
    Health,
    /// A tenant's alerts.
    Alerts,
    /// Find a record.
    Record,
    /// A tenant's audit log.
    Audit,
    /// None of these.
    Elsewhere,
}

/// What just happened, told at the top of the next page.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Whether it went well.
    pub good: bool,
    /// As a sentence.
    pub text: String,
}

/// Why something cannot be shown or done, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, as a sentence.
    pub what: String,
    /// What to do now, as a sentence.
    pub remedy: String,
    /// What to search the logs for, if there is such a thing.
    pub reference: Option<String>,
}

impl Trouble {
    /// A trouble without a reference.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
            reference: None,
        }
    }
}

impl Shell {
    /// Whether the visitor's role allows what needs `role`.
    pub fn may(&self, role: Role) -> bool {
        self.person.as_ref().is_some_and(|person| person.role >= role)
    }

    /// A form that changes something: posts to `action` with the token in it.
    pub fn form(&self, action: &str, class: &str, content: Markup) -> Markup {
        html! {
            form method="post" action=(action) class=[(!class.is_empty()).then_some(class)] {
                input type="hidden" name=(fields::CSRF) value=(self.csrf);
                (content)
            }
        }
    }

    /// A form of one button, with hidden fields.
    pub fn button(&self, action: &str, label: &str, class: &str, hidden: &[(&str, &str)]) -> Markup {
        self.form(
            action,
            "inline",
            html! {
                @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
                button class={ "button " (class) } { (label) }
            },
        )
    }

    /// The whole document around a page's content.
    pub fn document(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[(self.theme != Theme::System).then(|| self.theme.as_str())] {
                (head(title))
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (self.top())
                    div.frame.has-side[self.tenant.is_some()] {
                        @if let Some(tenant) = &self.tenant { (self.side(tenant)) }
                        main #main tabindex="-1" {
                            (self.told())
                            (content)
                        }
                    }
                }
            }
        }
    }

    /// A document without menus: for the pages before signing in.
    pub fn bare_document(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[(self.theme != Theme::System).then(|| self.theme.as_str())] {
                (head(title))
                body.bare {
                    a.skip href="#main" { "Skip to the content" }
                    main #main tabindex="-1" { (self.told()) (content) }
                    footer.bare-foot { (self.theme_switch()) }
                }
            }
        }
    }

    fn told(&self) -> Markup {
        html! {
            @if let Some((tenant, reason)) = self.tenant.as_ref().and_then(|tenant| Some((tenant, tenant.suspended.as_ref()?))) {
                div.banner.stopped role="alert" {
                    (icon(Icon::Stopped))
                    p { strong { "This tenant stands still. " } (reason) }
                    @if self.may(Role::Admin) { div.actions { a.button.small href=(paths::identity(&tenant.id)) { "Which org is this?" } } }
                }
            }
            @for notice in &self.notices {
                div.banner.good[notice.good].bad[!notice.good] role="status" {
                    (icon(if notice.good { Icon::Good } else { Icon::Bad }))
                    p { (notice.text) }
                }
            }
        }
    }

    fn top(&self) -> Markup {
        let link = |place: Place, path: &str, label: &str| {
            html! {
                li { a href=(path) aria-current=[(self.place == place).then_some("page")] { (label) } }
            }
        };
        html! {
            header.top {
                a.brand href=(paths::TENANTS) { (mark()) span { "Landbridge" } }
                nav.top-links aria-label="Main" {
                    ul {
                        (link(Place::Tenants, paths::TENANTS, "Tenants"))
                        (link(Place::AllHealth, paths::HEALTH, "Sync health"))
                        @if self.may(Role::Admin) {
                            (link(Place::AllAudit, paths::AUDIT, "Audit log"))
                            (link(Place::People, paths::PEOPLE, "Users and tokens"))
                        }
                    }
                }
                div.top-end {
                    (self.theme_switch())
                    @if let Some(person) = &self.person {
                        details.menu {
                            summary { span.avatar aria-hidden="true" { (initial(&person.name)) } span.menu-name { (person.name) } }
                            div.menu-body {
                                p { strong { (person.name) } br; span.quiet { "Signed in as " (person.role.as_str()) } }
                                p { a href=(paths::PEOPLE) { "Password and API tokens" } }
                                (self.button(paths::SIGN_OUT, "Sign out", "quiet", &[]))
                            }
                        }
                    }
                }
            }
        }
    }

    fn theme_switch(&self) -> Markup {
        let content = html! {
            input type="hidden" name=(fields::RETURN) value=(self.path);
            @for (theme, label) in [(Theme::System, "System"), (Theme::Light, "Light"), (Theme::Dark, "Dark")] {
                button name="theme" value=(theme.as_str()) aria-pressed=(if self.theme == theme { "true" } else { "false" })
                    title={ (label) " colours" } {
                    (icon(match theme { Theme::System => Icon::System, Theme::Light => Icon::Sun, Theme::Dark => Icon::Moon }))
                    span.hidden { (label) " colours" }
                }
            }
        };
        self.form(paths::THEME, "themes", content)
    }

    fn side(&self, tenant: &TenantHead) -> Markup {
        let link = |place: Place, path: String, label: &str, shape: Icon| {
            html! {
                li {
                    a href=(path) aria-current=[(self.place == place).then_some("page")] { (icon(shape)) (label) }
                }
            }
        };
        let id = &tenant.id;
        html! {
            nav.side aria-label={ "Tenant " (id) } {
                p.side-head { span.quiet { "Tenant" } strong { (id) } }
                ul {
                    (link(Place::Connected, paths::tenant(id), "Connected apps", Icon::Plug))
                    (link(Place::Imports, paths::imports(id), "Imports", Icon::Import))
                    (link(Place::Health, paths::health(id), "Sync health", Icon::Pulse))
                    (link(Place::Alerts, paths::alerts(id), "Alerts", Icon::Bell))
                    (link(Place::Record, paths::find(id), "Find a record", Icon::Search))
                    (link(Place::Audit, paths::tenant_audit(id), "Audit log", Icon::Log))
                }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Landbridge" }
            link rel="icon" href=(assets::ICON.path()) type="image/svg+xml";
            link rel="stylesheet" href=(assets::STYLE.path());
            script src=(assets::SCRIPT.path()) defer {}
        }
    }
}

/// The bridge between two shores.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" {
            rect width="32" height="32" rx="7" {}
            path d="M4 21h24M8 21v-6m16 6v-6M4 17c3 0 4-2 4-5 0 6 16 6 16 0 0 3 1 5 4 5" {}
        }
    }
}

fn initial(name: &str) -> String {
    name.chars()
        .next()
        .map(|letter| letter.to_uppercase().collect())
        .unwrap_or_default()
}

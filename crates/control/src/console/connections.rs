//! The forms of a tenant's connections, and of a new tenant. What is secret goes in and is never shown again.

use landbridge_model::TenantId;
use maud::{Markup, html};

use super::parts::{self, Control, Icon, error_summary, icon, submit, text_input};
use super::{Content, Shell, paths};
use landbridge_model::Problem;

/// Which of the two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Salesforce.
    Salesforce,
    /// HubSpot.
    HubSpot,
}

impl Side {
    /// The word in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::HubSpot => "hubspot",
        }
    }

    /// The name on pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Salesforce => "Salesforce",
            Self::HubSpot => "HubSpot",
        }
    }

    fn flows(self) -> &'static [Flow] {
        match self {
            Self::Salesforce => &[Flow::Jwt, Flow::ClientCredentials, Flow::SalesforceOAuth],
            Self::HubSpot => &[Flow::ServiceKey, Flow::PrivateApp, Flow::HubSpotOAuth],
        }
    }
}

/// A way of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Salesforce, JWT bearer.
    Jwt,
    /// Salesforce, client credentials.
    ClientCredentials,
    /// Salesforce, OAuth authorization code.
    SalesforceOAuth,
    /// HubSpot, a service key.
    ServiceKey,
    /// HubSpot, a private app's token.
    PrivateApp,
    /// HubSpot, OAuth authorization code.
    HubSpotOAuth,
}

impl Flow {
    /// The word in forms and paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::ClientCredentials => "client-credentials",
            Self::SalesforceOAuth | Self::HubSpotOAuth => "oauth",
            Self::ServiceKey => "service-key",
            Self::PrivateApp => "private-app",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Jwt => "JWT bearer",
            Self::ClientCredentials => "Client credentials",
            Self::SalesforceOAuth | Self::HubSpotOAuth => "OAuth",
            Self::ServiceKey => "Service key",
            Self::PrivateApp => "Private app",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Jwt => {
                "A certificate uploaded to an external client app signs in as one user. Nothing expires but the certificate."
            }
            Self::ClientCredentials => {
                "An external client app's key and secret sign in as its run-as user. Works on My Domain only."
            }
            Self::SalesforceOAuth => {
                "You sign in to Salesforce once, in this browser; Landbridge keeps a refresh token."
            }
            Self::ServiceKey => {
                "A key made under Development › Keys in HubSpot, with the scopes listed below."
            }
            Self::PrivateApp => "The access token of a private app, with the scopes listed below.",
            Self::HubSpotOAuth => {
                "You choose the portal in HubSpot, in this browser; Landbridge keeps a refresh token."
            }
        }
    }
}

/// What a connection's form shows.
#[derive(Clone, Debug)]
pub struct ConnectionForm {
    /// Whose.
    pub tenant: TenantId,
    /// Which side.
    pub side: Side,
    /// The way of signing in that is open.
    pub flow: Flow,
    /// My Domain or the login host; HubSpot's API host.
    pub address: String,
    /// The consumer key of the external client app, or the client id.
    pub client_id: String,
    /// For JWT: the user to sign in as.
    pub username: String,
    /// The org or portal that is pinned: another one is refused. `None` before the first sign-in.
    pub pinned: Option<String>,
    /// Whether credentials are stored; they are never shown, and stay when the fields are left empty.
    pub is_stored: bool,
    /// For OAuth: the address to enter in the app as its callback.
    pub callback: String,
    /// What the last attempt lacked. Places are the names of the fields.
    pub problems: Vec<Problem>,
}

/// Scopes that a HubSpot credential needs.
const HUBSPOT_SCOPES: [&str; 6] = [
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.custom.read",
    "crm.schemas.custom.write",
    "crm.objects.companies.read",
    "crm.objects.contacts.read",
];

/// The page.
pub fn page(shell: &Shell, side: Side, tenant: &TenantId, content: &Content<ConnectionForm>) -> Markup {
    let title = format!("Connection to {}", side.name());
    let body = html! {
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { (side.name()) } }
                h1 { (title) }
            }
        }
        (parts::loaded(content, |view| inner(shell, view)))
    };
    shell.document(&title, &body)
}

fn inner(shell: &Shell, view: &ConnectionForm) -> Markup {
    let path = paths::connection(&view.tenant, view.side);
    html! {
        nav.tabs aria-label="Ways of signing in" {
            ul {
                @for flow in view.side.flows() {
                    li { a href={ (path) "?flow=" (flow.as_str()) } aria-current=[(*flow == view.flow).then_some("page")] { (flow.label()) } }
                }
            }
        }
        (error_summary(&view.problems, |problem| Some(format!("#{}", Control { name: &problem.place, ..Control::default() }.id()))))
        (shell.form(&path, "form", html! {
            input type="hidden" name="flow" value=(view.flow.as_str());
            p { (view.flow.meaning()) }
            @if let Some(pinned) = &view.pinned {
                div.banner { (icon(Icon::Lock)) p { "This tenant belongs to " code { (pinned) } ". Credentials of another one are refused, so that records never end up in the wrong place." } }
            }
            (inputs(view))
            p.quiet {
                (icon(Icon::Lock)) " What you enter is sealed at once to the key of the worker that will use it. Nobody can read it here again, not even an administrator."
                @if view.is_stored { " Credentials are stored; leave the secret empty to keep them." }
            }
            div.actions {
                @if matches!(view.flow, Flow::SalesforceOAuth | Flow::HubSpotOAuth) {
                    (submit(&format!("Continue to {}", view.side.name()), "authorize", "primary"))
                } @else {
                    (submit("Save and test", "save", "primary"))
                }
                @if view.is_stored { (submit("Test again", "test", "")) }
                a.button.quiet href=(paths::tenant(&view.tenant)) { "Cancel" }
            }
        }))
    }
}

struct Inputs<'a>(&'a ConnectionForm);

impl Inputs<'_> {
    fn text(&self, name: &str, label: &str, hint: &str, value: &str, kind: &str) -> Markup {
        let wrong: Vec<&Problem> = self
            .0
            .problems
            .iter()
            .filter(|problem| problem.place == name)
            .collect();
        let control = Control {
            name,
            label,
            hint,
            value,
            required: true,
            problems: &wrong,
            ..Control::default()
        };
        text_input(control, kind, "off")
    }

    /// A secret: always empty, and only required while none is stored.
    fn secret(&self, name: &str, label: &str, hint: &str) -> Markup {
        let wrong: Vec<&Problem> = self
            .0
            .problems
            .iter()
            .filter(|problem| problem.place == name)
            .collect();
        let required = !self.0.is_stored;
        let control = Control {
            name,
            label,
            hint,
            required,
            problems: &wrong,
            ..Control::default()
        };
        text_input(control, "password", "new-password")
    }
}

fn inputs(view: &ConnectionForm) -> Markup {
    let inputs = Inputs(view);
    let domain = || {
        inputs.text(
            "address",
            "My Domain",
            "Such as https://acme.my.salesforce.com; a sandbox has a domain of its own.",
            &view.address,
            "url",
        )
    };
    let key = || {
        inputs.text(
            "clientId",
            "Consumer key",
            "Of the external client app.",
            &view.client_id,
            "text",
        )
    };
    let callback = || {
        html! {
            div.control {
                label for="callback" { "Callback URL" }
                p.hint #callback-hint { "Enter this in the app before you continue." }
                input #callback type="url" readonly value=(view.callback) aria-describedby="callback-hint";
            }
        }
    };
    match view.flow {
        Flow::Jwt => html! {
            (domain()) (key())
            (inputs.text("username", "Username", "The integration user to sign in as.", &view.username, "text"))
            div.control {
                label for="private-key" { "Private key" }
                p.hint #private-key-hint { "PEM, of the certificate that is uploaded to the app." @if view.is_stored { " Stored; leave empty to keep it." } }
                textarea #private-key name="privateKey" required[!view.is_stored] spellcheck="false" autocomplete="off" aria-describedby="private-key-hint" {}
            }
        },
        Flow::ClientCredentials => html! {
            (domain()) (key()) (inputs.secret("clientSecret", "Consumer secret", ""))
        },
        Flow::SalesforceOAuth => html! {
            (domain()) (key()) (inputs.secret("clientSecret", "Consumer secret", "")) (callback())
        },
        Flow::ServiceKey => html! { (inputs.secret("token", "Service key", "Begins with pat-.")) (scopes()) },
        Flow::PrivateApp => {
            html! { (inputs.secret("token", "Access token", "Begins with pat-.")) (scopes()) }
        }
        Flow::HubSpotOAuth => html! {
            (inputs.text("clientId", "Client ID", "Of the app in your developer account.", &view.client_id, "text"))
            (inputs.secret("clientSecret", "Client secret", ""))
            (callback()) (scopes())
        },
    }
}

fn scopes() -> Markup {
    html! {
        details {
            summary { "Scopes that it needs" }
            ul.plain-list { @for scope in HUBSPOT_SCOPES { li { code { (scope) } } } }
        }
    }
}

/// What the form of a new tenant shows.
#[derive(Clone, Debug, Default)]
pub struct NewTenant {
    /// The name as it was entered.
    pub name: String,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// The form of a new tenant; its connections follow.
pub fn new_tenant(shell: &Shell, view: &NewTenant) -> Markup {
    let wrong: Vec<&Problem> = view.problems.iter().collect();
    let body = html! {
        div.page-head { div { h1 { "Add a tenant" } p.quiet { "A tenant is one Salesforce org paired with one HubSpot portal. You connect the two next." } } }
        (shell.form(paths::NEW_TENANT, "form", html! {
            (text_input(Control { name: "tenant", label: "Name", hint: "Lower-case letters, digits, hyphens and underscores. It cannot be changed later.",
                value: &view.name, required: true, problems: &wrong, ..Control::default() }, "text", "off"))
            div.actions { (submit("Add tenant", "", "primary")) a.button.quiet href=(paths::TENANTS) { "Cancel" } }
        }))
    };
    shell.document("Add a tenant", &body)
}

//! The forms of a tenant's connections, and of a new tenant. What is secret goes in and is never shown again.

use landbridge_model::TenantId;
use maud::{Markup, html};

use super::parts::{
    self, Control, Icon, error_summary, icon, problems_of, submit, text_area, text_input, to_control,
};
use super::{Content, Shell, fields, paths};
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

    /// The ways of signing in that there are, the plainest first.
    pub fn flows(self) -> &'static [Flow] {
        match self {
            Self::Salesforce => &[
                Flow::ClientCredentials,
                Flow::RefreshToken,
                Flow::Jwt,
                Flow::SalesforceOAuth,
            ],
            Self::HubSpot => &[Flow::ServiceKey, Flow::PrivateApp, Flow::HubSpotOAuth],
        }
    }
}

/// A way of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Salesforce, client credentials.
    ClientCredentials,
    /// Salesforce, a refresh token that was got elsewhere.
    RefreshToken,
    /// Salesforce, JWT bearer.
    Jwt,
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
            Self::ClientCredentials => "client-credentials",
            Self::RefreshToken => "refresh-token",
            Self::Jwt => "jwt",
            Self::SalesforceOAuth | Self::HubSpotOAuth => "oauth",
            Self::ServiceKey => "service-key",
            Self::PrivateApp => "private-app",
        }
    }

    /// Whether it begins on a page of the other side, in this browser.
    pub fn is_in_browser(self) -> bool {
        matches!(self, Self::SalesforceOAuth | Self::HubSpotOAuth)
    }

    fn label(self) -> &'static str {
        match self {
            Self::ClientCredentials => "Client credentials",
            Self::RefreshToken => "Refresh token",
            Self::Jwt => "JWT bearer",
            Self::SalesforceOAuth | Self::HubSpotOAuth => "OAuth",
            Self::ServiceKey => "Service key",
            Self::PrivateApp => "Private app",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::RefreshToken => {
                "A refresh token of an external client app, got by signing in once, such as with Salesforce's own command line."
            }
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
    /// The consumer key of the external client app as it was entered. The stored one is sealed with its secret.
    pub client_id: String,
    /// The org or portal that is pinned: another one is refused. `None` before the first sign-in.
    pub pinned: Option<String>,
    /// Whether credentials are stored; they are never shown, and stay when the fields are left empty.
    pub is_stored: bool,
    /// The other side's page on which to go on, once what it needs was entered.
    pub continue_at: Option<String>,
    /// Where the other side sends people back to; `None` when Landbridge does not know its own address.
    pub callback: Option<String>,
    /// What the last attempt lacked. Places are the names of the fields.
    pub problems: Vec<Problem>,
}

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
        (error_summary(&view.problems, to_control))
        @match &view.continue_at {
            Some(page) => (continue_at(view, page)),
            None => (form(shell, view, &path)),
        }
    }
}

fn continue_at(view: &ConnectionForm, page: &str) -> Markup {
    let side = view.side.name();
    html! {
        section.card {
            p { "Everything is ready. Sign in to " (side) " next and allow the app; " (side) " then sends you back here. There are ten minutes for it." }
            div.actions {
                a.button.primary href=(page) { "Continue to " (side) }
                a.button.quiet href=(paths::tenant(&view.tenant)) { "Cancel" }
            }
        }
    }
}

fn form(shell: &Shell, view: &ConnectionForm, path: &str) -> Markup {
    html! {
        (shell.form(path, "form", html! {
            input type="hidden" name="flow" value=(view.flow.as_str());
            p { (view.flow.meaning()) }
            @if let Some(pinned) = &view.pinned {
                div.banner { (icon(Icon::Lock)) p { "This tenant belongs to " code { (pinned) } ". Credentials of another one are refused, so that records never end up in the wrong place." } }
            }
            (inputs(view))
            p.quiet {
                (icon(Icon::Lock)) " What you enter is sealed at once to the key of the worker that will use it. Nobody can read it here again, not even an administrator."
                @if view.is_stored && !view.flow.is_in_browser() { " Credentials are stored; leave the secret fields empty to keep them." }
            }
            div.actions {
                (submit(if view.flow.is_in_browser() { "Go on" } else { "Save and test" }, "save", "primary"))
                @if view.is_stored { button.button name=(fields::ACTION) value="test" formnovalidate { "Test what is stored" } }
                a.button.quiet href=(paths::tenant(&view.tenant)) { "Cancel" }
            }
        }))
    }
}

struct Inputs<'a>(&'a ConnectionForm);

impl Inputs<'_> {
    /// What is not secret; `required` whether or not anything is stored.
    fn text(&self, name: &str, label: &str, hint: &str, value: &str, kind: &str, required: bool) -> Markup {
        let wrong = problems_of(&self.0.problems, name);
        let control = Control {
            name,
            label,
            hint,
            value,
            required,
            problems: &wrong,
            ..Control::default()
        };
        text_input(control, kind, "off")
    }

    /// A secret: always empty, and only required while none is stored.
    fn secret(&self, name: &str, label: &str, hint: &str) -> Markup {
        self.secret_in(name, label, hint, |control| {
            text_input(control, "password", "new-password")
        })
    }

    /// A secret of several lines.
    fn long_secret(&self, name: &str, label: &str, hint: &str) -> Markup {
        self.secret_in(name, label, hint, text_area)
    }

    fn secret_in(
        &self,
        name: &str,
        label: &str,
        hint: &str,
        input: impl Fn(Control<'_>) -> Markup,
    ) -> Markup {
        let wrong = problems_of(&self.0.problems, name);
        input(Control {
            name,
            label,
            hint,
            required: !self.0.is_stored || self.0.flow.is_in_browser(),
            problems: &wrong,
            ..Control::default()
        })
    }
}

fn inputs(view: &ConnectionForm) -> Markup {
    let inputs = Inputs(view);
    let place = || {
        let (label, hint) = match view.side {
            Side::Salesforce => (
                "My Domain",
                "Such as https://acme.my.salesforce.com; a sandbox has a domain of its own. Another address wants credentials of its own.",
            ),
            Side::HubSpot => (
                "API address",
                "https://api.hubapi.com, unless you rehearse against a stand-in. Another address wants a key of its own.",
            ),
        };
        inputs.text("address", label, hint, &view.address, "url", true)
    };
    let key = || {
        let hint = match view.side {
            Side::Salesforce => "Of the external client app. It is sealed together with its secret.",
            Side::HubSpot => "Of your app in HubSpot. It is sealed together with its secret.",
        };
        let required = !view.is_stored || view.flow.is_in_browser();
        let label = match view.side {
            Side::Salesforce => "Consumer key",
            Side::HubSpot => "Client ID",
        };
        inputs.text("clientId", label, hint, &view.client_id, "text", required)
    };
    match view.flow {
        Flow::ClientCredentials => html! {
            (place()) (key()) (inputs.secret("clientSecret", "Consumer secret", ""))
        },
        Flow::RefreshToken => html! {
            (place()) (key()) (inputs.secret("clientSecret", "Consumer secret", ""))
            (inputs.secret("refreshToken", "Refresh token", "Landbridge uses it from now on; a token that Salesforce rotates follows by itself."))
        },
        Flow::ServiceKey => {
            html! { (inputs.secret("token", "Service key", "")) (place()) (scopes()) }
        }
        Flow::PrivateApp => {
            html! { (inputs.secret("token", "Access token", "Begins with pat-.")) (place()) (scopes()) }
        }
        Flow::Jwt => html! {
            (place()) (key())
            (inputs.text("username", "User name", "Whom calls run as; it must be pre-authorised for the app.", "", "text", !view.is_stored))
            (inputs.long_secret("privateKey", "Private key", "Of the certificate that was uploaded to the app; in PEM form, from -----BEGIN to the end."))
        },
        Flow::SalesforceOAuth => html! {
            (place()) (key()) (inputs.secret("clientSecret", "Consumer secret", ""))
            (callback(view))
        },
        Flow::HubSpotOAuth => html! {
            (key()) (inputs.secret("clientSecret", "Client secret", ""))
            (place()) (callback(view)) (scopes())
        },
    }
}

/// What the app must allow, so that the browser comes back.
fn callback(view: &ConnectionForm) -> Markup {
    html! {
        @if let Some(callback) = &view.callback {
            p.quiet { "The app must name " code { (callback) } " as an address to send people back to" @if view.side == Side::Salesforce { ", and have the scopes api and refresh_token" } "." }
        }
    }
}

fn scopes() -> Markup {
    html! {
        details {
            summary { "Scopes that it needs" }
            ul.plain-list { @for scope in crate::service::HUBSPOT_SCOPES { li { code { (scope) } } } }
        }
    }
}

/// What the form of a new tenant shows.
#[derive(Clone, Debug, Default)]
pub struct NewTenant {
    /// The name as it was entered.
    pub name: String,
    /// The org's My Domain as it was entered.
    pub salesforce: String,
    /// HubSpot's API address.
    pub hubspot: String,
    /// What is wrong with it. Places are the names of the fields.
    pub problems: Vec<Problem>,
}

/// The form of a new tenant; its credentials follow.
pub fn new_tenant(shell: &Shell, view: &NewTenant) -> Markup {
    let wrong = |name: &str| problems_of(&view.problems, name);
    let (name, salesforce, hubspot) = (wrong("tenant"), wrong("salesforce"), wrong("hubspot"));
    let body = html! {
        div.page-head { div { h1 { "Add a tenant" } p.quiet { "A tenant is one Salesforce org paired with one HubSpot portal. You enter the credentials of both next." } } }
        (error_summary(&view.problems, to_control))
        (shell.form(paths::NEW_TENANT, "form", html! {
            (text_input(Control { name: "tenant", label: "Name", hint: "Lower-case letters, digits, hyphens and underscores. It cannot be changed later.",
                value: &view.name, required: true, problems: &name, ..Control::default() }, "text", "off"))
            (text_input(Control { name: "salesforce", label: "Salesforce, My Domain", hint: "Such as https://acme.my.salesforce.com; a sandbox has a domain of its own.",
                value: &view.salesforce, required: true, problems: &salesforce, ..Control::default() }, "url", "off"))
            (text_input(Control { name: "hubspot", label: "HubSpot, API address", hint: "Leave it as it is, unless you rehearse against a stand-in.",
                value: &view.hubspot, required: true, problems: &hubspot, ..Control::default() }, "url", "off"))
            div.actions { (submit("Add tenant", "", "primary")) a.button.quiet href=(paths::TENANTS) { "Cancel" } }
        }))
    };
    shell.document("Add a tenant", &body)
}

//! One visit: who it is, what their pages know of them, and what they are told when something cannot be done.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use landbridge_model::{Problem, TenantId};
use maud::Markup;

use crate::console::{
    Notice, Person, Place, Role, Shell, TenantHead, Theme, Trouble, errors, fields, parts, paths,
};
use crate::http::Session;
use crate::service::{self, Service, ServiceError, TenantService};

/// The cookie of the colours.
pub(super) const THEME: &str = "landbridge_theme";
/// The cookie of what just happened: read once, by the next page.
const NOTICE: &str = "landbridge_notice";

/// What a handler answers.
pub(crate) type Answer = Result<Response, Refusal>;

/// Somebody who is signed in, at one page.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) service: Service,
    pub(crate) session: Session,
    theme: Theme,
    notices: Vec<Notice>,
    path: String,
}

impl FromRequestParts<Service> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Response> {
        let session = <Session as OptionalFromRequestParts<Service>>::from_request_parts(parts, service)
            .await
            .map_err(IntoResponse::into_response)?;
        let path = path_of(&parts.uri);
        let Some(session) = session else {
            let then = paths::query_value(&path);
            let sign_in = format!("{}?{}={then}", paths::SIGN_IN, fields::RETURN);
            return Err(Redirect::to(&sign_in).into_response());
        };
        Ok(Self {
            service: service.clone(),
            session,
            theme: theme_of(&parts.headers),
            notices: notice_of(&parts.headers).into_iter().collect(),
            path,
        })
    }
}

impl Visit {
    /// The moment of this page, by this machine's clock: only labels are told from it.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The frame of a page that belongs to no tenant and stands in no menu.
    pub(crate) fn shell(&self) -> Shell {
        self.shell_at(Place::Elsewhere)
    }

    /// The frame of a page that belongs to no tenant.
    pub(crate) fn shell_at(&self, place: Place) -> Shell {
        let caller = &self.session.caller;
        let most = caller.grants().iter().map(|grant| grant.role).max();
        let role = match place {
            // What is to be done there concerns the whole installation.
            Place::Tenants | Place::AllAudit | Place::People => caller.role_everywhere(),
            _ => most,
        };
        self.frame(place, role, None)
    }

    /// The frame of a tenant's page.
    pub(crate) fn shell_in(&self, tenant: &TenantService, place: Place) -> Shell {
        let head = TenantHead {
            id: tenant.id().clone(),
            suspended: tenant.view().tenant.suspended,
        };
        self.frame(place, Some(tenant.role()), Some(head))
    }

    fn frame(&self, place: Place, role: Option<service::Role>, tenant: Option<TenantHead>) -> Shell {
        Shell {
            person: Some(Person {
                name: parts::who(&self.session.caller.who).0,
                role: role.map_or(Role::Viewer, role_on_pages),
            }),
            csrf: self.session.csrf_token().to_owned(),
            theme: self.theme,
            tenant,
            place,
            notices: self.notices.clone(),
            now: self.now(),
            path: self.path.clone(),
        }
    }

    /// The tenant that a path names, if this visitor may see it.
    pub(crate) fn tenant(&self, name: &str) -> Result<TenantService, Refusal> {
        self.find_tenant(name).map_err(|error| self.refuse(error))
    }

    /// The same, for those who answer errors in another way than by a page.
    pub(crate) fn find_tenant(&self, name: &str) -> Result<TenantService, ServiceError> {
        let id = TenantId::new(name).map_err(|_| ServiceError::no_tenant(name))?;
        self.service.tenant(&self.session.caller, &id)
    }

    /// The same visitor, looked up again: for answers that go on for a long time.
    pub(crate) async fn again(&self) -> Result<Self, ServiceError> {
        Ok(Self {
            session: self.session.again(&self.service).await?,
            ..self.clone()
        })
    }

    /// Refuses whoever may not add tenants, in the words of the page.
    pub(crate) fn may_add_tenants(&self) -> Result<(), Refusal> {
        if self.session.caller.role_everywhere() >= Some(service::Role::Admin) {
            return Ok(());
        }
        Err(Refusal::forbidden(errors::forbidden(
            &self.shell(),
            "add tenants",
        )))
    }

    /// Refuses whoever's role in a tenant is too small; `what` ends the sentence "Your role does not allow you to …".
    pub(crate) fn require(
        &self,
        tenant: &TenantService,
        needed: service::Role,
        what: &str,
    ) -> Result<(), Refusal> {
        if tenant.role() >= needed {
            return Ok(());
        }
        let shell = self.shell_in(tenant, Place::Elsewhere);
        Err(Refusal::forbidden(errors::forbidden(&shell, what)))
    }

    /// An error as a problem with a field of a form, so that the form can be shown again. Errors that leave no form to
    /// show are pages of their own.
    pub(crate) fn problem(&self, place: &str, error: ServiceError) -> Result<Problem, Refusal> {
        match error {
            error @ (ServiceError::NotFound(_) | ServiceError::Forbidden(_) | ServiceError::Internal(_)) => {
                Err(self.refuse(error))
            }
            error => {
                let trouble = trouble(&error);
                Ok(Problem::new(place, trouble.what, trouble.remedy))
            }
        }
    }

    /// A page; what was told at its top is told once.
    pub(crate) fn page(&self, page: Markup) -> Response {
        self.page_with(StatusCode::OK, page)
    }

    /// A page with another status, such as a form that is shown again with what is wrong in it.
    pub(crate) fn page_with(&self, status: StatusCode, page: Markup) -> Response {
        let mut response = (status, page).into_response();
        if !self.notices.is_empty() {
            let forget =
                HeaderValue::from_static("landbridge_notice=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
            response.headers_mut().append(header::SET_COOKIE, forget);
        }
        response
    }

    /// The page for an error that leaves nothing else to show.
    pub(crate) fn refuse(&self, error: ServiceError) -> Refusal {
        let shell = self.shell();
        match &error {
            ServiceError::NotFound(_) => Refusal::new(StatusCode::NOT_FOUND, errors::not_found(&shell)),
            ServiceError::Forbidden(_) => Refusal::forbidden(errors::forbidden(&shell, "do this")),
            ServiceError::Internal(what) => {
                let reference = format!("{:08x}", rand::random::<u32>());
                tracing::error!(reference, error = %what, path = %self.path, "a page of the console failed");
                Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    errors::broken(&shell, &reference),
                )
            }
            _ => {
                let trouble = trouble(&error);
                Refusal::new(status_of(&error), errors::unavailable(&shell, &trouble))
            }
        }
    }

    /// Says on the page at `path` that something went well.
    pub(crate) fn done(&self, path: &str, text: &str) -> Response {
        redirect(path, true, text)
    }

    /// Says on the page at `path` why something was not done. Errors that a notice cannot carry get a page of their own.
    pub(crate) fn not_done(&self, path: &str, error: ServiceError) -> Answer {
        match error {
            error @ (ServiceError::NotFound(_) | ServiceError::Forbidden(_) | ServiceError::Internal(_)) => {
                Err(self.refuse(error))
            }
            error => Ok(redirect(path, false, &error.to_string())),
        }
    }
}

/// Sends the browser on to a page, which tells this once.
fn redirect(path: &str, good: bool, text: &str) -> Response {
    let mark = if good { '+' } else { '-' };
    let short: String = text.chars().take(600).collect();
    let cookie = format!(
        "{NOTICE}={mark}{}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60",
        paths::query_value(&short)
    );
    let mut response = Redirect::to(path).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page instead of the one that was wanted.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Response>);

impl Refusal {
    pub(crate) fn new(status: StatusCode, page: Markup) -> Self {
        Self(Box::new((status, page).into_response()))
    }

    pub(crate) fn forbidden(page: Markup) -> Self {
        Self::new(StatusCode::FORBIDDEN, page)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// An error in the words of a page, with what to do about it.
pub(crate) fn trouble(error: &ServiceError) -> Trouble {
    let remedy = match error {
        ServiceError::Unauthenticated(_) => "Sign in again.",
        ServiceError::Forbidden(_) => "Ask an administrator for another role.",
        ServiceError::NotFound(_) => "Go back and load the page again: it may have been removed.",
        ServiceError::Invalid { .. } => "Put it right and try again.",
        ServiceError::Conflict(_) | ServiceError::Stale(_) | ServiceError::PreconditionRequired(_) => {
            "Load the page again and repeat your change: somebody else was there first."
        }
        ServiceError::TooMany { .. } => "Wait a while, then try again.",
        ServiceError::RefusedThere(_) => "Check the connection's credentials and permissions.",
        ServiceError::Limited(_) => {
            "Wait until the budget of API calls frees up, or give Landbridge a larger one."
        }
        ServiceError::Unavailable(_) => "Try again in a moment. If it stays, see whether all workers run.",
        ServiceError::Internal(_) => "Try again; if it stays, tell whoever runs Landbridge.",
    };
    Trouble::new(error.to_string(), remedy)
}

/// What [`check_address`](service::check_address) found, which tells the cure behind a semicolon.
pub(super) fn address_problem(place: &str, found: &str) -> Problem {
    let (what, remedy) = found
        .rsplit_once("; ")
        .unwrap_or((found, "write an address such as https://acme.my.salesforce.com"));
    Problem::new(place, what, remedy)
}

pub(super) fn status_of(error: &ServiceError) -> StatusCode {
    match error {
        ServiceError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        ServiceError::Forbidden(_) => StatusCode::FORBIDDEN,
        ServiceError::NotFound(_) => StatusCode::NOT_FOUND,
        ServiceError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ServiceError::Conflict(_) => StatusCode::CONFLICT,
        ServiceError::Stale(_) => StatusCode::PRECONDITION_FAILED,
        ServiceError::PreconditionRequired(_) => StatusCode::PRECONDITION_REQUIRED,
        ServiceError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        ServiceError::RefusedThere(_) => StatusCode::BAD_GATEWAY,
        ServiceError::Limited(_) | ServiceError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        ServiceError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Roles are the service's; pages have the same four.
pub(crate) fn role_on_pages(role: service::Role) -> Role {
    match role {
        service::Role::Viewer => Role::Viewer,
        service::Role::Editor => Role::Editor,
        service::Role::Operator => Role::Operator,
        service::Role::Admin => Role::Admin,
    }
}

/// The frame of a page before anybody has signed in.
pub(super) fn shell_before(headers: &HeaderMap, uri: &Uri) -> Shell {
    Shell {
        person: None,
        csrf: String::new(),
        theme: theme_of(headers),
        tenant: None,
        place: Place::Elsewhere,
        notices: notice_of(headers).into_iter().collect(),
        now: Timestamp::now(),
        path: path_of(uri),
    }
}

/// What no page is at.
pub(super) async fn nothing_here(visit: Visit) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, errors::not_found(&visit.shell()))
}

pub(super) fn path_of(uri: &Uri) -> String {
    uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

fn cookie_of(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned())
}

fn theme_of(headers: &HeaderMap) -> Theme {
    match cookie_of(headers, THEME).as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

fn notice_of(headers: &HeaderMap) -> Option<Notice> {
    let cookie = cookie_of(headers, NOTICE)?;
    let good = cookie.starts_with('+');
    let text = percent_encoding::percent_decode_str(cookie.get(1..)?)
        .decode_utf8()
        .ok()?;
    Some(Notice {
        good,
        text: text.into_owned(),
    })
}

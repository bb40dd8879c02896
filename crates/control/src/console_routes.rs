//! The console over HTTP: handlers that ask the [`Service`] and answer with a page of [`crate::console`].
//!
//! * **H1** Handlers translate and nothing else: what may be done, and that it was done, is the service's.
//! * **H2** Whoever is not signed in is sent to sign in, and comes back to the page that they wanted.
//! * **H3** Nothing is changed by a form without its session's token; a post is answered with a redirection, so that
//!   loading the page again repeats nothing.

mod alerts;
mod attention;
mod audit;
mod connected;
mod connections;
mod entry;
mod failures;
mod form;
mod health;
mod identity;
mod imports;
mod listing;
mod live;
mod people;
mod records;
mod routes;
mod start_import;
mod summary;
mod sync;
mod tenants;
mod visit;
mod wizard;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use crate::console::{CONTENT_SECURITY_POLICY, assets};
use crate::service::Service;

use self::routes::Routes;
pub(crate) use form::Form;
pub use routes::Route;
pub(crate) use visit::{Answer, Refusal, Visit};

/// The console's pages. Serve it beside [`crate::http::router`], with the same connection information.
pub fn router(service: Service) -> Router {
    let pages = all()
        .into_router()
        .fallback(visit::nothing_here)
        .layer(from_fn(headers))
        .with_state(service);
    pages.merge(assets::router())
}

/// Every page, stream and form of the console.
pub fn listing() -> Vec<Route> {
    all().into_lines()
}

fn all() -> Routes {
    Routes::default()
        .merge(entry::routes())
        .merge(tenants::routes())
        .merge(connected::routes())
        .merge(connections::routes())
        .merge(identity::routes())
        .merge(sync::routes())
        .merge(alerts::routes())
        .merge(audit::routes())
        .merge(people::routes())
        .merge(wizard::routes())
        .merge(failures::routes())
        .merge(health::routes())
        .merge(imports::routes())
        .merge(records::routes())
        .merge(start_import::routes())
}

/// What every page says of itself: it is for its visitor alone, and nothing in it comes from elsewhere.
async fn headers(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

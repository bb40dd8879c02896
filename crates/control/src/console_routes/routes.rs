//! Routes that can be listed. axum's router cannot say what is in it; here one line is both, so that whoever tries every
//! route of the console forgets none.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{get, post};

use crate::service::Service;

/// One route of the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET` for a page or a stream, `POST` for a form.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: String,
}

/// Routes and their handlers.
#[derive(Default)]
pub(super) struct Routes {
    router: Router<Service>,
    lines: Vec<Route>,
}

impl Routes {
    /// Adds a page or a stream.
    pub(super) fn get<H: Handler<T, Service>, T: 'static>(mut self, path: &str, handler: H) -> Self {
        self.list(Method::GET, path);
        self.router = self.router.route(path, get(handler));
        self
    }

    /// Adds a form.
    pub(super) fn post<H: Handler<T, Service>, T: 'static>(mut self, path: &str, handler: H) -> Self {
        self.list(Method::POST, path);
        self.router = self.router.route(path, post(handler));
        self
    }

    /// Adds those of another area.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.lines.extend(other.lines);
        self
    }

    pub(super) fn into_router(self) -> Router<Service> {
        self.router
    }

    pub(super) fn into_lines(self) -> Vec<Route> {
        self.lines
    }

    fn list(&mut self, method: Method, path: &str) {
        self.lines.push(Route {
            method,
            path: path.to_owned(),
        });
    }
}

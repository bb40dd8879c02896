//! One call, described before it is sent.

use reqwest::{Method, header};

use crate::calls::Family;

/// Where a call goes.
#[derive(Debug, Clone)]
pub(crate) enum Path {
    /// Below `/services/data/vNN.N/`.
    Versioned(String),
    /// A path with its query, as an earlier answer gave it.
    Given(String),
}

/// One call, before it is sent.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) what: &'static str,
    pub(crate) family: Family,
    pub(crate) method: Method,
    pub(crate) path: Path,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(header::HeaderName, String)>,
    pub(crate) body: Option<serde_json::Value>,
    /// Whether sending it twice is harmless.
    pub(crate) repeatable: bool,
    /// Whether the answer is a stream of rows, without a bound on its whole time.
    pub(crate) stream: bool,
}

impl Call {
    pub(crate) fn get(what: &'static str, family: Family, path: impl Into<String>) -> Self {
        Self {
            what,
            family,
            method: Method::GET,
            path: Path::Versioned(path.into()),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            repeatable: true,
            stream: false,
        }
    }

    pub(crate) fn given(what: &'static str, family: Family, path: &str) -> Self {
        Self {
            path: Path::Given(path.to_owned()),
            ..Self::get(what, family, "")
        }
    }

    pub(crate) fn with(
        what: &'static str,
        family: Family,
        method: Method,
        path: impl Into<String>,
        body: Option<serde_json::Value>,
    ) -> Self {
        Self {
            method,
            body,
            ..Self::get(what, family, path)
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

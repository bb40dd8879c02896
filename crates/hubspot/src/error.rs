//! A call that did not give what it was made for.

use std::fmt;

use crate::verdict::{ErrorBody, PropertyError, Verdict};

/// A refused or lost call. [`Error::verdict`] says what to do now.
#[derive(Debug)]
pub struct Error {
    /// What it means.
    pub verdict: Verdict,
    /// The HTTP status; `None` when there was no answer.
    pub status: Option<u16>,
    /// HubSpot's words, or ours when there are none.
    pub message: String,
    /// Whether HubSpot's finer category names a limit of the account's, such as `crm.associations.ASSOCIATION_LIMIT_EXCEEDED`.
    pub names_limit: bool,
    /// HubSpot's id of the call, for support.
    pub correlation_id: Option<Box<str>>,
    /// What was called: method and path without its query.
    pub call: Box<str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(verdict: Verdict, call: &str, message: impl Into<String>) -> Self {
        Self {
            verdict,
            status: None,
            message: message.into(),
            names_limit: false,
            correlation_id: None,
            call: call.into(),
            source: None,
        }
    }

    pub(crate) fn answered(
        verdict: Verdict,
        status: u16,
        call: &str,
        body: ErrorBody,
        correlation: Option<String>,
    ) -> Self {
        let names_limit = body.names_limit();
        let message = if body.message.is_empty() {
            format!("HTTP status {status}")
        } else {
            body.message
        };
        let correlation_id = correlation.or(body.correlation_id).map(Into::into);
        Self {
            status: Some(status),
            names_limit,
            correlation_id,
            ..Self::new(verdict, call, message)
        }
    }

    pub(crate) fn caused(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The properties named, when values were refused.
    pub fn properties(&self) -> &[PropertyError] {
        match &self.verdict {
            Verdict::Invalid(properties) => properties,
            _ => &[],
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubSpot, {}: {}", self.call, self.message)?;
        if let Verdict::Scopes { missing } = &self.verdict
            && !missing.is_empty()
        {
            write!(f, " (missing scopes: {})", missing.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

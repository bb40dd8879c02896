//! Posted forms.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use super::visit::{Refusal, Visit};
use crate::console::{errors, fields};
use crate::service::Service;

/// The fields of a form that came from a page of this visitor's session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// Reads urlencoded fields.
    pub(super) fn parse(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body).into_owned().collect();
        Self { fields }
    }

    /// The first value of a field, without white space around it; `None` when it is missing or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The first value of a field as it was sent, for passwords and the like.
    pub(crate) fn exactly(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    /// All values of a field, empty ones left out.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let named = self.fields.iter().filter(move |(key, _)| key == name);
        named
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Every field in the order of the form.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Which button was pressed.
    pub(crate) fn action(&self) -> &str {
        self.text(fields::ACTION).unwrap_or_default()
    }
}

impl FromRequest<Service> for Form {
    type Rejection = Response;

    /// Refuses a form whose token is missing or another session's.
    async fn from_request(request: Request, service: &Service) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, service).await?;
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, service)
            .await
            .map_err(IntoResponse::into_response)?;
        let form = Self::parse(&body);
        match visit.session.check_csrf(form.text(fields::CSRF)) {
            Ok(()) => Ok(form),
            Err(_) => Err(Refusal::forbidden(errors::stale_form(&visit.shell())).into_response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_send_them() {
        let form = Form::parse(b"a=1&b=+two+&b=&b=3%2B&password=+x+&action=next");
        assert_eq!(
            (form.text("a"), form.text("b"), form.text("c")),
            (Some("1"), Some("two"), None)
        );
        assert_eq!(form.all("b").collect::<Vec<_>>(), ["two", "3+"]);
        assert_eq!((form.exactly("password"), form.action()), (" x ", "next"));
    }
}

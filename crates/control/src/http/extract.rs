//! What handlers take from requests, with problem documents for what cannot be taken.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use landbridge_model::TenantId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::problem::Problem;
use super::session::Session;
use crate::Settings;
use crate::ask::Seen;
use crate::service::{Page, PageRequest, Service, ServiceError, TenantService, paginate};

/// The tenant of the path, for a caller who may see it. Taken before a body is read: whoever may not see the tenant
/// learns nothing of what the route would take.
pub(super) struct InTenant(pub(super) TenantService);

impl FromRequestParts<Service> for InTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let session = Session::from_request_parts(parts, service).await?;
        let id = tenant_of(parts, service).await?;
        Ok(Self(service.tenant(&session.caller, &id)?))
    }
}

/// The tenant that the path names.
pub(super) async fn tenant_of(parts: &mut Parts, service: &Service) -> Result<TenantId, ServiceError> {
    let missing = || ServiceError::NotFound("the path names no tenant".to_owned());
    let params = RawPathParams::from_request_parts(parts, service)
        .await
        .map_err(|_| missing())?;
    let named = params.iter().find(|(key, _)| *key == "tenant");
    let (_, name) = named.ok_or_else(missing)?;
    // A text that cannot be a tenant's name is not there either.
    TenantId::new(name).map_err(|_| ServiceError::no_tenant(name))
}

/// Names in the path. One that cannot be a name is not there.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, service).await;
        path.map(|Path(names)| Self(names)).map_err(|_| {
            ServiceError::NotFound("nothing can have the name that the path gives".to_owned()).into()
        })
    }
}

/// A query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Service> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Response> {
        let query = Query::<T>::from_request_parts(parts, service).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| Problem::unreadable(error.body_text()))
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Service> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Response> {
        match axum::Json::<T>::from_request(request, service).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(Problem::from(ServiceError::invalid(error.body_text())).into_response())
            }
            Err(error) => Err(Problem::unreadable(error.body_text())),
        }
    }
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Where the last page ended: its `next`.
    cursor: Option<String>,
    /// Entries of the page, 1 to 500; 100 when left out.
    limit: Option<usize>,
}

impl From<PageQuery> for PageRequest {
    fn from(query: PageQuery) -> Self {
        Self {
            cursor: query.cursor,
            limit: query.limit,
        }
    }
}

/// The part of a list that was asked for. It is put in the order of its keys, which say where a page ends; they must tell
/// all entries apart.
pub(super) fn paged<T, K: Ord + Serialize + DeserializeOwned>(
    mut all: Vec<T>,
    key: impl Fn(&T) -> K,
    page: PageQuery,
) -> Result<Json<Page<T>>, ServiceError> {
    all.sort_by_cached_key(&key);
    paginate(all, key, &page.into()).map(Json)
}

/// What a request says of the state that its sender has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Precondition {
    /// Nothing.
    None,
    /// `If-None-Match: *`: there must be nothing.
    Absent,
    /// `If-Match: "…"`: this must be there.
    Tag(String),
}

/// Reads `If-Match` and `If-None-Match`.
pub(super) fn precondition(headers: &HeaderMap) -> Result<Precondition, ServiceError> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default().trim())
    };
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Precondition::None),
        (None, Some("*")) => Ok(Precondition::Absent),
        (Some(tag), None) => {
            let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let tag = tag.filter(|tag| !tag.is_empty() && !tag.contains('"'));
            tag.map(|tag| Precondition::Tag(tag.to_owned())).ok_or_else(|| {
                ServiceError::invalid("If-Match takes one ETag, in its quotes, as it was answered")
            })
        }
        _ => Err(ServiceError::invalid(
            "send If-Match with an ETag to change what is there, or If-None-Match: * to make what is not",
        )),
    }
}

/// What a request that changes something says that its sender has seen; whoever says nothing is told to. Asked after the
/// rights: whoever may not change it is told that first.
pub(super) fn seen(headers: &HeaderMap) -> Result<Seen, ServiceError> {
    match precondition(headers)? {
        Precondition::Tag(tag) => Ok(Seen::Tag(tag)),
        Precondition::Absent => Ok(Seen::Nothing),
        Precondition::None => Err(ServiceError::PreconditionRequired(
            "send If-Match with the ETag that you read, or If-None-Match: * to make what is not there yet"
                .to_owned(),
        )),
    }
}

/// The ETag of what is there, for a request that cannot make it.
pub(super) fn seen_tag(headers: &HeaderMap) -> Result<String, ServiceError> {
    match precondition(headers)? {
        Precondition::Tag(tag) => Ok(tag),
        Precondition::Absent | Precondition::None => Err(ServiceError::PreconditionRequired(
            "send If-Match with the ETag that you read".to_owned(),
        )),
    }
}

/// An answer with the ETag of what it tells.
pub(super) fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Where a request comes from, to count attempts by. An IPv6 address counts by its network: one customer has the whole
/// of it.
pub fn address_of(extensions: &Extensions, headers: &HeaderMap, settings: &Settings) -> String {
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|last| last.trim().parse::<IpAddr>().ok())
        .filter(|_| settings.behind_proxy);
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    match forwarded.or(peer) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let network = &address.segments()[..4];
                format!(
                    "{:x}:{:x}:{:x}:{:x}::/64",
                    network[0], network[1], network[2], network[3]
                )
            }
        },
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions_are_read() {
        let read = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            precondition(&headers).ok()
        };
        assert_eq!(read(&[]), Some(Precondition::None));
        assert_eq!(read(&[("if-none-match", "*")]), Some(Precondition::Absent));
        assert_eq!(
            read(&[("if-match", "\"a1\"")]),
            Some(Precondition::Tag("a1".into()))
        );
        for wrong in [
            ("if-match", "a1"),
            ("if-match", "*"),
            ("if-match", "\"a\", \"b\""),
            ("if-none-match", "\"a\""),
        ] {
            assert_eq!(read(&[wrong]), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_address_is_the_peers_unless_a_proxy_is_trusted() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(
            "[2001:db8:1:2:3:4:5:6]:99".parse::<SocketAddr>().unwrap(),
        ));
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().unwrap());
        let alone = Settings::default();
        assert_eq!(address_of(&extensions, &headers, &alone), "2001:db8:1:2::/64");
        let behind_proxy = Settings {
            behind_proxy: true,
            ..alone
        };
        assert_eq!(address_of(&extensions, &headers, &behind_proxy), "198.51.100.7");
    }
}

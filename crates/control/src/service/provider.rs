//! Signing in by an OpenID Connect provider: authorization code with PKCE.
//!
//! What was begun is kept in the bucket for some minutes, under the state that travels with the browser, so that any
//! control may end it. The state is also in a cookie: an answer that another browser began is refused.

mod claims;
mod metadata;
mod people;

use std::time::Duration;

use landbridge_bus::Key;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attempts::Counted;
use super::audit::Change;
use super::error::ServiceError;
use super::sessions::{Owner, SignedIn};
use super::{Service, secret};
use crate::return_path;
use metadata::Age;
use people::Person;

pub use claims::{GroupRole, OidcSettings};
pub(super) use metadata::KnownProvider;
pub(super) use people::PersonId;

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long one call to the provider may take.
const CALL: Duration = Duration::from_secs(10);
/// Where the provider sends the browser back to.
pub(crate) const CALLBACK: &str = "/api/v1/oidc/callback";

/// All that a token says besides what the standard names.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    claims: Map<String, Value>,
}

impl AdditionalClaims for Others {}

type Fields = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type OidcClient = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What is kept while somebody is at the provider.
#[derive(Serialize, Deserialize)]
struct Begun {
    nonce: String,
    verifier: String,
    return_to: String,
}

/// Where the browser goes to sign in, and what it must bring back.
#[derive(Clone, Debug)]
pub struct SignInRoad {
    /// The provider's page.
    pub address: String,
    /// For a cookie of this browser alone.
    pub state: String,
}

impl Service {
    /// Whether people can sign in by a provider.
    pub fn has_provider(&self) -> bool {
        self.settings().oidc.is_some()
    }

    fn provider(&self) -> Result<&OidcSettings, ServiceError> {
        let none = || ServiceError::NotFound("no OpenID Connect provider is set up here".to_owned());
        self.settings().oidc.as_ref().ok_or_else(none)
    }

    /// What speaks to the provider, by what it says of itself: as of some minutes ago, or now.
    async fn oidc_client(
        &self,
        age: Age,
    ) -> Result<(OidcClient, Vec<CoreJwsSigningAlgorithm>), ServiceError> {
        let settings = self.provider()?;
        let wrong = |what: &str, error: String| {
            ServiceError::Internal(format!("control.oidc.{what} cannot be used: {error}"))
        };
        let issuer =
            IssuerUrl::new(settings.issuer.clone()).map_err(|error| wrong("issuer", error.to_string()))?;
        let back = format!("{}{CALLBACK}", self.settings().public_address()?);
        let back = RedirectUrl::new(back).map_err(|error| wrong("public_url", error.to_string()))?;
        let metadata = self.inner.provider.metadata(issuer, age).await?;
        // A token signed with the client's own secret, or not at all, proves less than one signed by the provider.
        let algorithms = metadata
            .id_token_signing_alg_values_supported()
            .iter()
            .filter(|algorithm| {
                !matches!(
                    algorithm,
                    CoreJwsSigningAlgorithm::None
                        | CoreJwsSigningAlgorithm::HmacSha256
                        | CoreJwsSigningAlgorithm::HmacSha384
                        | CoreJwsSigningAlgorithm::HmacSha512
                )
            });
        let algorithms = algorithms.cloned().collect();
        let id = ClientId::new(settings.client_id.clone());
        let secret = settings.client_secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.reveal().to_owned()));
        let client = Client::from_provider_metadata(metadata, id, secret).set_redirect_uri(back);
        Ok((client, algorithms))
    }

    /// Begins to sign in. `return_to` is a path of this server; `address` is where they come from, to limit attempts.
    pub async fn begin_sign_in(&self, return_to: &str, address: &str) -> Result<SignInRoad, ServiceError> {
        if !return_path::is_ours(return_to) {
            return Err(ServiceError::invalid("return_to must be a path of this server"));
        }
        self.provider()?;
        self.count_attempt(Counted::Begun(address)).await?;
        let (client, _) = self.oidc_client(Age::SomeMinutes).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(secret::generate()),
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.provider()?.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (address, state, nonce) = request.url();
        let begun = Begun {
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            return_to: return_to.to_owned(),
        };
        let value = serde_json::to_vec(&begun)?;
        self.inner
            .access
            .create_for(&key(state.secret()), value, PATIENCE)
            .await?;
        Ok(SignInRoad {
            address: address.to_string(),
            state: state.secret().clone(),
        })
    }

    /// Ends signing in: `cookie` is what the browser kept, `state` and `code` what the provider gave it. Also gives the
    /// path to go to.
    pub async fn end_sign_in(
        &self,
        cookie: Option<&str>,
        state: &str,
        code: String,
        address: &str,
    ) -> Result<(SignedIn, String), ServiceError> {
        let refused = || {
            ServiceError::Unauthenticated(
                "this sign-in was not begun here, or long ago; begin anew".to_owned(),
            )
        };
        if cookie != Some(state) {
            return Err(refused());
        }
        let key = key(state);
        let (begun, _) = self
            .inner
            .access
            .get_json::<Begun>(&key)
            .await?
            .ok_or_else(refused)?;
        self.inner.access.delete(&key).await?;
        let (subject, claims) = self.claims(code, &begun).await?;
        let settings = self.provider()?;
        let person = Person {
            issuer: settings.issuer.clone(),
            name: settings.name(&claims, &subject),
            groups: settings.groups(&claims),
            subject,
        };
        // Also of whom it gives nothing to do here: their tokens end with this.
        self.keep_person(&person, settings).await?;
        let caller = person.caller(settings).ok_or_else(|| {
            ServiceError::Forbidden(
                "you are known, but in no group that may do anything here; ask an admin".to_owned(),
            )
        })?;
        let owner = Owner::Provider {
            person: Some(person.id()),
        };
        let known = format!("as the subject {:?} of {}", person.subject, person.issuer);
        let signed_in = self
            .begin_session(owner, caller, settings.session_max, Change::told(known))
            .await?;
        self.forgive_attempt(Counted::Begun(address)).await?;
        Ok((signed_in, begun.return_to))
    }

    /// Who a code stands for, in the provider's words.
    async fn claims(
        &self,
        code: String,
        begun: &Begun,
    ) -> Result<(String, Map<String, Value>), ServiceError> {
        let (client, algorithms) = self.oidc_client(Age::SomeMinutes).await?;
        let refused = |error: String| {
            ServiceError::Unauthenticated(format!("the provider's answer is not good: {error}"))
        };
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| refused(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()));
        let answer = request
            .request_async(&call)
            .await
            .map_err(|error| refused(error.to_string()))?;
        let token = answer
            .id_token()
            .ok_or_else(|| refused("it holds no ID token".to_owned()))?;
        let nonce = Nonce::new(begun.nonce.clone());
        let verifier = client.id_token_verifier().set_allowed_algs(algorithms);
        let claims = match token.claims(&verifier, &nonce) {
            Ok(claims) => claims.clone(),
            // Perhaps by a key that is newer than what we know of the provider.
            Err(_) => {
                let (client, algorithms) = self.oidc_client(Age::Now).await?;
                let verifier = client.id_token_verifier().set_allowed_algs(algorithms);
                let claims = token.claims(&verifier, &nonce);
                claims.map_err(|error| refused(error.to_string()))?.clone()
            }
        };
        let subject = claims.subject().to_string();
        match serde_json::to_value(&claims)? {
            Value::Object(claims) => Ok((subject, claims)),
            _ => Err(refused("its claims are no object".to_owned())),
        }
    }
}

fn key(state: &str) -> Key {
    Key::new(["oidc", &secret::hash(state)])
}

/// Why a call to the provider came to nothing.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the provider cannot be reached")]
    Call(#[from] reqwest::Error),
    #[error("the provider's answer cannot be read")]
    Answer(#[from] axum::http::Error),
}

/// One call to the provider. Redirects are not followed: they could lead to anywhere.
async fn call(request: HttpRequest) -> Result<HttpResponse, CallError> {
    let client = reqwest::Client::builder()
        .timeout(CALL)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let (parts, body) = request.into_parts();
    let response = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut answer = axum::http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    Ok(answer.body(response.bytes().await?.to_vec())?)
}

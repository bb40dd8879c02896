//! The ways of signing in, and the form that each posts to the token endpoint (facts: Salesforce, 2.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use url::Url;

use crate::error::SalesforceError;
use crate::secret::Secret;

/// How long an assertion is good for: the server looks within three minutes of its own clock.
const ASSERTION_LIFE: Duration = Duration::from_secs(180);

/// How the client proves who it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Flow {
    /// Client credentials: runs as the app's own user. The sign-in address must be the org's My Domain.
    ClientCredentials {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: Secret,
    },
    /// JWT bearer: an assertion signed with the key whose certificate the app knows. The user must be pre-authorised.
    Jwt {
        /// Consumer key.
        client_id: String,
        /// The user that calls run as.
        username: String,
        /// RSA private key, PEM.
        private_key: Secret,
        /// Whom the assertion is for: the login host. [`audience_of`] the sign-in address when left out.
        audience: Option<String>,
    },
    /// A refresh token from an earlier authorization-code exchange.
    RefreshToken {
        /// Consumer key.
        client_id: String,
        /// Consumer secret, when the app has one.
        client_secret: Option<Secret>,
        /// The refresh token. A rotated one replaces it, see [`super::TokenKeeper`].
        refresh_token: Secret,
    },
    /// The code with which a person's sign-in in a browser ended. It is good once and for minutes: what it is exchanged
    /// for is a refresh token, which is kept ([`super::TokenKeeper`]) and used from then on.
    AuthorizationCode {
        /// Consumer key.
        client_id: String,
        /// Consumer secret, when the app has one.
        client_secret: Option<Secret>,
        /// The code.
        code: Secret,
        /// The secret that the code was asked for with (PKCE, RFC 7636).
        code_verifier: Secret,
        /// Where the browser was sent with the code; must be the same here.
        redirect_uri: String,
    },
    /// User name and password; most orgs refuse it.
    Password {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: Secret,
        /// User name.
        username: String,
        /// Password with the security token behind it.
        password: Secret,
    },
}

type Form = Vec<(&'static str, String)>;

fn app(grant_type: &str, client_id: &str, client_secret: Option<&Secret>) -> Form {
    let mut form = vec![
        ("grant_type", grant_type.to_owned()),
        ("client_id", client_id.to_owned()),
    ];
    form.extend(client_secret.map(|secret| ("client_secret", secret.expose().to_owned())));
    form
}

impl Flow {
    /// Whether this is the refresh token that it was made with.
    pub(super) fn is_configured(&self, token: &Secret) -> bool {
        matches!(self, Self::RefreshToken { refresh_token, .. } if refresh_token == token)
    }

    /// Whether it begins with a code.
    pub(super) fn is_code(&self) -> bool {
        matches!(self, Self::AuthorizationCode { .. })
    }

    /// The form to post. `rotated` is the refresh token that replaced the configured one.
    pub(super) fn form(
        &self,
        rotated: Option<&Secret>,
        login_url: &Url,
        now: SystemTime,
    ) -> Result<Form, SalesforceError> {
        let refresh = |client_id: &str, client_secret: Option<&Secret>, token: &Secret| {
            let mut form = app("refresh_token", client_id, client_secret);
            form.push(("refresh_token", token.expose().to_owned()));
            form
        };
        Ok(match self {
            Self::ClientCredentials {
                client_id,
                client_secret,
            } => app("client_credentials", client_id, Some(client_secret)),
            Self::Jwt {
                client_id,
                username,
                private_key,
                audience,
            } => {
                let audience = audience.as_deref().unwrap_or_else(|| audience_of(login_url));
                let assertion = assertion(client_id, username, private_key, audience, now)?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                vec![("grant_type", grant.to_owned()), ("assertion", assertion)]
            }
            Self::RefreshToken {
                client_id,
                client_secret,
                refresh_token,
            } => refresh(
                client_id,
                client_secret.as_ref(),
                rotated.unwrap_or(refresh_token),
            ),
            Self::AuthorizationCode {
                client_id,
                client_secret,
                code,
                code_verifier,
                redirect_uri,
            } => match rotated {
                Some(token) => refresh(client_id, client_secret.as_ref(), token),
                None => {
                    let mut form = app("authorization_code", client_id, client_secret.as_ref());
                    form.extend([
                        ("code", code.expose().to_owned()),
                        ("code_verifier", code_verifier.expose().to_owned()),
                        ("redirect_uri", redirect_uri.clone()),
                    ]);
                    form
                }
            },
            Self::Password {
                client_id,
                client_secret,
                username,
                password,
            } => {
                let mut form = app("password", client_id, Some(client_secret));
                form.extend([
                    ("username", username.clone()),
                    ("password", password.expose().to_owned()),
                ]);
                form
            }
        })
    }
}

/// Whom an assertion is for that is posted to this address: the login host of production, or that of sandboxes.
#[must_use]
pub fn audience_of(login_url: &Url) -> &'static str {
    let host = login_url.host_str().unwrap_or_default();
    if host == "test.salesforce.com" || host.ends_with(".sandbox.my.salesforce.com") {
        "https://test.salesforce.com"
    } else {
        "https://login.salesforce.com"
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
}

fn assertion(
    client_id: &str,
    username: &str,
    private_key: &Secret,
    audience: &str,
    now: SystemTime,
) -> Result<String, SalesforceError> {
    // The error of a key that cannot be read is not passed on: it might quote the key.
    let unusable = |_| {
        SalesforceError::Setting(
            "the private key of the Salesforce app cannot be used: it must be an RSA key in PEM form"
                .to_owned(),
        )
    };
    let key = EncodingKey::from_rsa_pem(private_key.expose().as_bytes()).map_err(unusable)?;
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let claims = Claims {
        iss: client_id,
        sub: username,
        aud: audience,
        exp: (since_1970 + ASSERTION_LIFE).as_secs(),
    };
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(unusable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(flow: &Flow, rotated: Option<&str>) -> Result<Form, SalesforceError> {
        let login: Url = "https://acme.my.salesforce.com".parse().unwrap();
        let rotated = rotated.map(Secret::new);
        flow.form(rotated.as_ref(), &login, UNIX_EPOCH + Duration::from_secs(1_000))
    }

    fn shown(form: Form) -> String {
        let pairs: Vec<String> = form
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    }

    #[test]
    fn secrets_do_not_show() {
        let flow = Flow::ClientCredentials {
            client_id: "key".into(),
            client_secret: Secret::new("hush-hush"),
        };
        assert!(!format!("{flow:?}").contains("hush"));
    }

    #[test]
    fn a_code_is_exchanged_once_and_a_refresh_token_used_from_then_on() {
        let flow = Flow::AuthorizationCode {
            client_id: "key".into(),
            client_secret: None,
            code: Secret::new("c0de"),
            code_verifier: Secret::new("verifier"),
            redirect_uri: "https://landbridge.example/back".into(),
        };
        assert_eq!(
            shown(form(&flow, None).unwrap()),
            "grant_type=authorization_code&client_id=key&code=c0de&code_verifier=verifier\
             &redirect_uri=https://landbridge.example/back"
        );
        assert_eq!(
            shown(form(&flow, Some("again")).unwrap()),
            "grant_type=refresh_token&client_id=key&refresh_token=again"
        );
    }

    #[test]
    fn the_audience_is_a_login_host_and_never_a_domain_of_the_org() {
        for (address, audience) in [
            ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
            ("https://login.salesforce.com", "https://login.salesforce.com"),
            ("https://test.salesforce.com", "https://test.salesforce.com"),
            (
                "https://acme--uat.sandbox.my.salesforce.com",
                "https://test.salesforce.com",
            ),
        ] {
            assert_eq!(audience_of(&address.parse().unwrap()), audience, "{address}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_is_not_quoted() {
        let flow = Flow::Jwt {
            client_id: "key".into(),
            username: "integration@acme.example".into(),
            private_key: Secret::new("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----"),
            audience: None,
        };
        let error = form(&flow, None).unwrap_err();
        assert!(error.to_string().contains("PEM"), "{error}");
        assert!(!format!("{error:?}").contains("hush"));
    }
}

//! Connecting a side by OAuth: a person signs in there, in their own browser, and comes back with a code.
//!
//! Control asks for the code and passes it on, and can use neither: the app's secret is sealed to the worker when it is
//! entered, and the code is exchanged by that worker (facts: Salesforce 2.1, HubSpot 2.2). What was begun is kept in the
//! bucket for some minutes under the state that travels with the browser, and may be ended only by who began it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_bus::{Key, seal};
use landbridge_model::TenantId;
use landbridge_model::config::{HubSpotCredentials, OAuthApp, SalesforceCredentials, SealedApp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::caller::{Caller, Role};
use super::connections::{PutCredentials, PutSide, no_key};
use super::error::ServiceError;
use super::{Service, TenantService, secret};

/// How long somebody may take at the other side.
const PATIENCE: Duration = Duration::from_secs(600);
/// Where the other side sends the browser back to.
pub const OAUTH_CALLBACK: &str = "/oauth/callback";
/// What the app may do in Salesforce: call the API, and go on when the person is gone.
const SALESFORCE_SCOPES: &str = "api refresh_token";
/// What the app may do in HubSpot (facts: HubSpot 2.3).
pub const HUBSPOT_SCOPES: [&str; 8] = [
    "oauth",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.custom.read",
    "crm.schemas.custom.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.contacts.read",
];

#[derive(Serialize, Deserialize)]
struct Begun {
    tenant: TenantId,
    side: String,
    who: String,
    address: String,
    app: SealedApp,
    code_verifier: String,
    redirect_uri: String,
}

/// What a sign-in at the other side ended with, to be stored.
#[derive(Clone, Debug)]
pub struct Connecting {
    /// Whose.
    pub tenant: TenantId,
    /// Which side.
    pub side: PutSide,
    /// The address that was entered for it.
    pub address: String,
    /// The code, for the worker.
    pub credentials: PutCredentials,
}

impl TenantService {
    /// Begins to connect a side; gives the other side's page, where the person signs in. `address` is My Domain, or
    /// HubSpot's API.
    pub async fn begin_connecting(
        &self,
        side: PutSide,
        address: &str,
        app: OAuthApp,
    ) -> Result<Url, ServiceError> {
        self.require(Role::Admin)?;
        let before = match side {
            PutSide::Salesforce => &self.tenant.salesforce.login_url,
            PutSide::HubSpot => &self.tenant.hubspot.base_url,
        };
        let address = self.service.reachable("address", address, Some(before))?;
        let redirect_uri = self.service.oauth_callback().ok_or_else(|| {
            ServiceError::invalid("control.public_url is not set: nobody could be sent back here")
        })?;
        let key = seal::public_key(self.service.hub().bus(), side.side().stage())
            .await
            .map_err(no_key)?;
        let sealed = key
            .seal(&serde_json::to_vec(&app)?)
            .map_err(|_| ServiceError::Internal("the app cannot be sealed".to_owned()))?;
        let begun = Begun {
            tenant: self.id().clone(),
            side: side.side().as_str().to_owned(),
            who: self.caller.identity(),
            address,
            app: SealedApp {
                to: sealed.to,
                sealed: sealed.sealed,
            },
            code_verifier: secret::generate(),
            redirect_uri,
        };
        let state = secret::generate();
        let page = page_of(side, &begun, &app.client_id, &state)?;
        let bytes = serde_json::to_vec(&begun)?;
        let access = &self.service.inner.access;
        access.create_for(&place(&state), bytes, PATIENCE).await?;
        Ok(page)
    }
}

impl Service {
    /// Where the other side sends people back to; `None` when no address is known under which browsers reach us.
    pub fn oauth_callback(&self) -> Option<String> {
        let address = self.settings().public_address().ok()?;
        Some(format!("{address}{OAUTH_CALLBACK}"))
    }

    /// Ends connecting: `state` and `code` are what the other side sent the browser back with. The code is good once and
    /// for minutes: store it, and test the connection at once.
    pub async fn end_connecting(
        &self,
        caller: &Caller,
        state: &str,
        code: String,
    ) -> Result<Connecting, ServiceError> {
        let refused = || {
            ServiceError::invalid(
                "this connection was not begun by you, or more than ten minutes ago: begin anew",
            )
        };
        let place = place(state);
        let found = self.inner.access.get_json::<Begun>(&place).await?;
        let (begun, _) = found
            .filter(|(begun, _)| begun.who == caller.identity())
            .ok_or_else(refused)?;
        self.tenant(caller, &begun.tenant)?.require(Role::Admin)?;
        self.inner.access.delete(&place).await?;
        let Begun {
            app,
            code_verifier,
            redirect_uri,
            ..
        } = begun;
        let (side, credentials) = if begun.side == PutSide::Salesforce.side().as_str() {
            let credentials = SalesforceCredentials::AuthorizationCode {
                app,
                code,
                code_verifier,
                redirect_uri,
            };
            (PutSide::Salesforce, serde_json::to_value(credentials)?)
        } else {
            let credentials = HubSpotCredentials::AuthorizationCode {
                app,
                code,
                redirect_uri,
            };
            (PutSide::HubSpot, serde_json::to_value(credentials)?)
        };
        Ok(Connecting {
            tenant: begun.tenant,
            side,
            address: begun.address,
            credentials: PutCredentials::Open(credentials),
        })
    }
}

fn place(state: &str) -> Key {
    Key::new(["connecting", &secret::hash(state)])
}

/// The page on which the other side asks the person.
fn page_of(side: PutSide, begun: &Begun, client_id: &str, state: &str) -> Result<Url, ServiceError> {
    let mut page: Url = begun
        .address
        .parse()
        .map_err(|error| ServiceError::invalid(format!("the address cannot be used: {error}")))?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(begun.code_verifier.as_bytes()));
    match side {
        PutSide::Salesforce => page.set_path("/services/oauth2/authorize"),
        PutSide::HubSpot => {
            // People sign in at another host than the API's.
            if page.host_str() == Some("api.hubapi.com") {
                page.set_host(Some("app.hubspot.com"))
                    .map_err(|error| ServiceError::Internal(error.to_string()))?;
            }
            page.set_path("/oauth/authorize");
        }
    }
    let mut query = page.query_pairs_mut();
    query
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", &begun.redirect_uri)
        .append_pair("state", state);
    match side {
        PutSide::Salesforce => query
            .append_pair("response_type", "code")
            .append_pair("scope", SALESFORCE_SCOPES)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256"),
        PutSide::HubSpot => query.append_pair("scope", &HUBSPOT_SCOPES.join(" ")),
    };
    drop(query);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(address: &str) -> Begun {
        Begun {
            tenant: TenantId::new("acme").unwrap(),
            side: String::new(),
            who: "user:ann".to_owned(),
            address: address.to_owned(),
            app: SealedApp {
                to: String::new(),
                sealed: String::new(),
            },
            // RFC 7636, appendix B.
            code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            redirect_uri: "https://landbridge.example/oauth/callback".to_owned(),
        }
    }

    #[test]
    fn people_are_sent_to_the_page_of_their_side() {
        let page = page_of(
            PutSide::Salesforce,
            &begun("https://acme.my.salesforce.com"),
            "3MVG9",
            "st",
        );
        assert_eq!(
            page.unwrap().as_str(),
            "https://acme.my.salesforce.com/services/oauth2/authorize?client_id=3MVG9\
             &redirect_uri=https%3A%2F%2Flandbridge.example%2Foauth%2Fcallback&state=st&response_type=code\
             &scope=api+refresh_token&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        );
        let page = page_of(PutSide::HubSpot, &begun("https://api.hubapi.com"), "7", "st").unwrap();
        assert!(
            page.as_str()
                .starts_with("https://app.hubspot.com/oauth/authorize?client_id=7&"),
            "{page}"
        );
        assert!(page.as_str().contains("scope=oauth+crm.objects.custom.read"));
        let rehearsed = page_of(PutSide::HubSpot, &begun("http://127.0.0.1:8082"), "7", "st").unwrap();
        assert!(
            rehearsed
                .as_str()
                .starts_with("http://127.0.0.1:8082/oauth/authorize?"),
            "{rehearsed}"
        );
    }
}

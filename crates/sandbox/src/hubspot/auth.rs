//! Who is calling, and what they may: static tokens, OAuth, scopes.

use super::{
    call::Call,
    dice::Dice,
    errors::{Answer, ApiError, Reply, parse},
    table::Table,
    version::Version,
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// How long an access token of OAuth lives.
const ACCESS_TOKEN_S: i64 = 1800;

/// The app behind the portal's service key, and the one behind its OAuth client.
pub(super) const KEY_APP: u32 = 1_000_001;
const OAUTH_APP: u32 = 1_000_002;

/// What a token stands for.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) app: u32,
    pub(super) oauth: bool,
    /// `None` grants everything.
    scopes: Option<Vec<String>>,
    expires_ms: Option<i64>,
}

impl Grant {
    /// For calls that need no token.
    pub(super) fn nobody() -> Grant {
        Grant {
            app: 0,
            oauth: true,
            scopes: Some(Vec::new()),
            expires_ms: None,
        }
    }

    fn has(&self, scope: &str) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|granted| granted == scope))
    }

    fn told_scopes(&self) -> Vec<String> {
        self.scopes
            .clone()
            .unwrap_or_else(|| ALL_SCOPES.iter().map(|scope| (*scope).to_owned()).collect())
    }
}

/// What a token without a list of its own is told to have.
const ALL_SCOPES: &[&str] = &[
    "oauth",
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.custom.read",
    "crm.schemas.custom.write",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "crm.objects.owners.read",
    "tickets",
];

/// All tokens.
#[derive(Debug)]
pub(super) struct Auth {
    pub(super) token: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh_token: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tokens: HashMap<String, Grant>,
    refresh_tokens: HashSet<String>,
    next_app: u32,
}

impl Auth {
    pub(super) fn new(dice: &Dice, token: Option<&str>, scopes: Option<Vec<String>>) -> Auth {
        let token = token.map_or_else(|| format!("pat-na1-{}", dice.uuid()), str::to_owned);
        let refresh_token = format!("na1-{}", dice.uuid());
        let grant = Grant {
            app: KEY_APP,
            oauth: false,
            scopes,
            expires_ms: None,
        };
        let state = State {
            tokens: HashMap::from([(token.clone(), grant)]),
            refresh_tokens: HashSet::from([refresh_token.clone()]),
            next_app: OAUTH_APP + 1,
        };
        Auth {
            token,
            client_id: dice.uuid(),
            client_secret: dice.uuid(),
            refresh_token,
            state: Mutex::new(state),
        }
    }

    /// A further token of an app of its own.
    pub(super) fn add(&self, dice: &Dice, scopes: Option<Vec<String>>) -> String {
        let token = format!("pat-na1-{}", dice.uuid());
        let mut state = self.state.lock();
        let app = state.next_app;
        state.next_app += 1;
        state.tokens.insert(
            token.clone(),
            Grant {
                app,
                oauth: false,
                scopes,
                expires_ms: None,
            },
        );
        token
    }

    /// Reads an `Authorization` header.
    pub(super) fn check(&self, header: Option<&str>, now_ms: i64) -> Result<Grant, ApiError> {
        let token = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let state = self.state.lock();
        let Some(grant) = token.and_then(|token| state.tokens.get(token)) else {
            let message = "Authentication credentials not found. This API supports OAuth 2.0 authentication \
                           and you can find more details at \
                           https://developers.hubspot.com/docs/methods/auth/oauth-overview";
            return Err(ApiError::new(401, message).category("INVALID_AUTHENTICATION"));
        };
        if let Some(expired) = grant.expires_ms.filter(|expires_ms| *expires_ms <= now_ms) {
            let ago = (now_ms - expired) / 1000;
            let message = format!("The OAuth token used to make this call expired {ago} second(s) ago.");
            return Err(ApiError::new(401, message).category("EXPIRED_AUTHENTICATION"));
        }
        Ok(grant.clone())
    }

    fn mint(&self, dice: &Dice, now_ms: i64) -> String {
        let token = format!("{}{}", dice.uuid(), dice.uuid()).replace('-', "");
        let grant = Grant {
            app: OAUTH_APP,
            oauth: true,
            scopes: None,
            expires_ms: Some(now_ms + ACCESS_TOKEN_S * 1000),
        };
        self.state.lock().tokens.insert(token.clone(), grant);
        token
    }
}

impl Call<'_> {
    /// Any one of the scopes will do.
    pub(super) fn need(&self, any_of: &[String]) -> Result<(), ApiError> {
        if any_of.iter().any(|scope| self.grant.has(scope)) {
            return Ok(());
        }
        let message = "This app hasn't been granted all required scopes to make this call. Read more about \
                       required scopes here: https://developers.hubspot.com/scopes.";
        Err(ApiError::new(403, message)
            .category("MISSING_SCOPES")
            .with(
                "links",
                json!({ "scopes": "https://developers.hubspot.com/scopes" }),
            )
            .with(
                "errors",
                json!([{
                    "message": "One or more of the following scopes are required.",
                    "context": { "requiredGranularScopes": any_of },
                }]),
            ))
    }

    /// Records of a type.
    pub(super) fn need_objects(&self, table: &Table, write: bool) -> Result<(), ApiError> {
        self.need(&[object_scope(table, write)])
    }

    /// Definitions of a type.
    pub(super) fn need_schema(&self, table: Option<&Table>, write: bool) -> Result<(), ApiError> {
        let deed = if write { "write" } else { "read" };
        let family = table.map_or("custom", scope_family);
        let mut any_of = vec![format!("crm.schemas.{family}.{deed}")];
        if family == "tickets" {
            any_of = vec!["tickets".to_owned()];
        }
        if !write {
            any_of.push(format!("crm.objects.{family}.read"));
        }
        self.need(&any_of)
    }

    /// Associations: a scope of either side.
    pub(super) fn need_either(&self, one: &Table, other: &Table, write: bool) -> Result<(), ApiError> {
        self.need(&[object_scope(one, write), object_scope(other, write)])
    }
}

fn scope_family(table: &Table) -> &'static str {
    match table.type_id.as_str() {
        _ if table.custom => "custom",
        "0-2" => "companies",
        "0-3" => "deals",
        "0-5" => "tickets",
        // Activities hang on the contacts' scopes.
        _ => "contacts",
    }
}

fn object_scope(table: &Table, write: bool) -> String {
    match scope_family(table) {
        "tickets" => "tickets".to_owned(),
        family => format!("crm.objects.{family}.{}", if write { "write" } else { "read" }),
    }
}

/// `/oauth/…`: the only paths that take no bearer token.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    Some(match (call.method, call.rest) {
        ("POST", ["token"]) => token(call),
        ("POST", ["token", "introspect"]) if call.version != Version::V1 => introspect(call),
        ("POST", ["token", "revoke"]) if call.version != Version::V1 => revoke(call),
        ("GET", ["access-tokens", token]) if call.version == Version::V1 => access_token(call, token),
        ("POST", ["private-apps", "get", "access-token-info"]) if call.version == Version::V2 => {
            private_app(call)
        }
        _ => return None,
    })
}

fn form(call: &Call<'_>) -> HashMap<String, String> {
    let mut pairs: HashMap<String, String> = url::form_urlencoded::parse(call.body).into_owned().collect();
    // Only the oldest version reads the query.
    if call.version == Version::V1 {
        pairs.extend(
            call.query
                .pairs()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
    }
    pairs
}

fn oauth_error(error: &str, status: &str, message: &str) -> Answer {
    let body = json!({
        "error": error, "error_description": message, "status": status, "message": message,
    });
    Ok(Reply::json(400, &body))
}

fn token(call: &Call<'_>) -> Answer {
    let (auth, form) = (&call.portal.auth, form(call));
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("client_id") != auth.client_id {
        return oauth_error("invalid_client", "BAD_CLIENT_ID", "missing or invalid client id");
    }
    if field("client_secret") != auth.client_secret {
        return oauth_error(
            "invalid_client",
            "BAD_CLIENT_SECRET",
            "missing or invalid client secret",
        );
    }
    let mut answer = json!({
        "token_type": "bearer", "expires_in": ACCESS_TOKEN_S, "hub_id": call.habits.portal_id,
    });
    match field("grant_type") {
        "refresh_token" => {
            let given = field("refresh_token");
            if !auth.state.lock().refresh_tokens.contains(given) {
                let message = "refresh token is invalid, expired or revoked";
                return oauth_error("invalid_grant", "BAD_REFRESH_TOKEN", message);
            }
            answer["refresh_token"] = json!(given);
            answer["token_use"] = json!("access_token");
        }
        "client_credentials" => answer["token_use"] = json!("client_credentials"),
        "authorization_code" => {
            return oauth_error("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code");
        }
        _ => {
            return oauth_error(
                "unsupported_grant_type",
                "BAD_GRANT_TYPE",
                "missing or unknown grant type",
            );
        }
    }
    answer["access_token"] = json!(auth.mint(&call.portal.dice, call.now_ms));
    Ok(Reply::json(200, &answer))
}

fn introspect(call: &Call<'_>) -> Answer {
    let form = form(call);
    let given = form.get("token").map(String::as_str).unwrap_or_default();
    let state = call.portal.auth.state.lock();
    if state.refresh_tokens.contains(given) {
        let told = json!({
            "active": true, "token_use": "refresh_token", "token_type": "refresh_token",
            "client_id": call.portal.auth.client_id, "hub_id": call.habits.portal_id,
            "user_id": 1, "app_id": OAUTH_APP, "scopes": ALL_SCOPES,
        });
        return Ok(Reply::json(200, &told));
    }
    let live = |grant: &&Grant| grant.expires_ms.is_none_or(|expires_ms| expires_ms > call.now_ms);
    let told = match state.tokens.get(given).filter(live) {
        None => json!({ "active": false }),
        Some(grant) => json!({
            "active": true, "token_use": "access_token", "token_type": "access_token",
            "client_id": call.portal.auth.client_id, "hub_id": call.habits.portal_id,
            "user_id": 1, "app_id": grant.app, "scopes": grant.told_scopes(),
            "expires_in": grant.expires_ms.map_or(0, |expires_ms| (expires_ms - call.now_ms) / 1000),
            "is_private_distribution": true,
        }),
    };
    Ok(Reply::json(200, &told))
}

fn revoke(call: &Call<'_>) -> Answer {
    let form = form(call);
    let given = form.get("token").map(String::as_str).unwrap_or_default();
    let mut state = call.portal.auth.state.lock();
    state.refresh_tokens.remove(given);
    state.tokens.remove(given);
    Ok(Reply::json(200, &json!({})))
}

fn access_token(call: &Call<'_>, token: &str) -> Answer {
    let state = call.portal.auth.state.lock();
    let Some(grant) = state.tokens.get(token) else {
        return Err(ApiError::not_found("The access token is expired or invalid"));
    };
    let told = json!({
        "token": token, "user": "sandbox@example.com", "hub_domain": "sandbox.example.com",
        "scopes": grant.told_scopes(), "hub_id": call.habits.portal_id, "app_id": grant.app,
        "user_id": 1, "token_type": "access",
        "expires_in": grant.expires_ms.map_or(0, |expires_ms| (expires_ms - call.now_ms).max(0) / 1000),
    });
    Ok(Reply::json(200, &told))
}

fn private_app(call: &Call<'_>) -> Answer {
    #[derive(Deserialize)]
    struct Question {
        #[serde(rename = "tokenKey")]
        token_key: String,
    }
    let question: Question = parse(call.body)?;
    let state = call.portal.auth.state.lock();
    let Some(grant) = state.tokens.get(&question.token_key).filter(|grant| !grant.oauth) else {
        return Err(ApiError::not_found("The token is unknown or no private app's"));
    };
    let told = json!({
        "userId": 1, "hubId": call.habits.portal_id, "appId": grant.app,
        "scopes": grant.told_scopes(),
    });
    Ok(Reply::json(200, &told))
}

//! Who is calling, and what they may: tokens and their scopes. How OAuth hands tokens out is in `oauth`.

use super::{call::Call, dice::Dice, errors::ApiError, install::Code, table::Table};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// How long an access token of OAuth lives.
pub(super) const ACCESS_TOKEN_S: i64 = 1800;

/// The app behind the portal's service key, and the one behind its OAuth client.
pub(super) const KEY_APP: u32 = 1_000_001;
pub(super) const OAUTH_APP: u32 = 1_000_002;

/// What a token stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) app: u32,
    pub(super) oauth: bool,
    /// `None` grants everything.
    scopes: Option<Vec<String>>,
    pub(super) expires_ms: Option<i64>,
    /// The token is a user's, and the user may not edit associations.
    no_associations: bool,
}

impl Grant {
    /// For calls that need no token.
    pub(super) fn nobody() -> Grant {
        Grant {
            app: 0,
            oauth: true,
            scopes: Some(Vec::new()),
            expires_ms: None,
            no_associations: false,
        }
    }

    fn has(&self, scope: &str) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|granted| granted == scope))
    }

    pub(super) fn told_scopes(&self) -> Vec<String> {
        self.scopes
            .clone()
            .unwrap_or_else(|| ALL_SCOPES.iter().map(|scope| (*scope).to_owned()).collect())
    }
}

/// What a token without a list of its own is told to have.
pub(super) const ALL_SCOPES: &[&str] = &[
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
    "crm.import",
    "tickets",
];

/// All tokens.
#[derive(Debug)]
pub(super) struct Auth {
    pub(super) token: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) refresh_token: String,
    pub(super) state: Mutex<State>,
}

/// The tokens that are good now.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tokens: HashMap<String, Grant>,
    pub(super) refresh_tokens: HashSet<String>,
    /// Codes that were given out and not exchanged.
    pub(super) codes: HashMap<String, Code>,
    next_app: u32,
}

/// All secrets that are good, but for codes of installations under way.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedAuth {
    token: String,
    client_id: String,
    client_secret: String,
    refresh_token: String,
    tokens: HashMap<String, Grant>,
    refresh_tokens: HashSet<String>,
    next_app: u32,
}

impl Auth {
    pub(super) fn save(&self) -> SavedAuth {
        let state = self.state.lock();
        SavedAuth {
            token: self.token.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            refresh_token: self.refresh_token.clone(),
            tokens: state.tokens.clone(),
            refresh_tokens: state.refresh_tokens.clone(),
            next_app: state.next_app,
        }
    }

    pub(super) fn load(saved: SavedAuth) -> Auth {
        let state = State {
            tokens: saved.tokens,
            refresh_tokens: saved.refresh_tokens,
            codes: HashMap::new(),
            next_app: saved.next_app,
        };
        Auth {
            token: saved.token,
            client_id: saved.client_id,
            client_secret: saved.client_secret,
            refresh_token: saved.refresh_token,
            state: Mutex::new(state),
        }
    }

    pub(super) fn new(dice: &Dice, token: Option<&str>, scopes: Option<Vec<String>>) -> Auth {
        let token = token.map_or_else(|| format!("pat-na1-{}", dice.uuid()), str::to_owned);
        let refresh_token = format!("na1-{}", dice.uuid());
        let grant = Grant {
            app: KEY_APP,
            oauth: false,
            scopes,
            expires_ms: None,
            no_associations: false,
        };
        let state = State {
            tokens: HashMap::from([(token.clone(), grant)]),
            refresh_tokens: HashSet::from([refresh_token.clone()]),
            codes: HashMap::new(),
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
    pub(super) fn add(&self, dice: &Dice, scopes: Option<Vec<String>>, no_associations: bool) -> String {
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
                no_associations,
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

    /// A new access token of the OAuth app.
    pub(super) fn mint(&self, dice: &Dice, now_ms: i64) -> String {
        let token = format!("{}{}", dice.uuid(), dice.uuid()).replace('-', "");
        let grant = Grant {
            app: OAUTH_APP,
            oauth: true,
            scopes: None,
            expires_ms: Some(now_ms + ACCESS_TOKEN_S * 1000),
            no_associations: false,
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

    /// Since 2026-09 a user's token may associate only what the user may.
    pub(super) fn need_edit_associations(&self) -> Result<(), ApiError> {
        if self.grant.no_associations && self.version.is_2026_09() {
            return Err(ApiError::validation("Missing 'Edit Associations' permission."));
        }
        Ok(())
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

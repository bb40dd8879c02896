//! `/oauth/…`: how OAuth hands tokens out, tells of them and takes them back.

use super::{
    auth::{ACCESS_TOKEN_S, ALL_SCOPES, Grant, OAUTH_APP},
    call::Call,
    errors::{Answer, ApiError, Reply, parse},
    version::Version,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Who installed the app, and where.
const USER: &str = "sandbox@example.com";
const HUB_DOMAIN: &str = "sandbox.example.com";

/// `/oauth/…`: the only paths that take no bearer token.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    Some(match (call.method, call.rest) {
        ("POST", ["token"]) => token(call),
        ("POST", ["token", "introspect"]) if call.version != Version::V1 => introspect(call),
        ("POST", ["token", "revoke"]) if call.version != Version::V1 => revoke(call),
        ("GET", ["access-tokens", token]) if call.version == Version::V1 => access_token(call, token),
        ("GET", ["refresh-tokens", token]) if call.version == Version::V1 => refresh_token(call, token),
        ("DELETE", ["refresh-tokens", token]) if call.version == Version::V1 => {
            call.portal.auth.state.lock().refresh_tokens.remove(*token);
            Ok(Reply::no_content())
        }
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
            // A code is spent by the first attempt, good or bad.
            let code = auth.state.lock().codes.remove(field("code"));
            if !code.is_some_and(|code| code.is_good(field("redirect_uri"), call.now_ms)) {
                return oauth_error("invalid_grant", "BAD_AUTH_CODE", "missing or unknown auth code");
            }
            let refresh_token = format!("na1-{}", call.portal.dice.uuid());
            answer["refresh_token"] = json!(refresh_token);
            answer["token_use"] = json!("access_token");
            auth.state.lock().refresh_tokens.insert(refresh_token);
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
            "hub_domain": HUB_DOMAIN, "user": USER, "token": given,
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
            "hub_domain": HUB_DOMAIN, "user": USER, "token": given,
            "user_id": 1, "app_id": grant.app, "scopes": grant.told_scopes(),
            "expires_in": grant.expires_ms.map_or(0, |expires_ms| (expires_ms - call.now_ms) / 1000),
            "is_private_distribution": true,
            "signed_access_token": signed(call, grant),
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
        "token": token, "user": USER, "hub_domain": HUB_DOMAIN,
        "scopes": grant.told_scopes(), "hub_id": call.habits.portal_id, "app_id": grant.app,
        "user_id": 1, "token_type": "access",
        "expires_in": grant.expires_ms.map_or(0, |expires_ms| (expires_ms - call.now_ms).max(0) / 1000),
    });
    Ok(Reply::json(200, &told))
}

fn refresh_token(call: &Call<'_>, token: &str) -> Answer {
    let auth = &call.portal.auth;
    if !auth.state.lock().refresh_tokens.contains(token) {
        return Err(ApiError::not_found("The refresh token is unknown or revoked"));
    }
    let told = json!({
        "token": token, "user": USER, "hub_domain": HUB_DOMAIN, "scopes": ALL_SCOPES,
        "hub_id": call.habits.portal_id, "client_id": auth.client_id, "user_id": 1,
        "token_type": "refresh",
    });
    Ok(Reply::json(200, &told))
}

/// What HubSpot's own services would check; here it is signed by nobody.
fn signed(call: &Call<'_>, grant: &Grant) -> Value {
    json!({
        "appId": grant.app, "appInstallId": "0", "audience": "", "expiresAt": grant.expires_ms.unwrap_or(0),
        "hubId": call.habits.portal_id, "hublet": "na1", "installingUserId": 1,
        "isPrivateDistribution": true, "isServiceAccount": false, "isUserLevel": false, "newSignature": "",
        "scopeToScopeGroupPks": "", "scopes": "", "signature": "", "trialScopeToScopeGroupPks": "",
        "trialScopes": "", "userId": 1,
    })
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

//! `/oauth/authorize`: the page on which a person installs an app, which the real service serves on a host of its own. Two
//! buttons stand for signing in, choosing a portal and allowing the scopes.

use super::{Inner, call::Query, errors::Reply};
use url::Url;

/// How long a code is good.
const CODE_MS: i64 = 60_000;

/// A code that was given out.
#[derive(Debug, Clone)]
pub(super) struct Code {
    redirect_uri: String,
    expires_ms: i64,
}

impl Code {
    /// Whether it may be exchanged now, by whoever names this address.
    pub(super) fn is_good(&self, redirect_uri: &str, now_ms: i64) -> bool {
        self.redirect_uri == redirect_uri && now_ms < self.expires_ms
    }
}

/// Shows the page (`GET`), or sends the person back (`POST`, with `decision=allow` or another one).
pub(super) fn serve(portal: &Inner, method: &str, query: &str, body: &[u8], now_ms: i64) -> Reply {
    let asked = Query::parse(query);
    let named = |name| asked.get(name).filter(|value| !value.is_empty());
    if named("client_id") != Some(portal.auth.client_id.as_str()) {
        return Reply::html(400, "This app ID is not valid");
    }
    let (Some(redirect_uri), Some(_)) = (named("redirect_uri"), named("scope")) else {
        return Reply::html(400, "The redirect_uri and scope parameters are required");
    };
    let Ok(mut back) = Url::parse(redirect_uri) else {
        return Reply::html(400, "The redirect_uri is not a valid URL");
    };
    if method != "POST" {
        return Reply::page(
            200,
            "Connect app",
            "<form method=\"post\"><p>The app asks to use this portal.</p>\
             <button name=\"decision\" value=\"allow\">Connect app</button> \
             <button name=\"decision\" value=\"deny\">Cancel</button></form>",
        );
    }
    let decided = std::str::from_utf8(body).unwrap_or_default();
    if Query::parse(decided).get("decision") == Some("allow") {
        let code = portal.dice.uuid();
        let given = Code {
            redirect_uri: redirect_uri.to_owned(),
            expires_ms: now_ms + CODE_MS,
        };
        portal.auth.state.lock().codes.insert(code.clone(), given);
        back.query_pairs_mut().append_pair("code", &code);
    } else {
        back.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("error_description", "The user denied access");
    }
    if let Some(state) = named("state") {
        back.query_pairs_mut().append_pair("state", state);
    }
    Reply::to(back.as_str())
}

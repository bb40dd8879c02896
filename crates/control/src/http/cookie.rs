//! The cookie of a session.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::Settings;

/// Its name where it travels in the clear: on this machine only.
const PLAIN: &str = "landbridge_session";
/// Its name otherwise: browsers take a cookie with this prefix only over TLS, and from this host alone.
const SECURE: &str = "__Host-landbridge_session";

/// What the provider's answer must match, in this browser: two names, for the same reasons.
const STATE: [&str; 2] = ["landbridge_state", "__Host-landbridge_state"];
/// How long somebody may take at the provider, in seconds.
const STATE_SECONDS: u64 = 600;

fn session_name(settings: &Settings) -> &'static str {
    if settings.secure_cookies() { SECURE } else { PLAIN }
}

fn state_name(settings: &Settings) -> &'static str {
    STATE[usize::from(settings.secure_cookies())]
}

/// The session's id that a request brings.
pub fn session_of(headers: &HeaderMap, settings: &Settings) -> Option<String> {
    find(headers, session_name(settings))
}

/// What a browser kept while it was at the provider.
pub(super) fn state_of(headers: &HeaderMap, settings: &Settings) -> Option<String> {
    find(headers, state_name(settings))
}

fn find(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.to_owned())
}

/// Makes a browser keep a session.
pub fn set(session: &str, settings: &Settings) -> HeaderValue {
    text(
        session_name(settings),
        session,
        settings.session_max.as_secs(),
        settings,
    )
}

/// Makes a browser forget it.
pub fn clear(settings: &Settings) -> HeaderValue {
    text(session_name(settings), "", 0, settings)
}

/// Makes a browser keep what the provider's answer must match.
pub(super) fn set_state(state: &str, settings: &Settings) -> HeaderValue {
    text(state_name(settings), state, STATE_SECONDS, settings)
}

/// Makes a browser forget that.
pub(super) fn clear_state(settings: &Settings) -> HeaderValue {
    text(state_name(settings), "", 0, settings)
}

fn text(name: &str, value: &str, seconds: u64, settings: &Settings) -> HeaderValue {
    let secure = if settings.secure_cookies() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_goes_without_tls() {
        let here = Settings {
            listen: Some("127.0.0.1:8080".parse().unwrap()),
            ..Settings::default()
        };
        let open = Settings {
            listen: Some("0.0.0.0:8080".parse().unwrap()),
            ..Settings::default()
        };
        let public = Settings {
            public_url: Some("https://landbridge.example".into()),
            ..here.clone()
        };
        let cookie = |settings| set("abc", settings).to_str().unwrap().to_owned();
        assert_eq!(
            cookie(&here),
            "landbridge_session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800"
        );
        for settings in [&open, &public] {
            let text = cookie(settings);
            assert!(
                text.starts_with("__Host-") && text.ends_with("; Secure"),
                "{text}"
            );
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=b; landbridge_session=abc".parse().unwrap());
        assert_eq!(session_of(&headers, &here).as_deref(), Some("abc"));
        assert_eq!(session_of(&headers, &public), None);
    }
}

//! Messages posted as JSON, signed so that their receiver can tell them from anybody else's.

use hmac::{Hmac, Mac as _};
use landbridge_model::TenantId;
use serde::Serialize;
use sha2::Sha256;
use url::Url;

use super::judge::{AlertKind, Told};
use super::trust::distrust;
use super::way::Way;
use crate::reach::{self, NotPublic};

/// The header with the signature: `t=<milliseconds since 1970>,v1=<hex>`, where the hex is the HMAC-SHA256 of the time, a
/// dot and the body.
const SIGNATURE: &str = "landbridge-signature";
/// The header with the message's id.
const ID: &str = "landbridge-message-id";

/// What is posted.
#[derive(Serialize)]
struct Posted<'a> {
    id: &'a str,
    tenant: &'a str,
    /// `None` is a test.
    alert: Option<AlertKind>,
    subject: Option<&'a str>,
    state: &'a str,
    text: &'a str,
    since_ms: i64,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

/// A body to post.
pub(super) fn body(tenant: &TenantId, told: &Told, link: Option<&str>, is_test: bool) -> String {
    let posted = Posted {
        id: &told.id,
        tenant: tenant.as_str(),
        alert: (!is_test).then_some(told.alert),
        subject: told.subject.as_deref(),
        state: if is_test { "test" } else { told.turn.as_str() },
        text: &told.text,
        since_ms: told.since_ms,
        at_ms: told.at_ms,
        link,
    };
    serde_json::to_string(&posted).unwrap_or_default()
}

/// The signature of a body that is sent now.
pub(super) fn signature(secret: &[u8], body: &str, now_ms: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of HMAC may have any length");
    mac.update(format!("{now_ms}.{body}").as_bytes());
    format!("t={now_ms},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// Posts it. What the receiver answers is nobody's business but for its status.
pub(super) async fn post(
    url: &str,
    id: &str,
    body: String,
    signature: String,
    way: Way<'_>,
) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|_| "the receiver's address cannot be read".to_owned())?;
    let refused = |why: &NotPublic| format!("nothing was sent to the receiver: {why}");
    reach::check(&parsed, way.allow_private).map_err(|why| refused(&why))?;
    let roots = way.roots.iter().map(|root| reqwest::Certificate::from_der(root));
    let roots: Result<Vec<_>, _> = roots.collect();
    let roots =
        roots.map_err(|error| format!("a certificate of control.alert_ca cannot be used: {error}"))?;
    let client = reqwest::Client::builder()
        .tls_certs_merge(roots)
        .timeout(way.patience)
        .redirect(reqwest::redirect::Policy::none());
    let client = match way.allow_private {
        true => client,
        false => reach::public_only(client),
    };
    let client = client
        .build()
        .map_err(|error| format!("no HTTP client: {error}"))?;
    let request = client
        .post(url)
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .header(SIGNATURE, signature)
        .header(ID, id)
        .body(body);
    let response = request.send().await.map_err(|error| {
        let error = error.without_url();
        if let Some(why) = reach::refusal(&error) {
            return refused(why);
        }
        match distrust(&error) {
            Some(why) => format!("nothing was sent to the receiver: {why}"),
            None => format!("the receiver cannot be reached: {error}"),
        }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("the receiver answers {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reckoned with `printf '1.{}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signature_is_that_of_time_and_body() {
        assert_eq!(
            signature(b"key", "{}", 1),
            "t=1,v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
        );
    }
}

//! The JWT bearer flow's assertions: who signs, for whom, to whom, until when.

use super::grants::Refused;
use crate::salesforce::handle::OrgHandle;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rsa::{
    RsaPublicKey,
    pkcs1v15::{Signature, VerifyingKey},
    signature::Verifier,
};
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::Sha256;

/// An assertion may be good for so long from now: five minutes, as clients set it, and three of skew.
const LONGEST_S: i64 = 8 * 60;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Json,
    /// Seconds; some clients send them as text.
    exp: Json,
}

/// What an assertion is held against.
struct Expected<'e> {
    key: &'e RsaPublicKey,
    client_id: &'e str,
    username: &'e str,
    audiences: &'e [String],
    now_s: i64,
}

/// Checks an assertion that was sent to `host`.
pub(super) fn check(handle: &OrgHandle, assertion: &str, host: &str) -> Result<(), Refused> {
    let audiences = [
        "https://login.salesforce.com".to_owned(),
        "https://test.salesforce.com".to_owned(),
        handle.instance_url.clone(),
        format!("https://{host}"),
    ];
    let key = handle.jwt_key.read();
    verify(
        assertion,
        &Expected {
            key: &key,
            client_id: &handle.credentials.client_id,
            username: &handle.credentials.username,
            audiences: &audiences,
            now_s: handle.clock.now_ms() / 1000,
        },
    )
}

fn verify(assertion: &str, expected: &Expected<'_>) -> Result<(), Refused> {
    let invalid = || Refused::new("invalid_grant", "invalid assertion");
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(invalid)?;
    let (header, claims) = signed.split_once('.').ok_or_else(invalid)?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| invalid());
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| invalid())?;
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| invalid())?;
    if header.alg != "RS256" {
        return Err(invalid());
    }
    if claims.iss != expected.client_id {
        return Err(Refused::new("invalid_client_id", "client identifier invalid"));
    }
    let signature = Signature::try_from(decode(signature)?.as_slice()).map_err(|_| invalid())?;
    VerifyingKey::<Sha256>::new(expected.key.clone())
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| invalid())?;
    let is_for = |one: &Json| {
        let named = one.as_str().unwrap_or_default().trim_end_matches('/');
        expected.audiences.iter().any(|known| known == named)
    };
    let fits = match &claims.aud {
        Json::Array(several) => several.iter().any(is_for),
        one => is_for(one),
    };
    if !fits {
        return Err(Refused::new("invalid_grant", "audience is invalid"));
    }
    let until = match &claims.exp {
        Json::String(text) => text.parse::<f64>().ok(),
        number => number.as_f64(),
    };
    let left = until.ok_or_else(invalid)? as i64 - expected.now_s;
    if left <= 0 || left > LONGEST_S {
        return Err(Refused::new(
            "invalid_grant",
            "assertion is expired or good for too long",
        ));
    }
    if claims.sub != expected.username {
        return Err(Refused::new(
            "invalid_grant",
            "user hasn't approved this consumer",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salesforce::credentials::keypair_of_seed;
    use rsa::{
        RsaPrivateKey,
        pkcs1v15::SigningKey,
        pkcs8::DecodePrivateKey,
        signature::{SignatureEncoding, Signer},
    };
    use serde_json::json;

    fn signed(key: &RsaPrivateKey, header: &Json, claims: &Json) -> String {
        let part = |json: &Json| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = SigningKey::<Sha256>::new(key.clone()).sign(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    #[test]
    fn every_claim_is_checked() {
        let pair = keypair_of_seed(1);
        let key = RsaPrivateKey::from_pkcs8_pem(&pair.private_pem).expect("a key");
        let other = RsaPrivateKey::from_pkcs8_pem(&keypair_of_seed(2).private_pem).expect("a key");
        let audiences = ["https://login.salesforce.com".to_owned()];
        let expected = Expected {
            key: &pair.public,
            client_id: "app",
            username: "me@org",
            audiences: &audiences,
            now_s: 1_000,
        };
        let good =
            json!({"iss": "app", "sub": "me@org", "aud": "https://login.salesforce.com", "exp": 1_180});
        let with = |name: &str, value: Json| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        let rs256 = json!({ "alg": "RS256" });
        let outcome = |claims: &Json| {
            verify(&signed(&key, &rs256, claims), &expected)
                .err()
                .map(|no| no.description)
        };
        assert_eq!(outcome(&good), None);
        assert_eq!(outcome(&with("exp", json!("1180"))), None, "as text");
        assert_eq!(
            outcome(&with("aud", json!(["https://login.salesforce.com"]))),
            None
        );
        assert_eq!(
            outcome(&with("iss", json!("other"))),
            Some("client identifier invalid")
        );
        assert_eq!(
            outcome(&with("sub", json!("you@org"))),
            Some("user hasn't approved this consumer")
        );
        assert_eq!(
            outcome(&with("aud", json!("https://example.com"))),
            Some("audience is invalid")
        );
        for exp in [999, 1_000, 1_000 + LONGEST_S + 1] {
            assert!(outcome(&with("exp", json!(exp))).is_some(), "{exp}");
        }
        let forged = verify(&signed(&other, &rs256, &good), &expected);
        assert_eq!(forged.err().map(|no| no.description), Some("invalid assertion"));
        let unsigned = signed(&key, &json!({ "alg": "none" }), &good);
        assert!(verify(&unsigned, &expected).is_err());
        assert!(verify("a.b.c", &expected).is_err());
    }
}

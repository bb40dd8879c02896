//! What users have allowed the app: authorization codes, for minutes, and refresh tokens, until revoked.

use crate::salesforce::credentials::Letters;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// A code is good for fifteen minutes.
const CODE_MS: i64 = 15 * 60_000;

/// A refusal of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) error: &'static str,
    pub(super) description: &'static str,
}

impl Refused {
    pub(super) fn new(error: &'static str, description: &'static str) -> Refused {
        Refused { error, description }
    }
}

/// An authorization code.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    made: i64,
}

/// Everything that is granted.
#[derive(Debug)]
pub struct Grants {
    letters: Letters,
    codes: HashMap<String, Code>,
    refresh_tokens: HashSet<String>,
}

/// What is granted, as the org's state holds it.
#[derive(Serialize, Deserialize)]
pub(in crate::salesforce) struct SavedGrants {
    letters: Letters,
    codes: HashMap<String, Code>,
    refresh_tokens: HashSet<String>,
}

impl Grants {
    pub(in crate::salesforce) fn save(&self) -> SavedGrants {
        SavedGrants {
            letters: self.letters.clone(),
            codes: self.codes.clone(),
            refresh_tokens: self.refresh_tokens.clone(),
        }
    }

    pub(in crate::salesforce) fn load(&mut self, saved: SavedGrants) {
        self.letters = saved.letters;
        self.codes = saved.codes;
        self.refresh_tokens = saved.refresh_tokens;
    }

    pub(in crate::salesforce) fn new(seed: u64, refresh_token: &str) -> Grants {
        Grants {
            letters: Letters::new(seed ^ 0x6742_9E75),
            codes: HashMap::new(),
            refresh_tokens: HashSet::from([refresh_token.to_owned()]),
        }
    }

    /// A new code for a client that waits at `redirect_uri`.
    pub(super) fn code(&mut self, redirect_uri: &str, challenge: Option<&str>, now_ms: i64) -> String {
        let text = format!("aPrx{}==", self.letters.take(76));
        let code = Code {
            redirect_uri: redirect_uri.to_owned(),
            challenge: challenge.map(str::to_owned),
            made: now_ms,
        };
        self.codes.insert(text.clone(), code);
        text
    }

    /// Takes a code, which is good once, with the verifier of its challenge.
    pub(super) fn redeem(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let known = self
            .codes
            .remove(code)
            .ok_or_else(|| Refused::new("invalid_grant", "invalid authorization code"))?;
        if now_ms - known.made > CODE_MS {
            return Err(Refused::new("invalid_grant", "expired authorization code"));
        }
        if known.redirect_uri != redirect_uri {
            let description = "redirect_uri must match configuration";
            return Err(Refused::new("redirect_uri_mismatch", description));
        }
        let hashed = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        match known.challenge {
            Some(challenge) if challenge.trim_end_matches('=') != hashed => {
                Err(Refused::new("invalid_grant", "invalid code verifier"))
            }
            _ => Ok(()),
        }
    }

    /// A new refresh token.
    pub(super) fn grant(&mut self) -> String {
        let token = format!("5Aep861{}", self.letters.take(80));
        self.refresh_tokens.insert(token.clone());
        token
    }

    /// Uses a refresh token; with rotation it dies of it and its successor is given.
    pub(super) fn refresh(&mut self, token: &str, rotates: bool) -> Result<Option<String>, Refused> {
        if !self.refresh_tokens.contains(token) {
            return Err(Refused::new("invalid_grant", "expired access/refresh token"));
        }
        Ok(rotates.then(|| {
            self.refresh_tokens.remove(token);
            self.grant()
        }))
    }

    /// Whether a refresh token is good.
    pub(super) fn is_granted(&self, token: &str) -> bool {
        self.refresh_tokens.contains(token)
    }

    /// Takes a refresh token back; says whether there was one.
    pub(super) fn revoke(&mut self, token: &str) -> bool {
        self.refresh_tokens.remove(token)
    }

    /// Takes all refresh tokens and codes back, as an admin can.
    pub(in crate::salesforce) fn revoke_all(&mut self) {
        self.refresh_tokens.clear();
        self.codes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_once_in_time_at_its_place_and_with_its_verifier() {
        let mut grants = Grants::new(1, "first");
        let refused = |outcome: Result<(), Refused>| outcome.err().map(|refused| refused.description);
        let code = grants.code("https://app/back", None, 0);
        assert_eq!(grants.redeem(&code, "https://app/back", "", CODE_MS), Ok(()));
        assert_eq!(
            refused(grants.redeem(&code, "https://app/back", "", 1)),
            Some("invalid authorization code")
        );
        let code = grants.code("https://app/back", None, 0);
        assert_eq!(
            refused(grants.redeem(&code, "https://app/back", "", CODE_MS + 1)),
            Some("expired authorization code")
        );
        let code = grants.code("https://app/back", None, 0);
        assert!(refused(grants.redeem(&code, "https://elsewhere", "", 1)).is_some());
        // The example of RFC 7636, appendix B.
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let code = grants.code("https://app/back", challenge, 0);
        assert_eq!(grants.redeem(&code, "https://app/back", verifier, 1), Ok(()));
        let code = grants.code("https://app/back", challenge, 0);
        assert_eq!(
            refused(grants.redeem(&code, "https://app/back", "guess", 1)),
            Some("invalid code verifier")
        );
    }

    #[test]
    fn rotation_ends_the_old_refresh_token() {
        let mut grants = Grants::new(1, "first");
        assert_eq!(grants.refresh("first", false), Ok(None));
        let next = grants.refresh("first", true).expect("good").expect("a new one");
        assert!(grants.refresh("first", true).is_err());
        assert!(grants.is_granted(&next) && grants.revoke(&next) && !grants.revoke(&next));
    }
}

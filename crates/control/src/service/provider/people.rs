//! Whom the provider vouched for: one entry for each person, with the groups that it named last.
//!
//! A person is known by issuer and subject. Names and addresses are neither unique nor for ever: they are shown and
//! decide nothing. Sessions and API tokens refer to the entry and hold no rights of their own, so that a sign-in after
//! a change at the provider counts for all of them, and an entry that ended ends them.

use landbridge_bus::Key;
use serde::{Deserialize, Serialize};

use super::OidcSettings;
use crate::service::caller::Caller;
use crate::service::error::ServiceError;
use crate::service::{Service, secret};

/// What an owner begins with who is known by a provider.
const OWNER: &str = "oidc:";
/// How much of the hash is told: enough that no two people share it.
const ID_LENGTH: usize = 32;

/// What a person of a provider is known by: a hash of issuer and subject, in letters and digits alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::service) struct PersonId(String);

impl PersonId {
    fn new(issuer: &str, subject: &str) -> Self {
        let hash = secret::derive(subject, issuer);
        let hash = secret::hash(&hash);
        Self(hash.chars().take(ID_LENGTH).collect())
    }

    /// As the owner of tokens.
    fn owner(&self) -> String {
        format!("{OWNER}{}", self.0)
    }

    /// Whose tokens have this owner, if a person's of a provider.
    pub(in crate::service) fn of_owner(owner: &str) -> Option<Self> {
        owner.strip_prefix(OWNER).map(|id| Self(id.to_owned()))
    }

    fn key(&self) -> Key {
        Key::new(["person", &self.0])
    }
}

/// What the provider said of a person when they last signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) name: String,
    pub(super) groups: Vec<String>,
}

impl Person {
    pub(super) fn id(&self) -> PersonId {
        PersonId::new(&self.issuer, &self.subject)
    }

    /// Who they are here, with what their groups may do; `None` when nothing.
    pub(super) fn caller(&self, settings: &OidcSettings) -> Option<Caller> {
        let grants = settings.grants(&self.groups);
        let is_known = self.issuer == settings.issuer && !grants.is_empty();
        is_known.then(|| Caller::new(self.id().owner(), grants).called(&self.name))
    }
}

impl Service {
    /// Keeps what the provider said of a person just now. It counts for their tokens too, and for no longer than one
    /// can live that is made in the session which begins with it.
    pub(super) async fn keep_person(
        &self,
        person: &Person,
        settings: &OidcSettings,
    ) -> Result<(), ServiceError> {
        let kept = settings.token_max.saturating_add(settings.session_max);
        let value = serde_json::to_vec(person)?;
        self.inner.access.put_for(&person.id().key(), value, kept).await?;
        Ok(())
    }

    /// A person as their groups stand and are meant now; `None` when the provider is asked no more, did not vouch for
    /// them for long, or none of their groups may do anything.
    pub(in crate::service) async fn person(&self, id: &PersonId) -> Result<Option<Caller>, ServiceError> {
        let Some(settings) = self.settings().oidc.as_ref() else {
            return Ok(None);
        };
        let found = self.inner.access.get_json::<Person>(&id.key()).await?;
        Ok(found.and_then(|(person, _)| person.caller(settings)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_an_issuers_subject() {
        let ann = PersonId::new("https://a.example", "1");
        assert_eq!(ann, PersonId::new("https://a.example", "1"));
        assert_ne!(ann, PersonId::new("https://a.example", "2"));
        assert_ne!(ann, PersonId::new("https://b.example", "1"));
        assert_ne!(
            PersonId::new("https://a.example", "/1"),
            PersonId::new("https://a.example/", "1")
        );
        let odd = PersonId::new("https://a.example", "x of user:ann\n");
        assert!(odd.0.chars().all(|letter| letter.is_ascii_alphanumeric()));
        assert_eq!(PersonId::of_owner(&odd.owner()), Some(odd));
        assert_eq!(PersonId::of_owner("user:oidc:ann"), None);
    }
}

//! What a subscription does after it ended. Pure.

use std::time::Duration;

use landbridge_model::ask::{FallBack, StreamState};
use landbridge_salesforce::pubsub::{PubSubError, StreamVerdict};
use landbridge_salesforce::{SalesforceError, Verdict};

use crate::settings::StreamSettings;
use crate::trouble::{Remedy, Trouble};

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The stream itself.
    #[error(transparent)]
    Stream(#[from] PubSubError),
    /// Signing in, or reading what the events named.
    #[error(transparent)]
    Reading(#[from] Trouble),
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What people see meanwhile.
    pub state: StreamState,
    /// Why polling stands in.
    pub why: Option<FallBack>,
    /// How long to wait.
    pub pause: Duration,
    /// Whether the place is void.
    pub forget_place: bool,
    /// Whether to sign in anew.
    pub sign_in: bool,
}

/// What is done after a subscription ended, when so many before it in a row came to nothing.
#[must_use]
pub fn after(ended: &Ended, failures: u32, settings: &StreamSettings) -> Step {
    let soon = doubled(settings.first_pause, failures, settings.longest_pause);
    let rarely = doubled(settings.first_probe, failures, settings.longest_probe);
    // The first time it is worth no wait: what is wrong is put right by the next try.
    let at_once = match failures {
        0 => Duration::ZERO,
        more => doubled(settings.first_pause, more - 1, settings.longest_pause),
    };
    let step = |why, pause| Step {
        state: StreamState::FallingBack,
        why: Some(why),
        pause,
        forget_place: false,
        sign_in: false,
    };
    match ended {
        // A sign-in that Salesforce refuses for good is not cured by trying soon.
        Ended::Stream(PubSubError::Salesforce(cause)) if cause.verdict() == Verdict::Configuration => {
            step(FallBack::SignIn, rarely)
        }
        Ended::Stream(error) => match error.verdict() {
            StreamVerdict::Retry => step(FallBack::Disturbed, soon),
            StreamVerdict::SignInAgain => Step {
                sign_in: true,
                ..step(FallBack::SignIn, at_once)
            },
            StreamVerdict::PlaceLost => Step {
                forget_place: true,
                ..step(FallBack::PlaceLost, at_once)
            },
            StreamVerdict::NotEntitled => Step {
                state: StreamState::NotEntitled,
                why: None,
                ..step(FallBack::Refused, rarely)
            },
            StreamVerdict::LimitReached => step(FallBack::LimitReached, rarely),
            StreamVerdict::PermissionLost => step(FallBack::PermissionLost, rarely),
            StreamVerdict::Bug => step(FallBack::Refused, rarely),
        },
        Ended::Reading(trouble) => {
            let why = if matches!(
                trouble,
                Trouble::Salesforce(SalesforceError::SignIn { .. }) | Trouble::NoCredentials(_)
            ) {
                FallBack::SignIn
            } else {
                FallBack::Unread
            };
            match trouble.remedy() {
                Remedy::TryAgain | Remedy::NewJob => step(why, soon),
                // The increment stops the sync or the tenant, and says why.
                Remedy::TryRarely | Remedy::Smaller | Remedy::Stop | Remedy::StopTenant => step(why, rarely),
            }
        }
    }
}

fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(20)).min(longest)
}

/// The whole chain of causes in one sentence.
#[must_use]
pub fn chain(ended: &Ended) -> String {
    let mut text = ended.to_string();
    let mut cause = std::error::Error::source(ended);
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use landbridge_model::TenantId;

    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn refused(verdict: StreamVerdict) -> Ended {
        let (code, message) = (String::new(), String::new());
        Ended::Stream(PubSubError::Refused {
            what: "the stream",
            code,
            message,
            verdict,
        })
    }

    #[test]
    fn every_end_has_a_next_step() {
        use FallBack::{Disturbed, LimitReached, PermissionLost, PlaceLost, Refused, SignIn, Unread};
        let settings = StreamSettings::default();
        let (soon, rarely) = (settings.first_pause, settings.first_probe);
        let spent = || {
            Ended::Reading(Trouble::Salesforce(SalesforceError::Budget {
                used: 1,
                allowed: 1,
            }))
        };
        let unwelcome = || {
            let (code, message) = ("invalid_grant".to_owned(), "user is inactive".to_owned());
            let refused = SalesforceError::SignIn {
                code,
                message,
                transient: false,
            };
            Ended::Stream(PubSubError::Salesforce(refused))
        };
        let unsigned = || Ended::Reading(Trouble::NoCredentials(TenantId::new("acme").unwrap()));
        for (ended, why, pause, forget_place, sign_in) in [
            (refused(StreamVerdict::Retry), Some(Disturbed), soon, false, false),
            (
                Ended::Stream(PubSubError::Ended),
                Some(Disturbed),
                soon,
                false,
                false,
            ),
            (
                Ended::Stream(PubSubError::Silent { what: "the stream" }),
                Some(Disturbed),
                soon,
                false,
                false,
            ),
            (
                refused(StreamVerdict::SignInAgain),
                Some(SignIn),
                NONE,
                false,
                true,
            ),
            (
                refused(StreamVerdict::PlaceLost),
                Some(PlaceLost),
                NONE,
                true,
                false,
            ),
            (refused(StreamVerdict::NotEntitled), None, rarely, false, false),
            (
                refused(StreamVerdict::LimitReached),
                Some(LimitReached),
                rarely,
                false,
                false,
            ),
            (
                refused(StreamVerdict::PermissionLost),
                Some(PermissionLost),
                rarely,
                false,
                false,
            ),
            (refused(StreamVerdict::Bug), Some(Refused), rarely, false, false),
            (unwelcome(), Some(SignIn), rarely, false, false),
            (spent(), Some(Unread), rarely, false, false),
            (unsigned(), Some(SignIn), rarely, false, false),
        ] {
            let state = match why {
                None => StreamState::NotEntitled,
                Some(_) => StreamState::FallingBack,
            };
            let wanted = Step {
                state,
                why,
                pause,
                forget_place,
                sign_in,
            };
            assert_eq!(after(&ended, 0, &settings), wanted, "{ended:?}");
        }
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let settings = StreamSettings::default();
        let pause = |verdict, failures| after(&refused(verdict), failures, &settings).pause;
        assert_eq!(pause(StreamVerdict::Retry, 3), settings.first_pause * 8);
        assert_eq!(pause(StreamVerdict::Retry, 99), settings.longest_pause);
        assert_eq!(pause(StreamVerdict::NotEntitled, 1), settings.first_probe * 2);
        assert_eq!(pause(StreamVerdict::NotEntitled, 99), settings.longest_probe);
        assert_eq!(pause(StreamVerdict::PlaceLost, 1), settings.first_pause);
        assert_eq!(pause(StreamVerdict::SignInAgain, 99), settings.longest_pause);
    }
}

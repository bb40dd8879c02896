//! How change events stand, as stages tell it and people read it.

use serde::{Deserialize, Serialize};

/// How the change events of an object stand. They are the fast path: what they do not tell is found by polling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StreamStatus {
    /// Whether they come.
    pub state: StreamState,
    /// Why not, while polling stands in for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<FallBack>,
    /// The same in Salesforce's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Events heard since the worker took the tenant.
    pub events: u64,
    /// Changes that polling found although events came: what the stream did not tell.
    pub unheard: u64,
    /// How far the stream is behind the org, in milliseconds, while it comes and is to be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind_ms: Option<i64>,
}

impl StreamStatus {
    /// As a person is told it, behind "change events: ".
    #[must_use]
    pub fn words(&self) -> String {
        let state = match (self.state, self.why) {
            (StreamState::Opening, _) => "being asked for".to_owned(),
            (StreamState::Streaming, _) => "heard as they happen".to_owned(),
            (StreamState::FallingBack, Some(why)) => {
                format!("none now, changes are polled for: {}", why.words())
            }
            (StreamState::FallingBack, None) => "none now, changes are polled for".to_owned(),
            (StreamState::NotEntitled, _) => {
                "none, changes are polled for: the object is not selected for change data capture".to_owned()
            }
        };
        match self.unheard {
            0 => state,
            unheard => format!("{state}; {unheard} changes were not told by them and found by polling"),
        }
    }
}

/// Whether change events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StreamState {
    /// They are being asked for.
    Opening,
    /// They come.
    Streaming,
    /// They should come and do not: polling stands in for them, and they are tried again.
    FallingBack,
    /// The org does not give them: the object is not selected for change data capture, or the licence lacks. That is
    /// looked at again rarely.
    NotEntitled,
}

impl StreamState {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Opening,
        Self::Streaming,
        Self::FallingBack,
        Self::NotEntitled,
    ];

    /// The word used in metrics, output and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Streaming => "streaming",
            Self::FallingBack => "falling-back",
            Self::NotEntitled => "not-entitled",
        }
    }
}

/// Why polling stands in for change events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FallBack {
    /// The connection broke, or the service is not well.
    Disturbed,
    /// The sign-in has ended or is refused.
    SignIn,
    /// The place in the stream is older than what Salesforce keeps, or belongs to another org.
    PlaceLost,
    /// The org's daily deliveries of events are used up.
    LimitReached,
    /// The user may no longer hear of the object.
    PermissionLost,
    /// The records that events name cannot be read: the budget of calls is spent, or Salesforce refuses.
    Unread,
    /// Salesforce does not take the request; that is for a person to look into.
    Refused,
}

impl FallBack {
    /// The word used in metrics and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disturbed => "disturbed",
            Self::SignIn => "sign-in",
            Self::PlaceLost => "place-lost",
            Self::LimitReached => "limit-reached",
            Self::PermissionLost => "permission-lost",
            Self::Unread => "unread",
            Self::Refused => "refused",
        }
    }

    /// As a person is told it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Disturbed => "the stream broke and is tried again",
            Self::SignIn => "the sign-in must be renewed",
            Self::PlaceLost => "the place in the stream is lost",
            Self::LimitReached => "the org's daily event deliveries are used up",
            Self::PermissionLost => "the user may not hear of the object's changes",
            Self::Unread => "the records cannot be read now",
            Self::Refused => "Salesforce does not take the subscription",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_in_words() {
        let stream = |state, why, unheard| StreamStatus {
            state,
            why,
            reason: None,
            events: 5,
            unheard,
            behind_ms: None,
        };
        for (status, words) in [
            (stream(StreamState::Streaming, None, 0), "heard as they happen"),
            (
                stream(StreamState::Streaming, None, 2),
                "heard as they happen; 2 changes were not told by them and found by polling",
            ),
            (
                stream(StreamState::FallingBack, Some(FallBack::LimitReached), 0),
                "none now, changes are polled for: the org's daily event deliveries are used up",
            ),
            (
                stream(StreamState::NotEntitled, None, 0),
                "none, changes are polled for: the object is not selected for change data capture",
            ),
        ] {
            assert_eq!(status.words(), words);
        }
        let json =
            serde_json::to_value(stream(StreamState::FallingBack, Some(FallBack::PlaceLost), 0)).unwrap();
        assert_eq!(
            (&json["state"], &json["why"]),
            (&"falling-back".into(), &"place-lost".into())
        );
    }
}

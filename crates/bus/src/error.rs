//! What can go wrong between us and the server.

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same again, a little later.
    Retry,
    /// Give up what was opened (a consumer, a lease) and open it anew.
    Reopen,
    /// Repeating cannot help: report it.
    Stop,
}

/// Why the server did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer in time. What was asked may or may not have happened.
    #[error("the bus did not answer in time")]
    Timeout,
    /// Nobody listens on the subject: no such stream or consumer, or its leader is being elected.
    #[error("nobody on the bus answers for {0}")]
    NoResponders(String),
    /// The connection is gone and will not come back.
    #[error("the connection to the bus is closed")]
    Closed(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The server said no.
    #[error("the bus refused: {description} (code {code}, {error_code})")]
    Refused {
        /// HTTP-like class.
        code: u16,
        /// JetStream's own number.
        error_code: u32,
        /// JetStream's own words.
        description: String,
    },
    /// Larger than the server takes.
    #[error("the message is larger than the bus takes")]
    TooLarge(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server's answer, or something stored, is not what it should be.
    #[error("{what} cannot be read")]
    Undecodable {
        /// What it should have been.
        what: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// JetStream: wrong last sequence for a subject.
pub(crate) const WRONG_LAST_SEQUENCE: u32 = 10071;
/// JetStream: the general "could not store", of which a full lane is one case.
const STORE_FAILED: u32 = 10077;
/// JetStream: the id belongs to a message that is still being stored.
const DUPLICATE_IN_PROCESS: u32 = 10158;
/// JetStream: no message found.
pub(crate) const NO_MESSAGE_FOUND: u32 = 10037;
/// JetStream: consumer not found.
pub(crate) const CONSUMER_NOT_FOUND: u32 = 10014;
/// JetStream: stream not found.
pub(crate) const STREAM_NOT_FOUND: u32 = 10059;

impl Error {
    /// What the caller does next.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Timeout | Self::NoResponders(_) => Verdict::Retry,
            Self::Refused { code, error_code, .. } => match *error_code {
                STORE_FAILED | DUPLICATE_IN_PROCESS => Verdict::Retry,
                WRONG_LAST_SEQUENCE => Verdict::Reopen,
                _ if *code >= 500 => Verdict::Retry,
                _ => Verdict::Stop,
            },
            Self::Closed(_) | Self::TooLarge(_) | Self::Undecodable { .. } => Verdict::Stop,
        }
    }

    /// Whether a lane has no place left. The code is the general "could not store", so the words count too.
    pub fn is_lane_full(&self) -> bool {
        matches!(self, Self::Refused { error_code: STORE_FAILED, description, .. }
            if description.contains("maximum messages per subject exceeded"))
    }

    pub(crate) fn has_code(&self, number: u32) -> bool {
        matches!(self, Self::Refused { error_code, .. } if *error_code == number)
    }

    pub(crate) fn undecodable(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Undecodable {
            what: what.into(),
            source: source.into(),
        }
    }
}

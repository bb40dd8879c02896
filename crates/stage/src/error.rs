//! What goes wrong around the work, as opposed to with a record.

/// Why a stage could not go on with what it was doing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The bus would not take or give something.
    #[error("the bus does not do its part")]
    Bus(#[from] landbridge_bus::Error),
    /// A message cannot be stored.
    #[error("a message cannot be published")]
    Publish(#[from] landbridge_bus::PublishError),
    /// A bucket cannot be read or written.
    #[error("a bucket of the bus cannot be used")]
    Bucket(#[from] landbridge_bus::KvError),
    /// A lane cannot be read.
    #[error("a lane cannot be read")]
    Consume(#[from] landbridge_bus::ConsumeError),
    /// An acknowledgement did not arrive: the shard is somebody else's by now.
    #[error("a delivery could not be acknowledged")]
    Ack(#[from] landbridge_bus::AckError),
    /// Leases cannot be taken or kept.
    #[error("the leases cannot be used")]
    Lease(#[from] landbridge_bus::LeaseError),
    /// The cache on disk cannot be used.
    #[error("the cache in {folder} cannot be used; delete the folder, it only has to warm up again")]
    Cache {
        /// Where it is.
        folder: String,
        /// What sled says.
        source: sled::Error,
    },
    /// Something stored is not what it should be.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What it is.
        what: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else changed a definition at the same moment.
    #[error("{what} was changed by somebody else at the same moment; look at it again and repeat")]
    Conflict {
        /// What was to be changed.
        what: String,
    },
    /// The lease is lost, or soon will be: nothing more may be sent for this shard.
    #[error("the shard is no longer ours")]
    NotOurs,
    /// A worker's own trouble, with its cause.
    #[error("{message}")]
    Worker {
        /// What happened and what to do.
        message: String,
        /// Why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl StageError {
    /// A worker's own trouble.
    pub fn worker(message: impl Into<String>) -> Self {
        Self::Worker {
            message: message.into(),
            source: None,
        }
    }

    /// A worker's own trouble, with its cause.
    pub fn caused(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Worker {
            message: message.into(),
            source: Some(source.into()),
        }
    }

    /// An unreadable thing.
    pub(crate) fn unreadable(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable {
            what: what.into(),
            source: source.into(),
        }
    }

    /// The whole chain of causes in one line, for a log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

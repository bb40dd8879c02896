//! What we spend: calls counted by what they are for.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Token endpoint. Not counted by Salesforce.
    SignIn,
    /// List of versions. Not counted by Salesforce.
    Versions,
    /// Limits, user info, record counts.
    Info,
    /// Describe calls.
    Describe,
    /// SOQL over REST.
    Query,
    /// Records by id, many in one call.
    Collections,
    /// Ids of updated and deleted records.
    Replication,
    /// Bulk 2.0: creating, polling, deleting jobs.
    BulkJob,
    /// Bulk 2.0: pages of results.
    BulkPage,
    /// Creating, changing and deleting single records.
    Record,
    /// The Pub/Sub API: topics, schemas, subscriptions. It has an allocation of its own, of deliveries.
    PubSub,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::SignIn,
        Self::Versions,
        Self::Info,
        Self::Describe,
        Self::Query,
        Self::Collections,
        Self::Replication,
        Self::BulkJob,
        Self::BulkPage,
        Self::Record,
        Self::PubSub,
    ];

    /// Whether Salesforce counts it against the daily allocation.
    #[must_use]
    pub fn is_counted(self) -> bool {
        !matches!(self, Self::SignIn | Self::Versions | Self::PubSub)
    }

    /// The word used in metrics and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Versions => "versions",
            Self::Info => "info",
            Self::Describe => "describe",
            Self::Query => "query",
            Self::Collections => "collections",
            Self::Replication => "replication",
            Self::BulkJob => "bulk-job",
            Self::BulkPage => "bulk-page",
            Self::Record => "record",
            Self::PubSub => "pubsub",
        }
    }
}

/// Calls made so far by one client.
#[derive(Debug, Default)]
pub struct Calls {
    made: [AtomicU64; Family::ALL.len()],
    refused: [AtomicU64; Family::ALL.len()],
}

impl Calls {
    pub(crate) fn count(&self, family: Family) {
        self.made[family as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, family: Family) {
        self.refused[family as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Calls of one family that were refused because too many were made.
    #[must_use]
    pub fn refused(&self, family: Family) -> u64 {
        self.refused[family as usize].load(Ordering::Relaxed)
    }

    /// Calls of one family.
    #[must_use]
    pub fn of(&self, family: Family) -> u64 {
        self.made[family as usize].load(Ordering::Relaxed)
    }

    /// All calls that Salesforce counts.
    #[must_use]
    pub fn counted(&self) -> u64 {
        Family::ALL
            .into_iter()
            .filter(|family| family.is_counted())
            .map(|family| self.of(family))
            .sum()
    }

    /// Every family with its calls.
    #[must_use]
    pub fn by_family(&self) -> Vec<(Family, u64)> {
        Family::ALL
            .into_iter()
            .map(|family| (family, self.of(family)))
            .collect()
    }
}

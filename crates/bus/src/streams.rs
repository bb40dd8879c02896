//! The streams and buckets as data, and how they come to be.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use landbridge_model::{Lane, StageKind};
use serde::{Deserialize, Serialize};

use crate::config::BusConfig;

/// Consumers that one stream may have at once. Without a number of its own a stream is limited to 1,000 by newer
/// servers; it cannot be changed later.
const MAX_CONSUMERS: i32 = 4_096;
/// How long the marker of an expired key stays, for watchers to see it and for takers to tell expiry from release.
const MARKER_TTL: Duration = Duration::from_secs(60);

/// The streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamName {
    /// Queue: extractor to mapper.
    Changes,
    /// Queue: mapper and resolver to loader.
    Writes,
    /// Queue: mapper and loader to resolver.
    Links,
    /// Memory: links that wait for a record.
    Parked,
    /// Memory: deletes in grace or awaiting approval.
    Held,
    /// Memory: records to read again.
    Reread,
    /// Memory: outcomes.
    Outcomes,
    /// Memory: failures.
    Failed,
    /// Memory: what records and links were before an import wrote them, and what an undo made of it.
    Before,
}

impl StreamName {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Changes,
        Self::Writes,
        Self::Links,
        Self::Parked,
        Self::Held,
        Self::Reread,
        Self::Outcomes,
        Self::Failed,
        Self::Before,
    ];

    /// The name on the server.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "LB_CHANGES",
            Self::Writes => "LB_WRITES",
            Self::Links => "LB_LINKS",
            Self::Parked => "LB_PARKED",
            Self::Held => "LB_HELD",
            Self::Reread => "LB_REREAD",
            Self::Outcomes => "LB_OUTCOMES",
            Self::Failed => "LB_FAILED",
            Self::Before => "LB_BEFORE",
        }
    }

    /// Whether it is a queue between two stages; the others are memories.
    pub fn is_queue(self) -> bool {
        matches!(self, Self::Changes | Self::Writes | Self::Links)
    }

    /// What its subjects begin with.
    pub fn subject_root(self) -> &'static str {
        match self {
            Self::Changes => "lb.changes",
            Self::Writes => "lb.writes",
            Self::Links => "lb.links",
            Self::Parked => "lb.parked",
            Self::Held => "lb.held",
            Self::Reread => "lb.reread",
            Self::Outcomes => "lb.outcomes",
            Self::Failed => "lb.failed",
            Self::Before => "lb.before",
        }
    }

    fn config(self, settings: &BusConfig) -> Config {
        let base = Config {
            name: self.as_str().to_owned(),
            storage: StorageType::File,
            num_replicas: settings.replicas,
            max_consumers: MAX_CONSUMERS,
            allow_direct: true,
            duplicate_window: settings.duplicate_window,
            ..Config::default()
        };
        let subjects = |wildcards: &str| vec![format!("{}.{wildcards}", self.subject_root())];
        match self {
            Self::Changes | Self::Writes | Self::Links => Config {
                subjects: subjects(if self == Self::Links { "*.*.*.*" } else { "*.*.*" }),
                retention: RetentionPolicy::WorkQueue,
                discard: DiscardPolicy::New,
                discard_new_per_subject: true,
                max_messages_per_subject: i64::from(settings.lane_capacity.max(1)),
                ..base
            },
            Self::Parked | Self::Held | Self::Reread | Self::Failed => Config {
                subjects: subjects(if self == Self::Parked {
                    "*.*.*.*.*"
                } else {
                    "*.*.*.*"
                }),
                retention: RetentionPolicy::Limits,
                discard: DiscardPolicy::Old,
                max_messages_per_subject: 1,
                ..base
            },
            Self::Before => Config {
                subjects: subjects("*.*.*.*.*.*"),
                retention: RetentionPolicy::Limits,
                discard: DiscardPolicy::Old,
                max_messages_per_subject: 1,
                max_age: settings.before_max_age,
                ..base
            },
            Self::Outcomes => Config {
                subjects: subjects("*.*"),
                retention: RetentionPolicy::Limits,
                discard: DiscardPolicy::Old,
                max_messages_per_subject: -1,
                max_age: settings.outcomes_max_age,
                ..base
            },
        }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The streams that are queues between two stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// `LB_CHANGES`, read by the mapper.
    Changes,
    /// `LB_WRITES`, read by the loader.
    Writes,
    /// `LB_LINKS`, read by the resolver.
    Links,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Changes, Self::Writes, Self::Links];

    /// Its stream.
    pub fn stream(self) -> StreamName {
        match self {
            Self::Changes => StreamName::Changes,
            Self::Writes => StreamName::Writes,
            Self::Links => StreamName::Links,
        }
    }

    /// Who reads it.
    pub fn reader(self) -> StageKind {
        match self {
            Self::Changes => StageKind::Mapper,
            Self::Writes => StageKind::Loader,
            Self::Links => StageKind::Resolver,
        }
    }

    /// What a stage reads, if it reads a queue.
    pub fn read_by(stage: StageKind) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.reader() == stage)
    }

    /// Its lanes. A compare carries its links inside its writes, so the resolver has no `check` lane.
    pub fn lanes(self) -> &'static [Lane] {
        match self {
            Self::Changes => &[Lane::Live, Lane::Bulk, Lane::Check],
            Self::Links => &[Lane::Live, Lane::Bulk],
            Self::Writes => &[Lane::Live, Lane::Links, Lane::Bulk, Lane::Check],
        }
    }
}

/// The key-value buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// Tenants, connections, syncs, imports; public keys; the installation's own facts.
    Config,
    /// Sealed secrets.
    Secrets,
    /// How far the extractor has come; which deletes the loader granted within the hour.
    Checkpoints,
    /// Who owns which shard.
    Leases,
    /// Which workers are there.
    Members,
    /// Who may do what: users and tokens (hashes only), sessions, attempts to sign in, answers to be repeated.
    Access,
}

impl Bucket {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Config,
        Self::Secrets,
        Self::Checkpoints,
        Self::Leases,
        Self::Members,
        Self::Access,
    ];

    /// The bucket's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "lb_config",
            Self::Secrets => "lb_secrets",
            Self::Checkpoints => "lb_checkpoints",
            Self::Leases => "lb_leases",
            Self::Members => "lb_members",
            Self::Access => "lb_access",
        }
    }

    pub(crate) fn stream(self) -> String {
        format!("KV_{}", self.as_str())
    }

    pub(crate) fn prefix(self) -> String {
        format!("$KV.{}.", self.as_str())
    }

    /// The stream under a bucket, as the key-value convention wants it, so that other tools can read it.
    fn config(self, settings: &BusConfig) -> Config {
        Config {
            name: self.stream(),
            subjects: vec![format!("{}>", self.prefix())],
            storage: StorageType::File,
            num_replicas: settings.replicas,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            max_messages_per_subject: 1,
            max_consumers: MAX_CONSUMERS,
            allow_direct: true,
            allow_rollup: true,
            deny_delete: true,
            duplicate_window: settings.duplicate_window,
            allow_message_ttl: true,
            subject_delete_marker_ttl: Some(MARKER_TTL),
            ..Config::default()
        }
    }
}

/// Everything that must be on the server.
pub(crate) fn all(settings: &BusConfig) -> Vec<Config> {
    let streams = StreamName::ALL.into_iter().map(|stream| stream.config(settings));
    streams
        .chain(Bucket::ALL.into_iter().map(|bucket| bucket.config(settings)))
        .chain([crate::audit::config(settings, MAX_CONSUMERS)])
        .collect()
}

/// One setting that the server holds otherwise than we want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The stream.
    pub stream: String,
    /// The setting, by the server's name for it.
    pub setting: &'static str,
    /// What the server has.
    pub found: String,
    /// What it should be.
    pub wanted: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} is {}, not {}",
            self.stream, self.setting, self.found, self.wanted
        )
    }
}

/// Compares what the server holds with what we want, field by field.
pub(crate) fn mismatches(found: &Config, wanted: &Config) -> Vec<Mismatch> {
    let mut list = Vec::new();
    let mut check = |setting, found: &dyn fmt::Debug, want: &dyn fmt::Debug| {
        let (found, want) = (format!("{found:?}"), format!("{want:?}"));
        if found != want {
            list.push(Mismatch {
                stream: wanted.name.clone(),
                setting,
                found,
                wanted: want,
            });
        }
    };
    check("subjects", &found.subjects, &wanted.subjects);
    check("retention", &found.retention, &wanted.retention);
    check("storage", &found.storage, &wanted.storage);
    check("discard", &found.discard, &wanted.discard);
    check(
        "discard_new_per_subject",
        &found.discard_new_per_subject,
        &wanted.discard_new_per_subject,
    );
    check(
        "max_msgs_per_subject",
        &found.max_messages_per_subject,
        &wanted.max_messages_per_subject,
    );
    check("max_consumers", &found.max_consumers, &wanted.max_consumers);
    check("max_age", &found.max_age, &wanted.max_age);
    check(
        "duplicate_window",
        &found.duplicate_window,
        &wanted.duplicate_window,
    );
    check("num_replicas", &found.num_replicas, &wanted.num_replicas);
    check("allow_direct", &found.allow_direct, &wanted.allow_direct);
    check("allow_rollup_hdrs", &found.allow_rollup, &wanted.allow_rollup);
    check(
        "allow_msg_ttl",
        &found.allow_message_ttl,
        &wanted.allow_message_ttl,
    );
    check(
        "subject_delete_marker_ttl",
        &found.subject_delete_marker_ttl,
        &wanted.subject_delete_marker_ttl,
    );
    list
}

/// What an installation fixes at its first start, kept in `lb_config` under `installation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// The layout of streams and subjects, from 1.
    pub layout: u32,
    /// Into how many shards the tenants are sliced.
    pub shards: u16,
}

impl Installation {
    /// The layout that this version writes.
    pub const LAYOUT: u32 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_streams_are_what_they_are() {
        let mut table = String::new();
        for config in all(&BusConfig::default()) {
            table.push_str(&format!(
                "{:18} {:24} {:?} {:?}{} max/subject {}\n",
                config.name,
                config.subjects.join(" "),
                config.retention,
                config.discard,
                if config.discard_new_per_subject {
                    " per subject"
                } else {
                    ""
                },
                config.max_messages_per_subject,
            ));
        }
        expect![[r#"
            LB_CHANGES         lb.changes.*.*.*         WorkQueue New per subject max/subject 16
            LB_WRITES          lb.writes.*.*.*          WorkQueue New per subject max/subject 16
            LB_LINKS           lb.links.*.*.*.*         WorkQueue New per subject max/subject 16
            LB_PARKED          lb.parked.*.*.*.*.*      Limits Old max/subject 1
            LB_HELD            lb.held.*.*.*.*          Limits Old max/subject 1
            LB_REREAD          lb.reread.*.*.*.*        Limits Old max/subject 1
            LB_OUTCOMES        lb.outcomes.*.*          Limits Old max/subject -1
            LB_FAILED          lb.failed.*.*.*.*        Limits Old max/subject 1
            LB_BEFORE          lb.before.*.*.*.*.*.*    Limits Old max/subject 1
            KV_lb_config       $KV.lb_config.>          Limits New max/subject 1
            KV_lb_secrets      $KV.lb_secrets.>         Limits New max/subject 1
            KV_lb_checkpoints  $KV.lb_checkpoints.>     Limits New max/subject 1
            KV_lb_leases       $KV.lb_leases.>          Limits New max/subject 1
            KV_lb_members      $KV.lb_members.>         Limits New max/subject 1
            KV_lb_access       $KV.lb_access.>          Limits New max/subject 1
            LB_AUDIT           lb.audit.*               Limits Old max/subject -1
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn a_setting_that_the_server_dropped_is_named() {
        let settings = BusConfig::default();
        let wanted = StreamName::Writes.config(&settings);
        let found = Config {
            discard_new_per_subject: false,
            ..wanted.clone()
        };
        let texts: Vec<String> = mismatches(&found, &wanted)
            .iter()
            .map(Mismatch::to_string)
            .collect();
        assert_eq!(texts, ["LB_WRITES: discard_new_per_subject is false, not true"]);
        assert_eq!(mismatches(&wanted, &wanted), []);
    }
}

//! What travels where: every subject of the system, as a type.
//!
//! The text forms are part of the contract between versions: streams keep them.

use std::fmt;
use std::str::FromStr;

use landbridge_model::{Lane, Shard, TenantId};

use crate::streams::{Queue, StreamName};

/// The two publishers of `LB_LINKS`: each has its own subjects, since a subject must have one publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkPart {
    /// Wishes of links, from the mapper.
    Intents,
    /// Salesforce id to HubSpot id, from the loader.
    Identities,
}

impl LinkPart {
    /// The token in subjects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intents => "intents",
            Self::Identities => "identities",
        }
    }
}

/// What `LB_BEFORE` keeps of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BeforePart {
    /// What was there before a call, and what the call set.
    Image,
    /// What an undo made of an image.
    Undone,
}

impl BeforePart {
    /// The token in subjects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Undone => "undone",
        }
    }
}

/// The place of one before-image, or of what an undo made of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BeforeSubject {
    /// The tenant's shard.
    pub shard: Shard,
    /// Whose.
    pub tenant: TenantId,
    /// The sync's name.
    pub sync: Box<str>,
    /// The import.
    pub run: Box<str>,
    /// Image or result.
    pub part: BeforePart,
    /// Tells images of one run apart.
    pub token: Box<str>,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Extractor to mapper: `lb.changes.<shard>.<tenant>.<lane>`.
    Changes {
        /// The tenant's shard.
        shard: Shard,
        /// Whose.
        tenant: TenantId,
        /// In which lane.
        lane: Lane,
    },
    /// Mapper and resolver to loader: `lb.writes.<shard>.<tenant>.<lane>`.
    Writes {
        /// The tenant's shard.
        shard: Shard,
        /// Whose.
        tenant: TenantId,
        /// In which lane.
        lane: Lane,
    },
    /// Mapper and loader to resolver: `lb.links.<shard>.<tenant>.<lane>.<part>`.
    Links {
        /// The tenant's shard.
        shard: Shard,
        /// Whose.
        tenant: TenantId,
        /// In which lane.
        lane: Lane,
        /// From which of the two publishers.
        part: LinkPart,
    },
    /// A link that waits: `lb.parked.<shard>.<tenant>.<sync>.<child>.<field>`, newest a subject. Two syncs may carry one
    /// Salesforce object, so the same lookup of the same record can wait for each of them.
    Parked {
        /// The tenant's shard.
        shard: Shard,
        /// Whose.
        tenant: TenantId,
        /// The sync's name. Boxed, as the next two are, because errors carry subjects and must stay small.
        sync: Box<str>,
        /// The Salesforce id that has the lookup.
        child: Box<str>,
        /// The lookup field.
        field: Box<str>,
    },
    /// A delete in grace or awaiting approval: `lb.held.<shard>.<tenant>.<sync>.<record>`, newest a subject.
    Held(RecordSubject),
    /// Read this record again: `lb.reread.<shard>.<tenant>.<sync>.<record>`, newest a subject.
    Reread(RecordSubject),
    /// A record's failure: `lb.failed.<shard>.<tenant>.<sync>.<record>`, newest a subject.
    Failed(RecordSubject),
    /// What came of changes: `lb.outcomes.<shard>.<tenant>`.
    Outcomes {
        /// The tenant's shard.
        shard: Shard,
        /// Whose.
        tenant: TenantId,
    },
    /// What was there before an import's call: `lb.before.<shard>.<tenant>.<sync>.<run>.<part>.<token>`.
    Before(Box<BeforeSubject>),
}

/// The place of one record in a memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordSubject {
    /// The tenant's shard.
    pub shard: Shard,
    /// Whose.
    pub tenant: TenantId,
    /// The sync's name.
    pub sync: String,
    /// The Salesforce id.
    pub record: String,
}

impl Subject {
    /// The stream that keeps it.
    pub fn stream(&self) -> StreamName {
        match self {
            Self::Changes { .. } => StreamName::Changes,
            Self::Writes { .. } => StreamName::Writes,
            Self::Links { .. } => StreamName::Links,
            Self::Parked { .. } => StreamName::Parked,
            Self::Held(_) => StreamName::Held,
            Self::Reread(_) => StreamName::Reread,
            Self::Failed(_) => StreamName::Failed,
            Self::Outcomes { .. } => StreamName::Outcomes,
            Self::Before(_) => StreamName::Before,
        }
    }

    /// The shard it belongs to.
    pub fn shard(&self) -> Shard {
        match self {
            Self::Changes { shard, .. }
            | Self::Writes { shard, .. }
            | Self::Links { shard, .. }
            | Self::Parked { shard, .. }
            | Self::Outcomes { shard, .. } => *shard,
            Self::Held(at) | Self::Reread(at) | Self::Failed(at) => at.shard,
            Self::Before(at) => at.shard,
        }
    }

    /// The tenant it belongs to.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Changes { tenant, .. }
            | Self::Writes { tenant, .. }
            | Self::Links { tenant, .. }
            | Self::Parked { tenant, .. }
            | Self::Outcomes { tenant, .. } => tenant,
            Self::Held(at) | Self::Reread(at) | Self::Failed(at) => &at.tenant,
            Self::Before(at) => &at.tenant,
        }
    }

    /// The lane, if it is a lane's subject.
    pub fn lane(&self) -> Option<Lane> {
        match self {
            Self::Changes { lane, .. } | Self::Writes { lane, .. } | Self::Links { lane, .. } => Some(*lane),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = |f: &mut fmt::Formatter<'_>, memory: &str, at: &RecordSubject| {
            let RecordSubject {
                shard,
                tenant,
                sync,
                record,
            } = at;
            write!(
                f,
                "lb.{memory}.{shard}.{tenant}.{}.{}",
                escape(sync),
                escape(record)
            )
        };
        match self {
            Self::Changes { shard, tenant, lane } => write!(f, "lb.changes.{shard}.{tenant}.{lane}"),
            Self::Writes { shard, tenant, lane } => write!(f, "lb.writes.{shard}.{tenant}.{lane}"),
            Self::Links {
                shard,
                tenant,
                lane,
                part,
            } => {
                write!(f, "lb.links.{shard}.{tenant}.{lane}.{}", part.as_str())
            }
            Self::Parked {
                shard,
                tenant,
                sync,
                child,
                field,
            } => {
                write!(
                    f,
                    "lb.parked.{shard}.{tenant}.{}.{}.{}",
                    escape(sync),
                    escape(child),
                    escape(field)
                )
            }
            Self::Held(at) => record(f, "held", at),
            Self::Reread(at) => record(f, "reread", at),
            Self::Failed(at) => record(f, "failed", at),
            Self::Outcomes { shard, tenant } => write!(f, "lb.outcomes.{shard}.{tenant}"),
            Self::Before(at) => write!(
                f,
                "lb.before.{}.{}.{}.{}.{}.{}",
                at.shard,
                at.tenant,
                escape(&at.sync),
                escape(&at.run),
                at.part.as_str(),
                escape(&at.token)
            ),
        }
    }
}

/// A subject that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a subject of this version")]
pub struct UnknownSubject(pub String);

impl FromStr for Subject {
    type Err = UnknownSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| UnknownSubject(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Subject> {
    let tokens: Vec<&str> = text.strip_prefix("lb.")?.split('.').collect();
    let (&family, rest) = tokens.split_first()?;
    let (&shard, rest) = rest.split_first()?;
    let (&tenant, rest) = rest.split_first()?;
    let shard = Shard(shard.parse().ok()?);
    let tenant = TenantId::new(tenant).ok()?;
    Some(match (family, rest) {
        ("changes", [lane]) => Subject::Changes {
            shard,
            tenant,
            lane: lane.parse().ok()?,
        },
        ("writes", [lane]) => Subject::Writes {
            shard,
            tenant,
            lane: lane.parse().ok()?,
        },
        ("links", [lane, part]) => {
            let part = match *part {
                "intents" => LinkPart::Intents,
                "identities" => LinkPart::Identities,
                _ => return None,
            };
            Subject::Links {
                shard,
                tenant,
                lane: lane.parse().ok()?,
                part,
            }
        }
        ("parked", [sync, child, field]) => Subject::Parked {
            shard,
            tenant,
            sync: unescape(sync)?.into(),
            child: unescape(child)?.into(),
            field: unescape(field)?.into(),
        },
        ("outcomes", []) => Subject::Outcomes { shard, tenant },
        ("before", [sync, run, part, token]) => Subject::Before(Box::new(BeforeSubject {
            shard,
            tenant,
            sync: unescape(sync)?.into(),
            run: unescape(run)?.into(),
            part: match *part {
                "image" => BeforePart::Image,
                "undone" => BeforePart::Undone,
                _ => return None,
            },
            token: unescape(token)?.into(),
        })),
        (memory, [sync, record]) => {
            let at = RecordSubject {
                shard,
                tenant,
                sync: unescape(sync)?,
                record: unescape(record)?,
            };
            match memory {
                "held" => Subject::Held(at),
                "reread" => Subject::Reread(at),
                "failed" => Subject::Failed(at),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// Some of one stream's subjects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    pub(crate) stream: StreamName,
    pub(crate) pattern: String,
}

impl Filter {
    /// Everything in a stream.
    pub fn whole(stream: StreamName) -> Self {
        Self {
            stream,
            pattern: format!("{}.>", stream.subject_root()),
        }
    }

    /// What belongs to one shard.
    pub fn shard(stream: StreamName, shard: Shard) -> Self {
        Self {
            stream,
            pattern: format!("{}.{shard}.>", stream.subject_root()),
        }
    }

    /// What belongs to one tenant.
    pub fn tenant(stream: StreamName, shard: Shard, tenant: &TenantId) -> Self {
        let tail = if stream == StreamName::Outcomes { "" } else { ".>" };
        Self {
            stream,
            pattern: format!("{}.{shard}.{tenant}{tail}", stream.subject_root()),
        }
    }

    /// What belongs to one sync, in the memories that are kept by record or by link.
    pub fn sync(stream: StreamName, shard: Shard, tenant: &TenantId, sync: &str) -> Self {
        Self {
            stream,
            pattern: format!("{}.{shard}.{tenant}.{}.>", stream.subject_root(), escape(sync)),
        }
    }

    /// One part of what is kept of an import's before.
    pub fn before(shard: Shard, tenant: &TenantId, sync: &str, run: &str, part: BeforePart) -> Self {
        let (sync, run) = (escape(sync), escape(run));
        Self {
            stream: StreamName::Before,
            pattern: format!("lb.before.{shard}.{tenant}.{sync}.{run}.{}.*", part.as_str()),
        }
    }

    /// One lane of every tenant of a shard.
    pub fn lane(queue: Queue, shard: Shard, lane: Lane) -> Self {
        let stream = queue.stream();
        let tail = if queue == Queue::Links { ".*" } else { "" };
        Self {
            stream,
            pattern: format!("{}.{shard}.*.{lane}{tail}", stream.subject_root()),
        }
    }

    /// One subject alone.
    pub fn exact(subject: &Subject) -> Self {
        Self {
            stream: subject.stream(),
            pattern: subject.to_string(),
        }
    }

    /// The stream it looks into.
    pub fn stream(&self) -> StreamName {
        self.stream
    }
}

/// Makes any text one token of a subject and of a bucket key: letters, digits, `-` and `_` stay, every other byte
/// becomes `=` and two hexadecimal digits; an empty text becomes `=`.
pub(crate) fn escape(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("={byte:02x}"));
        }
    }
    if token.is_empty() { "=".to_owned() } else { token }
}

/// The inverse of [`escape`]; `None` for what it never writes.
pub(crate) fn unescape(token: &str) -> Option<String> {
    if token == "=" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'=' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tenant() -> TenantId {
        TenantId::new("acme").unwrap()
    }

    fn at() -> RecordSubject {
        RecordSubject {
            shard: Shard(3),
            tenant: tenant(),
            sync: "vehicles".into(),
            record: "a00Hs000001ABCdIAO".into(),
        }
    }

    #[test]
    fn subjects_keep_their_text() {
        let (shard, tenant) = (Shard(3), tenant());
        let cases = [
            (
                Subject::Changes {
                    shard,
                    tenant: tenant.clone(),
                    lane: Lane::Live,
                },
                "lb.changes.3.acme.live",
            ),
            (
                Subject::Writes {
                    shard,
                    tenant: tenant.clone(),
                    lane: Lane::Links,
                },
                "lb.writes.3.acme.links",
            ),
            (
                Subject::Links {
                    shard,
                    tenant: tenant.clone(),
                    lane: Lane::Bulk,
                    part: LinkPart::Intents,
                },
                "lb.links.3.acme.bulk.intents",
            ),
            (
                Subject::Parked {
                    shard,
                    tenant: tenant.clone(),
                    sync: "vehicles".into(),
                    child: "a00x".into(),
                    field: "Depot__r.Id".into(),
                },
                "lb.parked.3.acme.vehicles.a00x.Depot__r=2eId",
            ),
            (Subject::Held(at()), "lb.held.3.acme.vehicles.a00Hs000001ABCdIAO"),
            (
                Subject::Reread(at()),
                "lb.reread.3.acme.vehicles.a00Hs000001ABCdIAO",
            ),
            (
                Subject::Failed(at()),
                "lb.failed.3.acme.vehicles.a00Hs000001ABCdIAO",
            ),
            (
                Subject::Before(Box::new(BeforeSubject {
                    shard,
                    tenant: tenant.clone(),
                    sync: "vehicles".into(),
                    run: "imp-1".into(),
                    part: BeforePart::Image,
                    token: "07ff".into(),
                })),
                "lb.before.3.acme.vehicles.imp-1.image.07ff",
            ),
            (Subject::Outcomes { shard, tenant }, "lb.outcomes.3.acme"),
        ];
        for (subject, text) in cases {
            assert_eq!(subject.to_string(), text);
            assert_eq!(text.parse::<Subject>().unwrap(), subject);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "lb.changes.3.acme",
            "lb.changes.x.acme.live",
            "lb.writes.3.acme.fast",
            "lb.links.3.a.live.x",
        ] {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn filters_name_what_they_should() {
        let patterns = [
            Filter::lane(Queue::Changes, Shard(3), Lane::Live),
            Filter::lane(Queue::Links, Shard(3), Lane::Bulk),
            Filter::shard(StreamName::Parked, Shard(3)),
            Filter::tenant(StreamName::Outcomes, Shard(3), &tenant()),
            Filter::tenant(StreamName::Failed, Shard(3), &tenant()),
            Filter::sync(StreamName::Failed, Shard(3), &tenant(), "vehicles"),
            Filter::sync(StreamName::Parked, Shard(3), &tenant(), "vehicles"),
            Filter::before(Shard(3), &tenant(), "vehicles", "imp-1", BeforePart::Undone),
        ]
        .map(|filter| filter.pattern);
        assert_eq!(
            patterns,
            [
                "lb.changes.3.*.live",
                "lb.links.3.*.bulk.*",
                "lb.parked.3.>",
                "lb.outcomes.3.acme",
                "lb.failed.3.acme.>",
                "lb.failed.3.acme.vehicles.>",
                "lb.parked.3.acme.vehicles.>",
                "lb.before.3.acme.vehicles.imp-1.undone.*",
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_survives_as_a_token(text in ".{0,40}") {
            let token = escape(&text);
            prop_assert!(!token.is_empty());
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b)));
            prop_assert_eq!(unescape(&token), Some(text));
        }
    }
}

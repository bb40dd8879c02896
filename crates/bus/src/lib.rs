//! JetStream as Landbridge uses it: lanes with backpressure, memories, buckets, leases, request-reply.
//!
//! What it promises:
//!
//! 1. A message that [`LanePublisher::publish`] returned for is stored; it is never dropped, and never overtaken by
//!    a later message of the same publisher.
//! 2. A full lane makes its publisher wait and nobody else.
//! 3. A consumer is fenced by the epoch of its owner's lease: after a new owner has opened a lane, the old one can
//!    neither take nor acknowledge anything there, and learns it ([`ConsumeError::Fenced`]).
//! 4. A lease is counted from before its renewal was sent, on a monotonic clock: its owner stops before the server lets
//!    another one in.
//! 5. Whatever was set on the server is read back: a server that drops a setting, or holds another, is refused at
//!    start.
//! 6. Secrets never show in logs, errors or `Debug`.
//!
//! What it must never know: what a payload means (it carries bytes), who a worker's customers are, what any other
//! crate does with an outcome. Nothing else in the system names JetStream or NATS.
//!
//! Start at [`Bus`]; [`Subject`] says what travels where, and [`streams`] what each stream is for.

mod api;
mod audit;
mod bus;
mod config;
mod consume;
mod error;
mod follow;
mod headers;
mod kv;
mod lease;
mod memory;
mod publish;
mod puller;
mod request;
mod telemetry;

pub mod members;
pub mod seal;
pub mod server;
pub mod streams;
pub mod subject;

pub use audit::{AuditLog, AuditPage, AuditRecord};
pub use bus::{Bus, OpenError};
pub use config::{BusConfig, Secret, TlsConfig};
pub use consume::{AckError, Acker, ConsumeError, ConsumeSettings, Delivery, LaneConsumer};
pub use error::{Error, Verdict};
pub use follow::{Follow, FollowFrom, Followed};
pub use headers::Headers;
pub use kv::{Key, KeyFilter, Kv, KvEntry, KvError, KvEvent, KvWatch};
pub use lease::{Epoch, Lease, LeaseError, LeaseEvent, LeaseWatch, Leases, Take};
pub use members::{Member, Members, WorkerId};
pub use memory::{Pages, Stored};
pub use publish::{LanePublisher, LanePublishers, Message, MessageId, PubAck, PublishError};
pub use request::{Answers, Ask, AskError, Question, Refusal, RefusalKind, Responder};
pub use server::{LocalServer, LocalServerOptions, ServerError};
pub use streams::{Bucket, Installation, Queue, StreamName};
pub use subject::{BeforePart, BeforeSubject, Filter, LinkPart, Subject};

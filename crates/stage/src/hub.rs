//! Typed access to the bus.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landbridge_bus::{Bus, LanePublishers, LinkPart, Message, Subject};
use landbridge_model::ask::Question;
use landbridge_model::{Lane, Shard, StageKind, TenantId};
use landbridge_wire::{Answer, Ask, AskError, AskErrorCode, Report, Wire};

use crate::error::StageError;

/// Typed access to the bus for every stage. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub {
    bus: Bus,
    lanes: Arc<LanePublishers>,
}

impl Hub {
    /// Over an open bus.
    pub fn new(bus: Bus) -> Self {
        let lanes = Arc::new(LanePublishers::new(&bus));
        Self { bus, lanes }
    }

    /// The bus itself.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Into how many shards the tenants are sliced.
    pub fn shards(&self) -> u16 {
        self.bus.shards()
    }

    /// The shard of a tenant.
    pub fn shard_of(&self, tenant: &TenantId) -> Shard {
        Shard::of(tenant, self.shards())
    }

    /// The wall clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Where changes of a tenant's lane go.
    pub fn changes(&self, tenant: &TenantId, lane: Lane) -> Subject {
        Subject::Changes {
            shard: self.shard_of(tenant),
            tenant: tenant.clone(),
            lane,
        }
    }

    /// Where writes of a tenant's lane go.
    pub fn writes(&self, tenant: &TenantId, lane: Lane) -> Subject {
        Subject::Writes {
            shard: self.shard_of(tenant),
            tenant: tenant.clone(),
            lane,
        }
    }

    /// Where link intents or identities of a tenant's lane go.
    pub fn links(&self, tenant: &TenantId, lane: Lane, part: LinkPart) -> Subject {
        Subject::Links {
            shard: self.shard_of(tenant),
            tenant: tenant.clone(),
            lane,
            part,
        }
    }

    /// Puts a message into a lane behind all that were handed in before, waiting while the lane is full. `cause`
    /// makes the message's id together with its content; what comes of the same cause twice is stored once.
    pub async fn send<W: Wire>(
        &self,
        subject: &Subject,
        cause: &str,
        message: &W,
    ) -> Result<u64, StageError> {
        let ack = self
            .lanes
            .publish(subject, &Message::new(cause, message.encode()))
            .await?;
        Ok(ack.sequence)
    }

    /// Tells control. Returns when it is stored.
    pub async fn report(&self, report: &Report) -> Result<(), StageError> {
        let tenant = report.envelope.tenant.clone();
        let subject = Subject::Outcomes {
            shard: self.shard_of(&tenant),
            tenant,
        };
        // One publisher per subject and process keeps a stage's reports in the order in which they happened.
        self.lanes
            .publish(&subject, &Message::new(report.stage.as_str(), report.encode()))
            .await?;
        Ok(())
    }

    /// Asks whoever owns the tenant's shard at a stage.
    pub async fn ask<Q: Question>(
        &self,
        stage: StageKind,
        tenant: &TenantId,
        question: &Q,
        deadline: Duration,
    ) -> Result<Q::Answer, AskError> {
        let internal = |error: serde_json::Error| AskError::new(AskErrorCode::Internal, error.to_string());
        let body = serde_json::to_string(question).map_err(internal)?;
        let answer = self.ask_text(stage, tenant, Q::SERVICE, body, deadline).await?;
        serde_json::from_str(&answer).map_err(internal)
    }

    /// Asks with a question that is already text.
    pub async fn ask_text(
        &self,
        stage: StageKind,
        tenant: &TenantId,
        service: &str,
        body: String,
        deadline: Duration,
    ) -> Result<String, AskError> {
        let ask = Ask {
            tenant: tenant.clone(),
            service: service.to_owned(),
            body,
        };
        let payload = crate::ask::send(self, stage, &ask, deadline).await?;
        let answer = Answer::decode(&payload)
            .map_err(|error| AskError::new(AskErrorCode::Internal, error.to_string()))?;
        answer.0
    }
}

//! One batch of upserts on its way: looked up when nothing is known of its records, written, settled, narrowed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_hubspot::records::UpsertBody;
use landbridge_hubspot::settle::{ItemVerdict, settle};
use landbridge_hubspot::{Error, Share, Verdict};
use landbridge_model::ask::{Condition, ConditionKind};
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{Failure, FailureCategory, HubSpotId, Outcome, SalesforceId, Version};
use landbridge_stage::{CallResult, Metrics, ShardContext, Side, StageError};

use crate::backoff::pause;
use crate::known::{Filling, Judgement, Known, Present, fill, judge, landed};
use crate::portal::{Portal, Tenant};
use crate::refusal::{call_failure, may_be_lag, row_failure};
use crate::row::{End, Fate, Row};

mod search;
mod shape;

pub(crate) use search::Failing;
use search::{Hope, hope};
use shape::columns_of;

/// How often a row is sent again whose property HubSpot does not know yet: new ones take a moment.
const LAG_CALLS: u32 = 4;
/// How often a row is sent again that answers do not mention.
const UNMENTIONED_CALLS: u32 = 6;
/// And how often in company.
const UNMENTIONED_TOGETHER: u32 = 2;
/// How often records are read of which an answer says neither that they are there nor that they are not.
const READS_MAX: u32 = 3;
/// How long rows wait while a credential is refused or lacks a scope: a person has to act.
const CREDENTIAL_WAIT: Duration = Duration::from_secs(10);

/// What a flight needs.
#[derive(Clone)]
pub(crate) struct Airline {
    pub(crate) context: ShardContext,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) share: Share,
    pub(crate) metrics: Metrics,
}

/// A batch's answer as far as it is about rows.
enum Sent {
    /// Each input has a verdict of its own, in their order.
    Settled(Vec<ItemVerdict>, Option<String>),
    /// Refused as a whole.
    Refused(Error),
}

impl Airline {
    /// Writes rows of one group, each of another record; gives each its fate, in their order.
    pub(crate) async fn upsert(&self, portal: &Portal, rows: &mut [Row]) -> Result<Vec<Fate>, StageError> {
        let mut fates: Vec<Option<Fate>> = vec![None; rows.len()];
        if let Err(error) = self.look(portal, rows, &mut fates).await? {
            return Ok(self.all_again(rows, &error).await);
        }
        for (row, fate) in rows.iter_mut().zip(&mut fates) {
            self.fill(row, fate)?;
        }
        if let Err(error) = self.keep_before(portal, rows, &mut fates).await? {
            return Ok(self.all_again(rows, &error).await);
        }
        let flying: Vec<usize> = (0..rows.len()).filter(|&place| fates[place].is_none()).collect();
        self.write(portal, rows, &flying, &mut fates).await?;
        Ok(fates
            .into_iter()
            .map(|fate| fate.unwrap_or(Fate::Again(Duration::ZERO)))
            .collect())
    }

    /// Reads the records of which nothing is known, and judges their rows again.
    async fn look(
        &self,
        portal: &Portal,
        rows: &mut [Row],
        fates: &mut [Option<Fate>],
    ) -> Result<Result<(), Error>, StageError> {
        let Some(first) = rows.first() else {
            return Ok(Ok(()));
        };
        let (object_type, id_property) = (first.target.object_type.clone(), first.target.id_property.clone());
        let complete = self.tenant.memory.is_complete(&object_type)?;
        let mut unknown = Vec::new();
        for (place, row) in rows.iter_mut().enumerate() {
            match self.tenant.memory.look(&object_type, row.id(), complete)? {
                Known::Nothing => unknown.push(place),
                Known::Absent | Known::Gone(_) => row.was_absent |= row.attempts == 0,
                Known::Present(_) => {}
            }
        }
        if unknown.is_empty() {
            return Ok(Ok(()));
        }
        let ids: Vec<SalesforceId> = unknown.iter().map(|&place| rows[place].id()).collect();
        let found = match self.read(portal, &object_type, &id_property, &ids).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        for place in unknown {
            let row = &mut rows[place];
            let Some((id, version)) = found.get(&row.id()).copied() else {
                row.was_absent |= row.attempts == 0;
                continue;
            };
            let present = Present {
                id,
                version,
                fingerprint: None,
                told: false,
                made: false,
            };
            let known = Known::Present(present);
            self.tenant
                .memory
                .remember(&object_type, [(row.id(), known)])
                .await?;
            if judge(known, row.version(), row.fingerprint, row.force()) == Judgement::Superseded {
                fates[place] = Some(Fate::Ended(End::new(Outcome::Superseded, Some(id)).told(true)));
            }
        }
        Ok(Ok(()))
    }

    /// Says what a back-fill writes of a row.
    fn fill(&self, row: &mut Row, fate: &mut Option<Fate>) -> Result<(), StageError> {
        row.over = None;
        if row.only().is_none() || fate.is_some() {
            return Ok(());
        }
        let memory = &self.tenant.memory;
        let complete = memory.is_complete(&row.target.object_type)?;
        match fill(
            memory.look(&row.target.object_type, row.id(), complete)?,
            row.version(),
        ) {
            Filling::Part(present) => row.over = Some(present),
            Filling::Whole => {}
            Filling::Nothing => *fate = Some(Fate::Ended(End::not_filled())),
        }
        Ok(())
    }

    /// Which of these records HubSpot has: id and `landbridge_version`.
    pub(crate) async fn read(
        &self,
        portal: &Portal,
        object_type: &landbridge_model::ObjectTypeId,
        id_property: &str,
        ids: &[SalesforceId],
    ) -> Result<HashMap<SalesforceId, (HubSpotId, Option<Version>)>, Error> {
        let wanted = [id_property, VERSION_PROPERTY];
        let mut reads = 1;
        let reply = loop {
            let reply = self.read_once(portal, object_type, id_property, ids).await?;
            let answer = reply.records(&wanted)?;
            // What is missing is named by an error. An answer that names nobody, neither found nor missing, is none; only
            // when it stays so it is taken at its word.
            let says_nothing = answer.results.is_empty() && answer.errors.is_empty() && !ids.is_empty();
            if !says_nothing || reads == READS_MAX {
                break reply;
            }
            tokio::time::sleep(pause(reads, Duration::ZERO, rand::random())).await;
            reads += 1;
        };
        let mut found = HashMap::new();
        for record in reply.records(&wanted)?.results {
            let Some(id) = record.values[0]
                .as_deref()
                .and_then(|text| SalesforceId::parse(text).ok())
            else {
                continue;
            };
            let version = record.values[1].as_deref().and_then(|text| text.parse().ok());
            found.insert(id, (record.id, version));
        }
        Ok(found)
    }

    async fn read_once(
        &self,
        portal: &Portal,
        object_type: &landbridge_model::ObjectTypeId,
        id_property: &str,
        ids: &[SalesforceId],
    ) -> Result<landbridge_hubspot::Reply, Error> {
        let texts: Vec<&str> = ids.iter().map(SalesforceId::as_str).collect();
        let wanted = [id_property, VERSION_PROPERTY];
        let client = &portal.client;
        let began = Instant::now();
        let reply = client
            .read_records(self.share, object_type, Some(id_property), &texts, &wanted)
            .await;
        self.count("batch-read", &reply, began);
        reply
    }

    /// Sends rows until each has landed, is known to be bad, or has to be tried again.
    async fn write(
        &self,
        portal: &Portal,
        rows: &mut [Row],
        flying: &[usize],
        fates: &mut [Option<Fate>],
    ) -> Result<(), StageError> {
        // Neighbours must not wait for a row at which HubSpot fails; and an error that names nobody is about the only row.
        let (suspect, sound): (Vec<usize>, Vec<usize>) = flying.iter().partition(|&&place| {
            rows[place].failing.is_suspect() || rows[place].unmentioned >= UNMENTIONED_TOGETHER
        });
        // A part must not make a record; it needs a call of its own kind.
        let (parts, wholes): (Vec<usize>, Vec<usize>) =
            sound.iter().partition(|&&place| rows[place].over.is_some());
        let mut groups: Vec<Vec<usize>> = suspect.into_iter().map(|place| vec![place]).collect();
        groups.extend([parts, wholes]);
        while let Some(group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            match self.send(portal, rows, &group).await? {
                Sent::Settled(verdicts, correlation) => {
                    self.land(rows, &group, verdicts, correlation.as_deref(), fates)
                        .await?;
                }
                Sent::Refused(error) if error.verdict == Verdict::TooLarge && group.len() > 1 => {
                    let (left, right) = group.split_at(group.len() / 2);
                    groups.extend([right.to_vec(), left.to_vec()]);
                }
                Sent::Refused(error) => {
                    self.refused(portal, rows, &group, error, fates).await?;
                }
            }
        }
        Ok(())
    }

    /// A batch was refused or lost: looks for the rows that are the cause, where it may be some.
    async fn refused(
        &self,
        portal: &Portal,
        rows: &mut [Row],
        group: &[usize],
        error: Error,
        fates: &mut [Option<Fate>],
    ) -> Result<(), StageError> {
        let &[place] = group else {
            let calls = group.iter().map(|&place| rows[place].attempts).max();
            return match hope(&error, calls.unwrap_or(0)) {
                Hope::Sure | Hope::Some => self.narrow(portal, rows, group, error, fates).await,
                Hope::None => {
                    self.refuse(rows, group, &error, fates).await;
                    Ok(())
                }
            };
        };
        self.refused_alone(portal, rows, place, &error, fates).await
    }

    async fn send(&self, portal: &Portal, rows: &mut [Row], group: &[usize]) -> Result<Sent, StageError> {
        self.context.lease.wait_to_send(portal.client.timeout()).await?;
        let target = rows[group[0]].target.clone();
        let (columns, places) = columns_of(rows, group);
        let trace = format!("{:08x}", rand::random::<u32>());
        let mut body = UpsertBody::new(&columns, &trace);
        let ids: Vec<SalesforceId> = group.iter().map(|&place| rows[place].id()).collect();
        for &place in group {
            let row = &mut rows[place];
            row.attempts += 1;
            let version = row.sent_version().to_string();
            let own = &places[&row.message];
            let cells = row.batch.table.iter().enumerate();
            let cells = cells.filter(|(_, (property, _))| row.sends(property));
            let values = cells.map(|(at, (_, column))| (own[at], column.get(row.index)));
            body.push(row.id().as_str(), values.chain([(0, Some(version.as_str()))]));
        }
        let (began, client, body) = (Instant::now(), &portal.client, body.finish());
        let (object_type, share) = (&target.object_type, self.share);
        let reply = if rows[group[0]].over.is_some() {
            let reply = client.update_records(share, object_type, body).await;
            self.count("batch-update", &reply, began);
            reply
        } else {
            let reply = client.upsert_records(share, object_type, body).await;
            self.count("batch-upsert", &reply, began);
            reply
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Ok(Sent::Refused(error)),
        };
        let wanted = [target.id_property.as_str()];
        let texts: Vec<&str> = ids.iter().map(SalesforceId::as_str).collect();
        match reply.records(&wanted) {
            Ok(answer) => Ok(Sent::Settled(
                settle(&texts, &trace, &answer),
                reply.correlation_id.clone(),
            )),
            Err(error) => Ok(Sent::Refused(error)),
        }
    }

    /// Takes an answer's verdicts on single rows.
    async fn land(
        &self,
        rows: &mut [Row],
        group: &[usize],
        verdicts: Vec<ItemVerdict>,
        correlation: Option<&str>,
        fates: &mut [Option<Fate>],
    ) -> Result<(), StageError> {
        let mut remembered = Vec::with_capacity(group.len());
        self.tenant.answered();
        for (&place, verdict) in group.iter().zip(verdicts) {
            let row = &mut rows[place];
            // What no answer mentions may have been written.
            let unmentioned = verdict == ItemVerdict::Unaccounted;
            row.in_doubt |= unmentioned;
            row.unmentioned += u32::from(unmentioned);
            let fate = match verdict {
                ItemVerdict::Written { id, new } => {
                    let complete = self.tenant.memory.is_complete(&row.target.object_type)?;
                    let before = self
                        .tenant
                        .memory
                        .look(&row.target.object_type, row.id(), complete)?;
                    let known_to_resolver =
                        matches!(before, Known::Present(before) if before.told && before.id == id);
                    // After a lost answer the record is found that the lost call made.
                    let created = new || (row.in_doubt && row.was_absent);
                    let present = Present {
                        id,
                        version: row.over.map_or(Some(row.version()), |over| over.version),
                        fingerprint: row.over.is_none().then_some(row.fingerprint),
                        told: known_to_resolver,
                        made: created && !known_to_resolver,
                    };
                    remembered.push((row.id(), Known::Present(landed(before, present))));
                    let outcome = if created {
                        Outcome::Created
                    } else {
                        Outcome::Updated
                    };
                    Fate::Ended(End::new(outcome, Some(id)).told(!known_to_resolver))
                }
                ItemVerdict::Refused {
                    verdict: Verdict::NotFound,
                    ..
                } if row.over.is_some() => {
                    // Somebody deleted it in HubSpot.
                    remembered.push((row.id(), Known::Absent));
                    Fate::Ended(End::not_filled())
                }
                ItemVerdict::Refused { verdict, message } => {
                    refused_row(row, &verdict, &message, correlation)
                }
                ItemVerdict::Unaccounted if row.unmentioned < UNMENTIONED_CALLS => {
                    Fate::Again(pause(row.unmentioned, Duration::ZERO, rand::random()))
                }
                ItemVerdict::Unaccounted => Fate::Ended(End::failed(Failure::new(
                    FailureCategory::HubSpotError,
                    "HubSpot accepted the batch, but its answers never mention this record",
                ))),
            };
            fates[place] = Some(fate);
        }
        let object_type = rows[group[0]].target.object_type.clone();
        self.tenant.memory.remember(&object_type, remembered).await
    }

    /// Counts a call that was made.
    pub(crate) fn count<T>(&self, call: &'static str, result: &Result<T, Error>, began: Instant) {
        if matches!(result, Err(error) if error.verdict == Verdict::Ambiguous) {
            self.tenant.unanswered.note(Instant::now());
        }
        let result = match result {
            Ok(_) => {
                self.tenant.note(budget_of(self.share), None);
                CallResult::Ok
            }
            Err(error) => match &error.verdict {
                Verdict::RateLimited { .. } => CallResult::Limited,
                verdict if verdict.retry_after().is_some() => CallResult::Failed,
                _ => CallResult::Refused,
            },
        };
        self.metrics
            .call_ended(Side::HubSpot, call, result, began.elapsed());
    }

    /// The fate of a row whose call was refused.
    fn fate_of_refused(&self, row: &mut Row, error: &Error) -> Fate {
        row.in_doubt |= error.verdict == Verdict::Ambiguous;
        match waits(error, row.attempts) {
            Some(wait) => Fate::Again(wait),
            None => refused_row(
                row,
                &error.verdict,
                &error.message,
                error.correlation_id.as_deref(),
            ),
        }
    }

    /// The fate of rows for which a call failed whole.
    pub(crate) async fn all_again(&self, rows: &mut [Row], error: &Error) -> Vec<Fate> {
        self.note_credentials(error).await;
        let fate = |row: &mut Row| {
            row.attempts += 1;
            row.in_doubt |= error.verdict == Verdict::Ambiguous;
            match waits(error, row.attempts) {
                Some(wait) => Fate::Again(wait),
                None => Fate::Ended(End::failed(call_failure(error))),
            }
        };
        rows.iter_mut().map(fate).collect()
    }

    /// Tells people of a refused credential, and looks for a new one the next time; or of a spent day, and when it goes on.
    pub(crate) async fn note_credentials(&self, error: &Error) {
        if matches!(error.verdict, Verdict::Auth | Verdict::Scopes { .. }) {
            let told = Condition::new(ConditionKind::Credentials, error.to_string());
            self.tenant.note("credentials", Some(told));
            self.tenant.forget_portal().await;
        } else if let Verdict::RateLimited {
            policy: landbridge_hubspot::verdict::LimitPolicy::Daily,
            wait,
        } = error.verdict
        {
            let told = Condition::new(
                ConditionKind::Limited,
                day_is_spent(error, wait, self.context.hub.now_ms()),
            );
            self.tenant.note(budget_of(self.share), Some(told));
        }
    }
}

/// The condition's topic: what is closed to imports may be open to live changes.
fn budget_of(share: Share) -> &'static str {
    match share {
        Share::Live => "budget of live changes",
        Share::Lookups => "budget of lookups",
        Share::Links => "budget of links",
        Share::Bulk => "budget of imports",
        Share::Check => "budget of compares",
    }
}

/// Why calls stand still, and the minute in which they go on.
fn day_is_spent(error: &Error, wait: Duration, now_ms: i64) -> String {
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let at =
        jiff::Timestamp::from_millisecond(now_ms.saturating_add(wait_ms)).unwrap_or(jiff::Timestamp::MAX);
    format!(
        "{}; it goes on at {}",
        error.message,
        at.strftime("%Y-%m-%d %H:%M UTC")
    )
}

/// How long to wait before the same call may succeed without its rows being changed; `None` when it never will.
pub(crate) fn waits(error: &Error, attempts: u32) -> Option<Duration> {
    if matches!(error.verdict, Verdict::Auth | Verdict::Scopes { .. }) {
        return Some(CREDENTIAL_WAIT);
    }
    error
        .verdict
        .retry_after()
        .map(|wait| pause(attempts, wait, rand::random()))
}

fn refused_row(row: &mut Row, verdict: &Verdict, message: &str, correlation: Option<&str>) -> Fate {
    if may_be_lag(verdict) {
        row.lagging += 1;
        if row.lagging < LAG_CALLS {
            return Fate::Again(pause(row.lagging, Duration::ZERO, rand::random()));
        }
    }
    if let Some(wait) = verdict.retry_after() {
        return Fate::Again(pause(row.attempts, wait, rand::random()));
    }
    Fate::Ended(End::failed(row_failure(
        verdict,
        message,
        correlation,
        |property| row.value(property),
    )))
}

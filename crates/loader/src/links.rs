//! The lane `links`: associations made and taken away, in the order in which they were wished for.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use landbridge_hubspot::associations::{ARCHIVE_INPUTS_MAX, CREATE_INPUTS_MAX, Pair, READ_INPUTS_MAX};
use landbridge_hubspot::{Error, Share};
use landbridge_model::{
    Association, Envelope, Failure, FailureCategory, HubSpotId, LinkOutcome, LinkVerdict, LinkWrite,
    LinkWrites, ObjectTypeId, RunId, SalesforceId, Source, StageKind,
};
use landbridge_stage::{Delivery, LaneContext, StageError};
use landbridge_wire::{FailedRecord, Report, ReportBody, Wire};
use tracing::Instrument;

pub(crate) mod calls;
mod overtaken;

use crate::before::{import_of, kept_for};
use crate::flight::Airline;
use crate::pairs::{Calls, Current, Wish, in_doubt, must_wait, plan};
use crate::portal::Portal;
use crate::shard::LoaderShard;
use crate::target::{Target, find};

/// The pause before a refused credential is looked up again.
const CREDENTIAL_PAUSE: Duration = Duration::from_secs(5);
/// Links taken together.
const LINKS_MAX: usize = 4_000;
/// How many lingers an import's links wait for company.
const IMPORT_LINGERS: u32 = 20;

/// One link with what it needs.
struct Job {
    message: usize,
    link: LinkWrite,
    association: Option<Association>,
    target: Option<Arc<Target>>,
    /// The import for which is kept how the pair was associated before, with the message's envelope.
    kept_for: Option<Arc<(RunId, Envelope)>>,
    end: Option<Result<LinkOutcome, Failure>>,
    /// Whether its child is to be read again, so that the link is ordered for the records that there are now.
    read_again: bool,
}

struct Message {
    delivery: Delivery,
    writes: LinkWrites,
}

/// Runs the lane until its inbox ends.
pub(crate) async fn run(shard: Arc<LoaderShard>, mut lane: LaneContext) -> Result<(), StageError> {
    let tenant = shard.tenant(&lane.tenant);
    while let Some(first) = lane.inbox.recv().await {
        let Some(portal) = tenant.ready(&lane.shard).await else {
            return Ok(());
        };
        let span = tracing::info_span!("link", tenant = %lane.tenant, sequence = first.sequence);
        first.continue_trace(&span);
        let (messages, mut jobs) = gather(&mut lane, first, shard.settings.linger).await?;
        let airline = Airline {
            context: lane.shard.clone(),
            tenant: tenant.clone(),
            share: Share::from(lane.lane),
            metrics: shard.metrics.clone(),
        };
        let mut worker = LinkWorker {
            airline,
            portal,
            jobs: &mut jobs,
        };
        while !worker.settle_all().instrument(span.clone()).await? {
            // Stopped: what is not acknowledged comes again. Else the credential was refused: with a new one, all over.
            let pause = tokio::time::sleep(CREDENTIAL_PAUSE);
            if lane.shard.stop.run_until_cancelled(pause).await.is_none() {
                return Ok(());
            }
            let Some(portal) = tenant.ready(&lane.shard).await else {
                return Ok(());
            };
            worker.portal = portal;
        }
        worker.excuse_overtaken().await?;
        tell(&shard, &lane, messages, jobs).await?;
    }
    Ok(())
}

/// How many lingers a link waits for company. Those of an import come in their thousands, and a call takes as many as it
/// may; whoever came with a change does not wait for them.
fn lingers(source: Source) -> u32 {
    if source == Source::Import {
        IMPORT_LINGERS
    } else {
        1
    }
}

/// Takes what comes within the shortest linger, up to a bound; messages that make no sense are set aside.
async fn gather(
    lane: &mut LaneContext,
    first: Delivery,
    linger: Duration,
) -> Result<(Vec<Message>, Vec<Job>), StageError> {
    let (mut messages, mut jobs) = (Vec::new(), Vec::new());
    let mut until = tokio::time::Instant::now() + linger * IMPORT_LINGERS;
    let mut next = Some(first);
    while let Some(delivery) = next.take() {
        match LinkWrites::decode(&delivery.payload) {
            Err(error) => delivery.poison(&error.to_string()).await?,
            Ok(writes) => {
                until = until.min(tokio::time::Instant::now() + linger * lingers(writes.envelope.source));
                let target = find(&lane.shard, &lane.tenant, &writes.envelope.sync)
                    .await
                    .map(Arc::new);
                let import = import_of(&lane.shard, &writes.envelope).await;
                let kept_for =
                    kept_for(import.as_deref()).map(|run| Arc::new((run, writes.envelope.clone())));
                // A link that an import left waiting is not made when it was undone meanwhile.
                let is_undone = writes.envelope.source == Source::Import
                    && import.is_some_and(|import| import.undo_ms.is_some());
                for link in &writes.links {
                    let association = target
                        .as_ref()
                        .and_then(|target| target.association(&link.field))
                        .cloned();
                    let (link, target) = (link.clone(), target.clone());
                    jobs.push(Job {
                        message: messages.len(),
                        link,
                        association,
                        target,
                        kept_for: kept_for.clone(),
                        end: is_undone.then_some(Ok(LinkOutcome::Unlinked)),
                        read_again: false,
                    });
                }
                messages.push(Message { delivery, writes });
            }
        }
        if jobs.len() < LINKS_MAX {
            let wait = tokio::time::timeout_at(until, lane.inbox.recv()).await;
            next = wait.unwrap_or_else(|_over| lane.inbox.try_recv());
        }
    }
    Ok((messages, jobs))
}

/// The turn in which each job is done: one after the other for each lookup of a record.
fn turns(jobs: &[Job]) -> Vec<Vec<usize>> {
    let mut last: HashMap<(HubSpotId, &str), usize> = HashMap::new();
    let mut turns: Vec<Vec<usize>> = Vec::new();
    for (place, job) in jobs.iter().enumerate() {
        let turn = last
            .entry((job.link.child_hubspot_id, job.link.field.as_str()))
            .and_modify(|turn| *turn += 1)
            .or_insert(0);
        if turns.len() <= *turn {
            turns.push(Vec::new());
        }
        turns[*turn].push(place);
    }
    turns
}

struct LinkWorker<'j> {
    airline: Airline,
    portal: Arc<Portal>,
    jobs: &'j mut Vec<Job>,
}

/// A call's result that is about its pairs; anything that passes was waited for.
pub(crate) type PairFates = BTreeMap<Pair, Failure>;

impl LinkWorker<'_> {
    /// Settles every job; `false` when it had to be left half done.
    async fn settle_all(&mut self) -> Result<bool, StageError> {
        for turn in turns(self.jobs) {
            let mut by_types: BTreeMap<(ObjectTypeId, ObjectTypeId), Vec<usize>> = BTreeMap::new();
            for place in turn {
                let job = &mut self.jobs[place];
                if job.end.is_some() {
                    continue;
                }
                match (&job.target, &job.association) {
                    (Some(target), Some(association)) => {
                        let types = (target.object_type.clone(), association.to.clone());
                        by_types.entry(types).or_default().push(place);
                    }
                    _ => {
                        let text = format!("the sync no longer has an association for {}", job.link.field);
                        job.end = Some(Err(Failure::new(FailureCategory::SchemaChanged, text)));
                    }
                }
            }
            for ((from, to), places) in by_types {
                if !self.settle_types(&from, &to, &places).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Settles places of one pair of types, in as many rounds as they need readings; `false` when it had to stop.
    async fn settle_types(
        &mut self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        places: &[usize],
    ) -> Result<bool, StageError> {
        let mut left = places.to_vec();
        while !left.is_empty() {
            match self.settle_round(from, to, &left).await? {
                Some(waiting) => left = waiting,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Settles what one reading allows, and gives the places that need another one; `None` when it had to stop.
    async fn settle_round(
        &mut self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        places: &[usize],
    ) -> Result<Option<Vec<usize>>, StageError> {
        let jobs = &*self.jobs;
        let wishes: Vec<Wish<'_>> = places.iter().map(|&place| wish(&jobs[place])).collect();
        let children: HashSet<HubSpotId> = wishes
            .iter()
            .zip(places)
            .filter(|(wish, place)| wish.needs_reading() || jobs[**place].kept_for.is_some())
            .map(|(wish, _)| wish.child)
            .collect();
        let mut current = BTreeMap::new();
        let children: Vec<HubSpotId> = children.into_iter().collect();
        for chunk in children.chunks(READ_INPUTS_MAX) {
            let (client, share) = (&self.portal.client, self.airline.share);
            let read = calls::patiently(&self.airline, &self.portal, || {
                client.read_associations(share, from, to, chunk)
            });
            match read.await? {
                Some(Ok(found)) => current.extend(found),
                Some(Err(error)) => return Ok(Some(self.fail_all(places, &error))),
                None => return Ok(None),
            }
        }
        let first = &jobs[places[0]];
        let has_plain_field = first.target.as_ref().is_some_and(|target| {
            target
                .associations()
                .iter()
                .any(|other| other.to == *to && other.label.is_none())
        });
        let match_property = first.association.as_ref().map(|one| one.match_property.clone());
        // A plain association between records of one type does not tell who names whom: none is taken for ours.
        let doubtful = if from == to {
            Vec::new()
        } else {
            in_doubt(&wishes, &current)
        };
        let from_salesforce = match match_property.filter(|_| !doubtful.is_empty()) {
            None => HashSet::new(),
            Some(property) => {
                let found =
                    calls::came_from_salesforce(&self.airline, &self.portal, to, &property, &doubtful);
                match found.await? {
                    Some(Ok(found)) => found,
                    Some(Err(error)) => return Ok(Some(self.fail_all(places, &error))),
                    None => return Ok(None),
                }
            }
        };
        let waits = if from == to {
            must_wait(&wishes, &current, &from_salesforce)
        } else {
            vec![false; wishes.len()]
        };
        let split = |waiting: bool| {
            let chosen = places
                .iter()
                .zip(&waits)
                .filter(move |(_, waits)| **waits == waiting);
            chosen.map(|(&place, _)| place).collect::<Vec<usize>>()
        };
        let (now, later) = (split(false), split(true));
        let wishes: Vec<Wish<'_>> = now.iter().map(|&place| wish(&jobs[place])).collect();
        let planned = plan(&wishes, &current, has_plain_field, &from_salesforce);
        drop(wishes);
        self.keep_before((from, to), &now, &planned, &current).await?;
        let Some(fates) = self.make_calls(from, to, &planned).await? else {
            return Ok(None);
        };
        for (&place, touched) in now.iter().zip(&planned.touched) {
            let job = &mut self.jobs[place];
            let failed = touched.iter().find_map(|pair| fates.get(pair)).cloned();
            let done = if job.link.parent.is_some() {
                LinkOutcome::Linked
            } else {
                LinkOutcome::Unlinked
            };
            job.end = Some(failed.map_or(Ok(done), Err));
        }
        Ok(Some(later))
    }

    /// What was refused because its ends changed meanwhile is no failure.
    async fn excuse_overtaken(&mut self) -> Result<(), StageError> {
        for job in self.jobs.iter_mut() {
            if !matches!(job.end, Some(Err(_))) {
                continue;
            }
            if let Some(by) = overtaken::overtaken(&self.airline, &self.portal, job).await? {
                tracing::debug!(child = %job.link.child, field = job.link.field, ?by, "an order for a link was overtaken");
                job.end = Some(Ok(LinkOutcome::Unlinked));
                job.read_again = by == overtaken::Overtaken::Replaced;
            }
        }
        Ok(())
    }

    /// Keeps how the pairs of imports that can be undone are associated before the calls are made.
    async fn keep_before(
        &self,
        types: (&ObjectTypeId, &ObjectTypeId),
        places: &[usize],
        planned: &Calls,
        current: &Current,
    ) -> Result<(), StageError> {
        let mut touched: HashMap<&RunId, (&Envelope, BTreeMap<Pair, SalesforceId>)> = HashMap::new();
        for (&place, pairs) in places.iter().zip(&planned.touched) {
            let job = &self.jobs[place];
            let Some((run, envelope)) = job.kept_for.as_deref() else {
                continue;
            };
            let (_, known) = touched.entry(run).or_insert_with(|| (envelope, BTreeMap::new()));
            known.extend(pairs.iter().map(|pair| (*pair, job.link.child)));
        }
        for (run, (envelope, pairs)) in touched {
            let calls = (planned, current);
            self.airline
                .keep_links(run, envelope, types, &pairs, calls)
                .await?;
        }
        Ok(())
    }

    async fn make_calls(
        &self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        planned: &Calls,
    ) -> Result<Option<PairFates>, StageError> {
        let mut fates = PairFates::new();
        let caller = calls::Caller {
            airline: &self.airline,
            portal: &self.portal,
            from,
            to,
        };
        let archive: Vec<Pair> = planned.archive.iter().copied().collect();
        for chunk in archive.chunks(ARCHIVE_INPUTS_MAX) {
            let Some(failed) = caller.dissociate(chunk).await? else {
                return Ok(None);
            };
            fates.extend(failed);
        }
        for chunk in planned.strip.chunks(ARCHIVE_INPUTS_MAX) {
            let Some(failed) = caller.strip(chunk).await? else {
                return Ok(None);
            };
            fates.extend(failed);
        }
        let plain: Vec<Pair> = planned.plain.iter().copied().collect();
        for chunk in plain.chunks(CREATE_INPUTS_MAX) {
            let Some(failed) = caller.link_plainly(chunk).await? else {
                return Ok(None);
            };
            fates.extend(failed);
        }
        for chunk in planned.typed.chunks(CREATE_INPUTS_MAX) {
            let Some(failed) = caller.link(chunk).await? else {
                return Ok(None);
            };
            fates.extend(failed);
        }
        Ok(Some(fates))
    }

    /// Nothing is left to be done of these.
    fn fail_all(&mut self, places: &[usize], error: &Error) -> Vec<usize> {
        for &place in places {
            self.jobs[place].end = Some(Err(crate::refusal::call_failure(error)));
        }
        Vec::new()
    }
}

fn wish(job: &Job) -> Wish<'_> {
    Wish {
        child: job.link.child_hubspot_id,
        parent: job.link.parent.map(|(_, id)| id),
        former: job.link.former,
        label: job
            .association
            .as_ref()
            .and_then(|association| association.label.as_ref()),
    }
}

/// Reports each message's links, keeps the memory of failures, acknowledges.
async fn tell(
    shard: &LoaderShard,
    lane: &LaneContext,
    messages: Vec<Message>,
    jobs: Vec<Job>,
) -> Result<(), StageError> {
    let mut verdicts: Vec<Vec<LinkVerdict>> = messages.iter().map(|_| Vec::new()).collect();
    let mut read_again = BTreeSet::new();
    for job in jobs {
        let message = &messages[job.message];
        if job.read_again && read_again.insert((message.writes.envelope.sync.clone(), job.link.child)) {
            lane.shard
                .hub
                .ask_reread(&overtaken::reread(&message.writes.envelope, job.link.child))
                .await?;
        }
        let (outcome, failure) = match job.end {
            Some(Ok(outcome)) => (outcome, None),
            Some(Err(failure)) => (LinkOutcome::Failed, Some(failure)),
            None => (
                LinkOutcome::Failed,
                Some(Failure::new(FailureCategory::Internal, "the link was lost")),
            ),
        };
        remember(shard, lane, &message.writes, &job.link, failure.as_ref()).await?;
        shard.metrics.links_settled(outcome, 1);
        verdicts[job.message].push(LinkVerdict {
            child: job.link.child,
            field: job.link.field,
            parent: job.link.parent.map(|(id, _): (SalesforceId, HubSpotId)| id),
            version: job.link.version,
            outcome,
            failure,
        });
    }
    for (message, links) in messages.into_iter().zip(verdicts) {
        if !links.is_empty() {
            let report = Report {
                envelope: message.writes.envelope,
                stage: StageKind::Loader,
                at_ms: lane.shard.hub.now_ms(),
                org_ahead_ms: 0,
                body: ReportBody::Links(links),
            };
            lane.shard.hub.report(&report).await?;
        }
        message.delivery.ack().await?;
    }
    Ok(())
}

async fn remember(
    shard: &LoaderShard,
    lane: &LaneContext,
    writes: &LinkWrites,
    link: &LinkWrite,
    failure: Option<&Failure>,
) -> Result<(), StageError> {
    let (sync, field) = (writes.envelope.sync_key(), Some(link.field.as_str()));
    let hub = &lane.shard.hub;
    let Some(failure) = failure else {
        if shard.failures.remove(&sync, link.child, field, link.version) {
            hub.forget_failure(&sync.tenant, &sync.name, link.child, field)
                .await?;
        }
        return Ok(());
    };
    let attempts = shard.failures.add(sync, link.child, field, link.version);
    let failed = FailedRecord {
        envelope: writes.envelope.clone(),
        id: link.child,
        version: link.version,
        stage: StageKind::Loader,
        failure: failure.clone(),
        at_ms: hub.now_ms(),
        attempts,
        link_field: Some(link.field.clone()),
        write: None,
        retry: false,
    };
    hub.remember_failure(&failed).await
}

/// The pause of a lane whose answers do not add up.
pub(crate) const READ_BACK_PAUSE: Duration = Duration::from_millis(500);

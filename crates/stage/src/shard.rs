//! What runs while a shard is owned: its lanes, its background work, its answers.

use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::{Bucket, KeyFilter, Question, Queue};
use landbridge_model::ask::{Question as _, Reseal};
use landbridge_model::{StageKind, TenantId};
use landbridge_wire::{Answer, Ask, AskError, AskErrorCode, Wire};
use tokio::task::JoinSet;

use crate::ask::answer_with;
use crate::error::StageError;
use crate::lanes::pump;
use crate::secrets::Side;
use crate::worker::{ShardContext, Worker, WorkerRuntime};

/// Serves until the shard is given up and everything in hand is finished, or something fails.
pub(crate) async fn serve<W: Worker>(
    worker: &Arc<W>,
    state: &Arc<W::Shard>,
    context: &ShardContext,
    runtime: &WorkerRuntime,
) -> Result<(), StageError> {
    let mut tasks: JoinSet<Result<(), StageError>> = JoinSet::new();
    let tracked = &context.tasks;
    let answering = answer_questions(worker.clone(), state.clone(), context.clone());
    tasks.spawn(tracked.track_future(answering));
    {
        let (worker, state, context) = (worker.clone(), state.clone(), context.clone());
        tasks.spawn(tracked.track_future(async move { worker.background(state, context).await }));
    }
    if let Some(side) = Side::of(W::KIND).filter(|_| context.secrets.holds_keys()) {
        tasks.spawn(tracked.track_future(seal_to_current_key(side, context.clone())));
    }
    if let Some(queue) = Queue::read_by(W::KIND) {
        for lane in queue.lanes() {
            let (worker, state, context) = (worker.clone(), state.clone(), context.clone());
            let pumping = pump(worker, state, context, queue, *lane, runtime.lanes);
            tasks.spawn(tracked.track_future(pumping));
        }
    }
    loop {
        let ended = if context.stop.is_cancelled() {
            // From here on the drain time runs; what is not finished by then is dropped and comes again.
            match tokio::time::timeout(runtime.drain_timeout, tasks.join_next()).await {
                Ok(ended) => ended,
                Err(_) => {
                    return Err(StageError::worker(
                        "the drain time is over; what was in hand comes again",
                    ));
                }
            }
        } else {
            tokio::select! {
                ended = tasks.join_next() => ended,
                () = context.stop.cancelled() => continue,
            }
        };
        match ended {
            None => return Ok(()),
            Some(Ok(Ok(()))) if context.stop.is_cancelled() => {}
            Some(Ok(Ok(()))) => {
                return Err(StageError::worker(
                    "a part of the shard ended although it was not asked to",
                ));
            }
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(error)) => return Err(StageError::caused("a part of the shard did not survive", error)),
        }
    }
}

/// How long to wait before secrets are looked at again that could not be.
const RESEAL_AGAIN: Duration = Duration::from_secs(10);

/// Seals the shard's credentials to the current key, once: what comes later is sealed to it, or is when it is opened.
async fn seal_to_current_key(side: Side, context: ShardContext) -> Result<(), StageError> {
    let resealed = async {
        while let Err(error) = reseal_shard(side, &context).await {
            tracing::warn!(shard = %context.shard, error = %error.chain(), "credentials could not be looked at; they are soon again");
            tokio::time::sleep(RESEAL_AGAIN).await;
        }
    };
    context.stop.run_until_cancelled(resealed).await;
    context.stop.cancelled().await;
    Ok(())
}

async fn reseal_shard(side: Side, context: &ShardContext) -> Result<(), StageError> {
    context.secrets.announce(side.stage()).await?;
    let stored = context
        .hub
        .bus()
        .kv(Bucket::Secrets)
        .list(&KeyFilter::All)
        .await?;
    for entry in stored {
        let tokens = entry.key.tokens();
        let [tenant, of] = tokens.as_slice() else { continue };
        let Ok(tenant) = TenantId::new(tenant) else {
            continue;
        };
        if of != side.as_str() || context.hub.shard_of(&tenant) != context.shard {
            continue;
        }
        let sealed = context.secrets.reseal(&tenant, side).await?;
        if let Some(trouble) = sealed.and_then(|sealed| sealed.trouble) {
            tracing::error!(%tenant, "{trouble}");
        }
    }
    Ok(())
}

async fn answer_questions<W: Worker>(
    worker: Arc<W>,
    state: Arc<W::Shard>,
    context: ShardContext,
) -> Result<(), StageError> {
    let mut questions = context.hub.bus().respond(W::KIND, context.shard).await?;
    let mut answers: JoinSet<()> = JoinSet::new();
    loop {
        let question = tokio::select! {
            biased;
            () = context.stop.cancelled() => return Ok(()),
            Some(_ended) = answers.join_next(), if !answers.is_empty() => continue,
            question = questions.next() => question,
        };
        let Some(question) = question else {
            return Err(StageError::worker(
                "the bus takes no more questions for this shard",
            ));
        };
        let (worker, state) = (worker.clone(), state.clone());
        let answering = answer_one(worker, state, context.clone(), question);
        answers.spawn(context.tasks.track_future(answering));
    }
}

/// The view of the configuration can be a moment behind the asker's: a tenant that was added just now is waited for.
const TENANT_WAIT: Duration = Duration::from_secs(5);

/// A question that nobody waits for any more is dropped where it stands.
async fn answer_one<W: Worker>(
    worker: Arc<W>,
    state: Arc<W::Shard>,
    context: ShardContext,
    question: Question,
) {
    let deadline = question.deadline;
    let answering = async {
        let ask = Ask::decode(&question.payload)
            .map_err(|error| AskError::new(AskErrorCode::Invalid, error.to_string()))?;
        if W::KIND != StageKind::Control {
            let known = context.config.wait_for(|view| view.tenant(&ask.tenant));
            // Still unknown: the worker says so in its own words.
            let _late = tokio::time::timeout(TENANT_WAIT, known).await;
        }
        match Side::of(W::KIND) {
            Some(side) if ask.service == Reseal::SERVICE => {
                let sealed = context.secrets.reseal(&ask.tenant, side).await;
                let sealed = sealed.map_err(|error| AskError::new(AskErrorCode::Internal, error.chain()))?;
                answer_with(&sealed.into_iter().collect::<Vec<_>>())
            }
            _ => worker.answer(state, ask).await,
        }
    };
    let Ok(result) = tokio::time::timeout_at(deadline, answering).await else {
        return;
    };
    if let Err(error) = question.answer(Answer(result).encode()).await {
        tracing::debug!(%error, "an answer could not be sent");
    }
}

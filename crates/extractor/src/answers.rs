//! What the extractor answers when it is asked about a tenant's org.

use std::sync::Arc;
use std::time::Duration;

use landbridge_model::ask::{
    AskFormulas, AskStatus, CallCount, Count, CountRecords, DescribeObject, EstimateReading, Explain,
    ListObjects, ObjectSummary, Question, SalesforceTest, StageStatus, StartCompare, StartReconcile, Started,
    StopCompare, Story, StoryLine, StreamStatus, TestSalesforce,
};
use landbridge_model::{SalesforceId, StageKind, SyncKey, TenantId};
use landbridge_salesforce::{Columns, Scope, TextForm, soql};
use landbridge_stage::{answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode};

use crate::budget;
use crate::compare;
use crate::emitted::Emitted;
use crate::estimate;
use crate::formulas;
use crate::plan::ReadPlan;
use crate::reconcile;
use crate::shard::Shard;
use crate::stream::channel_of;
use crate::trouble::Trouble;

/// A compare takes no longer, or waits a little longer for the increment.
const COMPARE_AT_MOST: Duration = Duration::from_secs(900);

/// Answers one question.
pub async fn answer(shard: &Arc<Shard>, ask: &Ask) -> Result<String, AskError> {
    let tenant = &ask.tenant;
    let troubled = |trouble: Trouble| trouble.answer();
    match ask.service.as_str() {
        TestSalesforce::SERVICE => answer_with(&test(shard, tenant).await.map_err(troubled)?),
        ListObjects::SERVICE => answer_with(&objects(shard, tenant).await.map_err(troubled)?),
        DescribeObject::SERVICE => {
            let question: DescribeObject = parse_ask(ask)?;
            let client = shard.orgs.client(tenant).await.map_err(troubled)?;
            let described = client
                .describe(&question.object)
                .await
                .map_err(Trouble::from)
                .map_err(troubled)?;
            answer_with(&described)
        }
        CountRecords::SERVICE => {
            let question: CountRecords = parse_ask(ask)?;
            answer_with(&count(shard, tenant, question).await.map_err(troubled)?)
        }
        StartCompare::SERVICE => {
            let question: StartCompare = parse_ask(ask)?;
            let key = SyncKey {
                tenant: tenant.clone(),
                name: question.sync.clone(),
            };
            compare::start(shard, tenant, question).await.map_err(troubled)?;
            look_often(shard, &key);
            answer_with(&Started {})
        }
        StartReconcile::SERVICE => {
            let question: StartReconcile = parse_ask(ask)?;
            let key = SyncKey {
                tenant: tenant.clone(),
                name: question.sync,
            };
            answer_with(&reconcile::ask(shard, &key).await?)
        }
        StopCompare::SERVICE => {
            let question: StopCompare = parse_ask(ask)?;
            compare::stop(shard, &question.run);
            answer_with(&Started {})
        }
        EstimateReading::SERVICE => {
            let question: EstimateReading = parse_ask(ask)?;
            let used = shard
                .orgs
                .made(tenant)
                .and_then(|client| client.governor().usage());
            let left = used.map(|usage| usage.allowed.saturating_sub(usage.used));
            answer_with(&estimate::import(&shard.settings, question.records, left))
        }
        AskFormulas::SERVICE => {
            let question: AskFormulas = parse_ask(ask)?;
            let key = SyncKey {
                tenant: tenant.clone(),
                name: question.sync,
            };
            answer_with(&formulas::report(shard, &key).await.map_err(troubled)?)
        }
        AskStatus::SERVICE => answer_with(&status(shard, tenant)),
        Explain::SERVICE => {
            let question: Explain = parse_ask(ask)?;
            answer_with(&explain(shard, tenant, question.id).await.map_err(troubled)?)
        }
        other => {
            let message = format!("the extractor answers no question called {other}");
            Err(AskError::new(AskErrorCode::Invalid, message))
        }
    }
}

/// A compare waits for the increment to pass what it has read: it polls as without change events for a while.
fn look_often(shard: &Arc<Shard>, key: &SyncKey) {
    let now = shard.orgs.made(&key.tenant).and_then(|org| org.clock().now());
    let until = now.and_then(|now| now.checked_add(COMPARE_AT_MOST).ok());
    if let Some(until) = until {
        shard.streams.hurry(key).ask(until);
    }
}

async fn test(shard: &Arc<Shard>, tenant: &TenantId) -> Result<SalesforceTest, Trouble> {
    shard.orgs.look_again(tenant);
    let mut client = shard.orgs.unpinned_client(tenant).await?;
    client.session().await?;
    let mut limits = client.limits().await;
    if client.moved_to().is_some() {
        // The session of before was of an org that is gone: whoever asks wants to know what there is now.
        client = shard.orgs.unpinned_client(tenant).await?;
        limits = client.limits().await;
    }
    let session = client.session().await?;
    let mut problems = Vec::new();
    if let Err(trouble) = shard.orgs.client(tenant).await {
        problems.push(trouble.chain());
    }
    let version = client.config().api_version.clone();
    let versions = client.versions().await?;
    if !versions
        .iter()
        .any(|known| format!("v{}", known.version) == version)
    {
        let newest = versions
            .last()
            .map_or_else(|| "none".to_owned(), |known| known.version.clone());
        problems.push(format!(
            "the org does not answer API {version}; its newest is {newest}"
        ));
    }
    let user = match client.user_info().await {
        Ok(info) if !info.preferred_username.is_empty() => info.preferred_username,
        _ => session.user_id.to_string(),
    };
    let limits = match limits {
        Ok(limits) => limits,
        Err(error) => {
            let remedy = "give the user the permission View Setup and Configuration";
            problems.push(format!("the org's limits cannot be read ({error}): {remedy}"));
            Default::default()
        }
    };
    let calls = limits.get("DailyApiRequests");
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    if calls.is_some_and(|calls| calls.remaining <= 0) {
        problems.push("the org's daily API calls are used up; reading waits until some are free".to_owned());
    }
    // Nothing depends on it: an org whose name is hidden from the user goes by its id.
    let org_name = client.organization_name().await.ok().flatten();
    Ok(SalesforceTest {
        org_id: session.org_id.to_string(),
        org_name,
        user,
        instance_url: session.instance_url.to_string(),
        api_version: version,
        daily_calls_max: calls.map(|calls| number(calls.max)),
        daily_calls_left: calls.map(|calls| number(calls.remaining)),
        clock_ms: client.clock().now().map(|now| now.as_millisecond()),
        problems,
    })
}

async fn objects(shard: &Arc<Shard>, tenant: &TenantId) -> Result<Vec<ObjectSummary>, Trouble> {
    let client = shard.orgs.client(tenant).await?;
    let mut objects: Vec<ObjectSummary> = client
        .describe_global()
        .await?
        .into_iter()
        .filter(landbridge_salesforce::describe::ObjectSummary::holds_records)
        .map(|object| ObjectSummary {
            name: object.name,
            label: object.label,
            custom: object.custom,
        })
        .collect();
    objects.sort_by(|a, b| b.custom.cmp(&a.custom).then_with(|| a.name.cmp(&b.name)));
    Ok(objects)
}

async fn count(shard: &Arc<Shard>, tenant: &TenantId, question: CountRecords) -> Result<Count, Trouble> {
    let plan = match question.draft {
        Some(draft) => ReadPlan::new(&draft)?,
        None => ReadPlan::new(&*shard.sync(&SyncKey {
            tenant: tenant.clone(),
            name: question.sync,
        })?)?,
    };
    let client = shard.orgs.client(tenant).await?;
    let total = client.count(Scope::Live, &plan.object, None).await?;
    let count = match &plan.filter {
        Some(filter) => client.count(Scope::Live, &plan.object, Some(filter)).await?,
        None => total,
    };
    Ok(Count {
        count,
        total,
        exact: plan.filter_is_exact,
    })
}

/// How the change events of a sync's object stand.
fn stream(shard: &Arc<Shard>, key: &SyncKey) -> Option<StreamStatus> {
    let channel = channel_of(&*shard.sync(key).ok()?)?;
    let now = shard.orgs.made(&key.tenant).and_then(|org| org.clock().now());
    let distrust = shard.settings.stream.distrust;
    Some(shard.streams.standing(&channel)?.status(now, distrust))
}

fn status(shard: &Arc<Shard>, tenant: &TenantId) -> StageStatus {
    let mut status = StageStatus::default();
    if let Some(client) = shard.orgs.made(tenant) {
        status.calls = client
            .calls()
            .by_family()
            .into_iter()
            .filter(|(_, calls)| *calls > 0)
            .map(|(family, calls)| CallCount {
                family: family.as_str().to_owned(),
                calls,
                refused: client.calls().refused(family),
            })
            .collect();
    }
    status.budget = shard.orgs.budget(tenant);
    status.notes = shard.schemas.notes(tenant);
    if let Some(client) = shard.orgs.made(tenant)
        && let Err(trouble) = budget::at_length(&client)
    {
        status.notes.push(trouble.to_string());
    }
    let live = shard.live.lock();
    status.live = live
        .iter()
        .filter(|(key, _)| key.tenant == *tenant)
        .map(|(key, live)| {
            let mut live = live.clone();
            live.stream = stream(shard, key);
            live.reconcile = shard.looks.status(key);
            live
        })
        .collect();
    status.live.sort_by(|a, b| a.sync.cmp(&b.sync));
    status
}

/// What is known of one record: what Salesforce says now, and what was sent lately.
async fn explain(shard: &Arc<Shard>, tenant: &TenantId, id: SalesforceId) -> Result<Story, Trouble> {
    let mut story = Story::default();
    let prefix = Some(id.key_prefix());
    let syncs = shard.context.config.syncs(tenant);
    let concerned = syncs.iter().filter(|sync| {
        let resolved = sync.resolved.as_ref();
        resolved.is_some_and(|resolved| resolved.object.key_prefix.as_deref() == prefix)
    });
    for sync in concerned {
        let key = sync.key();
        let object = sync
            .resolved
            .as_ref()
            .map_or("", |resolved| resolved.object.name.as_str());
        story
            .lines
            .push(say(Some(&key), None, sight(shard, tenant, object, id).await));
        let emitted = Emitted::of(&shard.context.cache, &key);
        for stamp in emitted.stamps_of(&id)? {
            let text = "read by the increment with this stamp and sent to the mapper".to_owned();
            story.lines.push(say(Some(&key), Some(stamp), text));
        }
        if let Some(live) = shard.live.lock().get(&key) {
            let text = match &live.trouble {
                None => "everything before this time is read".to_owned(),
                Some(trouble) => format!("everything before this time is read; since then: {trouble}"),
            };
            story.lines.push(say(Some(&key), Some(live.covered_ms), text));
        } else {
            story.lines.push(say(
                Some(&key),
                None,
                format!("the sync is {}", sync.status.as_str()),
            ));
        }
    }
    if story.lines.is_empty() {
        let text = format!(
            "no sync of {tenant} reads records whose ids begin with {}",
            id.key_prefix()
        );
        story.lines.push(say(None, None, text));
    }
    Ok(story)
}

/// What Salesforce shows of a record now, in words.
async fn sight(shard: &Arc<Shard>, tenant: &TenantId, object: &str, id: SalesforceId) -> String {
    let columns = Columns::new([
        ("SystemModstamp", TextForm::DateTime),
        ("IsDeleted", TextForm::Boolean),
    ]);
    let text = soql::select(object, &columns, Some(&soql::id_in(&[id])));
    let client = match shard.orgs.client(tenant).await {
        Ok(client) => client,
        Err(trouble) => return format!("Salesforce cannot be asked: {}", trouble.chain()),
    };
    match client.query(Scope::WithDeleted, &text, &columns).await {
        Ok(page) if page.rows.rows() == 0 => "Salesforce shows no such record to this user".to_owned(),
        Ok(page) => {
            let stamp = page.rows.at(0).get(0).unwrap_or("an unknown time");
            match page.rows.at(1).get(0) {
                Some("true") => format!("deleted in Salesforce at {stamp}"),
                _ => format!("in Salesforce, last changed at {stamp}"),
            }
        }
        Err(error) => format!("Salesforce cannot be asked: {error}"),
    }
}

fn say(key: Option<&SyncKey>, at_ms: Option<i64>, text: String) -> StoryLine {
    StoryLine {
        at_ms,
        stage: StageKind::Extractor,
        sync: key.map(|key| key.name.clone()),
        text,
    }
}

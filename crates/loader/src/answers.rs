//! What others ask about a portal.

use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_hubspot::{Client, Error, Family, Share, Usage};
use landbridge_model::ask::{
    AskStatus, CallBudget, CallCount, Condition, ConditionKind, CreateObjectType, CreateProperty, DecideHeld,
    EstimateWriting, Explain, FindIdentities, FoundIdentities, GetLabels, GetSchema, HoldWritten,
    HubSpotTest, LimitUse, ListRecords, ListSchemas, ListedRecord, Provision, Question, RecordPage,
    SendAgain, StageStatus, Story, StoryLine, TestHubSpot, UndoPage,
};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{SalesforceId, StageKind};
use landbridge_stage::{StageError, answer_with, parse_ask};
use landbridge_wire::{Ask, AskError, AskErrorCode};

use crate::estimate::{self, Budget};
use crate::held;
use crate::known::Known;
use crate::portal::{Portal, Tenant, ask_error};
use crate::provision::{create_property, provision, schema};
use crate::removal;
use crate::retry;
use crate::shard::LoaderShard;
use crate::target::Target;
use crate::undo;

/// Scopes without which a sync of custom objects cannot work.
const SCOPES: [&str; 4] = [
    "crm.objects.custom.read",
    "crm.objects.custom.write",
    "crm.schemas.custom.read",
    "crm.schemas.custom.write",
];

pub(crate) fn internal(error: StageError) -> AskError {
    AskError::new(AskErrorCode::Internal, error.chain())
}

/// Answers one question.
/// A call that was refused for the burst limit had no effect, and the governor has learned from it: asked again, it waits
/// its turn. So a question is put again rather than refused, a few times; the asker's deadline bounds the whole.
pub(crate) async fn answer(shard: &LoaderShard, ask: Ask) -> Result<String, AskError> {
    const ATTEMPTS: usize = 4;
    for _ in 1..ATTEMPTS {
        match answer_once(shard, ask.clone()).await {
            Err(error) if error.code == AskErrorCode::Limited => {
                tracing::debug!(tenant = %ask.tenant, service = ask.service, %error, "asking again after a rate limit");
            }
            other => return other,
        }
    }
    answer_once(shard, ask).await
}

async fn answer_once(shard: &LoaderShard, ask: Ask) -> Result<String, AskError> {
    let tenant = shard.tenant(&ask.tenant);
    match ask.service.as_str() {
        Explain::SERVICE => {
            let question: Explain = parse_ask(&ask)?;
            return answer_with(&explain(shard, &tenant, question.id).map_err(internal)?);
        }
        AskStatus::SERVICE => return answer_with(&status(&tenant).await),
        DecideHeld::SERVICE => {
            let question: DecideHeld = parse_ask(&ask)?;
            let decided = held::decide(shard, &ask.tenant, &question).await;
            return answer_with(&decided.map_err(internal)?);
        }
        SendAgain::SERVICE => {
            let question: SendAgain = parse_ask(&ask)?;
            let wanted = retry::want(shard, &ask.tenant, &question).await;
            return answer_with(&wanted.map_err(internal)?);
        }
        TestHubSpot::SERVICE => tenant.forget_portal().await,
        _ => {}
    }
    let portal = tenant.portal(&shard.context).await?;
    let client = &portal.client;
    match ask.service.as_str() {
        TestHubSpot::SERVICE => answer_with(&test(&portal).await?),
        ListSchemas::SERVICE => {
            let schemas: Vec<ObjectSchema> = client.schemas().await.map_err(|error| ask_error(&error))?;
            answer_with(&schemas)
        }
        GetSchema::SERVICE => {
            let question: GetSchema = parse_ask(&ask)?;
            answer_with(&schema(&portal, &question.object_type).await?)
        }
        GetLabels::SERVICE => {
            let question: GetLabels = parse_ask(&ask)?;
            let labels = client.labels(Share::Live, &question.from, &question.to).await;
            answer_with(&labels.map_err(|error| ask_error(&error))?)
        }
        Provision::SERVICE => {
            let question: Provision = parse_ask(&ask)?;
            answer_with(&provision(&portal, &question).await?)
        }
        CreateObjectType::SERVICE => {
            let question: CreateObjectType = parse_ask(&ask)?;
            let created = client.create_schema(&question.schema).await;
            answer_with(&created.map_err(|error| ask_error(&error))?)
        }
        CreateProperty::SERVICE => {
            let question: CreateProperty = parse_ask(&ask)?;
            answer_with(&create_property(client, &question).await?)
        }
        FindIdentities::SERVICE => {
            let question: FindIdentities = parse_ask(&ask)?;
            if let Some(found) = remembered(shard, &tenant, &question).map_err(internal)? {
                return answer_with(&found);
            }
            let found = identities(&tenant, client, &question).await;
            answer_with(&found.map_err(|error| ask_error(&error))?)
        }
        EstimateWriting::SERVICE => {
            let question: EstimateWriting = parse_ask(&ask)?;
            let budget = budget(&tenant, client, &question).map_err(internal)?;
            answer_with(&estimate::import(&question, budget))
        }
        HoldWritten::SERVICE => {
            let question: HoldWritten = parse_ask(&ask)?;
            answer_with(&removal::hold_page(shard, client, &ask.tenant, &question).await?)
        }
        UndoPage::SERVICE => {
            let question: UndoPage = parse_ask(&ask)?;
            answer_with(&undo::page(shard, &tenant, &portal, &question).await?)
        }
        ListRecords::SERVICE => {
            let question: ListRecords = parse_ask(&ask)?;
            let page = list(client, &question).await;
            answer_with(&page.map_err(|error| ask_error(&error))?)
        }
        other => {
            let message = format!("the loader answers no question called {other}");
            Err(AskError::new(AskErrorCode::Invalid, message))
        }
    }
}

/// What the portal's limits leave for an import.
fn budget(tenant: &Tenant, client: &Client, question: &EstimateWriting) -> Result<Budget, StageError> {
    let usage = client.usage();
    let is_known = match &question.object_type {
        Some(object_type) => tenant.memory.is_complete(object_type)?,
        None => false,
    };
    Ok(Budget {
        burst: usage
            .burst_limit
            .map(|limit| f64::from(limit) * usage.burst_factor),
        daily_left: usage
            .daily_limit
            .map(|limit| u64::from(limit.saturating_sub(usage.daily_spent))),
        is_known,
    })
}

async fn test(portal: &Portal) -> Result<HubSpotTest, AskError> {
    let client = &portal.client;
    let mut problems = Vec::new();
    match client.token_info().await {
        Ok(Some(info)) if !info.scopes.is_empty() => {
            for scope in SCOPES
                .iter()
                .filter(|scope| !info.scopes.iter().any(|has| has == *scope))
            {
                problems.push(format!(
                    "the scope {scope} is missing: grant it to the key in HubSpot"
                ));
            }
        }
        Ok(_) => {}
        Err(error) => problems.push(format!("the key's scopes cannot be read: {error}")),
    }
    let object_types = match client.object_type_limit().await {
        Ok(limit) => Some(LimitUse {
            limit: limit.limit,
            used: limit.usage,
        }),
        Err(error) => {
            problems.push(format!(
                "the number of custom object types cannot be read: {error}"
            ));
            None
        }
    };
    if let Err(error) = client.schemas().await {
        problems.push(format!("custom object types cannot be read: {error}"));
    }
    let usage = client.usage();
    Ok(HubSpotTest {
        portal_id: portal.details.portal_id,
        account_type: portal.details.account_type.clone(),
        time_zone: portal.details.time_zone.clone(),
        ui_domain: portal.details.ui_domain.clone(),
        data_hosting: portal.details.data_hosting_location.clone(),
        burst_max: usage.burst_limit.map(u64::from),
        daily_max: usage.daily_limit.map(u64::from),
        daily_left: usage
            .daily_limit
            .map(|limit| u64::from(limit.saturating_sub(usage.daily_spent))),
        object_types,
        problems,
    })
}

/// The answer as it is remembered, when the type is known whole.
fn remembered(
    shard: &LoaderShard,
    tenant: &Tenant,
    question: &FindIdentities,
) -> Result<Option<FoundIdentities>, StageError> {
    let object_type = &question.object_type;
    let syncs = shard.context.config.syncs(&tenant.id);
    let targets = syncs.iter().filter_map(Target::of);
    let ours = targets.filter(|target| target.object_type == *object_type);
    let by_our_property = ours.map(|target| target.id_property == question.property);
    let is_ours = by_our_property.reduce(|all, one| all && one).unwrap_or(false);
    if !(question.remembered && question.unique && is_ours && tenant.memory.is_complete(object_type)?) {
        return Ok(None);
    }
    let mut found = FoundIdentities::default();
    for id in &question.ids {
        if let Known::Present(present) = tenant.memory.look(object_type, *id, true)? {
            found.found.push((*id, present.id));
            found
                .versions
                .extend(present.version.map(|version| (*id, version)));
        }
    }
    Ok(Some(found))
}

async fn identities(
    tenant: &Tenant,
    client: &Client,
    question: &FindIdentities,
) -> Result<FoundIdentities, Error> {
    let FindIdentities {
        object_type,
        property,
        unique,
        ids,
        remembered: _,
    } = question;
    if !unique {
        return tenant.scans.find(client, object_type, property, ids).await;
    }
    let mut found = FoundIdentities::default();
    for chunk in ids.chunks(BATCH_INPUTS_MAX) {
        let texts: Vec<&str> = chunk.iter().map(SalesforceId::as_str).collect();
        let wanted = [property.as_str(), VERSION_PROPERTY];
        let reply = client
            .read_records(Share::Lookups, object_type, Some(property), &texts, &wanted)
            .await?;
        for record in reply.records(&wanted)?.results {
            let text = |at: usize| record.values[at].as_deref();
            let Some(id) = text(0).and_then(|text| SalesforceId::parse(text).ok()) else {
                continue;
            };
            found.found.push((id, record.id));
            let version = text(1).and_then(|text| text.parse().ok());
            found.versions.extend(version.map(|version| (id, version)));
        }
    }
    Ok(found)
}

async fn list(client: &Client, question: &ListRecords) -> Result<RecordPage, Error> {
    let wanted = [question.id_property.as_str(), VERSION_PROPERTY];
    let after = question.after.as_deref();
    let reply = client
        .list_records(Share::Check, &question.object_type, &wanted, after, false)
        .await?;
    let page = reply.records(&wanted)?;
    let records = page.results.iter().map(|record| ListedRecord {
        hubspot_id: record.id,
        salesforce_id: record.values[0]
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        version: record.values[1]
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
    });
    Ok(RecordPage {
        records: records.collect(),
        after: page.after,
    })
}

/// Calls since this worker first opened the portal, and what people should know.
async fn status(tenant: &Tenant) -> StageStatus {
    let mut status = StageStatus::told(tenant.conditions());
    if let Some(portal) = tenant.opened().await {
        let usage: Usage = portal.client.usage();
        status.calls = Family::ALL
            .iter()
            .map(|family| CallCount {
                family: family.as_str().to_owned(),
                calls: usage.calls_of(*family),
                refused: usage.refused[*family as usize],
            })
            .collect();
        status.budget = usage.daily_limit.map(|limit| daily_budget(limit, &usage));
        if let Some(rest) = usage.paused {
            let text = format!("HubSpot asked us to wait; going on in {} s", rest.as_secs() + 1);
            status.tell(Condition::new(ConditionKind::Limited, text));
        }
    }
    status
}

fn daily_budget(limit: u32, usage: &Usage) -> CallBudget {
    // A part of a number that is far below 2^52.
    let reserved = (f64::from(limit) * usage.daily_reserve) as u64;
    CallBudget {
        limit: u64::from(limit),
        used: u64::from(usage.daily_spent),
        // The portal counts all apps together, and since midnight: what is ours of it is not known.
        own: None,
        allocated: u64::from(limit).saturating_sub(reserved),
        reserved,
        forecast: usage.daily_forecast.map(u64::from),
    }
}

fn explain(shard: &LoaderShard, tenant: &Tenant, id: SalesforceId) -> Result<Story, StageError> {
    let mut story = Story::default();
    let tell = |story: &mut Story, sync: &Target, at_ms: Option<i64>, text: String| {
        story.lines.push(StoryLine {
            at_ms,
            stage: StageKind::Loader,
            sync: Some(sync.sync.definition.metadata.name.clone()),
            text,
        });
    };
    for sync in shard.context.config.syncs(&tenant.id) {
        let Some(target) = Target::of(&sync) else { continue };
        match tenant.memory.look(&target.object_type, id, false)? {
            Known::Present(present) => {
                let version = present.version.map(|version| version.stamp_ms);
                let text = format!("is HubSpot record {} of {}", present.id, target.object_type);
                tell(&mut story, &target, version, text);
            }
            Known::Gone(version) => {
                let text = format!("was deleted from {}", target.object_type);
                tell(&mut story, &target, Some(version.stamp_ms), text);
            }
            Known::Nothing | Known::Absent => {}
        }
        if tenant.busy.has(&(target.object_type.clone(), id)) {
            tell(
                &mut story,
                &target,
                None,
                "a write to HubSpot is under way".to_owned(),
            );
        }
        if let Some(version) = shard.held.lock().get(&(sync.key(), id)) {
            let text = "its delete is held".to_owned();
            tell(&mut story, &target, Some(version.stamp_ms), text);
        }
        for (field, attempts) in shard.failures.of_record(&sync.key(), id) {
            let what = field.map_or("it".to_owned(), |field| format!("its link {field}"));
            tell(
                &mut story,
                &target,
                None,
                format!("{what} failed, {attempts} times so far"),
            );
        }
    }
    Ok(story)
}

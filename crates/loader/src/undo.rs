//! Undoing an import from its before-images, the newest first. An image is forgotten when it is undone, so an undo that was
//! interrupted goes on with what is left, and undoing an image twice changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_bus::LinkPart;
use landbridge_hubspot::Share;
use landbridge_hubspot::associations::{Pair, READ_INPUTS_MAX, TypedPair};
use landbridge_model::ask::{UndoPage, UndonePage};
use landbridge_model::before::{
    ASSOCIATION, BeforeBody, BeforeImage, LeftValue, LinksBefore, PairBefore, UndoneImage,
};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::{
    Envelope, HubSpotId, Identities, Identity, Lane, ObjectTypeId, RunId, SalesforceId, SyncKey, TenantId,
    Version,
};
use landbridge_stage::{KeptImage, StageError};
use landbridge_wire::{AskError, AskErrorCode, LinkMessage};

mod decide;
mod records;

use decide::PairUndo;

use crate::answers::internal;
use crate::before::associated;
use crate::flight::Airline;
use crate::links::PairFates;
use crate::links::calls::{Caller, patiently};
use crate::pairs::Current;
use crate::portal::{Portal, Tenant, ask_error};
use crate::provision::schema;
use crate::shard::LoaderShard;
use crate::target::find;

/// How long a page may go on before it is told.
const PAGE: Duration = Duration::from_secs(20);
/// The most text in one message of what was left.
const LEFT_BYTES: usize = 256 * 1024;

/// An undo that had to stop: what it did stands, and the rest is done when it is asked again.
pub(crate) enum Stop {
    /// What the asker is told.
    Told(AskError),
    /// The stage has to give up.
    Stage(StageError),
}

impl From<StageError> for Stop {
    fn from(error: StageError) -> Self {
        Self::Stage(error)
    }
}

impl From<landbridge_hubspot::Error> for Stop {
    fn from(error: landbridge_hubspot::Error) -> Self {
        Self::Told(ask_error(&error))
    }
}

impl From<Stop> for AskError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Told(error) => error,
            Stop::Stage(error) => internal(error),
        }
    }
}

/// The worker stops, or HubSpot refuses the credential.
fn interrupted() -> Stop {
    let what =
        "the loader is stopping, or HubSpot refuses its credential; the undo goes on when that is over";
    Stop::Told(AskError::new(AskErrorCode::Unavailable, what))
}

/// Undoes some images.
pub(crate) async fn page(
    shard: &LoaderShard,
    tenant: &Arc<Tenant>,
    portal: &Portal,
    question: &UndoPage,
) -> Result<UndonePage, AskError> {
    let _alone = tenant.undoing.lock().await;
    let (sync, run) = (key(&tenant.id, question), RunId::from(&question.import));
    let target = find(&shard.context, &tenant.id, &question.sync).await;
    let target = target.ok_or_else(|| {
        let what = format!(
            "{} is not there any more: what it wrote cannot be undone",
            question.sync
        );
        AskError::new(AskErrorCode::NotFound, what)
    })?;
    let hub = &shard.context.hub;
    // As it is now: a property that somebody made since may be filled in a record that the import made.
    let schema = schema(portal, target.object_type.as_str()).await?;
    let mut undo = Undo {
        airline: Airline {
            context: shard.context.clone(),
            tenant: tenant.clone(),
            share: Share::Bulk,
            metrics: shard.metrics.clone(),
        },
        portal,
        schema,
    };
    let began = Instant::now();
    let mut page = UndonePage::default();
    while began.elapsed() < PAGE {
        let Some(KeptImage { token, image }) = hub.newest_before(&sync, &run).await.map_err(internal)? else {
            page.is_last = true;
            break;
        };
        if undo.schema.object_type_id != image.object_type {
            // An edit of the sync has led it to another type since.
            undo.schema = self::schema(portal, image.object_type.as_str()).await?;
        }
        let open = tenant.unanswered.unless_ended();
        let undone = undo.image(&image).await;
        open.ended();
        let undone = undone?;
        page.counts.add(undone.counts());
        let parts = in_parts(undone);
        hub.put_undone(&sync, &run, &token, &parts)
            .await
            .map_err(internal)?;
    }
    Ok(page)
}

fn key(tenant: &TenantId, question: &UndoPage) -> SyncKey {
    SyncKey {
        tenant: tenant.clone(),
        name: question.sync.clone(),
    }
}

/// In parts that fit into messages; the first holds all but what was left.
fn in_parts(mut undone: UndoneImage) -> Vec<UndoneImage> {
    let all = std::mem::take(&mut undone.left);
    let mut parts = vec![undone];
    let mut bytes = 0;
    for left in all {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let size = 128 + left.property.len() + left.reason.len() + text(&left.now) + text(&left.before);
        if bytes + size > LEFT_BYTES && bytes > 0 {
            parts.push(UndoneImage::default());
            bytes = 0;
        }
        bytes += size;
        if let Some(part) = parts.last_mut() {
            part.left.push(left);
        }
    }
    parts
}

struct Undo<'a> {
    airline: Airline,
    portal: &'a Portal,
    schema: ObjectSchema,
}

impl Undo<'_> {
    async fn image(&self, image: &BeforeImage) -> Result<UndoneImage, Stop> {
        match &image.body {
            BeforeBody::Records(records) => self.records(&image.envelope, &image.object_type, records).await,
            BeforeBody::Links(links) => self.links(&image.object_type, links).await,
        }
    }

    /// Tells the resolver that records are gone.
    async fn tell_gone(
        &self,
        envelope: &Envelope,
        object_type: &ObjectTypeId,
        gone: &[(SalesforceId, Version)],
    ) -> Result<(), StageError> {
        if gone.is_empty() {
            return Ok(());
        }
        let identity = |(id, version): &(SalesforceId, Version)| Identity {
            id: *id,
            hubspot_id: None,
            // Newer than the wishes of the import, which are over, and older than whatever is read next.
            version: Version::new(version.stamp_ms, version.read_ms + 1),
        };
        let identities: Vec<Identity> = gone.iter().map(identity).collect();
        let hub = &self.airline.context.hub;
        let subject = hub.links(&envelope.tenant, Lane::Bulk, LinkPart::Identities);
        let cause = format!("undone {} of {object_type} at {}", gone[0].0, hub.now_ms());
        let message = LinkMessage::Identities(Identities {
            envelope: envelope.clone(),
            object_type: object_type.clone(),
            identities,
        });
        hub.send(&subject, &cause, &message).await.map(drop)
    }

    async fn links(&self, from: &ObjectTypeId, links: &LinksBefore) -> Result<UndoneImage, Stop> {
        let children: std::collections::BTreeSet<HubSpotId> =
            links.pairs.iter().map(|pair| pair.from).collect();
        let children: Vec<HubSpotId> = children.into_iter().collect();
        let mut current = Current::new();
        for chunk in children.chunks(READ_INPUTS_MAX) {
            let client = &self.portal.client;
            let read = patiently(&self.airline, self.portal, || {
                client.read_associations(Share::Bulk, from, &links.to, chunk)
            });
            current.extend(read.await?.ok_or_else(interrupted)??);
        }
        let decided: Vec<(&PairBefore, PairUndo)> = links
            .pairs
            .iter()
            .map(|pair| {
                let now = associated(&current, ends(pair));
                (pair, decide::pair(&pair.before, &pair.ours, &now))
            })
            .collect();
        let fates = self.associate(from, &links.to, &decided).await?;
        let mut undone = UndoneImage::default();
        for (pair, what) in decided {
            let reason = match (&what, fates.get(&ends(pair))) {
                (PairUndo::Left, _) => "somebody took the association away since the import".to_owned(),
                (_, Some(failure)) => format!("HubSpot refuses it: {}", failure.message),
                (_, None) => {
                    undone.links += 1;
                    continue;
                }
            };
            undone.left.push(LeftValue {
                id: pair.child,
                hubspot_id: Some(pair.from),
                property: ASSOCIATION.to_owned(),
                now: associated(&current, ends(pair)).map(|_| pair.to.to_string()),
                before: pair.before.as_ref().map(|_| pair.to.to_string()),
                reason,
            });
        }
        Ok(undone)
    }

    /// Makes the calls; gives the pairs that HubSpot refused.
    async fn associate(
        &self,
        from: &ObjectTypeId,
        to: &ObjectTypeId,
        decided: &[(&PairBefore, PairUndo)],
    ) -> Result<PairFates, Stop> {
        use landbridge_hubspot::associations::{ARCHIVE_INPUTS_MAX, CREATE_INPUTS_MAX};
        let caller = Caller {
            airline: &self.airline,
            portal: self.portal,
            from,
            to,
        };
        let (mut apart, mut plain, mut strip, mut label) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (pair, what) in decided {
            let pair = ends(pair);
            let typed = |labels: &std::collections::BTreeSet<_>| TypedPair {
                pair,
                types: labels.iter().cloned().collect(),
            };
            match what {
                PairUndo::AsBefore | PairUndo::Left => {}
                PairUndo::Dissociate => apart.push(pair),
                PairUndo::Plain => plain.push(pair),
                PairUndo::Strip(labels) => strip.push(typed(labels)),
                PairUndo::Label(labels) => label.push(typed(labels)),
            }
        }
        let mut fates: PairFates = BTreeMap::new();
        for chunk in apart.chunks(ARCHIVE_INPUTS_MAX) {
            fates.extend(caller.dissociate(chunk).await?.ok_or_else(interrupted)?);
        }
        for chunk in strip.chunks(ARCHIVE_INPUTS_MAX) {
            fates.extend(caller.strip(chunk).await?.ok_or_else(interrupted)?);
        }
        for chunk in plain.chunks(CREATE_INPUTS_MAX) {
            fates.extend(caller.link_plainly(chunk).await?.ok_or_else(interrupted)?);
        }
        for chunk in label.chunks(CREATE_INPUTS_MAX) {
            fates.extend(caller.link(chunk).await?.ok_or_else(interrupted)?);
        }
        Ok(fates)
    }
}

fn ends(pair: &PairBefore) -> Pair {
    Pair {
        from: pair.from,
        to: pair.to,
    }
}

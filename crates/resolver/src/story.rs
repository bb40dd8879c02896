//! What the resolver tells people: the story of a record, and of links that cannot even begin.

use landbridge_model::ask::{Story, StoryLine};
use landbridge_model::{
    Failure, FailureCategory, LinkIntents, LinkOutcome, LinkVerdict, SalesforceId, StageKind, SyncName,
};
use landbridge_stage::StageError;

use crate::decide::Rows;
use crate::facts::{Cause, Directory, End, Slot, Stand, Want, Whereabouts, Wish};
use crate::outbox;
use crate::tenant::Tenant;

/// Children named one by one in a parent's story.
const CHILDREN_MAX: usize = 5;

impl Tenant {
    /// What is known of a record, at either end of a link.
    pub(crate) async fn explain(&self, id: SalesforceId) -> Result<Story, StageError> {
        let state = self.state.lock().await;
        let store = &state.store;
        let mut story = Story::default();
        let mut own_directories = 0;
        let directories: Vec<_> = store.directories().collect();
        for directory in directories {
            let end = End {
                directory: directory.clone(),
                id,
            };
            if let Some(known) = store.known(&end)? {
                story
                    .lines
                    .push(line(None, None, whereabouts(&known.whereabouts, &directory)));
                own_directories += 1;
            }
            let waiting = store.slots(&end, Rows::Waiting, None, CHILDREN_MAX + 1, |_| true)?;
            if let Some(text) =
                waiting_children(&waiting.into_iter().map(|(_, slot)| slot).collect::<Vec<_>>())
            {
                story.lines.push(line(None, None, text));
            }
        }
        if own_directories == 0 {
            story.lines.push(line(
                None,
                None,
                "its HubSpot record is not known here yet".to_owned(),
            ));
        }
        let any = End {
            directory: nowhere(),
            id,
        };
        for (_, slot) in store.slots(&any, Rows::Own, None, usize::MAX, |_| true)? {
            if let Some(wish) = store.wish(&slot)? {
                let since = wish.parked.map(|parked| parked.since_ms);
                story
                    .lines
                    .push(line(since, Some(slot.sync.clone()), wish_text(&slot, &wish)));
            }
        }
        Ok(story)
    }

    /// A message whose sync is not there: every link of it is told as failed.
    pub(crate) async fn fail_all(&self, intents: &LinkIntents, cause: &Cause) -> Result<(), StageError> {
        let now_ms = self.context.hub.now_ms();
        let mut tell = Vec::new();
        for (field, column) in intents.table.iter() {
            for (row, child) in intents.children.iter().enumerate() {
                let parent = column.get(row).and_then(|cell| SalesforceId::parse(cell).ok());
                if parent.is_none() || intents.deleted[row] {
                    continue;
                }
                let message =
                    "the definition of its sync has not arrived here; retry it, or apply the sync again";
                let verdict = LinkVerdict {
                    child: *child,
                    field: field.to_owned(),
                    parent,
                    version: intents.versions[row],
                    outcome: LinkOutcome::Failed,
                    failure: Some(Failure::new(FailureCategory::Internal, message).field(field)),
                };
                let slot = Slot {
                    child: *child,
                    sync: intents.envelope.sync.clone(),
                    field: field.into(),
                };
                tell.push((slot, cause.clone(), verdict));
            }
        }
        for report in outbox::reports(&self.id, &tell, now_ms) {
            self.context.hub.report(&report).await?;
        }
        for failed in outbox::failures(&self.id, &tell, now_ms) {
            self.context.hub.remember_failure(&failed).await?;
        }
        Ok(())
    }
}

/// A directory that nothing is in: a record's own slots are found by its id alone.
fn nowhere() -> std::sync::Arc<Directory> {
    let object_type = landbridge_model::ObjectTypeId::new("");
    std::sync::Arc::new(Directory {
        object_type,
        property: "".into(),
        unique: true,
    })
}

fn line(at_ms: Option<i64>, sync: Option<SyncName>, text: String) -> StoryLine {
    StoryLine {
        at_ms,
        stage: StageKind::Resolver,
        sync,
        text,
    }
}

fn whereabouts(whereabouts: &Whereabouts, directory: &Directory) -> String {
    let (object_type, property) = (&directory.object_type, &directory.property);
    match whereabouts {
        Whereabouts::Here(id) => format!("it is HubSpot record {id} of type {object_type} (by {property})"),
        Whereabouts::Gone => format!("HubSpot has no record of type {object_type} with it in {property}"),
        Whereabouts::Ambiguous(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!(
                "the HubSpot records {} of type {object_type} all have it in {property}",
                ids.join(" and ")
            )
        }
    }
}

fn waiting_children(waiting: &[Slot]) -> Option<String> {
    let named: Vec<String> = waiting
        .iter()
        .take(CHILDREN_MAX)
        .map(|slot| format!("{} ({})", slot.child, slot.field))
        .collect();
    let more = if waiting.len() > CHILDREN_MAX {
        " and others"
    } else {
        ""
    };
    (!named.is_empty()).then(|| format!("links of {}{more} wait for it", named.join(", ")))
}

fn wish_text(slot: &Slot, wish: &Wish) -> String {
    let field = &slot.field;
    let stands = match wish.stand {
        Stand::Unknown => "what stood before is not known",
        Stand::Nothing => "nothing is linked",
        Stand::Linked { .. } => "",
    };
    match (&wish.want, wish.waits) {
        (Want::Dropped, _) => format!("{field}: the record is deleted, its link is wanted no more"),
        (Want::Nobody, false) => format!("{field}: names no record; {stands}"),
        (Want::Nobody, true) => format!("{field}: names no record; waits for the record itself"),
        (Want::Parent(parent), false) => match wish.stand {
            Stand::Linked {
                child,
                parent: hubspot,
            } => {
                format!(
                    "{field}: names {}; HubSpot records {child} and {hubspot} are linked",
                    parent.id
                )
            }
            _ => format!("{field}: names {}; {stands}", parent.id),
        },
        (Want::Parent(parent), true) => {
            let how = if wish.is_parked() { "parked" } else { "in hand" };
            format!(
                "{field}: names {}; {how} until both records are in HubSpot",
                parent.id
            )
        }
    }
}

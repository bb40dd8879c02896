//! What a transaction did, put into events: one for each record, fewer where several say the same, overflows, gaps and
//! losses where they are wished.

use super::{
    bus::{Event, Inner},
    event::{self, Body, ChangeType, Commit},
    layout::Layout,
};
use crate::salesforce::{
    ids::RecordId,
    random::mix,
    reader::Reader,
    store::{Org, Touched},
};
use bytes::Bytes;

/// The largest event.
const LARGEST: usize = 1_000_000;
/// What a full-resync event names in the place of records.
const NO_RECORD: &str = "000000000000000AAA";

impl Inner {
    fn commit(&mut self, org: &Org, origin: String, at_ms: i64) -> Commit {
        self.commits += 1 + self.chance.below(50) as i64;
        Commit {
            origin,
            key: self.uuid(),
            at_ms,
            number: self.commits,
            user: org.user_id,
        }
    }

    /// One event for all records of an object, which a wildcard stands for.
    pub(super) fn tell_all(&mut self, org: &Org, object: usize, at_ms: i64, now_ms: i64) {
        let commit = self.commit(org, String::new(), at_ms);
        let layout = self.layout(object);
        let prefix = String::from_utf8_lossy(&self.schema.objects[object].prefix).into_owned();
        let (ids, body) = ([format!("{prefix}*")], event::nothing(&layout));
        let payload = event::payload(&layout, &commit, ChangeType::Update, &ids, 1, &body);
        self.add(object, &layout, payload, now_ms);
    }

    pub(super) fn tell(
        &mut self,
        org: &Org,
        touched: Vec<(RecordId, Touched)>,
        origin: String,
        at_ms: i64,
        now_ms: i64,
    ) {
        let commit = self.commit(org, origin, at_ms);
        let drafts = self.drafts(org, touched, now_ms);
        let mut left = self.habits.overflow_after;
        let mut overflown: Vec<usize> = Vec::new();
        for draft in drafts {
            if draft.body.fields > left {
                if !overflown.contains(&draft.object) {
                    overflown.push(draft.object);
                }
                continue;
            }
            left -= draft.body.fields;
            self.push(&commit, &draft, now_ms);
        }
        for object in overflown {
            let layout = self.layout(object);
            let ids = [NO_RECORD.to_owned()];
            let body = event::nothing(&layout);
            let payload = event::payload(&layout, &commit, ChangeType::GapOverflow, &ids, 0, &body);
            self.counts.overflows += 1;
            self.add(object, &layout, payload, now_ms);
        }
    }

    /// One draft for each record of a selected object; the same change of several records is one.
    fn drafts(&mut self, org: &Org, touched: Vec<(RecordId, Touched)>, now_ms: i64) -> Vec<Draft> {
        let reader = Reader::new(org, now_ms);
        let mut drafts: Vec<Draft> = Vec::new();
        for (sequence, (id, touch)) in touched.into_iter().enumerate() {
            let Some(object) = self.schema.by_prefix(id.prefix()) else {
                continue;
            };
            let name = &self.schema.objects[object].name;
            let is_selected = self.habits.selects(name);
            let Some(change) = touch.kind.and_then(ChangeType::of).filter(|_| is_selected) else {
                continue;
            };
            let layout = self.layout(object);
            let after = org.find(id).map(|(_, record)| record.clone());
            let is_live = after.as_ref().is_some_and(|record| record.deleted.is_none());
            let body = match (change, &touch.before, &after) {
                (ChangeType::Delete, ..) if !is_live => event::nothing(&layout),
                (ChangeType::Update, Some(before), Some(after)) if is_live => {
                    event::difference(&layout, &reader, object, before, after)
                }
                (ChangeType::Create | ChangeType::Undelete, _, Some(after)) if is_live => {
                    event::whole(&layout, &reader, object, after)
                }
                // It came and went within the transaction, or went and came.
                _ => continue,
            };
            let same = drafts.iter_mut().find(|draft| {
                draft.object == object
                    && draft.change == change
                    && change != ChangeType::Create
                    && draft.body == body
            });
            match same {
                Some(draft) => draft.ids.push(id.to_string()),
                None => drafts.push(Draft {
                    object,
                    change,
                    ids: vec![id.to_string()],
                    sequence: sequence as i64 + 1,
                    body,
                }),
            }
        }
        drafts
    }

    fn push(&mut self, commit: &Commit, draft: &Draft, now_ms: i64) {
        if self.habits.drop_one_in > 0 && self.chance.one_in(self.habits.drop_one_in) {
            self.counts.dropped += 1;
            return;
        }
        let layout = self.layout(draft.object);
        let (change, sequence) = (draft.change, draft.sequence);
        let mut payload = event::payload(&layout, commit, change, &draft.ids, sequence, &draft.body);
        let breaks = self.habits.gap_one_in > 0 && self.chance.one_in(self.habits.gap_one_in);
        if breaks || payload.len() > LARGEST {
            payload = event::gap(&layout, commit, change, &draft.ids, sequence);
            self.counts.gaps += 1;
        }
        self.add(draft.object, &layout, payload, now_ms);
    }

    fn add(&mut self, object: usize, layout: &Layout, payload: Vec<u8>, now_ms: i64) {
        self.counts.events += 1;
        let number = self.give(now_ms);
        let id = self.uuid();
        self.events.push_back(Event {
            number,
            object,
            id,
            schema_id: layout.schema_id.clone(),
            payload: Bytes::from(payload),
        });
    }

    fn uuid(&mut self) -> String {
        let high = mix(&mut self.ids);
        let low = mix(&mut self.ids);
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid()
            .to_string()
    }
}

/// An event before it has its place.
struct Draft {
    object: usize,
    change: ChangeType,
    ids: Vec<String>,
    sequence: i64,
    body: Body,
}

//! What is known of one tenant, in the shard's cache.
//!
//! Keys, behind the tenant's name and a zero byte: `m` the format, whether all is known, and the portal; `n`
//! names by number; `e` ends; `w` wishes by child; `q` wishes that wait, `k` those that are settled, by parent.

use std::collections::HashMap;
use std::sync::Arc;

use landbridge_model::{ObjectTypeId, SalesforceId, SyncName, TenantId};
use landbridge_stage::{Cache, CacheBatch, StageError};

use crate::codec::{Places, known_in, known_out, salesforce_id, wish_in, wish_out};
use crate::decide::Rows;
use crate::facts::{Directory, End, Known, Slot, Wish};

/// Changes with the form of keys or values: another one makes the cache count as empty.
const FORMAT: u8 = 2;

/// A directory, or a lookup field of a sync.
#[derive(Clone, Debug)]
enum Name {
    Directory(Arc<Directory>),
    Field(SyncName, Arc<str>),
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Directory(directory) => {
                format!(
                    "d\n{}\n{}\n{}",
                    directory.object_type,
                    directory.property,
                    u8::from(directory.unique)
                )
            }
            Self::Field(sync, field) => format!("f\n{sync}\n{field}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split('\n').collect::<Vec<_>>().as_slice() {
            ["d", object_type, property, unique] => Some(Self::Directory(Arc::new(Directory {
                object_type: ObjectTypeId::new(object_type),
                property: Arc::from(*property),
                unique: *unique == "1",
            }))),
            ["f", sync, field] => Some(Self::Field(SyncName::new(sync).ok()?, Arc::from(*field))),
            _ => None,
        }
    }
}

/// The names of a tenant with their numbers.
#[derive(Debug, Default)]
struct Names {
    by_number: Vec<Name>,
    directories: HashMap<Arc<Directory>, u16>,
    fields: HashMap<(SyncName, Arc<str>), u16>,
}

impl Names {
    fn find(&self, name: &Name) -> Option<u16> {
        match name {
            Name::Directory(directory) => self.directories.get(directory).copied(),
            Name::Field(sync, field) => self.fields.get(&(sync.clone(), field.clone())).copied(),
        }
    }
}

impl Places for Names {
    fn number(&self, directory: &Directory) -> Option<u16> {
        self.directories.get(directory).copied()
    }

    fn directory(&self, number: u16) -> Option<Arc<Directory>> {
        match self.by_number.get(usize::from(number))? {
            Name::Directory(directory) => Some(directory.clone()),
            Name::Field(..) => None,
        }
    }
}

/// Where a slot stands among those of an end: the order in which they are looked at page by page.
pub(crate) type Place = (SalesforceId, u16);

/// One tenant's part of the cache.
#[derive(Debug)]
pub(crate) struct Store {
    cache: Cache,
    prefix: Vec<u8>,
    names: Names,
    /// Whether everything that ever was known of this tenant's links still is.
    complete: bool,
    /// The portal whose ids these are; 0 while it is not pinned.
    portal: u64,
}

impl Store {
    /// The tenant's part, and whether it was ever opened before. Until then it is not `complete`.
    pub(crate) fn open(cache: &Cache, tenant: &TenantId) -> Result<(Self, bool), StageError> {
        let mut prefix = tenant.as_str().as_bytes().to_vec();
        prefix.push(0);
        let (cache, names) = (cache.clone(), Names::default());
        let mut store = Self {
            cache,
            prefix,
            names,
            complete: false,
            portal: 0,
        };
        let head = store.cache.get(&store.key(b'm'))?;
        match head.as_deref().map(<[u8]>::split_first_chunk::<2>) {
            Some(Some(([FORMAT, complete], portal))) => {
                store.complete = *complete == 1;
                store.portal = portal.try_into().map(u64::from_be_bytes).unwrap_or_default();
                store.read_names()?;
                Ok((store, true))
            }
            Some(_) => {
                store.clear()?;
                Ok((store, false))
            }
            None => Ok((store, false)),
        }
    }

    /// Says whether nothing was ever known that is not known now.
    pub(crate) fn begin(&mut self, complete: bool) -> Result<(), StageError> {
        self.complete = complete;
        self.write_head()
    }

    /// The ids of one portal mean nothing in another: if the tenant has another one than before, everything is
    /// forgotten.
    pub(crate) fn belongs_to(&mut self, portal: Option<u64>) -> Result<(), StageError> {
        let Some(portal) = portal.filter(|portal| *portal != self.portal) else {
            return Ok(());
        };
        if self.portal != 0 {
            self.clear()?;
            self.names = Names::default();
            self.complete = false;
        }
        self.portal = portal;
        self.write_head()
    }

    fn write_head(&self) -> Result<(), StageError> {
        let mut head = vec![FORMAT, u8::from(self.complete)];
        head.extend(self.portal.to_be_bytes());
        self.cache.put(&self.key(b'm'), &head)
    }

    /// Whether nothing was ever known that is not known now.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    fn clear(&self) -> Result<(), StageError> {
        for entry in self.cache.scan_prefix(&self.prefix) {
            self.cache.remove(&entry?.0)?;
        }
        Ok(())
    }

    fn key(&self, kind: u8) -> Vec<u8> {
        let mut key = self.prefix.clone();
        key.push(kind);
        key
    }

    fn read_names(&mut self) -> Result<(), StageError> {
        let unreadable =
            || StageError::worker("a name in the cache cannot be read; delete the cache's folder");
        let key = self.key(b'n');
        for entry in self.cache.scan_prefix(&key) {
            let (_, value) = entry?;
            let text = std::str::from_utf8(&value).map_err(|_| unreadable())?;
            self.name(Name::parse(text).ok_or_else(unreadable)?);
        }
        Ok(())
    }

    /// The number of a name, made when it is new.
    fn name(&mut self, name: Name) -> (u16, bool) {
        if let Some(number) = self.names.find(&name) {
            return (number, false);
        }
        let number = u16::try_from(self.names.by_number.len()).expect("a tenant has few syncs and fields");
        self.names.by_number.push(name.clone());
        match name {
            Name::Directory(directory) => self.names.directories.insert(directory, number),
            Name::Field(sync, field) => self.names.fields.insert((sync, field), number),
        };
        (number, true)
    }

    fn named(&mut self, name: Name, batch: &mut CacheBatch) -> u16 {
        if let Some(number) = self.names.find(&name) {
            return number;
        }
        let text = name.text();
        let (number, new) = self.name(name);
        if new {
            let mut key = self.key(b'n');
            key.extend(number.to_be_bytes());
            batch.put(&key, text.as_bytes());
        }
        number
    }

    fn end_key(&self, end: &End) -> Option<Vec<u8>> {
        let mut key = self.key(b'e');
        key.extend(self.names.number(&end.directory)?.to_be_bytes());
        key.extend(end.id.as_bytes());
        Some(key)
    }

    fn field_number(&self, slot: &Slot) -> Option<u16> {
        self.names
            .fields
            .get(&(slot.sync.clone(), slot.field.clone()))
            .copied()
    }

    /// The place of a slot that has one.
    pub(crate) fn place(&self, slot: &Slot) -> Option<Place> {
        Some((slot.child, self.field_number(slot)?))
    }

    fn wish_key(&self, (child, field): Place) -> Vec<u8> {
        let mut key = self.key(b'w');
        key.extend(child.as_bytes());
        key.extend(field.to_be_bytes());
        key
    }

    fn index_key(&self, wish: &Wish, (child, field): Place) -> Option<Vec<u8>> {
        let parent = wish.parent()?;
        let mut key = self.key(if wish.waits { b'q' } else { b'k' });
        key.extend(self.names.number(&parent.directory)?.to_be_bytes());
        key.extend(parent.id.as_bytes());
        key.extend(child.as_bytes());
        key.extend(field.to_be_bytes());
        Some(key)
    }

    /// What is known of an end.
    pub(crate) fn known(&self, end: &End) -> Result<Option<Known>, StageError> {
        let Some(key) = self.end_key(end) else {
            return Ok(None);
        };
        Ok(self.cache.get(&key)?.and_then(|value| known_in(&value)))
    }

    /// What is known of a slot.
    pub(crate) fn wish(&self, slot: &Slot) -> Result<Option<Wish>, StageError> {
        let Some(place) = self.place(slot) else {
            return Ok(None);
        };
        let value = self.cache.get(&self.wish_key(place))?;
        Ok(value.and_then(|value| wish_in(&value, &self.names)))
    }

    /// Slots of an end in the order of their places, from after `after` on.
    pub(crate) fn slots(
        &self,
        of: &End,
        rows: Rows,
        after: Option<Place>,
        limit: usize,
        mut fits: impl FnMut(&Slot) -> bool,
    ) -> Result<Vec<(Place, Slot)>, StageError> {
        let mut prefix = self.key(match rows {
            Rows::Own => b'w',
            Rows::Waiting => b'q',
            Rows::Settled => b'k',
        });
        if rows != Rows::Own {
            let Some(number) = self.names.number(&of.directory) else {
                return Ok(Vec::new());
            };
            prefix.extend(number.to_be_bytes());
        }
        prefix.extend(of.id.as_bytes());
        let mut slots = Vec::new();
        for entry in self.cache.scan_prefix(&prefix) {
            let (key, _) = entry?;
            let Some((place, slot)) = self.slot_of(&key) else {
                continue;
            };
            if after.is_none_or(|after| place > after) && fits(&slot) {
                slots.push((place, slot));
                if slots.len() == limit {
                    break;
                }
            }
        }
        Ok(slots)
    }

    /// The slot whose child and field end a key.
    fn slot_of(&self, key: &[u8]) -> Option<(Place, Slot)> {
        let (rest, field) = key.split_last_chunk::<2>()?;
        let (_, child) = rest.split_last_chunk::<18>()?;
        let (child, number) = (salesforce_id(child)?, u16::from_be_bytes(*field));
        match self.names.by_number.get(usize::from(number))? {
            Name::Field(sync, field) => Some((
                (child, number),
                Slot {
                    child,
                    sync: sync.clone(),
                    field: field.clone(),
                },
            )),
            Name::Directory(_) => None,
        }
    }

    /// Parents for which somebody waits, of directories that `which` picks; at most `rows_max` waiting links are
    /// looked at.
    pub(crate) fn awaited(
        &self,
        which: impl Fn(&Directory) -> bool,
        rows_max: usize,
    ) -> Result<Vec<End>, StageError> {
        let mut awaited: Vec<End> = Vec::new();
        for directory in self.directories().filter(|directory| which(directory)) {
            let mut prefix = self.key(b'q');
            prefix.extend(self.names.number(&directory).unwrap_or_default().to_be_bytes());
            for entry in self.cache.scan_prefix(&prefix).take(rows_max) {
                let (key, _) = entry?;
                let id = key.get(prefix.len()..prefix.len() + 18).and_then(salesforce_id);
                let fresh = id.filter(|id| awaited.last().is_none_or(|last| last.id != *id));
                awaited.extend(fresh.map(|id| End {
                    directory: directory.clone(),
                    id,
                }));
            }
        }
        Ok(awaited)
    }

    /// Every directory that was ever named.
    pub(crate) fn directories(&self) -> impl Iterator<Item = Arc<Directory>> + '_ {
        self.names.by_number.iter().filter_map(|name| match name {
            Name::Directory(directory) => Some(directory.clone()),
            Name::Field(..) => None,
        })
    }

    /// The changes as one batch. `before` is what was read of these slots in the same transaction.
    pub(crate) fn batch(
        &mut self,
        ends: impl IntoIterator<Item = (End, Known)>,
        wishes: impl IntoIterator<Item = (Slot, Option<Wish>)>,
        before: &HashMap<Slot, Option<Wish>>,
    ) -> Result<CacheBatch, StageError> {
        let mut batch = CacheBatch::new();
        for (end, known) in ends {
            self.named(Name::Directory(end.directory.clone()), &mut batch);
            if let Some(key) = self.end_key(&end) {
                batch.put(&key, &known_out(&known));
            }
        }
        for (slot, wish) in wishes {
            let old = match before.get(&slot) {
                Some(old) => old.clone(),
                None => self.wish(&slot)?,
            };
            self.add_wish(&slot, old.as_ref(), wish, &mut batch);
        }
        Ok(batch)
    }

    fn add_wish(&mut self, slot: &Slot, old: Option<&Wish>, wish: Option<Wish>, batch: &mut CacheBatch) {
        let place = (
            slot.child,
            self.named(Name::Field(slot.sync.clone(), slot.field.clone()), batch),
        );
        if let Some(wish) = &wish {
            self.named(Name::Directory(wish.child.clone()), batch);
            if let Some(parent) = wish.parent() {
                self.named(Name::Directory(parent.directory.clone()), batch);
            }
        }
        let index = |wish: &Wish| self.index_key(wish, place);
        let (before, after) = (old.and_then(index), wish.as_ref().and_then(index));
        if before != after {
            before.iter().for_each(|key| batch.remove(key));
            after.iter().for_each(|key| batch.put(key, &[]));
        }
        match wish.as_ref().and_then(|wish| wish_out(wish, &self.names)) {
            Some(value) => batch.put(&self.wish_key(place), &value),
            None => batch.remove(&self.wish_key(place)),
        }
    }

    /// Makes the changes.
    pub(crate) async fn apply(&self, batch: CacheBatch) -> Result<(), StageError> {
        self.cache.apply(batch).await
    }
}

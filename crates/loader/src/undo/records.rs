//! Undoing one image of records.

use std::collections::HashMap;

use landbridge_hubspot::records::{UpsertBody, UpsertColumns};
use landbridge_hubspot::settle::{ItemVerdict, settle};
use landbridge_hubspot::{Share, Verdict};
use landbridge_model::before::{LeftValue, RecordsBefore, UndoneImage};
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{ChangeKind, Envelope, HubSpotId, ObjectTypeId, SalesforceId, Version};
use landbridge_stage::StageError;

use super::decide::{self, Cell, Left, RecordThen, RecordUndo};
use super::{Stop, Undo, interrupted};
use crate::busy::Had;
use crate::known::{Known, Present};
use crate::links::calls::patiently;
use crate::portal::RecordKey;

/// How often records are looked at again of which an answer said nothing.
const ROUNDS: usize = 4;

/// A record as it is now: the wanted properties in their order.
struct Now {
    id: HubSpotId,
    values: Vec<Option<String>>,
}

/// What is to be set on one record, and what stays.
struct Setting<'a> {
    row: usize,
    id: HubSpotId,
    set: Vec<(&'a str, Option<&'a str>)>,
    left: Vec<LeftValue>,
}

/// What became of one record.
#[derive(Default)]
struct Done {
    archived: bool,
    left: Vec<LeftValue>,
}

impl Undo<'_> {
    pub(super) async fn records(
        &self,
        envelope: &Envelope,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
    ) -> Result<UndoneImage, Stop> {
        let keys: Vec<RecordKey> = records.ids.iter().map(|id| (object_type.clone(), *id)).collect();
        let had = self.have(&keys).await;
        let done = self.all(envelope, object_type, records).await;
        drop(had);
        let mut undone = UndoneImage::default();
        for (done, id) in done?.into_iter().zip(&records.ids) {
            if done.archived {
                undone.archived.push(*id);
            } else if done.left.is_empty() {
                undone.restored.push(*id);
            }
            undone.left.extend(done.left);
        }
        Ok(undone)
    }

    /// Waits until none of these records is written by another sync of the type, and keeps others from beginning.
    async fn have<'k>(&'k self, keys: &'k [RecordKey]) -> Had<'k> {
        let tenant = &self.airline.tenant;
        loop {
            let released = tenant.busy.released();
            tokio::pin!(released);
            released.as_mut().enable();
            if let Some(had) = tenant.busy.try_begin_all(keys) {
                return had;
            }
            released.await;
        }
    }

    async fn all(
        &self,
        envelope: &Envelope,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
    ) -> Result<Vec<Done>, Stop> {
        let mut ends: Vec<Option<Done>> = records.ids.iter().map(|_| None).collect();
        for _ in 0..ROUNDS {
            let open: Vec<usize> = (0..ends.len()).filter(|&row| ends[row].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let names = self.names(records);
            let now = self.read(object_type, records, &open, &names).await?;
            let (mut settings, mut archive) = (Vec::new(), Vec::new());
            for row in open {
                let there = now.get(&records.ids[row]);
                match decide::record(&self.then(records, row, there, &names)) {
                    RecordUndo::AsBefore => ends[row] = Some(Done::default()),
                    RecordUndo::GoneAgain => ends[row] = Some(archived()),
                    RecordUndo::Archive(id) => archive.push((row, id)),
                    RecordUndo::Restore { set, left } => {
                        let left = left
                            .iter()
                            .map(|left| left_value(records.ids[row], there, left))
                            .collect();
                        match there {
                            Some(there) if !set.is_empty() => settings.push(Setting {
                                row,
                                id: there.id,
                                set,
                                left,
                            }),
                            _ => {
                                ends[row] = Some(Done {
                                    archived: false,
                                    left,
                                })
                            }
                        }
                    }
                }
            }
            self.archive(envelope, object_type, records, &archive).await?;
            for (row, _) in archive {
                ends[row] = Some(archived());
            }
            self.set_all(object_type, records, settings, &mut ends).await?;
        }
        let unsaid = |row: usize| Done {
            archived: false,
            left: vec![LeftValue {
                id: records.ids[row],
                hubspot_id: records.hubspot_ids[row],
                property: String::new(),
                now: None,
                before: None,
                reason: "HubSpot accepts the change, but its answers never mention the record".to_owned(),
            }],
        };
        let ended = ends.into_iter().enumerate();
        Ok(ended
            .map(|(row, end)| end.unwrap_or_else(|| unsaid(row)))
            .collect())
    }

    /// Properties to read: those that the import set, and of records that it created those that people can fill.
    fn names<'n>(&'n self, records: &'n RecordsBefore) -> Vec<&'n str> {
        let mut names: Vec<&str> = records.ours.names().collect();
        let created =
            |(id, kind): (&Option<HubSpotId>, &ChangeKind)| id.is_none() && *kind == ChangeKind::Upsert;
        if records.hubspot_ids.iter().zip(&records.kinds).any(created) {
            let own = [records.id_property.as_str(), VERSION_PROPERTY];
            let others = self.schema.properties.iter().filter(|property| {
                !property.read_only
                    && !property.name.starts_with("hs_")
                    && !own.contains(&property.name.as_str())
                    && records.ours.column(&property.name).is_none()
            });
            names.extend(others.map(|property| property.name.as_str()));
        }
        names
    }

    async fn read(
        &self,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
        rows: &[usize],
        names: &[&str],
    ) -> Result<HashMap<SalesforceId, Now>, Stop> {
        let mut wanted = vec![records.id_property.as_str()];
        wanted.extend(names);
        let ids: Vec<&str> = rows.iter().map(|&row| records.ids[row].as_str()).collect();
        let client = &self.portal.client;
        let reply = patiently(&self.airline, self.portal, || {
            client.read_records(
                Share::Bulk,
                object_type,
                Some(&records.id_property),
                &ids,
                &wanted,
            )
        });
        let reply = reply.await?.ok_or_else(interrupted)??;
        let answer = reply.records(&wanted)?;
        let found = answer.results.iter().filter_map(|record| {
            let id = SalesforceId::parse(record.values[0].as_deref()?).ok()?;
            let values = record.values[1..].iter();
            let now = Now {
                id: record.id,
                values: values.map(|value| value.as_deref().map(str::to_owned)).collect(),
            };
            Some((id, now))
        });
        Ok(found.collect())
    }

    fn then<'t>(
        &'t self,
        records: &'t RecordsBefore,
        row: usize,
        now: Option<&'t Now>,
        names: &[&'t str],
    ) -> RecordThen<'t> {
        let value = |place: usize| now.and_then(|now| now.values[place].as_deref());
        let cells = records.ours.iter().zip(records.before.iter()).enumerate();
        let cells: Vec<Cell<'t>> = cells
            .map(|(place, ((name, ours), (_, before)))| Cell {
                name,
                property: self.schema.property(name),
                before: before.get(row),
                ours: ours.get(row),
                now: value(place),
            })
            .collect();
        let others = names.iter().enumerate().skip(cells.len());
        RecordThen {
            kind: records.kinds[row],
            existed: records.hubspot_ids[row].is_some(),
            now: now.map(|now| now.id),
            others: others.map(|(place, name)| (*name, value(place))).collect(),
            cells,
        }
    }

    /// Archives records that the import created.
    async fn archive(
        &self,
        envelope: &Envelope,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
        rows: &[(usize, HubSpotId)],
    ) -> Result<(), Stop> {
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<HubSpotId> = rows.iter().map(|(_, id)| *id).collect();
        let client = &self.portal.client;
        let archived = patiently(&self.airline, self.portal, || {
            client.archive_records(Share::Bulk, object_type, &ids)
        });
        archived.await?.ok_or_else(interrupted)??;
        let gone: Vec<(SalesforceId, Version)> = rows
            .iter()
            .map(|(row, _)| (records.ids[*row], records.versions[*row]))
            .collect();
        let forgotten = gone.iter().map(|(id, _)| (*id, Known::Absent));
        self.airline
            .tenant
            .memory
            .remember(object_type, forgotten)
            .await?;
        Ok(self.tell_gone(envelope, object_type, &gone).await?)
    }

    /// Sets what was there before; what HubSpot refuses is refused alone.
    async fn set_all(
        &self,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
        settings: Vec<Setting<'_>>,
        ends: &mut [Option<Done>],
    ) -> Result<(), Stop> {
        let mut groups = vec![settings];
        while let Some(mut group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            match self.send(object_type, records, &group).await? {
                Ok(verdicts) => {
                    for (setting, verdict) in group.into_iter().zip(verdicts) {
                        self.settle(object_type, records, setting, verdict, ends).await?;
                    }
                }
                Err(error) if group.len() > 1 && may_be_of_one(&error.verdict) => {
                    let rest = group.split_off(group.len() / 2);
                    groups.extend([rest, group]);
                }
                Err(error) if may_be_of_one(&error.verdict) || error.verdict == Verdict::NotFound => {
                    for setting in group {
                        refuse(records, setting, &error.message, ends);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
        group: &[Setting<'_>],
    ) -> Result<Result<Vec<ItemVerdict>, landbridge_hubspot::Error>, Stop> {
        let names: Vec<&str> = records.ours.names().collect();
        let columns = UpsertColumns::new(&records.id_property, names.iter().copied());
        let trace = format!("{:08x}", rand::random::<u32>());
        let mut body = UpsertBody::new(&columns, &trace);
        for setting in group {
            let cells = setting.set.iter().filter_map(|(name, value)| {
                let place = names.iter().position(|known| known == name)?;
                Some((place, *value))
            });
            body.push(records.ids[setting.row].as_str(), cells);
        }
        let (client, body) = (&self.portal.client, body.finish());
        let reply = patiently(&self.airline, self.portal, || {
            client.update_records(Share::Bulk, object_type, body.clone())
        });
        let reply = match reply.await?.ok_or_else(interrupted)? {
            Ok(reply) => reply,
            Err(error) => return Ok(Err(error)),
        };
        let ids: Vec<&str> = group
            .iter()
            .map(|setting| records.ids[setting.row].as_str())
            .collect();
        let answer = reply.records(&[&records.id_property])?;
        Ok(Ok(settle(&ids, &trace, &answer)))
    }

    async fn settle(
        &self,
        object_type: &ObjectTypeId,
        records: &RecordsBefore,
        setting: Setting<'_>,
        verdict: ItemVerdict,
        ends: &mut [Option<Done>],
    ) -> Result<(), StageError> {
        match verdict {
            ItemVerdict::Written { id, .. } => {
                let version = setting.set.iter().find(|(name, _)| *name == VERSION_PROPERTY);
                let memory = &self.airline.tenant.memory;
                let known = memory.look(object_type, records.ids[setting.row], false)?;
                let remembered = match known {
                    Known::Present(present) => present.version,
                    Known::Nothing | Known::Absent | Known::Gone(_) => None,
                };
                let version = version.map_or(remembered, |(_, text)| text.and_then(|text| text.parse().ok()));
                let present = Present {
                    id,
                    version,
                    fingerprint: None,
                    told: false,
                    made: false,
                };
                let row = setting.row;
                memory
                    .remember(object_type, [(records.ids[row], Known::Present(present))])
                    .await?;
                ends[row] = Some(Done {
                    archived: false,
                    left: setting.left,
                });
            }
            // Looked at again: it is gone, or the answer said nothing of it.
            ItemVerdict::Unaccounted
            | ItemVerdict::Refused {
                verdict: Verdict::NotFound,
                ..
            } => {}
            ItemVerdict::Refused { verdict, .. } if verdict.retry_after().is_some() => {}
            ItemVerdict::Refused { message, .. } => refuse(records, setting, &message, ends),
        }
        Ok(())
    }
}

fn may_be_of_one(verdict: &Verdict) -> bool {
    verdict.is_about_rows() || *verdict == Verdict::TooLarge
}

fn archived() -> Done {
    Done {
        archived: true,
        left: Vec::new(),
    }
}

/// HubSpot does not take the values back: what is there stays.
fn refuse(records: &RecordsBefore, setting: Setting<'_>, message: &str, ends: &mut [Option<Done>]) {
    let row = setting.row;
    let ours = |name: &str| records.ours.column(name).and_then(|column| column.get(row));
    let mut left = setting.left;
    left.extend(setting.set.iter().map(|(name, before)| LeftValue {
        id: records.ids[row],
        hubspot_id: Some(setting.id),
        property: (*name).to_owned(),
        now: ours(name).map(str::to_owned),
        before: before.map(str::to_owned),
        reason: format!("HubSpot refuses what was there before: {message}"),
    }));
    ends[row] = Some(Done {
        archived: false,
        left,
    });
}

fn left_value(id: SalesforceId, there: Option<&Now>, left: &Left<'_>) -> LeftValue {
    LeftValue {
        id,
        hubspot_id: there.map(|there| there.id),
        property: left.property.to_owned(),
        now: left.now.map(str::to_owned),
        before: left.before.map(str::to_owned),
        reason: left.reason.to_owned(),
    }
}

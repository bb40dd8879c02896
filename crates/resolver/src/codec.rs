//! The cache's own form of what is known: short binary values, of no concern to anybody else. What cannot be read is
//! `None`; the cache's format number keeps other versions' values out.

use std::sync::Arc;

use landbridge_model::{HubSpotId, Revision, RunId, SalesforceId, Source, Version};

use crate::facts::{Cause, Directory, End, Known, Parked, Stand, Told, Want, Whereabouts, Wish};

/// Numbers for directories, so that keys and values stay short.
pub(crate) trait Places {
    /// The number of a directory that has one.
    fn number(&self, directory: &Directory) -> Option<u16>;
    /// The directory of a number.
    fn directory(&self, number: u16) -> Option<Arc<Directory>>;
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    fn version(&mut self, version: Version) {
        self.bytes(&version.stamp_ms.to_be_bytes());
        self.bytes(&version.read_ms.to_be_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn hubspot_id(&mut self) -> Option<HubSpotId> {
        self.array().map(|bytes| HubSpotId(u64::from_be_bytes(bytes)))
    }

    fn time(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    fn version(&mut self) -> Option<Version> {
        Some(Version::new(self.time()?, self.time()?))
    }

    fn salesforce_id(&mut self) -> Option<SalesforceId> {
        salesforce_id(self.take(18)?)
    }
}

/// An id from its 18 bytes.
pub(crate) fn salesforce_id(bytes: &[u8]) -> Option<SalesforceId> {
    SalesforceId::parse(std::str::from_utf8(bytes).ok()?).ok()
}

pub(crate) fn known_out(known: &Known) -> Vec<u8> {
    let mut out = Writer::default();
    out.version(known.version);
    out.byte(u8::from(known.doubted));
    let ids: &[HubSpotId] = match &known.whereabouts {
        Whereabouts::Gone => &[],
        Whereabouts::Here(id) => std::slice::from_ref(id),
        Whereabouts::Ambiguous(ids) => ids,
    };
    for id in ids {
        out.bytes(&id.0.to_be_bytes());
    }
    out.0
}

pub(crate) fn known_in(bytes: &[u8]) -> Option<Known> {
    let mut reader = Reader(bytes);
    let version = reader.version()?;
    let doubted = reader.byte()? != 0;
    let mut ids = Vec::new();
    while !reader.0.is_empty() {
        ids.push(reader.hubspot_id()?);
    }
    let whereabouts = match ids.as_slice() {
        [] => Whereabouts::Gone,
        [id] => Whereabouts::Here(*id),
        _ => Whereabouts::Ambiguous(ids),
    };
    Some(Known {
        whereabouts,
        version,
        doubted,
    })
}

/// `None` when a directory has no number yet.
pub(crate) fn wish_out(wish: &Wish, places: &impl Places) -> Option<Vec<u8>> {
    let mut out = Writer::default();
    out.bytes(&places.number(&wish.child)?.to_be_bytes());
    out.version(wish.version);
    match &wish.want {
        Want::Dropped => out.byte(0),
        Want::Nobody => out.byte(1),
        Want::Parent(parent) => {
            out.byte(2);
            out.bytes(&places.number(&parent.directory)?.to_be_bytes());
            out.bytes(parent.id.as_bytes());
        }
    }
    match wish.stand {
        Stand::Unknown => out.byte(0),
        Stand::Nothing => out.byte(1),
        Stand::Linked { child, parent } => {
            out.byte(2);
            out.bytes(&child.0.to_be_bytes());
            out.bytes(&parent.0.to_be_bytes());
        }
    }
    out.byte(u8::from(wish.waits));
    out.byte(match wish.told {
        Told::Nothing => 0,
        Told::Parked => 1,
        Told::Failed => 2,
    });
    match wish.parked {
        None => out.byte(0),
        Some(parked) => {
            out.byte(1);
            out.version(parked.version);
            out.bytes(&parked.since_ms.to_be_bytes());
        }
    }
    cause_out(&mut out, &wish.cause);
    Some(out.0)
}

pub(crate) fn wish_in(bytes: &[u8], places: &impl Places) -> Option<Wish> {
    let mut reader = Reader(bytes);
    let child = places.directory(reader.number()?)?;
    let version = reader.version()?;
    let want = match reader.byte()? {
        0 => Want::Dropped,
        1 => Want::Nobody,
        _ => {
            let directory = places.directory(reader.number()?)?;
            Want::Parent(End {
                directory,
                id: reader.salesforce_id()?,
            })
        }
    };
    let stand = match reader.byte()? {
        0 => Stand::Unknown,
        1 => Stand::Nothing,
        _ => Stand::Linked {
            child: reader.hubspot_id()?,
            parent: reader.hubspot_id()?,
        },
    };
    let waits = reader.byte()? != 0;
    let told = match reader.byte()? {
        0 => Told::Nothing,
        1 => Told::Parked,
        _ => Told::Failed,
    };
    let parked = match reader.byte()? {
        0 => None,
        _ => Some(Parked {
            version: reader.version()?,
            since_ms: reader.time()?,
        }),
    };
    let cause = cause_in(&mut reader)?;
    Some(Wish {
        child,
        want,
        version,
        cause,
        stand,
        waits,
        parked,
        told,
    })
}

fn cause_out(out: &mut Writer, cause: &Cause) {
    out.bytes(&cause.revision.0.to_be_bytes());
    out.byte(cause.source.number());
    out.byte(u8::from(cause.force) | u8::from(cause.existing_only) << 1);
    out.bytes(cause.run.as_ref().map_or("", RunId::as_str).as_bytes());
}

fn cause_in(reader: &mut Reader<'_>) -> Option<Cause> {
    let revision = Revision(u32::from_be_bytes(reader.array()?));
    let source = Source::of_number(reader.byte()?)?;
    let flags = reader.byte()?;
    let run = match std::str::from_utf8(reader.0).ok()? {
        "" => None,
        run => Some(RunId::new(run).ok()?),
    };
    Some(Cause {
        revision,
        source,
        run,
        force: flags & 1 != 0,
        existing_only: flags & 2 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::ObjectTypeId;

    struct Two;

    impl Places for Two {
        fn number(&self, directory: &Directory) -> Option<u16> {
            Some(if directory.unique { 1 } else { 2 })
        }

        fn directory(&self, number: u16) -> Option<Arc<Directory>> {
            Some(directory(number == 1))
        }
    }

    fn directory(unique: bool) -> Arc<Directory> {
        Arc::new(Directory {
            object_type: ObjectTypeId::new("2-1"),
            property: "salesforce_id".into(),
            unique,
        })
    }

    #[test]
    fn what_is_known_of_an_end_survives() {
        for whereabouts in [
            Whereabouts::Gone,
            Whereabouts::Here(HubSpotId(7)),
            Whereabouts::Ambiguous(vec![HubSpotId(7), HubSpotId(8)]),
        ] {
            let known = Known {
                whereabouts,
                version: Version::new(5, 6),
                doubted: true,
            };
            assert_eq!(known_in(&known_out(&known)), Some(known));
        }
    }

    #[test]
    fn what_is_known_of_a_slot_survives() {
        let id = SalesforceId::parse("a00Hs000001ABCd").unwrap();
        let parent = Want::Parent(End {
            directory: directory(false),
            id,
        });
        let linked = Stand::Linked {
            child: HubSpotId(1),
            parent: HubSpotId(2),
        };
        let parked = Some(Parked {
            version: Version::new(3, 4),
            since_ms: 9,
        });
        for (want, stand, parked, told, run) in [
            (parent, linked, parked, Told::Parked, Some("i1")),
            (Want::Nobody, Stand::Unknown, None, Told::Failed, None),
            (Want::Dropped, Stand::Nothing, None, Told::Nothing, None),
        ] {
            let run = run.map(|run| RunId::new(run).unwrap());
            let cause = Cause {
                revision: Revision(3),
                source: Source::Repair,
                run,
                force: true,
                existing_only: true,
            };
            let version = Version::new(1, 2);
            let wish = Wish {
                child: directory(true),
                want,
                version,
                cause,
                stand,
                waits: true,
                parked,
                told,
            };
            assert_eq!(wish_in(&wish_out(&wish, &Two).unwrap(), &Two), Some(wish));
        }
    }
}

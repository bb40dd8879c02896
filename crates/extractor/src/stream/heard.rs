//! What is done about an event. Pure.

use landbridge_model::SalesforceId;
use landbridge_salesforce::pubsub::{ChangeEvent, ChangeType, Told};

/// What is done about what was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Records to be read.
    pub marks: Vec<SalesforceId>,
    /// Why the increment must look as well: what happened is not told whole.
    pub ask: Option<Ask>,
}

/// What is not told whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Events are missing around these records.
    Gap,
    /// A transaction changed more than is told.
    Overflow,
    /// All records of the object were changed at once, as when a field gets another type.
    Wildcard,
    /// The event cannot be read, or names records that cannot be.
    Unreadable,
}

impl Ask {
    /// The word used in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Overflow => "overflow",
            Self::Wildcard => "wildcard",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What is done about what an object's channel told. Bodies are never used: a gap has none, an update holds only what
/// changed, and neither formulas nor what the user may not see are in it.
#[must_use]
pub fn heard(object: &str, told: &Told) -> Heard {
    let event = match told {
        Told::Change(event) if event.entity.eq_ignore_ascii_case(object) => event,
        // A channel with several objects: not ours.
        Told::Change(_) => return Heard::default(),
        Told::Unreadable(_) => return asking(Ask::Unreadable),
    };
    match event.change {
        ChangeType::Overflow => asking(Ask::Overflow),
        ChangeType::Gap => Heard {
            ask: Some(Ask::Gap),
            ..records(event)
        },
        ChangeType::Create
        | ChangeType::Update
        | ChangeType::Delete
        | ChangeType::Undelete
        | ChangeType::Unknown => records(event),
    }
}

fn asking(ask: Ask) -> Heard {
    Heard {
        marks: Vec::new(),
        ask: Some(ask),
    }
}

fn records(event: &ChangeEvent) -> Heard {
    let mut heard = Heard::default();
    for name in &event.records {
        match SalesforceId::parse(name) {
            Ok(id) => heard.marks.push(id),
            // `a02*` stands for all records whose ids begin so.
            Err(_) if name.ends_with('*') => heard.ask = Some(Ask::Wildcard),
            Err(_) => heard.ask = heard.ask.or(Some(Ask::Unreadable)),
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const ONE: &str = "a02xx0000000001AAA";
    const TWO: &str = "a02xx0000000002AAA";

    fn told(entity: &str, change: ChangeType, records: &[&str]) -> Told {
        Told::Change(ChangeEvent {
            entity: entity.to_owned(),
            records: records.iter().map(|&id| id.to_owned()).collect(),
            change,
            committed: Timestamp::UNIX_EPOCH,
            transaction: String::new(),
            sequence: 1,
            origin: String::new(),
            changed: Vec::new(),
            nulled: Vec::new(),
            diffed: Vec::new(),
        })
    }

    #[track_caller]
    fn check(told: &Told, marks: &[&str], ask: Option<Ask>) {
        let marks = marks.iter().map(|id| SalesforceId::parse(id).unwrap()).collect();
        assert_eq!(heard("Vehicle__c", told), Heard { marks, ask });
    }

    #[test]
    fn every_event_marks_its_records_or_asks_for_the_increment() {
        use ChangeType::{Create, Delete, Gap, Overflow, Undelete, Unknown, Update};
        let ours = "Vehicle__c";
        for change in [Create, Update, Delete, Undelete, Unknown] {
            check(&told(ours, change, &[ONE]), &[ONE], None);
        }
        check(&told(ours, Update, &[ONE, TWO]), &[ONE, TWO], None);
        check(&told(ours, Gap, &[ONE, TWO]), &[ONE, TWO], Some(Ask::Gap));
        check(
            &told(ours, Overflow, &["000000000000000AAA"]),
            &[],
            Some(Ask::Overflow),
        );
        check(&told(ours, Update, &["a02*"]), &[], Some(Ask::Wildcard));
        check(
            &told(ours, Update, &[ONE, "nonsense"]),
            &[ONE],
            Some(Ask::Unreadable),
        );
        check(&Told::Unreadable("no header".into()), &[], Some(Ask::Unreadable));
    }

    #[test]
    fn what_is_told_of_another_object_is_nothing_to_us() {
        check(
            &told("Depot__c", ChangeType::Overflow, &["000000000000000AAA"]),
            &[],
            None,
        );
        check(&told("Depot__c", ChangeType::Create, &[ONE]), &[], None);
        check(&told("vehicle__c", ChangeType::Create, &[ONE]), &[ONE], None);
    }
}

//! What an undo came to, from what became of each image. Pure.

use std::collections::{BTreeMap, HashMap};

use landbridge_model::SalesforceId;
use landbridge_model::before::{ASSOCIATION, LeftValue, UndoCounts, UndoneImage};

/// Each record once, however often the import wrote it, by what its oldest image came to.
pub(super) fn sum(undone: Vec<UndoneImage>) -> UndoCounts {
    let mut records: HashMap<SalesforceId, bool> = HashMap::new();
    let (mut links, mut left) = (0, Vec::new());
    for undone in undone {
        links += undone.links;
        records.extend(undone.restored.into_iter().map(|id| (id, false)));
        records.extend(undone.archived.into_iter().map(|id| (id, true)));
        left.extend(undone.left);
    }
    let left = each_once(left);
    for left in left.iter().filter(|left| left.property != ASSOCIATION) {
        records.remove(&left.id);
    }
    let archived = records.values().filter(|is_archived| **is_archived).count() as u64;
    UndoCounts {
        restored: records.len() as u64 - archived,
        archived,
        links,
        left: left.len() as u64,
    }
}

/// A value that the import wrote several times is left several times, the oldest image last: that one knows what was there
/// before the import.
pub(super) fn each_once(left: impl IntoIterator<Item = LeftValue>) -> Vec<LeftValue> {
    let mut once = BTreeMap::new();
    for left in left {
        once.insert(left.key(), left);
    }
    once.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_once_by_its_oldest_image() {
        let id = |serial: u32| SalesforceId::parse(&format!("a00{serial:012}")).unwrap();
        let left = |serial, property: &str| LeftValue {
            id: id(serial),
            hubspot_id: None,
            property: property.to_owned(),
            now: None,
            before: None,
            reason: String::new(),
        };
        let image = |restored: &[u32], archived: &[u32], links, left: Vec<LeftValue>| UndoneImage {
            restored: restored.iter().copied().map(id).collect(),
            archived: archived.iter().copied().map(id).collect(),
            links,
            left,
        };
        // The newest first: the import wrote 1 to 3 twice, and made 2.
        let counts = sum(vec![
            image(&[1, 2], &[], 3, vec![left(3, "name"), left(1, ASSOCIATION)]),
            image(&[1, 3], &[2], 1, vec![left(4, "name")]),
        ]);
        let expected = UndoCounts {
            restored: 1,
            archived: 1,
            links: 4,
            left: 3,
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_value_is_told_once_with_what_was_there_first() {
        let left = |before: &str| LeftValue {
            id: SalesforceId::parse("a00000000000001").unwrap(),
            hubspot_id: None,
            property: "name".to_owned(),
            now: Some("edited".to_owned()),
            before: Some(before.to_owned()),
            reason: String::new(),
        };
        let found = each_once([left("by the import"), left("by hand")]);
        assert_eq!(found, [left("by hand")]);
    }
}

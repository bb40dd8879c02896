//! Which records a Bulk job of an import reads: ranges of ids, so that what is too much for one job is read by several. Pure.

use landbridge_model::SalesforceId;
use serde::{Deserialize, Serialize};

/// The digits of an id, as Salesforce sorts them.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of an id that say something; the other three only tell upper from lower case.
const LENGTH: usize = 15;

/// Records behind one id, up to another; a side that is open has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The last that does not belong to it.
    pub after: Option<SalesforceId>,
    /// The last that does.
    pub upto: Option<SalesforceId>,
}

impl IdRange {
    /// As a condition; none for all records.
    #[must_use]
    pub fn condition(&self) -> Option<String> {
        let after = self.after.map(|id| format!("Id > '{id}'"));
        let upto = self.upto.map(|id| format!("Id <= '{id}'"));
        let bounds: Vec<String> = after.into_iter().chain(upto).collect();
        (!bounds.is_empty()).then(|| bounds.join(" AND "))
    }

    /// The same beside a filter.
    #[must_use]
    pub fn within(&self, filter: Option<&str>) -> Option<String> {
        match (filter, self.condition()) {
            (Some(filter), Some(range)) => Some(format!("({filter}) AND {range}")),
            (Some(filter), None) => Some(filter.to_owned()),
            (None, range) => range,
        }
    }

    /// Its two parts, before and behind `at`.
    #[must_use]
    pub fn split(self, at: SalesforceId) -> (Self, Self) {
        let before = Self {
            upto: Some(at),
            ..self
        };
        let behind = Self {
            after: Some(at),
            ..self
        };
        (before, behind)
    }
}

/// An id halfway between two, the lower one at least and below the upper one: so a range that begins with the one and ends with
/// the other has records on both sides. `None` when they are the same, or no ids of one object.
#[must_use]
pub fn halfway(first: &SalesforceId, last: &SalesforceId) -> Option<SalesforceId> {
    let (low, high) = (number(first)?, number(last)?);
    (low < high).then(|| id(low + (high - low) / 2)).flatten()
}

/// An id as the number that it is: 62 to the power of 15 is less than 2 to the power of 90.
fn number(id: &SalesforceId) -> Option<u128> {
    let digits = id.as_str().bytes().take(LENGTH);
    digits
        .map(|digit| DIGITS.iter().position(|known| *known == digit))
        .try_fold(0_u128, |number, digit| Some(number * 62 + digit? as u128))
}

fn id(mut number: u128) -> Option<SalesforceId> {
    let mut digits = [b'0'; LENGTH];
    for place in digits.iter_mut().rev() {
        *place = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    SalesforceId::parse(std::str::from_utf8(&digits).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> SalesforceId {
        SalesforceId::parse(text).unwrap()
    }

    #[test]
    fn a_range_is_a_condition_beside_the_filter() {
        let at = parse("a00Hs000001ABCd");
        let (before, behind) = IdRange::default().split(at);
        assert_eq!(
            IdRange::default().within(Some("A__c = 1")).as_deref(),
            Some("A__c = 1")
        );
        assert_eq!(IdRange::default().within(None), None);
        assert_eq!(before.condition().as_deref(), Some("Id <= 'a00Hs000001ABCdIAO'"));
        assert_eq!(
            behind.within(Some("A__c = 1 OR B__c = 2")).as_deref(),
            Some("(A__c = 1 OR B__c = 2) AND Id > 'a00Hs000001ABCdIAO'")
        );
        let (_, narrow) = before.split(parse("a00Hs000001ABCa"));
        assert_eq!(
            narrow.condition().as_deref(),
            Some("Id > 'a00Hs000001ABCaIAO' AND Id <= 'a00Hs000001ABCdIAO'")
        );
    }

    #[test]
    fn halfway_lies_between() {
        let (first, last) = (parse("a00000000000001"), parse("a00000000000004"));
        assert_eq!(halfway(&first, &last), Some(parse("a00000000000002")));
        assert_eq!(halfway(&first, &first), None);
        assert_eq!(halfway(&last, &first), None);
    }

    proptest! {
        #[test]
        fn both_sides_of_a_split_hold_a_record(first in "[0-9A-Za-z]{12}", last in "[0-9A-Za-z]{12}") {
            let (first, last) = (parse(&format!("a00{first}")), parse(&format!("a00{last}")));
            let Some(at) = halfway(&first, &last) else {
                prop_assert!(first.as_str()[..15] >= last.as_str()[..15]);
                return Ok(());
            };
            prop_assert!(first.as_str()[..15] <= at.as_str()[..15]);
            prop_assert!(at.as_str()[..15] < last.as_str()[..15]);
        }
    }
}

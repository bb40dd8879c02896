//! Names of fields from bitmaps (facts: Salesforce, 13.5). Pure.

/// A field of an event's schema, with the parts of a compound one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) parts: Vec<String>,
}

/// The fields that bitmaps name, parts as `Place__c.Latitude`. What does not fit the schema is left out: the names are
/// for people, and every change is read whole.
pub(super) fn named(bitmaps: &[String], fields: &[Field]) -> Vec<String> {
    let mut names = Vec::new();
    for bitmap in bitmaps {
        // Whether parts are meant is told by each bitmap's own form, not by its place.
        match bitmap.split_once('-') {
            None => names.extend(
                bits(bitmap)
                    .filter_map(|bit| fields.get(bit))
                    .map(|field| field.name.clone()),
            ),
            Some((parent, of_parts)) => {
                let Some(field) = parent.parse().ok().and_then(|at: usize| fields.get(at)) else {
                    continue;
                };
                let parts = bits(of_parts).filter_map(|bit| field.parts.get(bit));
                names.extend(parts.map(|part| format!("{}.{part}", field.name)));
            }
        }
    }
    names
}

/// The bits that are set in `0x…`, least first. Each digit is four bits, so that the number may be as long as it likes.
fn bits(text: &str) -> impl Iterator<Item = usize> {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    digits.chars().rev().enumerate().flat_map(|(at, digit)| {
        let four = digit.to_digit(16).unwrap_or(0);
        (0..4)
            .filter(move |bit| four >> bit & 1 == 1)
            .map(move |bit| at * 4 + bit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bitmaps: &[&str], wanted: &[&str]) {
        let fields: Vec<Field> = (0..24)
            .map(|at| Field {
                name: format!("f{at}"),
                parts: if at == 4 {
                    vec!["Street".into(), "City".into()]
                } else {
                    Vec::new()
                },
            })
            .collect();
        let bitmaps: Vec<String> = bitmaps.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(named(&bitmaps, &fields), wanted);
    }

    #[test]
    fn the_documented_vectors_are_read() {
        check(&["0x400800"], &["f11", "f22"]);
        check(&["0x400000", "4-0x01"], &["f22", "f4.Street"]);
        check(&["0x410000"], &["f16", "f22"]);
        check(&["4-0x03"], &["f4.Street", "f4.City"]);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        check(
            &["0x8000000000000000000000", "99-0x01", "4-0xF0", "nonsense", ""],
            &[],
        );
    }

    proptest! {
        #[test]
        fn any_text_is_survived(bitmaps in proptest::collection::vec(".*", 0..4)) {
            named(&bitmaps, &[]);
        }

        #[test]
        fn every_set_bit_is_found_once(wanted in proptest::collection::btree_set(0usize..200, 0..20)) {
            let mut digits = [0u32; 50];
            for bit in &wanted {
                digits[bit / 4] |= 1 << (bit % 4);
            }
            let text: String = digits.iter().rev().map(|four| char::from_digit(*four, 16).unwrap().to_ascii_uppercase()).collect();
            prop_assert_eq!(bits(&format!("0x{text}")).collect::<Vec<_>>(), wanted.into_iter().collect::<Vec<_>>());
        }
    }
}

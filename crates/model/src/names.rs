//! Names that were nearly right.

/// The candidate that was probably meant: the same but for case, or a few letters apart.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let allowed = 1 + wanted.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(apart, _)| *apart <= allowed)
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, drop or replace to turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_name_is_not() {
        let fields = ["Price__c", "Status__c", "Name"];
        assert_eq!(closest("price__c", fields), Some("Price__c"));
        assert_eq!(closest("Prise__c", fields), Some("Price__c"));
        assert_eq!(closest("Statuss__c", fields), Some("Status__c"));
        assert_eq!(closest("Mileage__c", fields), None);
    }
}

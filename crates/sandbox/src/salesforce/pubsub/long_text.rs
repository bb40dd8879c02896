//! Long texts that changed a little are told as unified differences, with the hash of the whole new text.

use super::layout::Slot;
use crate::salesforce::{schema::Kind, value::Value};
use sha2::{Digest, Sha256};
use similar::{ChangeTag, TextDiff};

/// Texts from this length on are worth it, in characters.
const LONG: usize = 1_000;

/// What a changed field says instead of its value: nothing else for short texts, for large changes, and where the
/// difference would be longer than the text.
pub(super) fn difference(slot: &Slot, old: &[Value], new: &[Value]) -> Option<String> {
    let (Slot::Field(_, Kind::LongTextArea | Kind::Html), [Value::Text(old)], [Value::Text(new)]) =
        (slot, old, new)
    else {
        return None;
    };
    let (before, after) = (old.chars().count(), new.chars().count());
    if before < LONG || after < LONG || before.abs_diff(after) * 2 > before {
        return None;
    }
    let lines = TextDiff::from_lines(old.as_ref(), new.as_ref());
    let all = new.lines().count().max(1);
    let changed = lines
        .iter_all_changes()
        .filter(|change| change.tag() == ChangeTag::Insert)
        .count();
    if changed * 4 > all {
        return None;
    }
    let hash: String = Sha256::digest(new.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = lines
        .unified_diff()
        .context_radius(3)
        .header("", &hash)
        .to_string();
    (text.len() < new.len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Option<String> {
        let slot = Slot::Field(0, Kind::LongTextArea);
        difference(&slot, &[Value::text(old)], &[Value::text(new)])
    }

    #[test]
    fn only_small_changes_of_long_texts_are_differences() {
        let lines: Vec<String> = (0..60)
            .map(|line| format!("line {line} of a long story"))
            .collect();
        let old = lines.join("\n");
        let one = old.replace("line 30 of", "verse 30 of");
        let text = told(&old, &one).expect("a difference");
        assert!(text.starts_with("--- \n+++ "), "{text}");
        assert!(
            text.contains("\n-line 30 of a long story\n+verse 30 of a long story\n"),
            "{text}"
        );
        assert_eq!(
            text.lines().nth(1).map(str::len),
            Some(4 + 64),
            "the hash of the whole"
        );
        assert_eq!(told(&old, &old.replace("line", "verse")), None, "too many lines");
        assert_eq!(told(&old, &old.repeat(2)), None, "too much longer");
        assert_eq!(told("short", "shorter"), None);
        assert_eq!(
            told(&"x".repeat(2_000), &"y".repeat(2_000)),
            None,
            "one line is all of it"
        );
    }
}

//! Text as HubSpot's string properties take it.

use std::borrow::Cow;

/// Longest text of a HubSpot string property, in characters.
pub const TEXT_CHARS_MAX: usize = 65_536;

/// Takes out control characters (NUL appears in Bulk CSV); tabs and line ends stay.
pub fn clean(text: &str) -> Cow<'_, str> {
    let is_control = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f;
    if text.bytes().any(is_control) {
        let kept = text
            .chars()
            .filter(|&c| !u8::try_from(u32::from(c)).is_ok_and(is_control));
        Cow::Owned(kept.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Number of characters beyond the longest text, if any.
pub fn excess(text: &str) -> Option<usize> {
    if text.len() <= TEXT_CHARS_MAX {
        return None;
    }
    text.chars()
        .count()
        .checked_sub(TEXT_CHARS_MAX)
        .filter(|&over| over > 0)
}

/// The head of a value, for messages.
pub fn shown(value: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    match value.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_go_and_line_ends_stay() {
        assert_eq!(clean("a\0b\u{1}c\u{7f}d"), "abcd");
        assert_eq!(clean("a\tb\r\nc\nü"), "a\tb\r\nc\nü");
        assert!(matches!(clean("plain öß"), Cow::Borrowed(_)));
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(excess(&"ü".repeat(TEXT_CHARS_MAX)), None);
        assert_eq!(excess(&"ü".repeat(TEXT_CHARS_MAX + 2)), Some(2));
    }
}

//! Where somebody is led to after they signed in.

use url::Url;

/// A place that is nobody's: what is resolved against it and leaves it would leave this server too.
const HERE: &str = "http://landbridge.invalid/";

/// Whether a text that came with a link is a path of this server, to a browser too: browsers drop tabs and line ends and
/// take a backslash for a slash, so that `/<tab>/evil.example` is another server to them.
pub(crate) fn is_ours(text: &str) -> bool {
    let is_plain = text.starts_with('/') && !text.contains(|c: char| c == '\\' || c.is_control());
    let here = Url::parse(HERE).ok();
    let there = here.as_ref().and_then(|here| here.join(text).ok());
    is_plain && matches!((here, there), (Some(here), Some(there)) if here.origin() == there.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for ours in [
            "/",
            "/tenants/acme?x=1",
            "/a//b",
            "/search?q=https://evil.example",
            "/ü%0a#x",
        ] {
            assert!(is_ours(ours), "{ours:?}");
        }
        for elsewhere in [
            "",
            "tenants",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "\t//evil.example",
            " //evil.example",
            "/\u{0}/evil.example",
            "/\u{85}/evil.example",
            "javascript:alert(1)",
        ] {
            assert!(!is_ours(elsewhere), "{elsewhere:?}");
        }
    }
}

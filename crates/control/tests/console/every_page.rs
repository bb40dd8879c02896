//! What must hold on every page in every state.

use roxmltree::Document;

use crate::samples;

/// The page as a tree. Pages are written as well-formed markup but for what HTML leaves out; that is put in first.
pub(crate) fn tree(html: &str) -> String {
    let mut text = html.replace("<!DOCTYPE html>", "");
    for void in ["meta", "link", "input", "br"] {
        let mut closed = String::new();
        let mut rest = text.as_str();
        let opening = format!("<{void}");
        while let Some(start) = rest.find(&opening) {
            let end = start + rest[start..].find('>').expect("a tag ends");
            closed.push_str(&rest[..end]);
            closed.push_str("/>");
            rest = &rest[end + 1..];
        }
        closed.push_str(rest);
        text = closed;
    }
    // Attributes without a value.
    for flag in [
        "required",
        "formnovalidate",
        "novalidate",
        "disabled",
        "checked",
        "selected",
        "readonly",
        "defer",
        "open",
        "hidden",
        "data-combo",
        "data-recheck",
        "data-check-status",
        "data-check",
    ] {
        for end in [" ", ">", "/"] {
            text = text.replace(&format!(" {flag}{end}"), &format!(" {flag}=\"\"{end}"));
        }
    }
    text
}

fn each(check: impl Fn(&str, &Document<'_>)) {
    let pages = samples::pages();
    assert!(pages.len() > 90, "only {} pages were looked at", pages.len());
    for page in pages {
        let text = tree(&page.html);
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", page.name));
        check(&page.name, &document);
    }
}

#[test]
fn no_page_has_an_inline_style_or_script_or_names_another_host_for_content() {
    each(|name, document| {
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            assert!(
                node.attribute("style").is_none(),
                "{name}: a style attribute on {node:?}"
            );
            assert_ne!(node.tag_name().name(), "style", "{name}: a style element");
            let handler = node
                .attributes()
                .find(|attribute| attribute.name().starts_with("on"));
            assert!(handler.is_none(), "{name}: {handler:?}");
            if node.tag_name().name() == "script" {
                assert!(
                    node.text().is_none_or(str::is_empty),
                    "{name}: a script with content"
                );
            }
            let loaded = if node.tag_name().name() == "a" {
                None
            } else {
                node.attribute("href").or(node.attribute("src"))
            };
            assert!(
                loaded.is_none_or(|path| path.starts_with('/')),
                "{name}: {loaded:?} comes from elsewhere"
            );
        }
    });
}

#[test]
fn every_control_of_a_form_has_a_label() {
    each(|name, document| {
        let labelled: Vec<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("label"))
            .filter_map(|node| node.attribute("for"))
            .collect();
        for node in document.descendants() {
            let is_control = ["input", "select", "textarea"]
                .iter()
                .any(|tag| node.has_tag_name(*tag));
            if !is_control || node.attribute("type") == Some("hidden") {
                continue;
            }
            let by_id = node.attribute("id").is_some_and(|id| labelled.contains(&id));
            assert!(
                by_id || node.attribute("aria-label").is_some(),
                "{name}: no label for {:?}",
                node.attribute("name")
            );
        }
    });
}

#[test]
fn ids_are_unique_and_what_refers_to_an_id_finds_it() {
    each(|name, document| {
        let mut ids: Vec<&str> = document
            .descendants()
            .filter_map(|node| node.attribute("id"))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id is there twice");
        for node in document.descendants() {
            let references = ["for", "aria-describedby", "aria-labelledby", "list"]
                .iter()
                .filter_map(|key| node.attribute(*key));
            for id in references.flat_map(str::split_whitespace) {
                assert!(ids.contains(&id), "{name}: nothing has the id {id}");
            }
            if let Some(target) = node.attribute("href").and_then(|path| path.strip_prefix('#')) {
                assert!(
                    ids.contains(&target),
                    "{name}: a link leads to #{target}, which is not there"
                );
            }
        }
    });
}

#[test]
fn every_form_that_changes_something_carries_the_token() {
    each(|name, document| {
        for form in document
            .descendants()
            .filter(|node| node.has_tag_name("form") && node.attribute("method") == Some("post"))
        {
            let has_token = form.descendants().any(|node| {
                node.attribute("name") == Some("csrf") && node.attribute("value") == Some("sample-token")
            });
            assert!(has_token, "{name}: {:?} has no token", form.attribute("action"));
        }
    });
}

#[test]
fn every_page_has_one_title_one_first_heading_or_error_and_its_landmarks() {
    each(|name, document| {
        let count = |tag: &str| {
            document
                .descendants()
                .filter(|node| node.has_tag_name(tag))
                .count()
        };
        // Charts have titles of their own.
        let titles = document.descendants().filter(|node| {
            node.has_tag_name("title") && node.parent().is_some_and(|parent| parent.has_tag_name("head"))
        });
        assert_eq!((titles.count(), count("main")), (1, 1), "{name}");
        assert!(count("h1") <= 1, "{name}: several first headings");
        let first = document
            .descendants()
            .find(|node| node.has_tag_name("body"))
            .and_then(|body| body.first_element_child());
        assert_eq!(
            first.and_then(|node| node.attribute("href")),
            Some("#main"),
            "{name}: the skip link comes first"
        );
    });
}

#[test]
fn a_secret_is_never_in_a_field() {
    each(|name, document| {
        for node in document
            .descendants()
            .filter(|node| node.attribute("type") == Some("password"))
        {
            assert_eq!(node.attribute("value").unwrap_or_default(), "", "{name}");
        }
    });
}

#[test]
fn next_cannot_be_pressed_while_something_is_to_be_put_right() {
    each(|name, document| {
        let has_problems = document
            .descendants()
            .any(|node| node.attribute("class") == Some("problems"));
        let next = document.descendants().find(|node| {
            node.has_tag_name("button")
                && node.attribute("value") == Some("next")
                && node
                    .attribute("class")
                    .is_some_and(|class| class.contains("primary"))
        });
        // The first step has nothing to keep it from: its errors come from pressing "Next".
        if let Some(next) = next.filter(|_| !name.starts_with("wizard-objects")) {
            assert_eq!(next.attribute("disabled").is_some(), has_problems, "{name}");
        }
    });
}

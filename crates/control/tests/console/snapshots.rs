//! Parts of a few key pages, as they are written. `UPDATE_EXPECT=1` writes them anew.

use expect_test::expect_file;

use crate::samples;

/// The main part of a page, an element a line.
fn main_of(name: &str) -> String {
    let pages = samples::pages();
    let page = pages
        .iter()
        .find(|page| page.name == name)
        .unwrap_or_else(|| panic!("there is no page {name}"));
    let start = page.html.find("<main").expect("a page has a main part");
    let end = page.html.find("</main>").expect("the main part ends");
    page.html[start..end].replace("><", ">\n<") + "\n"
}

fn check(name: &str, expected: expect_test::ExpectFile) {
    expected.assert_eq(&main_of(name));
}

#[test]
fn connected_apps() {
    check(
        "connected--filled",
        expect_file!["snapshots/connected--filled.html"],
    );
}

#[test]
fn field_mappings_with_errors() {
    check(
        "wizard-mappings--wrong",
        expect_file!["snapshots/wizard-mappings--wrong.html"],
    );
}

#[test]
fn the_dry_run() {
    check(
        "wizard-preview--filled",
        expect_file!["snapshots/wizard-preview--filled.html"],
    );
}

#[test]
fn an_import_that_runs() {
    check("import--running", expect_file!["snapshots/import--running.html"]);
}

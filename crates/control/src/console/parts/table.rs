//! Tables: with a caption, cells that know their column's head (a narrow screen shows rows as cards), and pages.

use maud::{Markup, PreEscaped, html};

use super::words::count;
use crate::console::fields;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    head: &'static str,
    numeric: bool,
    quiet: bool,
}

/// A cell.
#[derive(Clone, Debug)]
pub struct Cell(Markup);

/// A cell of anything.
pub fn cell(content: Markup) -> Cell {
    Cell(content)
}

/// A cell of a number.
pub fn number(value: u64) -> Cell {
    Cell(html! { (count(value)) })
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(html! { (text) })
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(html! { (text) })
    }
}

impl From<Markup> for Cell {
    fn from(content: Markup) -> Self {
        Self(content)
    }
}

/// A table in the making.
#[derive(Debug)]
pub struct Table {
    caption: String,
    is_caption_hidden: bool,
    columns: Vec<Column>,
    rows: Vec<(Option<String>, Vec<Cell>)>,
}

impl Table {
    /// A table with a caption above it.
    pub fn new(caption: impl Into<String>) -> Self {
        Self {
            caption: caption.into(),
            is_caption_hidden: false,
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// The caption is for screen readers only, because a heading says the same.
    #[must_use]
    pub fn hidden_caption(mut self) -> Self {
        self.is_caption_hidden = true;
        self
    }

    /// A column of words.
    #[must_use]
    pub fn column(mut self, head: &'static str) -> Self {
        self.columns.push(Column {
            head,
            numeric: false,
            quiet: false,
        });
        self
    }

    /// A column of numbers, aligned to the right.
    #[must_use]
    pub fn numbers(mut self, head: &'static str) -> Self {
        self.columns.push(Column {
            head,
            numeric: true,
            quiet: false,
        });
        self
    }

    /// A column of buttons or boxes; its head is for screen readers only.
    #[must_use]
    pub fn controls(mut self, head: &'static str) -> Self {
        self.columns.push(Column {
            head,
            numeric: false,
            quiet: true,
        });
        self
    }

    /// A row; the first cell names it.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push((None, cells));
    }

    /// A row that live updates replace by its id.
    pub fn live_row(&mut self, id: String, cells: Vec<Cell>) {
        self.rows.push((Some(id), cells));
    }

    /// Writes it. The roles are said again because a narrow screen shows rows as blocks, which hides them.
    pub fn show(&self) -> Markup {
        html! {
            div.table-box {
                table.cards role="table" {
                    caption class=[self.is_caption_hidden.then_some("hidden")] { (self.caption) }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for column in &self.columns {
                                th scope="col" role="columnheader" class=[column.numeric.then_some("numeric")] {
                                    @if column.quiet { span.hidden { (column.head) } } @else { (column.head) }
                                }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for (id, cells) in &self.rows { (self.line(id.as_deref(), cells)) }
                    }
                }
            }
        }
    }

    /// One row by itself, as a live update sends it.
    pub fn line(&self, id: Option<&str>, cells: &[Cell]) -> Markup {
        html! {
            tr role="row" id=[id] {
                @for (place, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
                    @let class = if column.numeric { "numeric" } else if column.quiet { "controls" } else { "" };
                    @let label = (!column.quiet).then_some(column.head);
                    @if place == 0 {
                        th scope="row" role="rowheader" class=(class) data-label=[label] { (cell.0) }
                    } @else {
                        td role="cell" class=(class) data-label=[label] { div { (cell.0) } }
                    }
                }
            }
        }
    }

    /// All rows by themselves.
    pub fn lines(&self) -> Markup {
        let all = self
            .rows
            .iter()
            .map(|(id, cells)| self.line(id.as_deref(), cells).into_string());
        PreEscaped(all.collect())
    }
}

/// Where in a long list a page is.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    /// The number of the first row that is shown, from 1.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// How many there are, when that is known.
    pub total: Option<u64>,
    /// The path of the page before.
    pub previous: Option<String>,
    /// The path of the page after.
    pub next: Option<String>,
}

/// Links to the pages before and after.
pub fn pager(paging: &Paging, what: &str) -> Markup {
    html! {
        @if paging.last > 0 {
            nav.pager aria-label={ "Pages of " (what) } {
                p.quiet {
                    (count(paging.first)) "–" (count(paging.last))
                    @if let Some(total) = paging.total { " of " (count(total)) }
                    " " (what)
                }
                @if paging.previous.is_some() || paging.next.is_some() {
                    div.actions {
                        @match &paging.previous {
                            Some(path) => a.button.quiet href=(path) rel="prev" { "Previous" },
                            None => span.button.quiet aria-disabled="true" { "Previous" },
                        }
                        @match &paging.next {
                            Some(path) => a.button.quiet href=(path) rel="next" { "Next" },
                            None => span.button.quiet aria-disabled="true" { "Next" },
                        }
                    }
                }
            }
        }
    }
}

/// A form that searches by words and narrows by a few choices: `(name, label, chosen, options)`.
pub fn search_form(
    action: &str,
    label: &str,
    query: &str,
    narrow: &[(&str, &str, &str, Vec<super::Choice>)],
) -> Markup {
    html! {
        form.search-form method="get" action=(action) role="search" {
            div.control.grow {
                label for="search" { (label) }
                input id="search" type="search" name=(fields::QUERY) value=(query) spellcheck="false" autocomplete="off";
            }
            @for (name, label, chosen, options) in narrow {
                div.control {
                    label for={ "narrow-" (name) } { (label) }
                    select id={ "narrow-" (name) } name=(name) { (super::option_tags(options, chosen)) }
                }
            }
            button.button { "Search" }
        }
    }
}

//! Sample data: a page for each state of each screen.

mod alerts;
mod connected;
mod entry;
mod health;
mod imports;
mod mappings;
mod preview;
mod records;
mod running;
mod undo;
mod wizard;
pub(crate) mod world;

/// One page of the gallery.
pub(crate) struct Page {
    /// The file's name without its ending: the screen, two hyphens, the state.
    pub(crate) name: String,
    /// The document.
    pub(crate) html: String,
}

/// Collects pages.
#[derive(Default)]
pub(crate) struct Gallery {
    pages: Vec<Page>,
}

impl Gallery {
    fn add(&mut self, name: &str, page: maud::Markup) {
        assert!(
            self.pages.iter().all(|other| other.name != name),
            "{name} is there twice"
        );
        self.pages.push(Page {
            name: name.to_owned(),
            html: page.into_string(),
        });
    }
}

/// Every page in every state.
pub(crate) fn pages() -> Vec<Page> {
    let mut gallery = Gallery::default();
    entry::add(&mut gallery);
    connected::add(&mut gallery);
    wizard::add(&mut gallery);
    mappings::add(&mut gallery);
    preview::add(&mut gallery);
    running::add(&mut gallery);
    undo::add(&mut gallery);
    imports::add(&mut gallery);
    health::add(&mut gallery);
    alerts::add(&mut gallery);
    records::add(&mut gallery);
    gallery.pages
}

//! The console's pages, as text: what holds for every page of the gallery, and snapshots of parts of a few.

#[path = "../../examples/gallery/samples/mod.rs"]
mod samples;

mod every_page;
mod hostile;
mod round_trip;
mod snapshots;

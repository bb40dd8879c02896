//! Names of channels and what comes by them.

use super::layout::event_name;
use crate::salesforce::schema::Schema;

/// The objects of a topic: one, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    All,
    One(usize),
}

impl Topic {
    /// `/data/ChangeEvents`, `/data/Vehicle__ChangeEvent`; names mind their case.
    pub(super) fn find(schema: &Schema, name: &str) -> Option<Topic> {
        let event = name.strip_prefix("/data/")?;
        if event == "ChangeEvents" {
            return Some(Topic::All);
        }
        let mut objects = schema.objects.iter();
        objects
            .position(|object| event_name(&object.name) == event)
            .map(Topic::One)
    }

    pub(super) fn wants(self, object: usize) -> bool {
        match self {
            Topic::All => true,
            Topic::One(only) => only == object,
        }
    }
}

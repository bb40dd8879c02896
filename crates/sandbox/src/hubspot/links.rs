//! One direction of associations: its types, and each record's links.

use super::dice::FastMap;
use serde::{Deserialize, Serialize};

/// Whose definition it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Category {
    HubSpot,
    User,
}

impl Category {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Category::HubSpot => "HUBSPOT_DEFINED",
            Category::User => "USER_DEFINED",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Category> {
        match text {
            "HUBSPOT_DEFINED" => Some(Category::HubSpot),
            "USER_DEFINED" => Some(Category::User),
            _ => None,
        }
    }
}

/// One type of association in one direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AssociationType {
    pub(super) type_id: u32,
    pub(super) category: Category,
    pub(super) label: Option<String>,
    pub(super) name: String,
    /// The definition of the same association seen from the other end, by position there.
    pub(super) inverse: u8,
    /// Each record has at most one of these; a second one takes it over.
    pub(super) single: bool,
    pub(super) custom_label: bool,
    pub(super) max_to: u32,
    pub(super) user_max_to: Option<u32>,
    pub(super) created_ms: i64,
    /// Deleted labels keep their place, so that the others keep theirs.
    pub(super) deleted: bool,
}

impl AssociationType {
    pub(super) fn limit(&self) -> u32 {
        self.user_max_to.unwrap_or(self.max_to).min(self.max_to)
    }
}

/// One end's view of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) to: u64,
    pub(super) types: u64,
}

/// A record's links in one direction, by ascending target. Most have one.
#[derive(Debug)]
enum Links {
    One(Link),
    Many(Vec<Link>),
}

impl Links {
    fn as_slice(&self) -> &[Link] {
        match self {
            Links::One(link) => std::slice::from_ref(link),
            Links::Many(links) => links,
        }
    }
}

/// One direction of a pair of object types.
#[derive(Debug, Default)]
pub(super) struct Direction {
    pub(super) types: Vec<AssociationType>,
    links: FastMap<u64, Links>,
}

impl Direction {
    /// The bit of a live type.
    pub(super) fn find(&self, category: Category, type_id: u32) -> Option<usize> {
        self.types
            .iter()
            .position(|t| t.type_id == type_id && t.category == category && !t.deleted)
    }

    pub(super) fn links(&self, from: u64) -> &[Link] {
        self.links.get(&from).map(Links::as_slice).unwrap_or_default()
    }

    pub(super) fn get(&self, from: u64, to: u64) -> Option<Link> {
        let links = self.links(from);
        links
            .binary_search_by_key(&to, |link| link.to)
            .ok()
            .map(|at| links[at])
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &[Link])> {
        self.links.iter().map(|(from, links)| (*from, links.as_slice()))
    }

    /// The types of a set of bits.
    pub(super) fn described(&self, bits: u64) -> impl Iterator<Item = &AssociationType> {
        self.types
            .iter()
            .enumerate()
            .filter(move |(at, _)| bits >> at & 1 == 1)
            .map(|(_, described)| described)
    }

    /// The same bits, seen from the other end.
    pub(super) fn inverse(&self, bits: u64) -> u64 {
        self.described(bits)
            .fold(0, |inverse, described| inverse | 1 << described.inverse)
    }

    pub(super) fn set(&mut self, from: u64, link: Link) {
        match self.links.get_mut(&from) {
            None => {
                self.links.insert(from, Links::One(link));
            }
            Some(Links::One(only)) if only.to == link.to => *only = link,
            Some(links) => {
                let mut many = match std::mem::replace(links, Links::Many(Vec::new())) {
                    Links::One(only) => vec![only],
                    Links::Many(many) => many,
                };
                match many.binary_search_by_key(&link.to, |link| link.to) {
                    Ok(at) => many[at] = link,
                    Err(at) => many.insert(at, link),
                }
                *links = Links::Many(many);
            }
        }
    }

    pub(super) fn unset(&mut self, from: u64, to: u64) -> bool {
        match self.links.get_mut(&from) {
            Some(Links::One(only)) if only.to == to => {
                self.links.remove(&from);
                true
            }
            Some(Links::Many(many)) => match many.binary_search_by_key(&to, |link| link.to) {
                Ok(at) => {
                    many.remove(at);
                    if many.is_empty() {
                        self.links.remove(&from);
                    }
                    true
                }
                Err(_) => false,
            },
            _ => false,
        }
    }

    /// Takes all of a record's links away and gives where they led.
    pub(super) fn take(&mut self, from: u64) -> Vec<u64> {
        let links = self.links.remove(&from);
        links
            .as_ref()
            .map(Links::as_slice)
            .unwrap_or_default()
            .iter()
            .map(|link| link.to)
            .collect()
    }
}

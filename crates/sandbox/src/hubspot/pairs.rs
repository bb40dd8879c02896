//! Which associations there may be, and which there are.
//!
//! Every pair of object types has its definitions in each direction; every link is kept in both. A link's
//! types are bits over its direction's definitions, the plain type always the first of them.

use super::{
    dice::FastMap,
    links::{AssociationType, Direction, Link},
};

/// Position of an object type in the portal.
pub(super) type TypeIndex = u16;

/// The bit of the plain (unlabelled) type.
pub(super) const PLAIN: u64 = 1;

/// A record that has as many associations of a kind as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitReached {
    pub(super) limit: u32,
}

/// What becomes of a pair's labels when it is linked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labels {
    Replace,
    Keep,
}

/// All definitions and all links.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    directions: FastMap<(TypeIndex, TypeIndex), Direction>,
}

impl Pairs {
    pub(super) fn direction(&self, from: TypeIndex, to: TypeIndex) -> Option<&Direction> {
        self.directions
            .get(&(from, to))
            .filter(|direction| !direction.types.is_empty())
    }

    pub(super) fn direction_mut(&mut self, from: TypeIndex, to: TypeIndex) -> &mut Direction {
        self.directions.entry((from, to)).or_default()
    }

    pub(super) fn from(&self, from: TypeIndex) -> impl Iterator<Item = (TypeIndex, &Direction)> {
        self.directions
            .iter()
            .filter(move |((f, _), _)| *f == from)
            .map(|((_, to), d)| (*to, d))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (TypeIndex, TypeIndex, &Direction)> {
        self.directions
            .iter()
            .map(|((from, to), direction)| (*from, *to, direction))
    }

    /// Defines one type of association: `there` seen from `from`, `back` from `to`. Between a type and
    /// itself, `back` of `None` is a symmetrical one.
    pub(super) fn define(
        &mut self,
        from: TypeIndex,
        to: TypeIndex,
        mut there: AssociationType,
        back: Option<AssociationType>,
    ) {
        let here = self.direction_mut(from, to).types.len();
        let Some(mut back) = back else {
            there.inverse = bit(here);
            self.direction_mut(from, to).types.push(there);
            return;
        };
        let other = if from == to {
            here + 1
        } else {
            self.direction_mut(to, from).types.len()
        };
        there.inverse = bit(other);
        back.inverse = bit(here);
        self.direction_mut(from, to).types.push(there);
        self.direction_mut(to, from).types.push(back);
    }

    /// Links two records. Says whether anything changed.
    pub(super) fn link(
        &mut self,
        (from_type, from): (TypeIndex, u64),
        (to_type, to): (TypeIndex, u64),
        types: u64,
        labels: Labels,
    ) -> Result<bool, LimitReached> {
        let direction = self.direction_mut(from_type, to_type);
        let old = direction.get(from, to);
        let types = match (labels, old) {
            (Labels::Keep, Some(old)) => old.types | types | PLAIN,
            _ => types | PLAIN,
        };
        if old.is_some_and(|old| old.types == types) {
            return Ok(false);
        }
        let back = direction.inverse(types);
        if old.is_none() {
            within(direction, from, types)?;
            if let Some(other) = self.direction(to_type, from_type) {
                within(other, to, back)?;
            }
        }
        self.direction_mut(from_type, to_type)
            .set(from, Link { to, types });
        self.direction_mut(to_type, from_type).set(
            to,
            Link {
                to: from,
                types: back,
            },
        );
        self.take_over(from_type, to_type, from, to, types);
        self.take_over(to_type, from_type, to, from, back);
        Ok(true)
    }

    /// A type of which a record has one at most leaves its other links.
    fn take_over(&mut self, from_type: TypeIndex, to_type: TypeIndex, from: u64, to: u64, types: u64) {
        let direction = self.direction_mut(from_type, to_type);
        let single = direction
            .types
            .iter()
            .enumerate()
            .filter(|(at, described)| described.single && types >> at & 1 == 1)
            .fold(0_u64, |bits, (at, _)| bits | 1 << at);
        if single == 0 {
            return;
        }
        let losers: Vec<Link> = direction
            .links(from)
            .iter()
            .filter(|link| link.to != to && link.types & single != 0)
            .map(|link| Link {
                to: link.to,
                types: link.types & !single,
            })
            .collect();
        for loser in losers {
            let direction = self.direction_mut(from_type, to_type);
            let back = direction.inverse(loser.types);
            direction.set(from, loser);
            self.direction_mut(to_type, from_type).set(
                loser.to,
                Link {
                    to: from,
                    types: back,
                },
            );
        }
    }

    /// Takes two records apart. Says whether they were linked.
    pub(super) fn unlink(
        &mut self,
        (from_type, from): (TypeIndex, u64),
        (to_type, to): (TypeIndex, u64),
    ) -> bool {
        let was = self.direction_mut(from_type, to_type).unset(from, to);
        self.direction_mut(to_type, from_type).unset(to, from);
        was
    }

    /// Takes some types off a link; without its plain type it is gone.
    pub(super) fn unlabel(
        &mut self,
        (from_type, from): (TypeIndex, u64),
        (to_type, to): (TypeIndex, u64),
        types: u64,
    ) -> bool {
        let direction = self.direction_mut(from_type, to_type);
        let Some(old) = direction.get(from, to) else {
            return false;
        };
        if types & PLAIN != 0 {
            return self.unlink((from_type, from), (to_type, to));
        }
        let left = old.types & !types;
        let back = direction.inverse(left);
        direction.set(from, Link { to, types: left });
        self.direction_mut(to_type, from_type).set(
            to,
            Link {
                to: from,
                types: back,
            },
        );
        left != old.types
    }

    /// Takes a record off everything.
    pub(super) fn forget(&mut self, of_type: TypeIndex, id: u64) {
        let others: Vec<TypeIndex> = self.from(of_type).map(|(to, _)| to).collect();
        for other in others {
            for to in self.direction_mut(of_type, other).take(id) {
                self.direction_mut(other, of_type).unset(to, id);
            }
        }
    }

    /// Takes an object type off everything.
    pub(super) fn forget_type(&mut self, of_type: TypeIndex) {
        self.directions
            .retain(|(from, to), _| *from != of_type && *to != of_type);
    }
}

fn bit(position: usize) -> u8 {
    u8::try_from(position).unwrap_or(u8::MAX)
}

fn within(direction: &Direction, from: u64, types: u64) -> Result<(), LimitReached> {
    let links = direction.links(from);
    for (at, described) in direction.types.iter().enumerate() {
        // Of a single type there is one whatever happens: the newest.
        if types >> at & 1 == 0 || described.single || links.len() < described.limit() as usize {
            continue;
        }
        if links.iter().filter(|link| link.types >> at & 1 == 1).count() >= described.limit() as usize {
            return Err(LimitReached {
                limit: described.limit(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hubspot::links::Category;

    fn described(type_id: u32, single: bool, max_to: u32) -> AssociationType {
        AssociationType {
            type_id,
            category: Category::User,
            label: None,
            name: String::new(),
            inverse: 0,
            single,
            custom_label: false,
            max_to,
            user_max_to: None,
            created_ms: 0,
            deleted: false,
        }
    }

    /// Types 1 and 2: plain, `single` seen from 1, a label.
    fn pairs() -> Pairs {
        let mut pairs = Pairs::default();
        pairs.define(1, 2, described(10, false, 3), Some(described(11, false, 100)));
        pairs.define(1, 2, described(12, true, 100), Some(described(13, false, 100)));
        pairs.define(1, 2, described(14, false, 100), Some(described(15, false, 100)));
        pairs.define(3, 3, described(20, false, 9), None);
        pairs.define(3, 3, described(21, false, 9), Some(described(22, false, 9)));
        pairs
    }

    fn seen(pairs: &Pairs, from_type: u16, to_type: u16, from: u64) -> Vec<(u64, Vec<u32>)> {
        let direction = pairs.direction(from_type, to_type).expect("defined");
        let ids = |bits| {
            direction
                .described(bits)
                .map(|described| described.type_id)
                .collect()
        };
        direction
            .links(from)
            .iter()
            .map(|link| (link.to, ids(link.types)))
            .collect()
    }

    #[test]
    fn a_link_is_seen_from_both_ends_with_each_ends_types() {
        let mut pairs = pairs();
        assert_eq!(pairs.link((1, 5), (2, 9), 0b100, Labels::Replace), Ok(true));
        assert_eq!(pairs.link((1, 5), (2, 9), 0b100, Labels::Replace), Ok(false));
        assert_eq!(seen(&pairs, 1, 2, 5), [(9, vec![10, 14])]);
        assert_eq!(seen(&pairs, 2, 1, 9), [(5, vec![11, 15])]);
        assert_eq!(pairs.link((3, 1), (3, 2), 0b010, Labels::Replace), Ok(true));
        assert_eq!(seen(&pairs, 3, 3, 1), [(2, vec![20, 21])]);
        assert_eq!(seen(&pairs, 3, 3, 2), [(1, vec![20, 22])]);
        assert!(pairs.unlink((3, 2), (3, 1)));
        assert!(seen(&pairs, 3, 3, 1).is_empty());
    }

    #[test]
    fn labels_are_replaced_and_the_plain_type_carries_them() {
        let mut pairs = pairs();
        pairs.link((1, 5), (2, 9), 0b100, Labels::Replace).expect("room");
        pairs.link((1, 5), (2, 9), PLAIN, Labels::Keep).expect("room");
        assert_eq!(seen(&pairs, 1, 2, 5), [(9, vec![10, 14])]);
        pairs.link((1, 5), (2, 9), 0b010, Labels::Replace).expect("room");
        assert_eq!(seen(&pairs, 2, 1, 9), [(5, vec![11, 13])]);
        assert!(pairs.unlabel((1, 5), (2, 9), 0b010));
        assert_eq!(seen(&pairs, 2, 1, 9), [(5, vec![11])]);
        assert!(pairs.unlabel((2, 9), (1, 5), PLAIN));
        assert!(seen(&pairs, 1, 2, 5).is_empty());
    }

    #[test]
    fn a_single_type_moves_whichever_end_sets_it() {
        let mut pairs = pairs();
        pairs.link((1, 5), (2, 8), 0b010, Labels::Replace).expect("room");
        pairs.link((2, 9), (1, 5), 0b010, Labels::Replace).expect("room");
        assert_eq!(seen(&pairs, 1, 2, 5), [(8, vec![10]), (9, vec![10, 12])]);
        assert_eq!(seen(&pairs, 2, 1, 8), [(5, vec![11])]);
    }

    #[test]
    fn a_full_record_takes_no_more() {
        let mut pairs = pairs();
        for to in [7, 8, 9] {
            assert_eq!(pairs.link((1, 5), (2, to), PLAIN, Labels::Keep), Ok(true));
        }
        assert_eq!(
            pairs.link((2, 6), (1, 5), PLAIN, Labels::Keep),
            Err(LimitReached { limit: 3 })
        );
        pairs.forget(2, 8);
        assert_eq!(pairs.link((2, 6), (1, 5), PLAIN, Labels::Keep), Ok(true));
    }
}

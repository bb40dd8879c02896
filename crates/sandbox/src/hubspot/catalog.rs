//! Everything that the portal holds: object types by name, associations, the counters of ids.

use super::{
    dice::{Dice, FastMap},
    errors::ApiError,
    kinds,
    links::{AssociationType, Category},
    pairs::{Pairs, TypeIndex},
    table::{SavedRecord, SavedTable, Table},
};
use serde::{Deserialize, Serialize};

/// The portal's data, behind one lock.
#[derive(Debug)]
pub(super) struct Catalog {
    tables: Vec<Option<Table>>,
    pub(super) pairs: Pairs,
    pub(super) next_record: u64,
    pub(super) next_type: u64,
    pub(super) next_association_type: u32,
    /// Companies by the Salesforce account that they stand for.
    pub(super) native: FastMap<String, u64>,
}

/// A direction of [`DEFAULTS`]: from, to, plain type id, primary type id (0: none).
type Default4 = (&'static str, &'static str, u32, u32);

/// HubSpot's own association types between standard objects, both directions of each pair in turn.
const DEFAULTS: &[(Default4, Default4)] = &[
    (("0-1", "0-2", 279, 1), ("0-2", "0-1", 280, 2)),
    (("0-1", "0-3", 4, 0), ("0-3", "0-1", 3, 0)),
    (("0-1", "0-5", 15, 0), ("0-5", "0-1", 16, 0)),
    (("0-3", "0-2", 341, 5), ("0-2", "0-3", 342, 6)),
    (("0-5", "0-2", 339, 26), ("0-2", "0-5", 340, 25)),
    (("0-3", "0-5", 27, 0), ("0-5", "0-3", 28, 0)),
    (("0-3", "0-8", 19, 0), ("0-8", "0-3", 20, 0)),
    (("0-1", "0-136", 609, 0), ("0-136", "0-1", 608, 578)),
    (("0-2", "0-136", 611, 0), ("0-136", "0-2", 610, 580)),
    (("0-1", "0-48", 193, 0), ("0-48", "0-1", 194, 0)),
    (("0-1", "0-49", 197, 0), ("0-49", "0-1", 198, 0)),
    (("0-1", "0-47", 199, 0), ("0-47", "0-1", 200, 0)),
    (("0-1", "0-46", 201, 0), ("0-46", "0-1", 202, 0)),
    (("0-1", "0-27", 203, 0), ("0-27", "0-1", 204, 0)),
    (("0-2", "0-48", 181, 0), ("0-48", "0-2", 182, 0)),
    (("0-2", "0-49", 185, 0), ("0-49", "0-2", 186, 0)),
    (("0-2", "0-47", 187, 0), ("0-47", "0-2", 188, 0)),
    (("0-2", "0-46", 189, 0), ("0-46", "0-2", 190, 0)),
    (("0-2", "0-27", 191, 0), ("0-27", "0-2", 192, 0)),
    (("0-3", "0-48", 205, 0), ("0-48", "0-3", 206, 0)),
    (("0-3", "0-49", 209, 0), ("0-49", "0-3", 210, 0)),
    (("0-3", "0-47", 211, 0), ("0-47", "0-3", 212, 0)),
    (("0-3", "0-46", 213, 0), ("0-46", "0-3", 214, 0)),
    (("0-3", "0-27", 215, 0), ("0-27", "0-3", 216, 0)),
    (("0-5", "0-48", 219, 0), ("0-48", "0-5", 220, 0)),
    (("0-5", "0-49", 223, 0), ("0-49", "0-5", 224, 0)),
    (("0-5", "0-47", 225, 0), ("0-47", "0-5", 226, 0)),
    (("0-5", "0-46", 227, 0), ("0-46", "0-5", 228, 0)),
    (("0-5", "0-27", 229, 0), ("0-27", "0-5", 230, 0)),
];

/// The same between a type and itself.
const SELF_DEFAULTS: &[(&str, u32)] = &[("0-1", 449), ("0-2", 450), ("0-3", 451), ("0-5", 452)];

/// The most records of one type that one record is associated with, where HubSpot says nothing else.
const TO_MAX: u32 = 10_000;
/// The same for what a custom object's records are associated with.
const CUSTOM_FROM_MAX: u32 = 50_000;

/// The portal's data without its records and links.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedCatalog {
    tables: Vec<Option<SavedTable>>,
    directions: Vec<(TypeIndex, TypeIndex, Vec<AssociationType>)>,
    next_record: u64,
    next_type: u64,
    next_association_type: u32,
    native: Vec<(String, u64)>,
}

impl Catalog {
    pub(super) fn save(&self) -> SavedCatalog {
        let directions = self
            .pairs
            .all()
            .map(|(from, to, direction)| (from, to, direction.types.clone()));
        SavedCatalog {
            tables: self
                .tables
                .iter()
                .map(|table| table.as_ref().map(Table::save))
                .collect(),
            directions: directions.collect(),
            next_record: self.next_record,
            next_type: self.next_type,
            next_association_type: self.next_association_type,
            native: self
                .native
                .iter()
                .map(|(account, id)| (account.clone(), *id))
                .collect(),
        }
    }

    /// The data again, its records and links still to come; then [`Catalog::loaded`].
    pub(super) fn load(saved: SavedCatalog) -> Catalog {
        let mut pairs = Pairs::default();
        for (from, to, types) in saved.directions {
            pairs.direction_mut(from, to).types = types;
        }
        Catalog {
            tables: saved
                .tables
                .into_iter()
                .map(|table| table.map(Table::load))
                .collect(),
            pairs,
            next_record: saved.next_record,
            next_type: saved.next_type,
            next_association_type: saved.next_association_type,
            native: saved.native.into_iter().collect(),
        }
    }

    /// A record of the type in that position. One of a type that is gone is gone with it.
    pub(super) fn load_record(&mut self, at: TypeIndex, record: SavedRecord) {
        if let Some(Some(table)) = self.tables.get_mut(usize::from(at)) {
            table.load_record(record);
        }
    }

    /// Once everything is there.
    pub(super) fn loaded(&mut self, archived_keep_values: bool) {
        for table in self.tables.iter_mut().flatten() {
            table.loaded(archived_keep_values);
        }
    }

    pub(super) fn new(dice: &Dice, ignore_case: bool) -> Catalog {
        let mut catalog = Catalog {
            tables: Vec::new(),
            pairs: Pairs::default(),
            next_record: 20_000_000_000 + dice.below(1_000_000_000),
            next_type: 40_000_000 + dice.below(10_000_000),
            next_association_type: 40 + u32::try_from(dice.below(40)).unwrap_or(0),
            native: FastMap::default(),
        };
        for (type_id, singular, plural) in kinds::STANDARD {
            catalog
                .tables
                .push(Some(kinds::standard(type_id, singular, plural, ignore_case)));
        }
        catalog.define_standard();
        catalog
    }

    fn define_standard(&mut self) {
        for (there, back) in DEFAULTS {
            let (Some(from), Some(to)) = (self.position(there.0), self.position(there.1)) else {
                continue;
            };
            let plain = |end: &Default4, to_max| self.hubspot_type(end, end.2, None, false, to_max);
            // A deal has a thousand contacts at the most.
            let deal_contacts = if (there.0, there.1) == ("0-1", "0-3") {
                1000
            } else {
                TO_MAX
            };
            let (a, b) = (plain(there, TO_MAX), plain(back, deal_contacts));
            self.pairs.define(from, to, a, Some(b));
            if there.3 != 0 {
                let a = self.hubspot_type(there, there.3, Some("Primary"), true, TO_MAX);
                let b = self.hubspot_type(back, back.3, Some("Primary"), false, TO_MAX);
                self.pairs.define(from, to, a, Some(b));
            }
        }
        for (type_id, association) in SELF_DEFAULTS {
            let Some(at) = self.position(type_id) else {
                continue;
            };
            let end = (*type_id, *type_id, *association, 0);
            let plain = self.hubspot_type(&end, *association, None, false, TO_MAX);
            self.pairs.define(at, at, plain, None);
            if *type_id == "0-2" {
                let child = self.hubspot_type(&end, 13, Some("Child Company"), false, TO_MAX);
                let parent = self.hubspot_type(&end, 14, Some("Parent Company"), true, TO_MAX);
                self.pairs.define(at, at, child, Some(parent));
            }
        }
    }

    fn hubspot_type(
        &self,
        end: &Default4,
        type_id: u32,
        label: Option<&str>,
        single: bool,
        max_to: u32,
    ) -> AssociationType {
        let name = |type_id: &str| {
            kinds::STANDARD
                .iter()
                .find(|kind| kind.0 == type_id)
                .map_or(String::new(), |kind| kind.1.to_uppercase())
        };
        let suffix = label.map_or("UNLABELED".to_owned(), |label| {
            label.to_uppercase().replace(' ', "_")
        });
        AssociationType {
            type_id,
            category: Category::HubSpot,
            label: label.map(str::to_owned),
            name: format!("{}_TO_{}_{suffix}", name(end.0), name(end.1)),
            inverse: 0,
            single,
            custom_label: false,
            max_to,
            user_max_to: None,
            created_ms: 0,
            deleted: false,
        }
    }

    // --- object types

    fn position(&self, type_id: &str) -> Option<TypeIndex> {
        let at = self
            .tables
            .iter()
            .position(|table| table.as_ref().is_some_and(|t| t.type_id == type_id))?;
        TypeIndex::try_from(at).ok()
    }

    /// Custom and standard object types with their positions, archived ones included.
    pub(super) fn tables(&self) -> impl Iterator<Item = (TypeIndex, &Table)> {
        self.tables.iter().enumerate().filter_map(|(at, table)| {
            let at = TypeIndex::try_from(at).ok()?;
            Some((at, table.as_ref()?))
        })
    }

    pub(super) fn table(&self, at: TypeIndex) -> &Table {
        self.tables[usize::from(at)]
            .as_ref()
            .expect("positions are looked up under the lock they are used in")
    }

    pub(super) fn table_mut(&mut self, at: TypeIndex) -> &mut Table {
        self.tables[usize::from(at)]
            .as_mut()
            .expect("positions are looked up under the lock they are used in")
    }

    pub(super) fn add_table(&mut self, table: Table) -> TypeIndex {
        self.tables.push(Some(table));
        TypeIndex::try_from(self.tables.len() - 1).unwrap_or(TypeIndex::MAX)
    }

    pub(super) fn purge_table(&mut self, at: TypeIndex) {
        self.tables[usize::from(at)] = None;
        self.pairs.forget_type(at);
    }

    /// An object type by id or fully qualified name, or a standard one by singular or plural in any case;
    /// archived ones included. A custom type's bare name is nobody's.
    pub(super) fn find_any(&self, name: &str) -> Option<TypeIndex> {
        let standard = |kind: &&(&str, &str, &str)| {
            kind.1.eq_ignore_ascii_case(name)
                || kind.2.eq_ignore_ascii_case(name)
                || (kind.1.contains('_') && kind.1.replace('_', "").eq_ignore_ascii_case(name))
        };
        if let Some((type_id, ..)) = kinds::STANDARD.iter().find(standard) {
            return self.position(type_id);
        }
        self.tables()
            .find(|(_, table)| {
                table.type_id == name || (table.custom && table.fqn.eq_ignore_ascii_case(name))
            })
            .map(|(at, _)| at)
    }

    /// A live object type, as record and property paths name it.
    pub(super) fn find(&self, name: &str) -> Result<TypeIndex, ApiError> {
        self.find_any(name)
            .filter(|at| self.table(*at).definition.archived_ms.is_none())
            .ok_or_else(|| ApiError::new(400, format!("Unable to infer object type from: {name}")))
    }

    pub(super) fn custom_tables(&self) -> impl Iterator<Item = (TypeIndex, &Table)> {
        self.tables()
            .filter(|(_, table)| table.custom && table.definition.archived_ms.is_none())
    }

    /// Live records of all custom object types.
    pub(super) fn custom_records(&self) -> u64 {
        self.custom_tables().map(|(_, table)| table.live as u64).sum()
    }

    /// The next record id: ascending, with gaps.
    pub(super) fn new_record_id(&mut self, dice: &Dice) -> u64 {
        self.next_record += 1 + dice.below(9);
        self.next_record
    }

    // --- associations

    pub(super) fn new_association_type(&mut self) -> u32 {
        self.next_association_type += 1;
        self.next_association_type
    }

    /// Makes a pair of types associable, if it is not: one plain type per direction.
    pub(super) fn define_plain(&mut self, from: TypeIndex, to: TypeIndex, name: Option<&str>, now_ms: i64) {
        if self.pairs.direction(from, to).is_some() {
            return;
        }
        let lower = |at: TypeIndex| self.table(at).definition.name.to_lowercase();
        let name = name.map_or_else(|| format!("{}_to_{}", lower(from), lower(to)), str::to_owned);
        let back = format!("{}_to_{}", lower(to), lower(from));
        let (from_max, to_max) = (self.to_max(from, to), self.to_max(to, from));
        let there = self.user_type(None, &name, from_max, now_ms);
        let back = (from != to).then(|| self.user_type(None, &back, to_max, now_ms));
        self.pairs.define(from, to, there, back);
    }

    fn to_max(&self, from: TypeIndex, to: TypeIndex) -> u32 {
        if !self.table(from).custom && self.table(to).custom {
            CUSTOM_FROM_MAX
        } else {
            TO_MAX
        }
    }

    pub(super) fn user_type(
        &mut self,
        label: Option<&str>,
        name: &str,
        max_to: u32,
        now_ms: i64,
    ) -> AssociationType {
        AssociationType {
            type_id: self.new_association_type(),
            category: Category::User,
            label: label.map(str::to_owned),
            name: name.to_owned(),
            inverse: 0,
            single: false,
            custom_label: label.is_some(),
            max_to,
            user_max_to: None,
            created_ms: now_ms,
            deleted: false,
        }
    }
}

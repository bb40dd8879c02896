//! Sample records: plausible, repeatable, and awkward where real data is.

use crate::salesforce::{
    clock::{DAY_MS, day_of, whole_second},
    dml::Change,
    ids::RecordId,
    people,
    random::Chance,
    schema::{Object, Schema, Source},
    store::Org,
    value::Value,
};
use std::sync::Arc;

/// Records of each kind without a wish.
const ACCOUNTS: usize = 60;
const SHARES: [(&str, usize); 4] = [
    ("Depot__c", 40),
    ("Vehicle__c", 400),
    ("Service_Visit__c", 600),
    ("Inspection__c", 100),
];
/// How far back the org's history goes.
const HISTORY_MS: i64 = 400 * DAY_MS;

const CITIES: [&str; 12] = [
    "Łódź",
    "München",
    "São Paulo",
    "Zürich",
    "Kraków",
    "Århus",
    "Lyon",
    "Québec",
    "Reykjavík",
    "東京",
    "Δελφοί",
    "Springfield",
];
const FIRMS: [&str; 8] = [
    "Bäckerei Grün",
    "O'Brien & Sons",
    "Nordic \"Fresh\" Logistics",
    "Acme, Inc.",
    "Société Générale d'Eau",
    "株式会社ひかり",
    "Müller / Partner",
    "Blue Ridge Haulage",
];
const MODELS: [&str; 8] = [
    "Transporter",
    "Sprinter 4x4",
    "e-Crafter",
    "Actros",
    "Kangoo \"Rapid\"",
    "Hilux, long bed",
    "Ducato ☃",
    "Ténéré",
];
const NOTES: [&str; 6] = [
    "Serviced.\r\nNext visit due in spring.",
    "Driver says: \"pulls to the left\", check wheels",
    "Line one\nline two\n\n\tindented, with a tab",
    "Prix négocié : 12 000 € — voir contrat 😀",
    "a,b;c|d\te \\ back\\slash 'quotes' \"double\"",
    "<b>not</b> html & not <script>",
];
const FUELS: [&str; 4] = ["Petrol", "Diesel", "Electric", "Hybrid"];
const FEATURES: [&str; 5] = ["Tow Bar", "Roof Rack", "Tail Lift", "Refrigerated", "Navigation"];

/// Fills the org.
pub(super) fn fill(org: &mut Org, records: Option<usize>, seed: u64, now_ms: i64) {
    let base: usize = SHARES.iter().map(|(_, share)| share).sum();
    let total = records.unwrap_or(base);
    let mut counts = SHARES.map(|(_, share)| share * total / base);
    counts[2] += total - counts.iter().sum::<usize>();
    let accounts = if records.is_some() {
        ACCOUNTS + total / 500
    } else {
        ACCOUNTS
    };
    people::add(org, seed, now_ms);
    let mut filler = Filler {
        now_ms,
        seed,
        user: org.user_id,
        schema: org.schema().clone(),
    };
    filler.fill(org, "Account", accounts, Filler::account);
    filler.fill(org, "Depot__c", counts[0], |filler, values, row, chance| {
        filler.depot(values, row, chance, accounts, counts[0]);
    });
    filler.fill(org, "Vehicle__c", counts[1], |filler, values, row, chance| {
        filler.vehicle(values, row, chance, accounts, counts[0]);
    });
    if counts[1] > 0 {
        filler.fill(
            org,
            "Service_Visit__c",
            counts[2],
            |filler, values, row, chance| {
                filler.visit(values, row, chance, counts[1], counts[0]);
            },
        );
    }
    filler.fill(org, "Inspection__c", counts[3], |filler, values, row, chance| {
        filler.inspection(values, row, chance, counts[1], counts[0]);
    });
    filler.bin(org, counts[1], counts[0]);
}

/// The values of a record, set by name.
struct Values<'s> {
    object: &'s Object,
    values: Vec<Value>,
}

impl Values<'_> {
    fn set(&mut self, name: &str, value: Value) {
        if let Some(Source::Slot(slot)) = self.object.field(name).map(|field| &field.source) {
            self.values[*slot] = value;
        }
    }

    fn text(&mut self, name: &str, text: impl Into<Box<str>>) {
        self.set(name, Value::text(text));
    }
}

struct Filler {
    now_ms: i64,
    seed: u64,
    user: RecordId,
    schema: Arc<Schema>,
}

impl Filler {
    fn fill(
        &mut self,
        org: &mut Org,
        name: &str,
        count: usize,
        mut shape: impl FnMut(&Filler, &mut Values<'_>, usize, &mut Chance),
    ) {
        let schema = self.schema.clone();
        let Some(object) = schema.index(name) else { return };
        let definition = &schema.objects[object];
        let mut chance = Chance::new(self.seed, object as u64 + 1);
        let start = self.now_ms - HISTORY_MS;
        let step = (HISTORY_MS - 2 * DAY_MS) / count.max(1) as i64;
        // A mass update leaves thousands of records with one stamp.
        let mass = [10, 40, 200].map(|days| whole_second(self.now_ms - days * DAY_MS));
        for row in 0..count {
            let mut values = Values {
                object: definition,
                values: vec![Value::Null; definition.slots],
            };
            values.set("OwnerId", Value::Id(self.user));
            for field in definition
                .fields
                .iter()
                .filter(|field| field.kind == crate::salesforce::schema::Kind::Boolean)
            {
                values.set(&field.name, Value::Bool(false));
            }
            shape(self, &mut values, row, &mut chance);
            let created = whole_second(start + step * row as i64);
            let stamp = match chance.below(10) {
                0..4 => mass[chance.below(3) as usize].max(created),
                4..7 => created,
                _ => whole_second(
                    created + chance.below((self.now_ms - created - DAY_MS).max(1) as u64) as i64,
                ),
            };
            org.add(object, values.values.into_boxed_slice(), created, stamp);
        }
        org.table_mut(object).last_number = count as u64;
    }

    fn id(&self, object: &str, row: u64) -> Value {
        self.schema.object(object).map_or(Value::Null, |object| {
            Value::Id(RecordId::new(object.prefix, row + 1))
        })
    }

    /// A record of `count`, or nothing one time in `gap`.
    fn any(&self, object: &str, count: usize, gap: u64, chance: &mut Chance) -> Value {
        let row = chance.below(count as u64);
        if count == 0 || chance.one_in(gap) {
            Value::Null
        } else {
            self.id(object, row)
        }
    }

    fn date(&self, days_back: u64, chance: &mut Chance) -> Value {
        Value::Date(day_of(self.now_ms) - chance.below(days_back) as i32)
    }

    fn account(&self, values: &mut Values<'_>, row: usize, chance: &mut Chance) {
        let city = CITIES[row % CITIES.len()];
        values.text("Name", format!("{} {city} {}", FIRMS[row % FIRMS.len()], row + 1));
        values.text("BillingCity", city);
        values.text("BillingStreet", format!("{} Main St\nSuite {}", row + 1, row % 9));
        values.text(
            "Industry",
            *chance
                .pick(&["Energy", "Finance", "Logistics", "Retail"])
                .unwrap_or(&"Retail"),
        );
        values.set("NumberOfEmployees", Value::Number(chance.below(5000) as f64));
        values.set("AnnualRevenue", Value::Number(chance.below(1_000_000_000) as f64));
        values.text("Website", format!("https://account{row}.example"));
    }

    fn depot(
        &self,
        values: &mut Values<'_>,
        row: usize,
        chance: &mut Chance,
        accounts: usize,
        depots: usize,
    ) {
        values.text(
            "Name",
            format!("Depot {} {}", CITIES[row % CITIES.len()], row + 1),
        );
        values.text("Code__c", format!("D-{:06}", row + 1));
        values.set("Account__c", self.any("Account", accounts, 8, chance));
        // Half of the parents are younger than their children.
        let other = chance.below(depots as u64);
        if other != row as u64 && !chance.one_in(3) {
            values.set("Parent_Depot__c", self.id("Depot__c", other));
        }
        if !chance.one_in(10) {
            values.set("Capacity__c", Value::Number(chance.below(500) as f64));
        }
        values.set("Opened_On__c", self.date(9000, chance));
    }

    fn vehicle(
        &self,
        values: &mut Values<'_>,
        row: usize,
        chance: &mut Chance,
        accounts: usize,
        depots: usize,
    ) {
        let model = MODELS[chance.below(MODELS.len() as u64) as usize];
        // Names repeat: they are no keys.
        values.text("Name", format!("{model} {}", row % 5000));
        values.text("External_Id__c", format!("VEH-{:08}", row + 1));
        self.vehicle_facts(values, row, chance);
        values.set("Account__c", self.any("Account", accounts, 6, chance));
        values.set("Depot__c", self.any("Depot__c", depots, 7, chance));
    }

    fn vehicle_facts(&self, values: &mut Values<'_>, row: usize, chance: &mut Chance) {
        if chance.below(3) > 0 {
            let note = NOTES[chance.below(NOTES.len() as u64) as usize];
            let times = if chance.one_in(40) { 60 } else { 1 };
            values.text("Notes__c", vec![note; times].join("\r\n"));
        }
        values.set("Mileage__c", Value::Number(chance.below(3_000_000) as f64 / 10.0));
        if !chance.one_in(12) {
            values.set("Price__c", Value::Number(chance.below(15_000_000) as f64 / 100.0));
        }
        if !chance.one_in(15) {
            values.set("Purchased_On__c", self.date(4000, chance));
        }
        if !chance.one_in(5) {
            let ago = chance.below(500 * DAY_MS as u64) as i64;
            values.set(
                "Last_Service_At__c",
                Value::DateTime(whole_second(self.now_ms - ago)),
            );
        }
        values.set("Active__c", Value::Bool(!chance.one_in(4)));
        if !chance.one_in(9) {
            values.text("Fuel__c", FUELS[chance.below(4) as usize]);
        }
        let features: Vec<&str> = FEATURES.iter().copied().filter(|_| chance.one_in(3)).collect();
        values.text("Features__c", features.join(";"));
        if !chance.one_in(3) {
            values.set("Daily_Start__c", Value::Time((chance.below(96) * 900_000) as u32));
        }
        values.text(
            "Website__c",
            format!("https://fleet.example/vehicles/{}?from=crm&n=1", row + 1),
        );
        values.text("Contact_Email__c", format!("driver{}@fleet.example", row + 1));
        values.text("Phone__c", format!("+49 89 {:07}", chance.below(9_999_999)));
        if !chance.one_in(2) {
            values.set("Discount__c", Value::Number(chance.below(4000) as f64 / 100.0));
        }
        if !chance.one_in(4) {
            let part = |range: u64, chance: &mut Chance| (chance.below(range * 1_000_000) as f64) / 1e6;
            values.set(
                "Location__Latitude__s",
                Value::Number(round6(part(160, chance) - 80.0)),
            );
            values.set(
                "Location__Longitude__s",
                Value::Number(round6(part(360, chance) - 180.0)),
            );
        }
    }

    fn visit(
        &self,
        values: &mut Values<'_>,
        row: usize,
        chance: &mut Chance,
        vehicles: usize,
        depots: usize,
    ) {
        values.text("Name", format!("SV-{:06}", row + 1));
        values.set("Vehicle__c", self.id("Vehicle__c", chance.below(vehicles as u64)));
        values.set("Depot__c", self.any("Depot__c", depots, 5, chance));
        let ago = chance.below(HISTORY_MS as u64) as i64;
        values.set("Visited_At__c", Value::DateTime(whole_second(self.now_ms - ago)));
        values.set("Cost__c", Value::Number(chance.below(500_000) as f64 / 100.0));
        if !chance.one_in(10) {
            let outcome = chance
                .pick(&["Completed", "Parts Ordered", "Cancelled"])
                .unwrap_or(&"Completed");
            values.text("Outcome__c", *outcome);
        }
        if chance.one_in(2) {
            values.text("Summary__c", NOTES[chance.below(NOTES.len() as u64) as usize]);
        }
    }

    fn inspection(
        &self,
        values: &mut Values<'_>,
        row: usize,
        chance: &mut Chance,
        vehicles: usize,
        depots: usize,
    ) {
        values.text("Name", format!("Inspection {}", row + 1));
        values.set("Vehicle__c", self.any("Vehicle__c", vehicles, 10, chance));
        values.set("Depot__c", self.any("Depot__c", depots, 4, chance));
        let result = chance.pick(&["Pass", "Fail", "Deferred"]).unwrap_or(&"Pass");
        values.text("Result__c", *result);
        values.set("Inspected_On__c", self.date(400, chance));
        values.set("Score__c", Value::Number(chance.below(101) as f64));
    }

    /// Puts a few records into the recycle bin: vehicles take their visits along, a depot leaves cleared
    /// lookups behind.
    fn bin(&mut self, org: &mut Org, vehicles: usize, depots: usize) {
        let mut chance = Chance::new(self.seed, 0xB1);
        let mut doomed = Vec::new();
        for _ in 0..vehicles / 100 {
            doomed.push(self.id("Vehicle__c", chance.below(vehicles as u64)));
        }
        for _ in 0..(depots / 20).min(5) {
            doomed.push(self.id("Depot__c", chance.below(depots as u64)));
        }
        for value in doomed {
            let Value::Id(id) = value else { continue };
            let ago = chance.below(10 * DAY_MS as u64) as i64 + DAY_MS / 24;
            // Chance may pick a record twice: it is gone already then.
            let _ = org.delete(
                id,
                Change {
                    stamp: whole_second(self.now_ms - ago),
                },
            );
        }
    }
}

fn round6(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

//! Batches like those that an import of vehicles puts on the bus: the same columns, the same kinds of text, as many
//! rows.

use bytes::Bytes;
use landbridge_model::{
    ChangeBatch, ChangeKind, Envelope, Purpose, Revision, RunId, SalesforceId, Source, SyncName, Table,
    TenantId, Version,
};
use landbridge_wire::Wire as _;

/// Rows of one batch: the extractor's own default.
pub(crate) const BATCH_ROWS: u64 = 200;

const COLUMNS: [&str; 20] = [
    "Account__c",
    "Depot__c",
    "Name",
    "External_Id__c",
    "Notes__c",
    "Mileage__c",
    "Price__c",
    "Purchased_On__c",
    "Last_Service_At__c",
    "Active__c",
    "Fuel__c",
    "Features__c",
    "Daily_Start__c",
    "Website__c",
    "Contact_Email__c",
    "Phone__c",
    "Discount__c",
    "Location__Latitude__s",
    "Location__Longitude__s",
    "Age_Days__c",
];

/// Encoded batches, different from each other; a relay of many messages goes round them.
pub(crate) fn batches(count: u64) -> Vec<Bytes> {
    (0..count)
        .map(|batch| Bytes::from(change_batch(batch * BATCH_ROWS).encode()))
        .collect()
}

fn change_batch(first: u64) -> ChangeBatch {
    let rows = first..first + BATCH_ROWS;
    let mut table = Table::with_columns(COLUMNS);
    for row in rows.clone() {
        let cells = cells(row);
        table.push_row(cells.iter().map(Option::as_deref));
    }
    let version = |row| Version::new(1_700_000_000_000 + 1_000 * row as i64, 1_767_225_600_000);
    ChangeBatch {
        envelope: Envelope {
            tenant: TenantId::new("bench").expect("a token of letters"),
            sync: SyncName::new("vehicles").expect("a token of letters"),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source: Source::Import,
            run: Some(RunId::new("imp-relay").expect("a token of letters and hyphens")),
            force: false,
            only: None,
        },
        ids: rows.clone().map(|row| id("a01", row)).collect(),
        versions: rows.clone().map(version).collect(),
        kinds: rows.map(|_| ChangeKind::Upsert).collect(),
        table,
    }
}

fn id(prefix: &str, row: u64) -> SalesforceId {
    SalesforceId::parse(&format!("{prefix}Hs{row:010}")).expect("15 letters and digits make an id")
}

/// One vehicle, as Bulk 2.0 CSV writes its cells; some are empty, as in a real org.
fn cells(row: u64) -> [Option<String>; 20] {
    let noise = scramble(row);
    let unless = |one_in: u64, cell: String| (!noise.is_multiple_of(one_in)).then_some(cell);
    let fuel = ["Petrol", "Diesel", "Electric", "Hybrid"][(noise % 4) as usize];
    let day = format!(
        "20{:02}-{:02}-{:02}",
        10 + noise % 15,
        1 + noise % 12,
        1 + noise % 28
    );
    [
        unless(6, id("001", noise % 500).to_string()),
        unless(7, id("a00", noise % 4_000).to_string()),
        Some(format!("Sprinter 4x4 {}", row % 5_000)),
        Some(format!("VEH-{:08}", row + 1)),
        unless(3, "Driver says: \"pulls to the left\", check wheels".to_owned()),
        Some(format!("{}.{}", noise % 300_000, noise % 10)),
        unless(12, format!("{}.{:02}", noise % 150_000, noise % 100)),
        unless(15, day.clone()),
        unless(5, format!("{day}T{:02}:{:02}:00.000Z", noise % 24, noise % 60)),
        Some((!noise.is_multiple_of(4)).to_string()),
        unless(9, fuel.to_owned()),
        Some("Tow Bar;Roof Rack".to_owned()),
        unless(3, format!("{:02}:{:02}:00.000Z", noise % 24, 15 * (noise % 4))),
        Some(format!("https://fleet.example/vehicles/{}?from=crm&n=1", row + 1)),
        Some(format!("driver{}@fleet.example", row + 1)),
        Some(format!("+49 89 {:07}", noise % 9_999_999)),
        unless(2, format!("{}.{:02}", noise % 40, noise % 100)),
        unless(4, format!("{}.{:06}", noise % 80, noise % 1_000_000)),
        unless(4, format!("-{}.{:06}", noise % 180, noise % 1_000_000)),
        unless(15, format!("{}", noise % 4_000)),
    ]
}

/// Spreads a number's bits (the finaliser of SplitMix64), so that neighbours differ.
fn scramble(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_what_the_mapper_would_take() {
        let batches = batches(3);
        for (number, bytes) in batches.iter().enumerate() {
            let batch = ChangeBatch::decode(bytes).unwrap();
            assert_eq!(batch, change_batch(number as u64 * BATCH_ROWS));
            assert_eq!(batch.table.rows() as u64, BATCH_ROWS);
        }
        assert_ne!(batches[0], batches[1]);
    }

    #[test]
    fn the_columns_are_those_of_the_example_sync() {
        let sync = include_str!("../../../deploy/examples/demo/vehicles.yaml");
        let fields = sync.lines().filter_map(|line| {
            let line = line.trim().strip_prefix("- ")?;
            line.strip_prefix("from: ")
                .or_else(|| line.strip_prefix("field: "))
        });
        assert_eq!(fields.collect::<Vec<_>>(), COLUMNS);
    }
}

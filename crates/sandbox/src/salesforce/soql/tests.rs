use super::*;
use crate::salesforce::{
    builtin_org,
    clock::parse_datetime,
    handle::OrgReport,
    reader::Reader,
    store::{Org, Record},
};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

/// 2026-01-31, noon.
const NOW: i64 = 1_769_860_800_000;

static ORG: LazyLock<Org> = LazyLock::new(|| builtin_org::load(None, 7, NOW, &mut OrgReport::default()));

fn bound(text: &str) -> Result<Bound, SoqlError> {
    bind(ORG.schema(), &parse(text)?, NOW)
}

fn run(text: &str) -> Vec<&'static Arc<Record>> {
    let query = bound(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let rows = matching(&Reader::new(&ORG, NOW), &query, false);
    rows.iter()
        .filter_map(|row| ORG.table(query.object).row(*row))
        .collect()
}

fn how_many(condition: &str) -> usize {
    run(&format!("SELECT Id FROM Vehicle__c WHERE {condition}")).len()
}

fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&bound(text).expect_err(text).to_string());
}

#[test]
fn refusals_show_the_place() {
    refused(
        "SELECT Id, From Account",
        expect![[r#"
            MALFORMED_QUERY: 
            SELECT Id, From Account
                       ^
            ERROR at Row:1:Column:12
            unexpected token: 'From'"#]],
    );
    refused(
        "SELECT Id FRM Account",
        expect![[r#"
            MALFORMED_QUERY: 
            SELECT Id FRM Account
                      ^
            ERROR at Row:1:Column:11
            unexpected token: 'FRM'"#]],
    );
    refused(
        "SELECT Id\nFROM Vehicle__c\nWHERE Bad__c = 1",
        expect![[r#"
            INVALID_FIELD: 
            WHERE Bad__c = 1
                  ^
            ERROR at Row:3:Column:7
            No such column 'Bad__c' on entity 'Vehicle__c'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."#]],
    );
    refused(
        "SELECT Id FROM Vehicles",
        expect![[r#"
            INVALID_TYPE: 
            SELECT Id FROM Vehicles
                           ^
            ERROR at Row:1:Column:16
            sObject type 'Vehicles' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."#]],
    );
}

#[test]
fn what_salesforce_refuses_is_refused() {
    let table = [
        (
            "SELECT Id FROM Vehicle__c WHERE Notes__c = 'x'",
            "can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Vehicle__c ORDER BY Notes__c",
            "can not be sorted in a query call",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE CreatedDate > '2026-01-01T00:00:00Z'",
            "should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE CreatedDate > 2026-01-01",
            "must be of type dateTime",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE Name = 5",
            "must be of type string",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE Id = 'abc'",
            "invalid ID field: abc",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE Fuel__c INCLUDES ('a')",
            "only valid on multipicklist",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE Mileage__c LIKE 'a%'",
            "invalid operator on double field",
        ),
        (
            "SELECT Id, Name, Id FROM Vehicle__c",
            "duplicate field selected: Id",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE Active__c = true OR Fuel__c = 'x' AND Name = 'y'",
            "unexpected token: 'AND'",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE Active__c = true AND Fuel__c = 'x' OR Name = 'y'",
            "unexpected token: 'OR'",
        ),
        (
            "SELECT Depot__x.Name FROM Vehicle__c",
            "Didn't understand relationship 'Depot__x'",
        ),
        (
            "SELECT (SELECT Id FROM Wheels__r) FROM Vehicle__c",
            "Didn't understand relationship 'Wheels__r'",
        ),
        ("SELECT Id FROM Vehicle__c ALL ROWS", "ALL ROWS not allowed"),
        ("SELECT FIELDS(ALL) FROM Vehicle__c", "LIMIT of at most 200"),
        (
            "SELECT Name, COUNT(Id) FROM Vehicle__c",
            "must be grouped or aggregated",
        ),
        ("SELECT Id FROM Vehicle__c OFFSET 2001", "Maximum SOQL offset"),
        (
            "SELECT Id FROM Vehicle__c WHERE Name = 'open",
            "mismatched character",
        ),
        (
            "SELECT Id FROM Vehicle__c WHERE CreatedDate = LAST_N_DAYS",
            "unexpected token",
        ),
        ("SELECT Id FROM Vehicle__c LIMIT -1", "unexpected token"),
        ("SELECT Id FROM Vehicle__c WHERE", "unexpected token: '<EOF>'"),
    ];
    for (text, part) in table {
        let message = bound(text).expect_err(text).message;
        assert!(message.contains(part), "{text}: {message}");
    }
    let long = format!(
        "SELECT Id FROM Vehicle__c WHERE Name IN ({})",
        vec!["'x'"; 30_000].join(",")
    );
    assert!(
        bound(&long)
            .expect_err("over 100,000 characters")
            .message
            .contains("100000")
    );
}

#[test]
fn names_do_not_mind_case_and_aliases_are_known() {
    let all = run("SELECT Id FROM Vehicle__c").len();
    assert_eq!(run("select id, DEPOT__R.name from VEHICLE__C").len(), all);
    assert_eq!(
        run("SELECT v.Id FROM Vehicle__c v WHERE v.Name != null").len(),
        all
    );
    assert_eq!(run("SELECT Vehicle__c.Id FROM Vehicle__c").len(), all);
}

#[test]
fn objects_may_be_called_like_words_of_the_language() {
    for text in [
        "SELECT Id FROM Group",
        "SELECT g.Id FROM group g WHERE g.Name != null ORDER BY Id",
        "SELECT Type, COUNT(Id) n FROM Group GROUP BY Type",
    ] {
        bound(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
    let error = bound("SELECT Id FROM Order").unwrap_err();
    assert!(format!("{error:?}").contains("sObject type 'Order'"), "{error:?}");
    let error = bound("SELECT Id FROM WHERE Id = null").unwrap_err();
    assert!(
        format!("{error:?}").contains("unexpected token: 'WHERE'"),
        "{error:?}"
    );
}

#[test]
fn conditions_split_the_records() {
    let all = how_many("Id != null");
    assert_eq!(
        all,
        ORG.table(ORG.schema().index("Vehicle__c").expect("there")).live
    );
    for (one, other) in [
        ("Fuel__c = 'diesel'", "Fuel__c != 'Diesel'"),
        (
            "Fuel__c IN ('Diesel', 'Petrol')",
            "Fuel__c NOT IN ('Diesel', 'Petrol')",
        ),
        ("Active__c = true", "Active__c = FALSE"),
        ("Purchased_On__c = null", "Purchased_On__c <> null"),
        ("Name LIKE 'act%'", "NOT Name LIKE 'ACT%'"),
        (
            "Features__c INCLUDES ('Tow Bar;Tail Lift', 'Navigation')",
            "Features__c EXCLUDES ('Tow Bar;Tail Lift', 'Navigation')",
        ),
        ("CreatedDate = THIS_YEAR", "CreatedDate != THIS_YEAR"),
        (
            "(Price__c > 50000.5 AND Active__c = true)",
            "NOT (Price__c > 50000.5 AND Active__c = true)",
        ),
        (
            "Depot__r.Account__r.Name LIKE '%Acme%'",
            "NOT (Depot__r.Account__r.Name LIKE '%Acme%')",
        ),
        (
            "Daily_Start__c >= '12:00:00.000Z'",
            "NOT Daily_Start__c >= '12:00:00.000Z'",
        ),
    ] {
        let (a, b) = (how_many(one), how_many(other));
        assert_eq!(a + b, all, "{one} / {other}");
        assert!(a > 0 && b > 0, "{one}: {a}, {other}: {b}");
    }
}

#[test]
fn date_literals_are_whole_days() {
    // The org's now is Saturday, 2026-01-31.
    let table = [
        ("TODAY", "2026-01-31", "2026-02-01"),
        ("YESTERDAY", "2026-01-30", "2026-01-31"),
        ("THIS_WEEK", "2026-01-25", "2026-02-01"),
        ("LAST_MONTH", "2025-12-01", "2026-01-01"),
        ("THIS_QUARTER", "2026-01-01", "2026-04-01"),
        ("NEXT_YEAR", "2027-01-01", "2028-01-01"),
        ("LAST_N_DAYS:3", "2026-01-28", "2026-02-01"),
        ("NEXT_N_MONTHS:2", "2026-02-01", "2026-04-01"),
        ("N_DAYS_AGO:1", "2026-01-30", "2026-01-31"),
        ("LAST_N_YEARS:1", "2025-01-01", "2026-01-01"),
    ];
    for (literal, from, to) in table {
        let (name, number) = literal
            .split_once(':')
            .map_or((literal, None), |(n, c)| (n, c.parse().ok()));
        let days = filter::period(name, number, NOW).expect(literal);
        let day =
            |text: &str| (parse_datetime(&format!("{text}T00:00:00Z")).expect(text) / 86_400_000) as i32;
        assert_eq!(days, (day(from), day(to)), "{literal}");
    }
    assert_eq!(filter::period("SOMETIME", None, NOW), None);
}

#[test]
fn text_is_compared_and_escaped_as_written() {
    assert_eq!(
        how_many("Name LIKE 'Kangoo \\\"%'"),
        how_many("Name LIKE 'kangoo _rapid%'")
    );
    assert_eq!(how_many(r"Name LIKE '\%'"), 0);
    assert!(how_many("Name LIKE '%☃%'") > 0);
    assert!(!run(r"SELECT Id FROM Account WHERE Name LIKE 'O\'Brien%'").is_empty());
}

#[test]
fn order_limit_and_offset() {
    let ordered = run("SELECT Id FROM Vehicle__c ORDER BY Price__c DESC NULLS LAST, Id LIMIT 50");
    let reader = Reader::new(&ORG, NOW);
    let vehicle = ORG.schema().index("Vehicle__c").expect("there");
    let price = ORG.schema().objects[vehicle]
        .field_index("Price__c")
        .expect("there");
    let prices: Vec<_> = ordered
        .iter()
        .map(|record| reader.own(vehicle, record, price).into_owned())
        .collect();
    assert!(prices.is_sorted_by(|a, b| a.order(b).is_ge()) && prices.iter().all(|price| !price.is_null()));
    let nothing_first = run("SELECT Id FROM Vehicle__c ORDER BY Price__c LIMIT 1");
    assert!(reader.own(vehicle, nothing_first[0], price).is_null());
    let page = run("SELECT Id FROM Vehicle__c ORDER BY Price__c DESC NULLS LAST, Id LIMIT 10 OFFSET 5");
    assert_eq!(
        page.iter().map(|r| r.id).collect::<Vec<_>>(),
        ordered[5..15].iter().map(|r| r.id).collect::<Vec<_>>()
    );
}

#[test]
fn aggregates_add_up() {
    let query = bound(
        "SELECT Fuel__c fuel, COUNT(Id) n, MIN(Price__c), AVG(Price__c) FROM Vehicle__c GROUP BY Fuel__c",
    );
    assert!(query.is_err(), "fields have no aliases");
    let query =
        bound("SELECT Fuel__c, COUNT(Id) n, MAX(Price__c) FROM Vehicle__c GROUP BY Fuel__c").expect("good");
    let groups = aggregate(&Reader::new(&ORG, NOW), &query, false);
    let sum: f64 = groups
        .iter()
        .map(|group| {
            if let crate::salesforce::value::Value::Number(n) = group[1] {
                n
            } else {
                0.0
            }
        })
        .sum();
    assert_eq!(groups.len(), 5);
    assert_eq!(sum as usize, how_many("Id != null"));
}

#[test]
fn keyset_pages_read_by_index() {
    let plan = |text: &str| {
        let query = bound(text).expect(text);
        access(&ORG, query.object, query.filter.as_ref())
    };
    let some = run("SELECT Id FROM Vehicle__c LIMIT 3");
    let (first, last) = (some[0].id, some[2].id);
    assert_eq!(
        plan(&format!(
            "SELECT Id FROM Vehicle__c WHERE Id IN ('{first}', '{last}')"
        )),
        Access::These(vec![0, 2])
    );
    assert!(matches!(
        plan(&format!(
            "SELECT Id FROM Vehicle__c WHERE Id > '{last}' ORDER BY Id"
        )),
        Access::Rows(2, _)
    ));
    assert!(matches!(
        plan(
            "SELECT Id FROM Vehicle__c WHERE SystemModstamp >= 2026-01-30T00:00:00Z AND SystemModstamp < 2026-01-30T01:00:00Z"
        ),
        Access::Stamps(..)
    ));
    assert!(
        matches!(plan("SELECT Id FROM Vehicle__c WHERE External_Id__c = 'veh-00000007'"), Access::These(rows) if rows == [6])
    );
    assert!(matches!(
        plan(&format!(
            "SELECT Id FROM Service_Visit__c WHERE Vehicle__c = '{first}'"
        )),
        Access::These(_)
    ));
}

/// Conditions that can be planned and some that cannot.
fn condition() -> impl Strategy<Value = String> {
    let id = (0u64..420).prop_map(|n| crate::salesforce::ids::RecordId::new(*b"a01", n).to_string());
    let sign = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let days = 0i64..420;
    prop_oneof![
        (sign.clone(), id).prop_map(|(sign, id)| format!("Id {sign} '{id}'")),
        (sign.clone(), days).prop_map(|(sign, days)| {
            let moment = crate::salesforce::clock::json_datetime(NOW - days * 86_400_000);
            format!("SystemModstamp {sign} {}", moment.replace("+0000", "Z"))
        }),
        (0u32..420).prop_map(|n| format!("External_Id__c IN ('VEH-{n:08}', 'VEH-{:08}')", n / 2)),
        Just("Active__c = true".to_owned()),
        (sign, 0u32..150_000).prop_map(|(sign, price)| format!("Price__c {sign} {price}")),
    ]
}

proptest! {
    /// Whatever index a query reads by, it finds what a look at every record finds.
    #[test]
    fn plans_change_nothing(
        conditions in prop::collection::vec(condition(), 1..4),
        order in prop::sample::select(vec!["", " ORDER BY Id", " ORDER BY SystemModstamp, Id", " ORDER BY Price__c, Id"]),
        with_deleted: bool,
    ) {
        let text = format!("SELECT Id FROM Vehicle__c WHERE {}{order}", conditions.join(" AND "));
        let query = bound(&text).expect("a good query");
        let reader = Reader::new(&ORG, NOW);
        let mut found = matching(&reader, &query, with_deleted);
        let limited = Bound { limit: Some(7), offset: 2, ..query.clone() };
        if !order.is_empty() {
            let expected: Vec<u32> = found.iter().copied().skip(2).take(7).collect();
            prop_assert_eq!(matching(&reader, &limited, with_deleted), expected);
        }
        if order.starts_with(" ORDER BY System") {
            let stamps: Vec<_> = found.iter().filter_map(|row| ORG.table(query.object).row(*row)).map(|r| (r.stamp, r.id)).collect();
            prop_assert!(stamps.is_sorted());
        }
        found.sort_unstable();
        let table = ORG.table(query.object);
        let test = query.filter.as_ref().expect("there are conditions");
        let expected: Vec<u32> = (0..table.len() as u32)
            .filter(|row| table.row(*row).is_some_and(|record| {
                (with_deleted || record.deleted.is_none()) && test.passes(&reader, query.object, record)
            }))
            .collect();
        prop_assert_eq!(count(&reader, &query, with_deleted), expected.len());
        prop_assert_eq!(found, expected);
    }
}

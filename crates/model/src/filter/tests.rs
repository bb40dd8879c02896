use super::*;
use crate::sync::Scalars;
use crate::testing::{field, object};

fn vehicle() -> ObjectDescribe {
    let mut notes = field("Notes__c", FieldType::TextArea);
    notes.length = 32_000;
    object(
        "Vehicle__c",
        vec![
            field("Status__c", FieldType::Picklist),
            field("Price__c", FieldType::Currency),
            field("Sold__c", FieldType::Date),
            field("Seen__c", FieldType::DateTime),
            field("Opens__c", FieldType::Time),
            field("Insured__c", FieldType::Boolean),
            field("Extras__c", FieldType::MultiPicklist),
            field("Depot__c", FieldType::Reference),
            field("Where__c", FieldType::Location),
            notes,
        ],
    )
}

fn condition(name: &str, op: Operator, values: &[&str]) -> Condition {
    let value = (!values.is_empty()).then(|| Scalars(values.iter().map(|v| (*v).to_owned()).collect()));
    Condition {
        field: name.to_owned(),
        op,
        value,
    }
}

fn compiled(conditions: Vec<Condition>) -> Result<CompiledFilter, Vec<(usize, String)>> {
    let filter = Filter {
        all: conditions,
        on_leave: OnLeave::Keep,
    };
    CompiledFilter::compile(&filter, &vehicle(), &[])
}

#[track_caller]
fn check(name: &str, op: Operator, values: &[&str], matching: &[&str], missing: &[&str], soql: &str) {
    let filter = compiled(vec![condition(name, op, values)]).unwrap();
    for cell in matching {
        assert_eq!(filter.first_miss(|_| Some(*cell)), None, "{cell:?} should match");
    }
    for cell in missing {
        assert!(
            filter.first_miss(|_| Some(*cell)).is_some(),
            "{cell:?} should not match"
        );
    }
    assert_eq!(filter.to_soql(), soql);
}

#[test]
fn conditions_by_type() {
    use Operator::{
        Contains, Equals, Excludes, GreaterOrEqual, GreaterThan, In, Includes, IsEmpty, IsNotEmpty,
        LessOrEqual, LessThan, NotEquals, NotIn, StartsWith,
    };
    check(
        "status__c",
        Equals,
        &["Scrapped"],
        &["Scrapped", "SCRAPPED"],
        &["Sold", ""],
        "Status__c = 'Scrapped'",
    );
    check(
        "Status__c",
        NotEquals,
        &["Scrapped"],
        &["Sold", ""],
        &["scrapped"],
        "(Status__c = null OR Status__c != 'Scrapped')",
    );
    check(
        "Name",
        In,
        &["A", "B's"],
        &["a", "b's"],
        &["c", ""],
        r"Name IN ('A', 'B\'s')",
    );
    check(
        "Name",
        NotIn,
        &["A"],
        &["b", ""],
        &["A"],
        "(Name = null OR Name NOT IN ('A'))",
    );
    check(
        "Name",
        Contains,
        &["50%_a"],
        &["at 50%_A!"],
        &["50 a", ""],
        r"Name LIKE '%50\%\_a%'",
    );
    check(
        "Name",
        StartsWith,
        &["Über"],
        &["über alles"],
        &["alles über", ""],
        "Name LIKE 'Über%'",
    );
    check(
        "Price__c",
        LessThan,
        &["1000.50"],
        &["2", "-5.0", "1E2"],
        &["1000.50", "2000.0", ""],
        "Price__c < 1000.5",
    );
    check(
        "Price__c",
        LessOrEqual,
        &["10"],
        &["10.0", "9"],
        &["10.01", ""],
        "Price__c <= 10",
    );
    check(
        "Price__c",
        GreaterThan,
        &["1e3"],
        &["1000.01"],
        &["1000", ""],
        "Price__c > 1000",
    );
    check(
        "Price__c",
        GreaterOrEqual,
        &["10"],
        &["10.0", "11"],
        &["9.99"],
        "Price__c >= 10",
    );
    check(
        "Price__c",
        In,
        &["1", "2"],
        &["1.0", "2"],
        &["3", ""],
        "Price__c IN (1, 2)",
    );
    check(
        "Sold__c",
        GreaterThan,
        &["2026-01-31"],
        &["2026-02-01"],
        &["2026-01-31", ""],
        "Sold__c > 2026-01-31",
    );
    check(
        "Seen__c",
        LessThan,
        &["2026-01-31"],
        &["2026-01-30T23:59:59.000Z", "2026-01-31T00:30:00.000+0100"],
        &["2026-01-31T00:00:00.000+0000", ""],
        "Seen__c < 2026-01-31T00:00:00.000Z",
    );
    check(
        "Opens__c",
        LessThan,
        &["09:00"],
        &["08:59:59.000Z"],
        &["09:00:00.000Z", ""],
        "Opens__c < 09:00:00.000Z",
    );
    check(
        "Insured__c",
        Equals,
        &["true"],
        &["true"],
        &["false"],
        "Insured__c = true",
    );
    check(
        "Insured__c",
        NotEquals,
        &["True"],
        &["false"],
        &["true"],
        "Insured__c != true",
    );
    check(
        "Extras__c",
        Includes,
        &["Roof", "Radio"],
        &["Radio;Seats;Roof"],
        &["Radio", ""],
        "Extras__c INCLUDES ('Roof;Radio')",
    );
    check(
        "Extras__c",
        Excludes,
        &["Roof", "Radio"],
        &["Seats", ""],
        &["Radio;Seats"],
        "(Extras__c = null OR Extras__c EXCLUDES ('Roof', 'Radio'))",
    );
    check(
        "Depot__c",
        Equals,
        &["0015f00002JUWMV"],
        &["0015f00002JUWMVAA5", "0015f00002JUWMV"],
        &["0015f00002JUZPcAAP", ""],
        "Depot__c = '0015f00002JUWMVAA5'",
    );
    check("Price__c", IsEmpty, &[], &[""], &["0"], "Price__c = null");
    check("Price__c", IsNotEmpty, &[], &["0"], &[""], "Price__c != null");
}

#[test]
fn a_miss_is_named_and_a_long_text_stays_with_the_mapper() {
    let filter = compiled(vec![
        condition("Notes__c", Operator::Contains, &["rust"]),
        condition("Status__c", Operator::NotEquals, &["Scrapped"]),
    ])
    .unwrap();
    let cells = [Some("no rust at all"), Some("Scrapped")];
    assert_eq!(
        filter.first_miss(|place| cells[place]),
        Some("Status__c not-equals Scrapped")
    );
    assert_eq!(filter.to_soql(), "(Status__c = null OR Status__c != 'Scrapped')");
}

#[test]
fn what_cannot_be_compared_is_said_for_every_condition_at_once() {
    let troubles = compiled(vec![
        condition("Colour__c", Operator::Equals, &["red"]),
        condition("Status__c", Operator::LessThan, &["B"]),
        condition("Price__c", Operator::Equals, &["cheap"]),
        condition("Insured__c", Operator::Equals, &[]),
        condition("Where__c", Operator::IsEmpty, &[]),
        condition("Price__c", Operator::IsEmpty, &["1"]),
    ])
    .unwrap_err();
    let lines: Vec<String> = troubles
        .iter()
        .map(|(place, text)| format!("{place}: {text}"))
        .collect();
    expect_test::expect![[r#"
        0: Vehicle__c has no field Colour__c
        1: less-than does not fit a field of type picklist; use equals, not-equals, in, not-in, contains, starts-with, is-empty, is-not-empty
        2: "cheap" is not a number
        3: equals takes one value; is-empty asks for an empty field
        4: a field of type location cannot be filtered on
        5: is-empty takes no value"#]]
    .assert_eq(&lines.join("\n"));
}

/// A reader of the SOQL that is written here, for one field: SQL's rules as Salesforce documents them.
mod reader {
    use crate::convert::number::Decimal;

    pub(super) fn matches(soql: &str, cell: Option<&str>) -> bool {
        if let Some(inner) = soql.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
            && let Some((left, right)) = inner.split_once(" OR ")
        {
            return matches(left, cell) || matches(right, cell);
        }
        let rest = soql.split_once(' ').unwrap().1;
        if rest == "= null" {
            return cell.is_none();
        }
        if rest == "!= null" {
            return cell.is_some();
        }
        let Some(cell) = cell else { return false };
        if let Some(list) = rest.strip_prefix("NOT IN (") {
            return !literals(list).iter().any(|literal| order(cell, literal).is_eq());
        }
        if let Some(list) = rest.strip_prefix("IN (") {
            return literals(list).iter().any(|literal| order(cell, literal).is_eq());
        }
        if let Some(pattern) = rest.strip_prefix("LIKE ") {
            return like(&literals(pattern)[0].to_lowercase(), &cell.to_lowercase());
        }
        let (sign, literal) = rest.split_once(' ').unwrap();
        let order = order(cell, &literals(literal)[0]);
        match sign {
            "=" => order.is_eq(),
            "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            other => panic!("unknown operator {other}"),
        }
    }

    fn order(cell: &str, literal: &str) -> std::cmp::Ordering {
        match (Decimal::parse(cell), Decimal::parse(literal)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => cell.to_lowercase().cmp(&literal.to_lowercase()),
        }
    }

    /// Comma-separated literals; LIKE's own escapes stay in.
    fn literals(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut current = String::new();
        let mut quoted = false;
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if quoted => match chars.next().unwrap() {
                    'n' => current.push('\n'),
                    'r' => current.push('\r'),
                    't' => current.push('\t'),
                    wild @ ('%' | '_') => current.extend(['\\', wild]),
                    other => current.push(other),
                },
                '\'' => quoted = !quoted,
                ',' | ')' if !quoted => found.push(std::mem::take(&mut current)),
                ' ' if !quoted => {}
                other => current.push(other),
            }
        }
        if !current.is_empty() || text.ends_with('\'') {
            found.push(current);
        }
        found
    }

    fn like(pattern: &str, text: &str) -> bool {
        let (start, middle) = match pattern.strip_prefix('%') {
            Some(rest) => (false, rest),
            None => (true, pattern),
        };
        let plain = middle
            .strip_suffix('%')
            .unwrap()
            .replace("\\%", "%")
            .replace("\\_", "_");
        if start {
            text.starts_with(&plain)
        } else {
            text.contains(&plain)
        }
    }
}

proptest::proptest! {
    #[test]
    fn soql_and_the_mapper_agree_on_numbers(
        operator in 0usize..10,
        values in proptest::collection::vec(-30i32..30, 1..4),
        cell in proptest::option::of(-30i32..30),
    ) {
        let op = operators(Family::Number)[operator];
        let takes = match op {
            Operator::In | Operator::NotIn => values.len(),
            Operator::IsEmpty | Operator::IsNotEmpty => 0,
            _ => 1,
        };
        let values: Vec<String> = values[..takes].iter().map(|v| (f64::from(*v) / 4.0).to_string()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let cell = cell.map(|v| format!("{:.1}", f64::from(v) / 4.0));
        agree("Price__c", op, &values, cell.as_deref())?;
    }

    #[test]
    fn soql_and_the_mapper_agree_on_texts(
        operator in 0usize..8,
        values in proptest::collection::vec("[abA%_'\\\\]{1,3}", 1..3),
        cell in proptest::option::of("[abA%_'\\\\]{1,4}"),
    ) {
        let op = operators(Family::Text)[operator];
        let takes = match op {
            Operator::In | Operator::NotIn => values.len(),
            Operator::IsEmpty | Operator::IsNotEmpty => 0,
            _ => 1,
        };
        let values: Vec<&str> = values[..takes].iter().map(String::as_str).collect();
        agree("Name", op, &values, cell.as_deref())?;
    }
}

fn agree(
    name: &str,
    op: Operator,
    values: &[&str],
    cell: Option<&str>,
) -> Result<(), proptest::test_runner::TestCaseError> {
    let filter = compiled(vec![condition(name, op, values)]).unwrap();
    let ours = filter.first_miss(|_| cell).is_none();
    let soql = filter.to_soql();
    proptest::prop_assert_eq!(reader::matches(&soql, cell), ours, "{} on {:?}", soql, cell);
    Ok(())
}

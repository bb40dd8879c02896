use super::*;
use crate::salesforce::{clock::days_of, path::FieldPath, value::Value};
use crate::salesforce::{
    schema::{Field, Kind, Object, Schema},
    standard::{add_system_fields, base_schema},
};

/// A car of 2026-01-21, seen on 2026-01-31 at noon.
struct Car(Schema);

impl Scope for Car {
    fn field(&self, path: &FieldPath) -> (Value, bool) {
        let field = path.leaf(&self.0);
        let value = match field.name.as_str() {
            "Name" if path.hops.is_empty() => Value::text("Truck 7"),
            "Name" => Value::text("Jane"),
            "Bought__c" => Value::Date(days_of(2026, 1, 21).expect("a date")),
            "Price__c" => Value::Number(1200.5),
            "Id" => Value::Id(crate::salesforce::ids::RecordId::new(*b"a00", 1)),
            _ => Value::Null,
        };
        (value, field.kind.is_number())
    }

    fn now_ms(&self) -> i64 {
        1_769_860_800_000
    }
}

fn schema() -> Schema {
    let mut schema = base_schema();
    let mut car = Object::new("Car__c", "Car", "Cars", *b"a00");
    for (name, kind) in [
        ("Bought__c", Kind::Date),
        ("Sold__c", Kind::Date),
        ("Price__c", Kind::Currency),
        ("Empty__c", Kind::Double),
        ("Picture__c", Kind::Url),
    ] {
        car.push(Field::new(name, name, kind));
    }
    add_system_fields(&mut car, None);
    schema.push(car);
    schema.finish();
    schema
}

fn compute(text: &str, blank_as_zero: bool) -> Value {
    let schema = schema();
    let object = schema.index("Car__c").expect("just added");
    let mut formula = Formula::new(text, blank_as_zero);
    formula
        .bind(&schema, object)
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let expr = formula.expr.expect("bound");
    evaluate(&expr, blank_as_zero, &Car(schema))
}

#[test]
fn formulas_compute() {
    let number = Value::Number;
    let text = |text: &str| Value::text(text);
    let table = [
        ("1 + 2 * 3 ^ 2 - -4", number(23.0)),
        ("(1 + 2) * 3", number(9.0)),
        ("TODAY() - Bought__c", number(10.0)),
        ("today() - Sold__c", Value::Null),
        ("Bought__c + 10 = TODAY()", Value::Bool(true)),
        ("Name & \" / \" & Owner.Name", text("Truck 7 / Jane")),
        ("Name + ' #' + TEXT(Price__c)", text("Truck 7 #1200.5")),
        (
            "if(ISBLANK(Picture__c), '', IMAGE(Picture__c, \"Picture\"))",
            Value::Null,
        ),
        (
            "IMAGE('u', 'picture', 150, 150)",
            text("<img src=\"u\" alt=\"picture\" style=\"height:150px; width:150px;\" border=\"0\"/>"),
        ),
        ("IMAGE('u', 'p')", text("<img src=\"u\" alt=\"p\" border=\"0\"/>")),
        (
            "HYPERLINK('u', 'l')",
            text("<a href=\"u\" target=\"_blank\">l</a>"),
        ),
        ("BLANKVALUE(Empty__c, 7)", number(7.0)),
        (
            "IF(AND(Price__c > 1000, NOT(ISBLANK(Name))), 'dear', 'cheap')",
            text("dear"),
        ),
        ("OR(FALSE, Price__c <> 1200.5)", Value::Bool(false)),
        ("LEFT(Name, 5) & RIGHT(Name, 1) & LEN(Name)", text("Truck77")),
        ("CASE(Name, 'x', 1, 'Truck 7', 2, 3)", number(2.0)),
        ("FIND('7', Name)", number(7.0)),
        ("ROUND(1.005, 2)", number(1.01)),
        ("MOD(-7, 3)", number(2.0)),
        ("1 / 0", Value::Null),
        ("YEAR(TODAY()) * 100 + MONTH(Bought__c)", number(202601.0)),
        (
            "ADDMONTHS(DATE(2026, 1, 31), 1)",
            Value::Date(days_of(2026, 2, 28).expect("a date")),
        ),
        ("/* none */ UPPER('é')", text("É")),
    ];
    for (formula, expected) in table {
        assert_eq!(compute(formula, false), expected, "{formula}");
    }
}

#[test]
fn blanks_count_as_zero_only_where_asked() {
    assert_eq!(compute("Empty__c + 1", true), Value::Number(1.0));
    assert_eq!(compute("Empty__c + 1", false), Value::Null);
    assert_eq!(compute("ISBLANK(Empty__c)", true), Value::Bool(true));
}

#[test]
fn what_is_not_understood_is_told() {
    let schema = schema();
    let object = schema.index("Car__c").expect("just added");
    let refused = |text: &str| {
        Formula::new(text, false)
            .bind(&schema, object)
            .expect_err(text)
            .to_string()
    };
    assert_eq!(refused("VLOOKUP(Name, 1)"), "function VLOOKUP is not supported");
    assert_eq!(
        refused("$Api.Partner_Server_URL_260 & Id"),
        "`$Api.Partner_Server_URL_260` is not supported"
    );
    assert_eq!(refused("IF(1)"), "function IF does not take 1 arguments");
    assert_eq!(refused("'open"), "text without an end");
    assert_eq!(refused("1 +"), "the formula ends too early");
    assert_eq!(refused("Nothing__c"), "`Nothing__c` is not supported");
}

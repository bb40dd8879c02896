//! A query as it is written: names are still text.

/// A query as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The text, for places in messages.
    pub text: String,
    /// What is selected.
    pub select: Vec<Select>,
    /// The object, or in a subquery the relationship.
    pub from: Name,
    /// A short name for the object.
    pub alias: Option<String>,
    /// WHERE.
    pub filter: Option<Filter>,
    /// GROUP BY.
    pub group: Vec<Name>,
    /// ORDER BY.
    pub order: Vec<Order>,
    /// LIMIT.
    pub limit: Option<usize>,
    /// OFFSET.
    pub offset: Option<usize>,
}

/// A dotted name and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// The byte where it starts.
    pub at: usize,
}

/// One selected thing.
#[derive(Debug, Clone, PartialEq)]
pub enum Select {
    /// A field or a path to one.
    Field(Name),
    /// `COUNT()`, `MAX(x) alias`: function, argument, alias.
    Aggregate(Name, Option<Name>, Option<String>),
    /// `FIELDS(ALL)`.
    Fields(Name),
    /// Children.
    Children(Box<Query>),
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare {
        field: Name,
        operator: Operator,
        values: Vec<Literal>,
    },
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SOQL's own")]
pub enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    In,
    NotIn,
    Includes,
    Excludes,
}

/// A value in a condition.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Date(i32),
    DateTime(i64),
    /// `TODAY`, or `LAST_N_DAYS` with its number.
    Period(String, Option<i64>),
}

/// One ORDER BY field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The field.
    pub field: Name,
    /// Largest first.
    pub descending: bool,
    /// Nothing comes last; by default it comes first.
    pub nulls_last: bool,
}

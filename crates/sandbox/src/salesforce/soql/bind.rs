//! Resolves a query's names against the schema.

use super::{
    SoqlError,
    filter::{Binder, Test},
    syntax::{Name, Query, Select},
};
use crate::salesforce::{
    companions,
    path::{FieldPath, PathError},
    schema::{ChildLink, Schema, Source},
};

/// A query whose names are resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The object.
    pub object: usize,
    /// The selected fields, in order.
    pub columns: Vec<Column>,
    /// How a record looks in JSON.
    pub shape: Shape,
    /// WHERE.
    pub filter: Option<Test>,
    /// ORDER BY: field, descending, nothing last.
    pub order: Vec<(FieldPath, bool, bool)>,
    /// LIMIT.
    pub limit: Option<usize>,
    /// OFFSET.
    pub offset: usize,
    /// `SELECT COUNT()`.
    pub is_count: bool,
    /// Aggregates and the fields they are grouped by, in order; empty for a query of records.
    pub aggregates: Vec<Aggregate>,
    /// GROUP BY.
    pub group: Vec<FieldPath>,
    /// What only some APIs allow.
    pub traits: Traits,
}

/// What a query uses that some APIs refuse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Traits {
    pub compound: bool,
    pub children: bool,
    pub aggregate: bool,
    pub offset: bool,
    pub fields_all: bool,
}

/// One selected field.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// As a CSV header shows it.
    pub name: String,
    /// Where it is.
    pub path: FieldPath,
}

/// One column of an aggregate query.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// In the answer: the alias, the field's name or `expr0`.
    pub name: String,
    /// `COUNT` and others; `None` for a field that is grouped by.
    pub function: Option<String>,
    /// The argument.
    pub path: Option<FieldPath>,
}

/// How a record looks in JSON: its keys in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape(pub Vec<ShapeItem>);

/// One key of a record in JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum ShapeItem {
    /// A field.
    Field(String, usize),
    /// A parent: the relationship's name, the reference field, the parent's object, its fields.
    Parent(String, usize, usize, Shape),
    /// Children.
    Children(String, ChildLink, Box<Bound>),
}

/// Binds a query.
pub fn bind(schema: &Schema, query: &Query, now_ms: i64) -> Result<Bound, SoqlError> {
    let Some(object) = schema.index(&query.from.text) else {
        if let Some(companion) = companions::find(schema, &query.from.text) {
            let message = format!("entity type {} does not support query", companion.name);
            return Err(SoqlError::at(
                "INVALID_TYPE_FOR_OPERATION",
                &query.text,
                query.from.at,
                message,
            ));
        }
        let message = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            query.from.text
        );
        return Err(SoqlError::at("INVALID_TYPE", &query.text, query.from.at, message));
    };
    bind_to(schema, query, object, now_ms)
}

fn bind_to(schema: &Schema, query: &Query, object: usize, now_ms: i64) -> Result<Bound, SoqlError> {
    let resolve = |name: &Name| resolve(schema, query, object, name);
    let mut bound = Bound {
        object,
        columns: Vec::new(),
        shape: Shape::default(),
        filter: None,
        order: Vec::new(),
        limit: query.limit,
        offset: query.offset.unwrap_or(0),
        is_count: false,
        aggregates: Vec::new(),
        group: query.group.iter().map(resolve).collect::<Result<_, _>>()?,
        traits: Traits {
            offset: query.offset.is_some(),
            ..Traits::default()
        },
    };
    let grouped = !query.group.is_empty();
    let aggregated = grouped
        || query
            .select
            .iter()
            .any(|one| matches!(one, Select::Aggregate(..)));
    bound.traits.aggregate = aggregated;
    for (position, selected) in query.select.iter().enumerate() {
        match selected {
            Select::Aggregate(function, None, _)
                if function.text.eq_ignore_ascii_case("COUNT") && query.select.len() == 1 && !grouped =>
            {
                bound.is_count = true;
            }
            Select::Aggregate(function, argument, alias) => {
                let name = alias
                    .clone()
                    .unwrap_or_else(|| format!("expr{}", count_unnamed(&query.select[..position])));
                let path = argument.as_ref().map(resolve).transpose()?;
                let function = Some(function.text.to_ascii_uppercase());
                bound.aggregates.push(Aggregate { name, function, path });
            }
            Select::Field(name) if aggregated => {
                let path = resolve(name)?;
                if !bound.group.contains(&path) {
                    let message = format!("Field must be grouped or aggregated: {}", name.text);
                    return Err(SoqlError::at("MALFORMED_QUERY", &query.text, name.at, message));
                }
                let field = path.leaf(schema).name.clone();
                bound.aggregates.push(Aggregate {
                    name: field,
                    function: None,
                    path: Some(path),
                });
            }
            Select::Field(name) => add_field(schema, &mut bound, resolve(name)?, name, query)?,
            Select::Fields(which) => add_all(schema, &mut bound, which, query)?,
            Select::Children(children) => add_children(schema, &mut bound, children, now_ms)?,
        }
    }
    let binder = Binder {
        schema,
        query: &query.text,
        now_ms,
        resolve: &resolve,
    };
    bound.filter = query
        .filter
        .as_ref()
        .map(|filter| binder.bind(filter))
        .transpose()?;
    for order in &query.order {
        let path = resolve(&order.field)?;
        let field = path.leaf(schema);
        if !field.kind.is_sortable() {
            let message = format!("field '{}' can not be sorted in a query call", field.name);
            return Err(SoqlError::at(
                "MALFORMED_QUERY",
                &query.text,
                order.field.at,
                message,
            ));
        }
        bound.order.push((path, order.descending, order.nulls_last));
    }
    if bound.offset > 2000 {
        return Err(SoqlError::new(
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ));
    }
    Ok(bound)
}

fn count_unnamed(before: &[Select]) -> usize {
    before
        .iter()
        .filter(|one| matches!(one, Select::Aggregate(_, _, None)))
        .count()
}

fn resolve(schema: &Schema, query: &Query, object: usize, name: &Name) -> Result<FieldPath, SoqlError> {
    let mut names: Vec<&str> = name.text.split('.').collect();
    let object_name = &schema.objects[object].name;
    let is_prefix = |first: &str| {
        query
            .alias
            .as_deref()
            .is_some_and(|alias| alias.eq_ignore_ascii_case(first))
            || (first.eq_ignore_ascii_case(object_name)
                && schema.objects[object].relationship(first).is_none())
    };
    if names.len() > 1 && is_prefix(names[0]) {
        names.remove(0);
    }
    FieldPath::resolve(schema, object, &names).map_err(|error| {
        let message = match error {
            PathError::NoField { name, object } => format!(
                "No such column '{name}' on entity '{object}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
            ),
            PathError::NoRelationship { name, .. } => format!(
                "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
            ),
        };
        SoqlError::at("INVALID_FIELD", &query.text, name.at, message)
    })
}

fn add_field(
    schema: &Schema,
    bound: &mut Bound,
    path: FieldPath,
    name: &Name,
    query: &Query,
) -> Result<(), SoqlError> {
    if bound.columns.iter().any(|column| column.path == path) {
        let message = format!("duplicate field selected: {}", name.text);
        return Err(SoqlError::at("INVALID_FIELD", &query.text, name.at, message));
    }
    push_column(schema, bound, path, Some(&name.text));
    Ok(())
}

/// Adds a column under the name that the query gives it: the header's spelling follows the query.
fn push_column(schema: &Schema, bound: &mut Bound, path: FieldPath, written: Option<&str>) {
    bound.traits.compound |= path.leaf(schema).source == Source::Compound;
    let mut names = Vec::new();
    let mut at = bound.object;
    let mut shape = &mut bound.shape;
    for hop in &path.hops {
        let field = &schema.objects[at].fields[hop.field];
        let way = field
            .reference
            .as_ref()
            .and_then(|to| to.relationship.clone())
            .unwrap_or_default();
        let known = shape
            .0
            .iter()
            .position(|item| matches!(item, ShapeItem::Parent(_, reference, ..) if *reference == hop.field));
        let position = known.unwrap_or_else(|| {
            shape.0.push(ShapeItem::Parent(
                way.clone(),
                hop.field,
                hop.object,
                Shape::default(),
            ));
            shape.0.len() - 1
        });
        match &mut shape.0[position] {
            ShapeItem::Parent(_, _, _, inner) => shape = inner,
            _ => unreachable!("the position is a parent's"),
        }
        names.push(way);
        at = hop.object;
    }
    let leaf = path.leaf(schema).name.clone();
    shape.0.push(ShapeItem::Field(leaf.clone(), path.field));
    names.push(leaf);
    let full = names.join(".");
    let name = written
        .filter(|written| written.eq_ignore_ascii_case(&full))
        .map_or(full, str::to_owned);
    bound.columns.push(Column { name, path });
}

fn add_all(schema: &Schema, bound: &mut Bound, which: &Name, query: &Query) -> Result<(), SoqlError> {
    let wanted: fn(bool) -> bool = match which.text.to_ascii_uppercase().as_str() {
        "ALL" => |_| true,
        "STANDARD" => |custom| !custom,
        "CUSTOM" => |custom| custom,
        _ => {
            let message = format!("unexpected token: '{}'", which.text);
            return Err(SoqlError::at("MALFORMED_QUERY", &query.text, which.at, message));
        }
    };
    let standard = which.text.eq_ignore_ascii_case("STANDARD");
    if !standard && query.limit.is_none_or(|limit| limit > 200) {
        let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
        return Err(SoqlError::new("MALFORMED_QUERY", message));
    }
    bound.traits.fields_all |= !standard;
    for (index, field) in schema.objects[bound.object].fields.iter().enumerate() {
        let path = FieldPath {
            hops: Vec::new(),
            object: bound.object,
            field: index,
        };
        if field.visible && wanted(field.custom) && !bound.columns.iter().any(|column| column.path == path) {
            push_column(schema, bound, path, None);
        }
    }
    Ok(())
}

fn add_children(schema: &Schema, bound: &mut Bound, query: &Query, now_ms: i64) -> Result<(), SoqlError> {
    bound.traits.children = true;
    let links = &schema.objects[bound.object].children;
    let named = |link: &&ChildLink| {
        link.name
            .as_deref()
            .is_some_and(|name| name.eq_ignore_ascii_case(&query.from.text))
    };
    let visible = |link: &&ChildLink| schema.objects[link.object].fields[link.field].visible;
    let Some(link) = links.iter().filter(visible).find(named) else {
        let message = format!(
            "Didn't understand relationship '{}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.",
            query.from.text
        );
        return Err(SoqlError::at("INVALID_TYPE", &query.text, query.from.at, message));
    };
    let children = bind_to(schema, query, link.object, now_ms)?;
    let name = link.name.clone().unwrap_or_default();
    bound
        .shape
        .0
        .push(ShapeItem::Children(name, link.clone(), Box::new(children)));
    Ok(())
}

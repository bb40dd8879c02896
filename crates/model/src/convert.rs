//! One cell of Salesforce text to one value of HubSpot text.
//!
//! A [`Converter`] is made once per field of a plan and knows both ends; [`Converter::convert`] is called for each
//! cell. Forms of the two sides: Bulk API 2.0 CSV cells in (a null is an empty cell), property values as HubSpot's
//! object API takes them out (all strings). [`equal`] is the other direction: it judges what HubSpot gives back.

mod equal;
pub mod moments;
pub mod number;
pub mod text;
mod verdict;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::hubspot::{PropertyDefinition, PropertyType};
use crate::ids::SalesforceId;
use crate::outcome::{Failure, FailureCategory};
use crate::salesforce::FieldDescribe;
use crate::sync::Unmatched;

pub use equal::{equal, equal_in};
pub use verdict::{
    FIELD_TYPES, Family, Verdict, WRITABLE_TYPES, has_foreign_options, is_multi_select, verdict,
};

/// A value that the property cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of trouble.
    pub category: FailureCategory,
    /// Why, in a sentence that says what to do.
    pub message: String,
}

impl Refusal {
    fn invalid(message: String) -> Self {
        Self {
            category: FailureCategory::InvalidValue,
            message,
        }
    }

    /// The refusal as a record's failure.
    pub fn into_failure(self, field: &str, property: &str, cell: &str) -> Failure {
        Failure::new(self.category, self.message)
            .field(field)
            .property(property)
            .value(&text::shown(cell))
    }
}

/// Turns the cells of one field into values of one property.
#[derive(Clone, Debug)]
pub struct Converter {
    shape: Shape,
    values: HashMap<String, String>,
}

/// What is done with a cell.
#[derive(Clone, Debug)]
enum Shape {
    Text,
    Id,
    Number { scale: u32 },
    Flag,
    Day,
    DayOfInstant,
    Instant,
    InstantOfDay,
    TimeOfDay,
    Option(Options),
    Options { among: Options, several: bool },
    JoinedText,
}

/// What an enumeration takes.
#[derive(Clone, Debug)]
struct Options {
    property: String,
    /// In HubSpot's order, for messages.
    listed: Vec<String>,
    allowed: HashSet<String>,
    /// HubSpot knows the options, this system does not.
    foreign: bool,
    unmatched: Unmatched,
    /// A number that must be an option is compared in its one text form.
    as_number: bool,
}

impl Converter {
    /// Prepares the conversion. An error says why no value of this field could become one of this property.
    pub fn new(
        field: &FieldDescribe,
        property: &PropertyDefinition,
        values: &IndexMap<String, String>,
        unmatched: Unmatched,
    ) -> Result<Self, String> {
        verdict::judge(field, property)?;
        let family = Family::of(field.kind);
        let number = Shape::Number { scale: field.scale };
        let shape = match (property.kind, family) {
            (PropertyType::Enumeration, Family::Choices) => Shape::Options {
                among: Options::of(property, unmatched, false),
                several: is_multi_select(property),
            },
            (PropertyType::Enumeration, family) => {
                Shape::Option(Options::of(property, unmatched, family == Family::Number))
            }
            (PropertyType::Number, _) => number,
            (PropertyType::Bool, _) => Shape::Flag,
            (PropertyType::Date, Family::Instant) => Shape::DayOfInstant,
            (PropertyType::Date, _) => Shape::Day,
            (PropertyType::DateTime, Family::Day) => Shape::InstantOfDay,
            (PropertyType::DateTime, _) => Shape::Instant,
            (_, Family::Number) => number,
            (_, Family::Flag) => Shape::Flag,
            (_, Family::Day) => Shape::Day,
            (_, Family::Instant) => Shape::Instant,
            (_, Family::TimeOfDay) => Shape::TimeOfDay,
            (_, Family::Id) => Shape::Id,
            (_, Family::Choices) => Shape::JoinedText,
            (_, Family::Text | Family::Choice | Family::None(_)) => Shape::Text,
        };
        let values = values
            .iter()
            .map(|(from, to)| (from.clone(), to.clone()))
            .collect();
        Ok(Self { shape, values })
    }

    /// The property's value for a cell; `None` clears the property.
    pub fn convert<'a>(&'a self, cell: &'a str) -> Result<Option<Cow<'a, str>>, Refusal> {
        match &self.shape {
            Shape::Options { among, several } => self.several(cell, among, *several),
            Shape::JoinedText => self.joined(cell),
            shape => match self.values.get(cell) {
                Some(mapped) if mapped.is_empty() => Ok(None),
                Some(mapped) => one(shape, mapped),
                None => one(shape, cell),
            },
        }
    }

    /// The values that a multi-select cell names, mapped, each once, in the cell's order.
    fn parts<'a>(&'a self, cell: &'a str) -> impl Iterator<Item = &'a str> {
        cell.split(';')
            .map(str::trim)
            .map(|part| self.values.get(part).map_or(part, String::as_str))
            .filter(|part| !part.is_empty())
    }

    fn joined<'a>(&'a self, cell: &'a str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let joined = self.parts(cell).collect::<Vec<_>>().join(";");
        let value = text_value(&joined)?.map(|value| Cow::Owned(value.into_owned()));
        Ok(value)
    }

    fn several<'a>(
        &'a self,
        cell: &'a str,
        among: &Options,
        several: bool,
    ) -> Result<Option<Cow<'a, str>>, Refusal> {
        let mut chosen: Vec<&str> = Vec::new();
        for part in self.parts(cell) {
            if let Some(option) = among.take(part)?
                && !chosen.contains(&option)
            {
                chosen.push(option);
            }
        }
        if chosen.len() > 1 && !several {
            return Err(Refusal::invalid(format!(
                "the record has {} values, but {} takes one option; make it a multiple checkbox property",
                chosen.len(),
                among.property
            )));
        }
        // Never a leading `;`: HubSpot would add to what is stored instead of replacing it.
        Ok((!chosen.is_empty()).then(|| Cow::Owned(chosen.join(";"))))
    }
}

impl Options {
    fn of(property: &PropertyDefinition, unmatched: Unmatched, as_number: bool) -> Self {
        let listed: Vec<String> = property
            .options
            .iter()
            .map(|option| option.value.clone())
            .collect();
        Self {
            property: property.name.clone(),
            allowed: listed.iter().cloned().collect(),
            listed,
            foreign: has_foreign_options(property),
            unmatched,
            as_number,
        }
    }

    /// The option to write; `None` leaves it out.
    fn take<'a>(&self, value: &'a str) -> Result<Option<&'a str>, Refusal> {
        if self.foreign || self.allowed.contains(value) {
            return Ok(Some(value));
        }
        match self.unmatched {
            Unmatched::LeaveEmpty => Ok(None),
            Unmatched::AddOption => Ok(Some(value)),
            Unmatched::Fail => Err(Refusal {
                category: FailureCategory::PicklistOption,
                message: format!(
                    "{:?} is not an option of {} ({}); map it under values, add the option in HubSpot, or set unmatched",
                    text::shown(value),
                    self.property,
                    listed(&self.listed)
                ),
            }),
        }
    }
}

/// The first options, for a message.
fn listed(options: &[String]) -> String {
    const SHOWN: usize = 10;
    match options.len() {
        0 => "it has none".to_owned(),
        count if count <= SHOWN => options.join(", "),
        count => format!("{}, and {} more", options[..SHOWN].join(", "), count - SHOWN),
    }
}

/// Converts a cell that holds one value.
fn one<'a>(shape: &Shape, cell: &'a str) -> Result<Option<Cow<'a, str>>, Refusal> {
    if cell.is_empty() {
        return Ok(None);
    }
    let trimmed = cell.trim();
    let converted = match shape {
        Shape::Text | Shape::JoinedText => return text_value(cell),
        Shape::Option(options) => return option(options, cell),
        Shape::Options { .. } => return text_value(cell),
        _ if trimmed.is_empty() => return Ok(None),
        Shape::Id => SalesforceId::parse(trimmed)
            .ok()
            .map(|id| Cow::Owned(id.as_str().to_owned())),
        Shape::Number { scale } => number::canonical(trimmed, *scale),
        Shape::Flag => flag(trimmed).map(Cow::Borrowed),
        Shape::Day => moments::day(trimmed).map(|_| Cow::Borrowed(trimmed)),
        Shape::DayOfInstant => {
            moments::instant(trimmed).map(|instant| Cow::Owned(moments::day_text(moments::utc_day(instant))))
        }
        Shape::Instant => moments::canonical_instant(trimmed),
        Shape::InstantOfDay => moments::day(trimmed)
            .and_then(moments::midnight)
            .map(|instant| Cow::Owned(moments::instant_text(instant))),
        Shape::TimeOfDay => moments::time_text(trimmed).map(Cow::Owned),
    };
    match converted {
        Some(value) => Ok(Some(value)),
        None => Err(Refusal::invalid(format!(
            "{:?} is not {}",
            text::shown(cell),
            shape.expectation()
        ))),
    }
}

impl Shape {
    /// What a cell should have been, as the end of a sentence.
    fn expectation(&self) -> &'static str {
        match self {
            Self::Text | Self::JoinedText => "a text",
            Self::Id => "a Salesforce id",
            Self::Number { .. } => "a number",
            Self::Flag => "true or false",
            Self::Day | Self::InstantOfDay => "a date (YYYY-MM-DD)",
            Self::DayOfInstant | Self::Instant => "a date-time with a zone (YYYY-MM-DDTHH:MM:SSZ)",
            Self::TimeOfDay => "a time of day",
            Self::Option(_) | Self::Options { .. } => "an option",
        }
    }
}

fn text_value(cell: &str) -> Result<Option<Cow<'_, str>>, Refusal> {
    let cleaned = text::clean(cell);
    if let Some(excess) = text::excess(&cleaned) {
        return Err(Refusal::invalid(format!(
            "the text is {excess} characters longer than the {} that HubSpot takes; shorten it in Salesforce",
            text::TEXT_CHARS_MAX
        )));
    }
    Ok((!cleaned.is_empty()).then_some(cleaned))
}

fn option<'a>(options: &Options, cell: &'a str) -> Result<Option<Cow<'a, str>>, Refusal> {
    if options.as_number
        && let Some(plain) = number::canonical(cell.trim(), 0)
    {
        let taken = options.take(&plain)?.map(str::to_owned);
        return Ok(taken.map(Cow::Owned));
    }
    let taken = options.take(cell)?;
    if taken.is_some_and(|value| value.contains(';')) {
        return Err(Refusal::invalid(format!(
            "{:?} holds a semicolon, which parts options in HubSpot; map it under values",
            text::shown(cell)
        )));
    }
    Ok(taken.map(Cow::Borrowed))
}

fn flag(cell: &str) -> Option<&'static str> {
    match cell {
        "true" | "1" => Some("true"),
        "false" | "0" => Some("false"),
        other if other.eq_ignore_ascii_case("true") => Some("true"),
        other if other.eq_ignore_ascii_case("false") => Some("false"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

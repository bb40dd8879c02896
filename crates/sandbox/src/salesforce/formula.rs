//! Formula fields and default values: parsed and bound once, computed at every read.
//!
//! The simple kinds are understood: arithmetic, comparison, text, dates, conditions, fields of the record
//! and of records above it. What is not understood is served null and told at the start.

mod eval;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

pub(in crate::salesforce) use eval::round;
pub use eval::{Scope, evaluate};
pub use parser::{Binary, Call, Expr, Unary};

use crate::salesforce::{
    handle::UnsupportedFormula,
    schema::{Kind, Schema, Source},
};
use serde::{Deserialize, Serialize};

/// A formula with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// As the org's people wrote it.
    pub text: String,
    /// Empty numbers count as zero.
    pub blank_as_zero: bool,
    /// Bound to the schema by [`Formula::bind`]; `None` while unbound or where not understood.
    pub expr: Option<Expr>,
}

/// Why a formula is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// A character that starts nothing.
    #[error("unexpected character `{0}`")]
    Character(char),
    /// Text without its closing quote.
    #[error("text without an end")]
    OpenText,
    /// Something else was due.
    #[error("unexpected `{0}`")]
    Unexpected(String),
    /// The formula ends too early.
    #[error("the formula ends too early")]
    End,
    /// A function that is not served here.
    #[error("function {0} is not supported")]
    Function(String),
    /// A known function with the wrong number of arguments.
    #[error("function {0} does not take {1} arguments")]
    Arguments(String, usize),
    /// A name that leads to no field, or a global such as `$Api`.
    #[error("`{0}` is not supported")]
    Name(String),
}

impl Formula {
    /// A formula that is not bound yet.
    pub fn new(text: impl Into<String>, blank_as_zero: bool) -> Formula {
        Formula {
            text: text.into(),
            blank_as_zero,
            expr: None,
        }
    }

    /// Parses the text and resolves its names against an object.
    pub fn bind(&mut self, schema: &Schema, object: usize) -> Result<(), FormulaError> {
        let expr = parser::parse(&self.text, schema, object)?;
        self.expr = Some(expr);
        Ok(())
    }

    /// Whether the result is HTML.
    pub fn is_html(&self) -> bool {
        let text = self.text.to_ascii_uppercase();
        text.contains("IMAGE(") || text.contains("HYPERLINK(")
    }
}

/// The formulas of a bound schema that are not understood.
pub(super) fn unsupported(schema: &Schema) -> Vec<UnsupportedFormula> {
    let mut found = Vec::new();
    for (index, object) in schema.objects.iter().enumerate() {
        for field in &object.fields {
            if let Source::Formula(formula) = &field.source
                && formula.expr.is_none()
                && let Err(error) = formula.as_ref().clone().bind(schema, index)
            {
                found.push(UnsupportedFormula {
                    object: object.name.clone(),
                    field: field.name.clone(),
                    reason: error.to_string(),
                });
            }
        }
    }
    found
}

/// Binds every formula and every default of a schema. Gives what is not understood: object, field, why.
/// Defaults of text and picklist fields that are no formula are taken literally.
pub fn bind_all(schema: &mut Schema) -> Vec<(String, String, FormulaError)> {
    use crate::salesforce::value::Value;
    let names = schema.clone();
    let mut refused = Vec::new();
    for (index, object) in schema.objects.iter_mut().enumerate() {
        for field in &mut object.fields {
            if let Source::Formula(formula) = &mut field.source
                && let Err(error) = formula.bind(&names, index)
            {
                refused.push((object.name.clone(), field.name.clone(), error));
            }
            let kind = field.kind;
            if let Some(default) = &mut field.default
                && default.bind(&names, index).is_err()
            {
                let literal = match kind {
                    Kind::Boolean => Value::Bool(default.text.eq_ignore_ascii_case("true")),
                    _ => Value::text(default.text.as_str()),
                };
                default.expr = Some(Expr::Literal(literal));
            }
        }
    }
    refused
}

//! From tokens to an expression whose names are resolved.

use super::{
    FormulaError,
    lexer::{Token, tokens},
};
use crate::salesforce::{path::FieldPath, schema::Schema, value::Value};
use serde::{Deserialize, Serialize};

/// An expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// Itself.
    Literal(Value),
    /// A field of the record or of one above it.
    Field(FieldPath),
    /// An operator with one side.
    Unary(Unary, Box<Expr>),
    /// An operator with two sides.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// A function.
    Call(Call, Vec<Expr>),
}

/// Operators with one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unary {
    Negate,
    Not,
}

/// Operators with two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Concatenate,
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

macro_rules! calls {
    ($($name:ident = $text:literal ($least:literal ..= $most:expr)),* $(,)?) => {
        /// The functions that are served, by Salesforce's own names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names are Salesforce's own")]
        pub enum Call { $($name),* }

        /// Function, fewest arguments, most arguments.
        const CALLS: &[(&str, Call, usize, usize)] = &[$(($text, Call::$name, $least, $most)),*];
    };
}

calls! {
    Abs = "ABS" (1 ..= 1), AddMonths = "ADDMONTHS" (2 ..= 2), And = "AND" (1 ..= usize::MAX),
    Begins = "BEGINS" (2 ..= 2), BlankValue = "BLANKVALUE" (2 ..= 2), Br = "BR" (0 ..= 0),
    Case = "CASE" (4 ..= usize::MAX), Ceiling = "CEILING" (1 ..= 1), Contains = "CONTAINS" (2 ..= 2),
    Date = "DATE" (3 ..= 3), DateValue = "DATEVALUE" (1 ..= 1), Day = "DAY" (1 ..= 1),
    Find = "FIND" (2 ..= 3), Floor = "FLOOR" (1 ..= 1), Hyperlink = "HYPERLINK" (2 ..= 3),
    If = "IF" (3 ..= 3), Image = "IMAGE" (2 ..= 4), Includes = "INCLUDES" (2 ..= 2),
    IsBlank = "ISBLANK" (1 ..= 1), IsNull = "ISNULL" (1 ..= 1), IsPickVal = "ISPICKVAL" (2 ..= 2),
    Left = "LEFT" (2 ..= 2), Len = "LEN" (1 ..= 1), Lower = "LOWER" (1 ..= 2), Max = "MAX" (1 ..= usize::MAX),
    Mid = "MID" (3 ..= 3), Min = "MIN" (1 ..= usize::MAX), Mod = "MOD" (2 ..= 2), Month = "MONTH" (1 ..= 1),
    Not = "NOT" (1 ..= 1), Now = "NOW" (0 ..= 0), NullValue = "NULLVALUE" (2 ..= 2),
    Or = "OR" (1 ..= usize::MAX), Right = "RIGHT" (2 ..= 2), Round = "ROUND" (2 ..= 2),
    Substitute = "SUBSTITUTE" (3 ..= 3), Text = "TEXT" (1 ..= 1), Today = "TODAY" (0 ..= 0),
    Trim = "TRIM" (1 ..= 1), Upper = "UPPER" (1 ..= 2), Value = "VALUE" (1 ..= 1), Year = "YEAR" (1 ..= 1),
}

/// Parses a formula of an object.
pub(super) fn parse(text: &str, schema: &Schema, object: usize) -> Result<Expr, FormulaError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        schema,
        object,
    };
    let expr = parser.level(0)?;
    match parser.next() {
        None => Ok(expr),
        Some(token) => Err(unexpected(&token)),
    }
}

/// Operators by how weakly they bind.
const LEVELS: [&[(&str, Binary)]; 6] = [
    &[("||", Binary::Or)],
    &[("&&", Binary::And)],
    &[
        ("=", Binary::Equal),
        ("==", Binary::Equal),
        ("<>", Binary::NotEqual),
        ("!=", Binary::NotEqual),
        ("<", Binary::Less),
        ("<=", Binary::LessOrEqual),
        (">", Binary::Greater),
        (">=", Binary::GreaterOrEqual),
    ],
    &[
        ("+", Binary::Add),
        ("-", Binary::Subtract),
        ("&", Binary::Concatenate),
    ],
    &[("*", Binary::Multiply), ("/", Binary::Divide)],
    &[("^", Binary::Power)],
];

struct Parser<'s> {
    tokens: Vec<Token>,
    at: usize,
    schema: &'s Schema,
    object: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), FormulaError> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.tokens.get(self.at).map_or(FormulaError::End, unexpected))
    }

    fn level(&mut self, level: usize) -> Result<Expr, FormulaError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(sign)) {
            let right = self.level(level + 1)?;
            left = Expr::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, FormulaError> {
        if self.take("-") {
            return Ok(Expr::Unary(Unary::Negate, Box::new(self.unary()?)));
        }
        if self.take("!") {
            return Ok(Expr::Unary(Unary::Not, Box::new(self.unary()?)));
        }
        if self.take("+") {
            return self.unary();
        }
        if self.take("(") {
            let inner = self.level(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        match self.next() {
            Some(Token::Number(number)) => Ok(Expr::Literal(Value::Number(number))),
            Some(Token::Text(text)) => Ok(Expr::Literal(Value::text(text))),
            Some(Token::Name(name)) => self.named(name),
            Some(token) => Err(unexpected(&token)),
            None => Err(FormulaError::End),
        }
    }

    fn named(&mut self, name: String) -> Result<Expr, FormulaError> {
        if self.take("(") {
            return self.call(name);
        }
        match name.to_ascii_uppercase().as_str() {
            "TRUE" => return Ok(Expr::Literal(Value::Bool(true))),
            "FALSE" => return Ok(Expr::Literal(Value::Bool(false))),
            "NULL" => return Ok(Expr::Literal(Value::Null)),
            _ => {}
        }
        let names: Vec<&str> = name.split('.').collect();
        FieldPath::resolve(self.schema, self.object, &names)
            .map(Expr::Field)
            .map_err(|_| FormulaError::Name(name.clone()))
    }

    fn call(&mut self, name: String) -> Result<Expr, FormulaError> {
        let known = CALLS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(&name));
        let Some((_, call, least, most)) = known else {
            return Err(FormulaError::Function(name.to_ascii_uppercase()));
        };
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.level(0)?);
                if !self.take(",") {
                    self.expect(")")?;
                    break;
                }
            }
        }
        if !(*least..=*most).contains(&arguments.len()) {
            return Err(FormulaError::Arguments(
                name.to_ascii_uppercase(),
                arguments.len(),
            ));
        }
        Ok(Expr::Call(*call, arguments))
    }
}

fn unexpected(token: &Token) -> FormulaError {
    FormulaError::Unexpected(match token {
        Token::Number(number) => number.to_string(),
        Token::Text(text) => text.clone(),
        Token::Name(name) => name.clone(),
        Token::Sign(sign) => (*sign).to_owned(),
    })
}

//! From tokens to a query whose names are still text.

use super::{
    SoqlError,
    lexer::{Token, TokenKind, tokens},
    syntax::{Filter, Literal, Name, Operator, Order, Query, Select},
};

/// The longest query.
const LONGEST: usize = 100_000;

/// Reads a query.
pub fn parse(text: &str) -> Result<Query, SoqlError> {
    if text.chars().count() > LONGEST {
        return Err(SoqlError::new(
            "MALFORMED_QUERY",
            "SOQL statements cannot be longer than 100000 characters.",
        ));
    }
    let mut parser = Parser {
        query: text,
        tokens: tokens(text)?,
        at: 0,
    };
    let query = parser.query(false)?;
    match parser.peek().kind {
        TokenKind::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

const RESERVED: [&str; 14] = [
    "SELECT", "FROM", "WHERE", "ORDER", "GROUP", "HAVING", "LIMIT", "OFFSET", "AND", "OR", "NOT", "LIKE",
    "IN", "USING",
];

struct Parser<'q> {
    query: &'q str,
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn unexpected(&self) -> SoqlError {
        let token = self.peek();
        SoqlError::at(
            "MALFORMED_QUERY",
            self.query,
            token.at,
            format!("unexpected token: '{}'", token.text),
        )
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        let token = self.tokens.get(self.at + ahead);
        token.is_some_and(|token| token.kind == TokenKind::Name && token.text.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Sign(known) if known == sign);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), SoqlError> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), SoqlError> {
        if self.take_sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn name(&mut self) -> Result<Name, SoqlError> {
        let token = self.peek();
        let reserved = RESERVED.iter().any(|word| word.eq_ignore_ascii_case(&token.text));
        let dangling = token.text.ends_with('.') || token.text.contains("..");
        if token.kind != TokenKind::Name || reserved || dangling {
            return Err(self.unexpected());
        }
        Ok(self.take_name())
    }

    /// The next token, whatever else it may mean, as a name.
    fn take_name(&mut self) -> Name {
        let token = self.peek().clone();
        self.at += 1;
        Name {
            text: token.text,
            at: token.at,
        }
    }

    /// The name after FROM: some objects are called like words of the language.
    fn object(&mut self) -> Result<Name, SoqlError> {
        let named_so = ["GROUP", "ORDER"].iter().any(|word| self.is_word(0, word));
        if named_so {
            Ok(self.take_name())
        } else {
            self.name()
        }
    }

    fn query(&mut self, nested: bool) -> Result<Query, SoqlError> {
        self.expect_word("SELECT")?;
        let mut select = vec![self.selected(nested)?];
        while self.take_sign(",") {
            select.push(self.selected(nested)?);
        }
        self.expect_word("FROM")?;
        let from = self.object()?;
        self.take_word("AS");
        let alias_follows = self.peek().kind == TokenKind::Name
            && !RESERVED
                .iter()
                .chain(&["FOR", "WITH", "ALL"])
                .any(|word| self.is_word(0, word));
        let alias = if alias_follows {
            Some(self.name()?.text)
        } else {
            None
        };
        let filter = if self.take_word("WHERE") {
            Some(self.any_of()?)
        } else {
            None
        };
        if self.is_word(0, "ALL") {
            let at = self.peek().at;
            let message = "ALL ROWS not allowed in this context";
            return Err(SoqlError::at("MALFORMED_QUERY", self.query, at, message));
        }
        let group = if self.take_word("GROUP") {
            self.grouped()?
        } else {
            Vec::new()
        };
        let order = if self.take_word("ORDER") {
            self.ordered()?
        } else {
            Vec::new()
        };
        let limit = if self.take_word("LIMIT") {
            Some(self.whole_number()?)
        } else {
            None
        };
        let offset = if self.take_word("OFFSET") {
            Some(self.whole_number()?)
        } else {
            None
        };
        if self.take_word("FOR") {
            // FOR VIEW, FOR REFERENCE: they only touch what this sandbox does not keep.
            self.name()?;
        }
        Ok(Query {
            text: self.query.to_owned(),
            select,
            from,
            alias,
            filter,
            group,
            order,
            limit,
            offset,
        })
    }

    fn selected(&mut self, nested: bool) -> Result<Select, SoqlError> {
        if !nested && matches!(self.peek().kind, TokenKind::Sign("(")) && self.is_word(1, "SELECT") {
            self.at += 1;
            let children = self.query(true)?;
            self.expect_sign(")")?;
            return Ok(Select::Children(Box::new(children)));
        }
        let name = self.name()?;
        if !self.take_sign("(") {
            return Ok(Select::Field(name));
        }
        if name.text.eq_ignore_ascii_case("FIELDS") {
            let which = self.name()?;
            self.expect_sign(")")?;
            return Ok(Select::Fields(which));
        }
        let known = ["COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"];
        if !known
            .iter()
            .any(|function| function.eq_ignore_ascii_case(&name.text))
        {
            self.at -= 1;
            return Err(self.unexpected());
        }
        let argument = if self.take_sign(")") {
            None
        } else {
            let argument = self.name()?;
            self.expect_sign(")")?;
            Some(argument)
        };
        let alias_follows = self.peek().kind == TokenKind::Name && !self.is_word(0, "FROM");
        let alias = if alias_follows {
            Some(self.name()?.text)
        } else {
            None
        };
        Ok(Select::Aggregate(name, argument, alias))
    }

    fn grouped(&mut self) -> Result<Vec<Name>, SoqlError> {
        self.expect_word("BY")?;
        let mut fields = vec![self.name()?];
        while self.take_sign(",") {
            fields.push(self.name()?);
        }
        Ok(fields)
    }

    fn ordered(&mut self) -> Result<Vec<Order>, SoqlError> {
        self.expect_word("BY")?;
        let mut fields = Vec::new();
        loop {
            let field = self.name()?;
            let descending = self.take_word("DESC");
            if !descending {
                self.take_word("ASC");
            }
            let nulls_last = self.take_word("NULLS") && {
                let last = self.take_word("LAST");
                if !last {
                    self.expect_word("FIRST")?;
                }
                last
            };
            fields.push(Order {
                field,
                descending,
                nulls_last,
            });
            if !self.take_sign(",") {
                return Ok(fields);
            }
        }
    }

    fn whole_number(&mut self) -> Result<usize, SoqlError> {
        match self.peek().kind {
            TokenKind::Number(number) if number >= 0.0 && number.fract() == 0.0 => {
                self.at += 1;
                Ok(number as usize)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Salesforce wants parentheses where AND and OR meet.
    fn any_of(&mut self) -> Result<Filter, SoqlError> {
        let (first, chained) = self.all_of()?;
        if !self.is_word(0, "OR") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while !chained && self.take_word("OR") {
            parts.push(self.condition()?);
        }
        if chained || self.is_word(0, "AND") {
            return Err(self.unexpected());
        }
        Ok(Filter::Or(parts))
    }

    /// A condition or several that must all hold, and whether they are several.
    fn all_of(&mut self) -> Result<(Filter, bool), SoqlError> {
        let first = self.condition()?;
        if !self.is_word(0, "AND") {
            return Ok((first, false));
        }
        let mut parts = vec![first];
        while self.take_word("AND") {
            parts.push(self.condition()?);
        }
        Ok((Filter::And(parts), true))
    }

    fn condition(&mut self) -> Result<Filter, SoqlError> {
        if self.take_word("NOT") {
            return Ok(Filter::Not(Box::new(self.condition()?)));
        }
        if self.take_sign("(") {
            let inner = self.any_of()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let field = self.name()?;
        let operator = self.operator()?;
        let many = matches!(
            operator,
            Operator::In | Operator::NotIn | Operator::Includes | Operator::Excludes
        );
        let mut values = Vec::new();
        if many {
            self.expect_sign("(")?;
            values.push(self.literal()?);
            while self.take_sign(",") {
                values.push(self.literal()?);
            }
            self.expect_sign(")")?;
        } else {
            values.push(self.literal()?);
        }
        Ok(Filter::Compare {
            field,
            operator,
            values,
        })
    }

    fn operator(&mut self) -> Result<Operator, SoqlError> {
        const SIGNS: [(&str, Operator); 7] = [
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<>", Operator::NotEqual),
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
        ];
        const WORDS: [(&str, Operator); 4] = [
            ("LIKE", Operator::Like),
            ("IN", Operator::In),
            ("INCLUDES", Operator::Includes),
            ("EXCLUDES", Operator::Excludes),
        ];
        if let Some((_, operator)) = SIGNS.iter().find(|(sign, _)| self.take_sign(sign)) {
            return Ok(*operator);
        }
        if let Some((_, operator)) = WORDS.iter().find(|(word, _)| self.take_word(word)) {
            return Ok(*operator);
        }
        if self.is_word(0, "NOT") && self.is_word(1, "IN") {
            self.at += 2;
            return Ok(Operator::NotIn);
        }
        Err(self.unexpected())
    }

    fn literal(&mut self) -> Result<Literal, SoqlError> {
        let token = self.peek().clone();
        let literal = match token.kind {
            TokenKind::Text(text) => Literal::Text(text),
            TokenKind::Number(number) => Literal::Number(number),
            TokenKind::Date(days) => Literal::Date(days),
            TokenKind::DateTime(ms) => Literal::DateTime(ms),
            TokenKind::Name => {
                let upper = token.text.to_ascii_uppercase();
                match upper.as_str() {
                    "NULL" => Literal::Null,
                    "TRUE" => Literal::Bool(true),
                    "FALSE" => Literal::Bool(false),
                    _ => match upper.split_once(':') {
                        Some((name, number)) => {
                            let number = number.parse().map_err(|_| self.unexpected())?;
                            Literal::Period(name.to_owned(), Some(number))
                        }
                        None => Literal::Period(upper, None),
                    },
                }
            }
            TokenKind::Sign(_) | TokenKind::End => return Err(self.unexpected()),
        };
        if let Literal::Period(name, number) = &literal
            && super::filter::period(name, *number, 0).is_none()
        {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(literal)
    }
}

//! Cuts a query into tokens that know their place.

use super::SoqlError;
use crate::salesforce::clock;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// The byte where it starts.
    pub(super) at: usize,
    /// As written.
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A name with its dots, or a date literal such as `LAST_N_DAYS:30`.
    Name,
    Text(String),
    Number(f64),
    Date(i32),
    DateTime(i64),
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 11] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "*"];

pub(super) fn tokens(query: &str) -> Result<Vec<Token>, SoqlError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += query[at..].len() - query[at..].trim_start().len();
        let rest = &query[at..];
        let Some(first) = rest.chars().next() else { break };
        let (kind, length) = match first {
            '\'' => text(query, at)?,
            c if c.is_alphabetic() || c == '_' => (TokenKind::Name, name_length(rest)),
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => number(query, at)?,
            other => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (TokenKind::Sign(sign), sign.len()),
                None => {
                    let message = format!("unexpected token: '{other}'");
                    return Err(SoqlError::at("MALFORMED_QUERY", query, at, message));
                }
            },
        };
        tokens.push(Token {
            kind,
            at,
            text: rest[..length].to_owned(),
        });
        at += length;
    }
    tokens.push(Token {
        kind: TokenKind::End,
        at: query.len(),
        text: "<EOF>".to_owned(),
    });
    Ok(tokens)
}

fn name_length(rest: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':');
    rest.find(|c: char| !part(c)).unwrap_or(rest.len())
}

fn number(query: &str, at: usize) -> Result<(TokenKind, usize), SoqlError> {
    let rest = &query[at..];
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | ':');
    let length = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
    let text = &rest[..length];
    let kind = if let Ok(number) = text.parse::<f64>() {
        Some(TokenKind::Number(number))
    } else if let Some(days) = clock::parse_date(text).filter(|_| text.len() == 10) {
        Some(TokenKind::Date(days))
    } else {
        clock::parse_datetime(text).map(TokenKind::DateTime)
    };
    match kind {
        Some(kind) => Ok((kind, length)),
        None => {
            let message = format!("unexpected token: '{text}'");
            Err(SoqlError::at("MALFORMED_QUERY", query, at, message))
        }
    }
}

fn text(query: &str, at: usize) -> Result<(TokenKind, usize), SoqlError> {
    let mut text = String::new();
    let mut chars = query[at + 1..].char_indices();
    let refused = |place: usize, message: &str| Err(SoqlError::at("MALFORMED_QUERY", query, place, message));
    while let Some((offset, c)) = chars.next() {
        match c {
            '\'' => return Ok((TokenKind::Text(text), offset + 2)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n' | 'N') => text.push('\n'),
                Some('r' | 'R') => text.push('\r'),
                Some('t' | 'T') => text.push('\t'),
                Some('b' | 'B') => text.push('\u{8}'),
                Some('f' | 'F') => text.push('\u{c}'),
                Some(c @ ('"' | '\'' | '\\')) => text.push(c),
                // Kept with the backslash: LIKE takes them literally.
                Some(c @ ('_' | '%')) => text.extend(['\\', c]),
                Some(c) => {
                    let message = format!("Illegal string literal escape sequence: \\{c}");
                    return refused(at + 1 + offset, &message);
                }
                None => break,
            },
            c => text.push(c),
        }
    }
    refused(at, "line 1:0 mismatched character '<EOF>' expecting '''")
}

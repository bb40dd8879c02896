//! SOSL: `/search` and `/parameterizedSearch`, over the words of text fields.
//!
//! Every word of the term must begin or be a word of the record, as its wildcards say. There is no index of
//! words and no ranking: records come in the order of their ids, or as their clause orders them.

use crate::salesforce::{
    call::Call,
    errors::{ApiError, json_response},
    reader::Reader,
    schema::{Kind, Object},
    soql::{self, Bound, write_record},
    store::Record,
};
use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::Value as Json;

/// The most records of one answer.
const MOST: usize = 2000;

/// `GET /search?q=FIND {…}`.
pub(super) fn search(call: &Call) -> Result<Response, ApiError> {
    let text = call
        .parameter("q")
        .ok_or_else(|| ApiError::bad("MALFORMED_SEARCH", "A search string has to be specified"))?;
    answer(call, &Sosl::parse(text)?)
}

/// `/parameterizedSearch?q=…&sobject=…&fields=…`, or the same as a JSON body.
pub(super) fn parameterized(call: &Call) -> Result<Response, ApiError> {
    let names = |list: Option<&Json>| -> String {
        let items = list.and_then(Json::as_array).into_iter().flatten();
        items.filter_map(Json::as_str).collect::<Vec<_>>().join(",")
    };
    let (term, scope, targets) = if call.method == Method::POST {
        let given = call.object()?;
        let objects = given
            .get("sobjects")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let shared = names(given.get("fields"));
        let targets = objects
            .filter_map(|object| {
                let own = names(object.get("fields"));
                let fields = if own.is_empty() { shared.clone() } else { own };
                Some(Target::new(object.get("name")?.as_str()?, &fields, ""))
            })
            .collect();
        let text = |name: &str| {
            given
                .get(name)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        (text("q"), text("in"), targets)
    } else {
        let text = |name: &str| call.parameter(name).unwrap_or_default().to_owned();
        let targets: Vec<Target> = text("sobject")
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| Target::new(name, &text("fields"), ""))
            .collect();
        (text("q"), text("in"), targets)
    };
    let scope = if scope.is_empty() {
        "ALL".to_owned()
    } else {
        scope.to_ascii_uppercase()
    };
    answer(
        call,
        &Sosl {
            words: words_of(&term)?,
            scope,
            targets,
            limit: MOST,
        },
    )
}

/// What to look in, and what to give of it.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    object: String,
    fields: String,
    /// WHERE, ORDER BY and LIMIT, as SOQL has them.
    clauses: String,
}

impl Target {
    fn new(object: &str, fields: &str, clauses: &str) -> Target {
        let fields = if fields.trim().is_empty() {
            "Id"
        } else {
            fields.trim()
        };
        Target {
            object: object.trim().to_owned(),
            fields: fields.to_owned(),
            clauses: clauses.trim().to_owned(),
        }
    }
}

/// A search.
#[derive(Debug, PartialEq, Eq)]
struct Sosl {
    words: Vec<String>,
    scope: String,
    targets: Vec<Target>,
    limit: usize,
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::bad("MALFORMED_SEARCH", message)
}

/// What follows a keyword, in any case.
fn after<'t>(text: &'t str, keyword: &str) -> Option<&'t str> {
    let text = text.trim_start();
    let (head, rest) = text.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then_some(rest)
}

/// The words of a term, lower-cased; AND is what there is between them anyway.
fn words_of(term: &str) -> Result<Vec<String>, ApiError> {
    let words: Vec<String> = term
        .replace(['"', '\\'], " ")
        .split_whitespace()
        .filter(|word| !word.eq_ignore_ascii_case("AND"))
        .map(str::to_lowercase)
        .collect();
    let letters = |word: &String| word.chars().filter(|c| c.is_alphanumeric()).count();
    match words.iter().map(letters).max() {
        Some(longest) if longest >= 2 => Ok(words),
        _ => Err(malformed("search term must be longer than one character")),
    }
}

impl Sosl {
    fn parse(text: &str) -> Result<Sosl, ApiError> {
        let rest = after(text, "FIND").ok_or_else(|| malformed("unexpected token: FIND is missing"))?;
        let (term, rest) = rest
            .trim_start()
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .ok_or_else(|| malformed("the search term must stand in braces"))?;
        let mut scope = "ALL".to_owned();
        let mut rest = rest;
        if let Some(inside) = after(rest, "IN ") {
            let (name, behind) = inside.trim_start().split_once(' ').unwrap_or((inside, ""));
            scope = name.to_ascii_uppercase();
            rest = after(behind, "FIELDS").ok_or_else(|| malformed("FIELDS is missing"))?;
        }
        let mut targets = Vec::new();
        if let Some(returning) = after(rest, "RETURNING ") {
            let (list, behind) = target_list(returning)?;
            targets = list;
            rest = behind;
        }
        let limit = match after(rest, "LIMIT ") {
            Some(number) => number
                .trim()
                .parse()
                .map_err(|_| malformed("LIMIT must be a number"))?,
            None if rest.trim().is_empty() => MOST,
            None => return Err(malformed(format!("unexpected token: '{}'", rest.trim()))),
        };
        if !matches!(scope.as_str(), "ALL" | "NAME" | "EMAIL" | "PHONE" | "SIDEBAR") {
            return Err(malformed(format!("unexpected token: '{scope}'")));
        }
        Ok(Sosl {
            words: words_of(term)?,
            scope,
            targets,
            limit: limit.min(MOST),
        })
    }
}

/// `Account(Id, Name WHERE … LIMIT 3), Contact`, and what follows.
fn target_list(text: &str) -> Result<(Vec<Target>, &str), ApiError> {
    let mut targets = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (object, behind) = rest.split_at(end);
        if object.is_empty() {
            return Err(malformed("an object is missing after RETURNING"));
        }
        rest = behind.trim_start();
        let mut inner = "";
        if rest.starts_with('(') {
            let end = closing(rest).ok_or_else(|| malformed("a parenthesis is not closed"))?;
            inner = &rest[1..end];
            rest = rest[end + 1..].trim_start();
        }
        let upper = inner.to_ascii_uppercase();
        let cut = ["WHERE ", "ORDER BY ", "LIMIT "]
            .iter()
            .filter_map(|clause| upper.find(&format!(" {clause}")))
            .min()
            .unwrap_or(inner.len());
        targets.push(Target::new(object, &inner[..cut], &inner[cut..]));
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Ok((targets, rest)),
        }
    }
}

/// Where the parenthesis that a text begins with is closed; quoted ones do not count.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a word of a record is what a word of the term asks for.
fn fits(word: &str, wanted: &str) -> bool {
    match wanted.split_once('*') {
        None => {
            word.chars().count() == wanted.chars().count()
                && word.chars().zip(wanted.chars()).all(|(a, b)| b == '?' || a == b)
        }
        Some((start, rest)) => word
            .strip_prefix(start)
            .is_some_and(|behind| rest.is_empty() || behind.ends_with(rest)),
    }
}

/// The fields that a scope looks in.
fn searched(object: &Object, scope: &str) -> Vec<usize> {
    let fits = |field: &crate::salesforce::schema::Field| match scope {
        "NAME" => field.is_name(),
        "EMAIL" => field.kind == Kind::Email,
        "PHONE" => field.kind == Kind::Phone,
        _ => field.kind.is_text() && field.kind != Kind::Encrypted,
    };
    let fields = object.fields.iter().enumerate();
    fields
        .filter(|(_, field)| field.visible && fits(field))
        .map(|(index, _)| index)
        .collect()
}

fn matches(reader: &Reader<'_>, object: usize, record: &Record, fields: &[usize], words: &[String]) -> bool {
    let mut open: Vec<&String> = words.iter().collect();
    for field in fields {
        let value = reader.own(object, record, *field);
        let text = value.as_text().to_lowercase();
        for word in text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
        {
            open.retain(|wanted| !fits(word, wanted));
        }
        // A wanted word may hold signs, as mail addresses do.
        open.retain(|wanted| !text.split_whitespace().any(|word| fits(word, wanted)));
        if open.is_empty() {
            return true;
        }
    }
    false
}

fn answer(call: &Call, sosl: &Sosl) -> Result<Response, ApiError> {
    let now = call.handle.clock.now_ms();
    let org = call.handle.org.read();
    let reader = Reader::new(&org, now);
    let everywhere: Vec<Target>;
    let targets = if sosl.targets.is_empty() {
        let objects = org.schema().objects.iter().filter(|object| object.writable);
        everywhere = objects.map(|object| Target::new(&object.name, "", "")).collect();
        &everywhere
    } else {
        &sosl.targets
    };
    let mut out = String::from("{\"searchRecords\":[");
    let mut left = sosl.limit;
    for target in targets {
        let text = format!(
            "SELECT {} FROM {} {}",
            target.fields, target.object, target.clauses
        );
        let mut query: Bound = soql::bind(org.schema(), &soql::parse(&text)?, now)?;
        let own = query.limit.take().unwrap_or(MOST);
        let table = org.table(query.object);
        let fields = searched(&org.schema().objects[query.object], &sosl.scope);
        let found = soql::matching(&reader, &query, false);
        let hits = found
            .iter()
            .filter_map(|row| table.row(*row))
            .filter(|record| matches(&reader, query.object, record, &fields, &sosl.words));
        for record in hits.take(own.min(left)) {
            if left < sosl.limit {
                out.push(',');
            }
            left -= 1;
            write_record(
                &mut out,
                &reader,
                query.object,
                record,
                &query.shape,
                &call.version,
            );
        }
    }
    out.push_str("]}");
    call.handle.stats.records("search", (sosl.limit - left) as u64);
    Ok(json_response(StatusCode::OK, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_read_with_their_clauses() {
        let sosl = Sosl::parse(
            "find {north AND hub*} in name fields returning Depot__c(Id, Name WHERE Name != 'a)b' LIMIT 3), Account LIMIT 7",
        );
        let expected = Sosl {
            words: vec!["north".to_owned(), "hub*".to_owned()],
            scope: "NAME".to_owned(),
            targets: vec![
                Target::new("Depot__c", "Id, Name", "WHERE Name != 'a)b' LIMIT 3"),
                Target::new("Account", "", ""),
            ],
            limit: 7,
        };
        assert_eq!(sosl, Ok(expected));
        for wrong in [
            "north",
            "FIND north",
            "FIND {x}",
            "FIND {north} RETURNING",
            "FIND {north} nonsense",
        ] {
            assert!(Sosl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wildcards_stand_for_the_rest_and_for_one_letter() {
        let table = [
            ("north", "north", true),
            ("northern", "north", false),
            ("northern", "north*", true),
            ("northern", "n*ern", true),
            ("north", "n?rth", true),
            ("north", "n?th", false),
        ];
        for (word, wanted, expected) in table {
            assert_eq!(fits(word, wanted), expected, "{word} {wanted}");
        }
    }
}

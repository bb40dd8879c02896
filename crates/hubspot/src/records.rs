//! Records on the wire: batches to write, straight from columns to bytes, and records read, borrowed from the body.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use landbridge_model::HubSpotId;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::text::{Id, Text, Value};
use crate::verdict::ErrorBody;

/// Most inputs of one batch of records.
pub const BATCH_INPUTS_MAX: usize = 100;

/// Appends a JSON string.
pub(crate) fn write_text(buffer: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(buffer, text).expect("writing text to memory cannot fail");
}

/// The names of a batch's columns, escaped once.
#[derive(Clone, Debug)]
pub struct UpsertColumns {
    id_property: Vec<u8>,
    keys: Vec<Vec<u8>>,
}

impl UpsertColumns {
    /// The unique property and the names of the other properties in order.
    pub fn new<'a>(id_property: &str, properties: impl IntoIterator<Item = &'a str>) -> Self {
        let escaped = |name: &str| {
            let mut key = Vec::with_capacity(name.len() + 3);
            write_text(&mut key, name);
            key
        };
        let keys = properties.into_iter().map(|name| {
            let mut key = escaped(name);
            key.insert(0, b',');
            key.push(b':');
            key
        });
        Self {
            id_property: escaped(id_property),
            keys: keys.collect(),
        }
    }
}

/// The body of one batch upsert, written input by input.
#[derive(Debug)]
pub struct UpsertBody<'c> {
    columns: &'c UpsertColumns,
    trace: &'c str,
    buffer: Vec<u8>,
    inputs: usize,
}

impl<'c> UpsertBody<'c> {
    /// An empty batch. Each input's trace id is `<trace>-<place>`: with one on every input HubSpot refuses single
    /// inputs instead of the whole batch.
    pub fn new(columns: &'c UpsertColumns, trace: &'c str) -> Self {
        let mut buffer = Vec::with_capacity(32 * 1024);
        buffer.extend_from_slice(br#"{"inputs":["#);
        Self {
            columns,
            trace,
            buffer,
            inputs: 0,
        }
    }

    /// Appends one record by the value of its unique property. `cells` pairs the place of a column with its value;
    /// null clears, and a column that is not named is left alone.
    pub fn push<'v>(
        &mut self,
        unique_value: &str,
        cells: impl IntoIterator<Item = (usize, Option<&'v str>)>,
    ) {
        let buffer = &mut self.buffer;
        if self.inputs > 0 {
            buffer.push(b',');
        }
        buffer.extend_from_slice(br#"{"id":"#);
        write_text(buffer, unique_value);
        buffer.extend_from_slice(br#","idProperty":"#);
        buffer.extend_from_slice(&self.columns.id_property);
        buffer.extend_from_slice(br#","objectWriteTraceId":"#);
        write_text(buffer, &format!("{}-{}", self.trace, self.inputs));
        buffer.extend_from_slice(br#","properties":{"#);
        buffer.extend_from_slice(&self.columns.id_property);
        buffer.push(b':');
        write_text(buffer, unique_value);
        for (place, value) in cells {
            buffer.extend_from_slice(&self.columns.keys[place]);
            write_text(buffer, value.unwrap_or(""));
        }
        buffer.extend_from_slice(b"}}");
        self.inputs += 1;
    }

    /// Inputs so far.
    pub fn len(&self) -> usize {
        self.inputs
    }

    /// Whether there are no inputs.
    pub fn is_empty(&self) -> bool {
        self.inputs == 0
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The body.
    pub fn finish(mut self) -> Bytes {
        self.buffer.extend_from_slice(b"]}");
        self.buffer.into()
    }
}

/// One record as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its id.
    pub id: HubSpotId,
    /// The wanted properties in the order in which they were asked for; `None` is unset or not shown.
    pub values: Vec<Option<Cow<'a, str>>>,
    /// Of an upsert: whether the record is new.
    pub new: Option<bool>,
    /// The trace id of the input, when echoed.
    pub trace: Option<Cow<'a, str>>,
}

/// A batch's or a page's answer: records, errors of single inputs, and where the next page begins.
#[derive(Clone, Debug, Default)]
pub struct Records<'a> {
    /// In any order.
    pub results: Vec<Record<'a>>,
    /// Refused inputs; one entry may stand for several.
    pub errors: Vec<ErrorBody>,
    /// The cursor of the next page; `None` on the last.
    pub after: Option<String>,
}

impl<'a> Records<'a> {
    /// Reads an answer's body, keeping only the wanted properties. An empty body holds no records.
    pub fn parse(body: &'a [u8], wanted: &[&str]) -> Result<Self, serde_json::Error> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let records = AnswerSeed { wanted }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(records)
    }

    /// Reads the answer of a call for one record.
    pub fn parse_one(body: &'a [u8], wanted: &[&str]) -> Result<Record<'a>, serde_json::Error> {
        RecordSeed { wanted }.deserialize(&mut serde_json::Deserializer::from_slice(body))
    }
}

#[derive(Clone, Copy)]
struct AnswerSeed<'w> {
    wanted: &'w [&'w str],
}

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_> {
    type Value = Records<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_> {
    type Value = Records<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with results")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut records = Records::default();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "results" => records.results = map.next_value_seed(ResultsSeed { wanted: self.wanted })?,
                "errors" => records.errors = map.next_value::<Option<Vec<ErrorBody>>>()?.unwrap_or_default(),
                "paging" => records.after = map.next_value::<Option<Paging>>()?.and_then(Paging::after),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(records)
    }
}

/// `paging.next.after` of any listing.
#[derive(serde::Deserialize)]
pub(crate) struct Paging {
    next: Option<NextPage>,
}

#[derive(serde::Deserialize)]
struct NextPage {
    after: Option<crate::verdict::OneOrMany>,
}

impl Paging {
    /// The cursor, which may come as text or as number.
    pub(crate) fn after(self) -> Option<String> {
        self.next
            .and_then(|next| next.after)
            .and_then(|after| after.0.into_iter().next())
    }
}

struct ResultsSeed<'w> {
    wanted: &'w [&'w str],
}

impl<'de> DeserializeSeed<'de> for ResultsSeed<'_> {
    type Value = Vec<Record<'de>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ResultsSeed<'_> {
    type Value = Vec<Record<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::with_capacity(seq.size_hint().unwrap_or(BATCH_INPUTS_MAX).min(1_000));
        while let Some(record) = seq.next_element_seed(RecordSeed { wanted: self.wanted })? {
            records.push(record);
        }
        Ok(records)
    }
}

struct RecordSeed<'w> {
    wanted: &'w [&'w str],
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Record<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut id = None;
        let mut record = Record {
            id: HubSpotId(0),
            values: Vec::new(),
            new: None,
            trace: None,
        };
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "id" => id = Some(map.next_value::<Id>()?.0),
                "properties" => record.values = map.next_value_seed(ValuesSeed { wanted: self.wanted })?,
                "new" => record.new = map.next_value()?,
                "objectWriteTraceId" => record.trace = map.next_value::<Option<Text<'de>>>()?.map(|t| t.0),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        record.id = id.ok_or_else(|| serde::de::Error::missing_field("id"))?;
        record.values.resize(self.wanted.len(), None);
        Ok(record)
    }
}

struct ValuesSeed<'w> {
    wanted: &'w [&'w str],
}

impl<'de> DeserializeSeed<'de> for ValuesSeed<'_> {
    type Value = Vec<Option<Cow<'de, str>>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ValuesSeed<'_> {
    type Value = Vec<Option<Cow<'de, str>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = vec![None; self.wanted.len()];
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match self.wanted.iter().position(|name| *name == key.0) {
                Some(place) => values[place] = map.next_value::<Value<'de>>()?.0,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_batch_is_written_as_hubspot_documents_it() {
        let columns = UpsertColumns::new("sf_id", ["na\"me", "price"]);
        let mut body = UpsertBody::new(&columns, "b7");
        body.push("a1B5g00000ABCDEAA4", [(0, Some("tab\there \\ \"q\"")), (1, None)]);
        body.push("a1B5g00000ABCDFAA4", [(1, Some("12.50"))]);
        assert_eq!(body.len(), 2);
        let bytes = body.finish();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
        expect![[r#"{"inputs":[{"id":"a1B5g00000ABCDEAA4","idProperty":"sf_id","objectWriteTraceId":"b7-0","properties":{"sf_id":"a1B5g00000ABCDEAA4","na\"me":"tab\there \\ \"q\"","price":""}},{"id":"a1B5g00000ABCDFAA4","idProperty":"sf_id","objectWriteTraceId":"b7-1","properties":{"sf_id":"a1B5g00000ABCDFAA4","price":"12.50"}}]}"#]]
        .assert_eq(std::str::from_utf8(&bytes).unwrap());
    }

    #[test]
    fn records_are_read_leniently() {
        let body = br#"{"status":"COMPLETE","extra":{"deep":[1]},"results":[
            {"id":24680,"new":true,"properties":{"sf_id":"a\u0041","n":12.5,"gone":null},"archived":false},
            {"properties":{},"id":"24681","objectWriteTraceId":"b-1"}],
            "paging":{"next":{"after":5712789258,"link":"x"}},"numErrors":null}"#;
        let records = Records::parse(body, &["sf_id", "n", "gone"]).unwrap();
        assert_eq!(records.after.as_deref(), Some("5712789258"));
        let first = &records.results[0];
        assert_eq!((first.id, first.new), (HubSpotId(24680), Some(true)));
        assert_eq!(first.values, [Some("aA".into()), Some("12.5".into()), None]);
        let second = &records.results[1];
        assert_eq!(
            (second.id, second.new, second.trace.as_deref()),
            (HubSpotId(24681), None, Some("b-1"))
        );
        assert_eq!(second.values, [None, None, None]);
    }

    #[test]
    fn an_empty_body_is_no_records_and_a_page_of_html_is_an_error() {
        assert!(Records::parse(b" \n", &[]).unwrap().results.is_empty());
        assert!(Records::parse(b"<html>", &[]).is_err());
    }
}

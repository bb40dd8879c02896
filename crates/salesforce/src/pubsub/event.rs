//! One change event: its header, decoded.

use std::fmt;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bitmap;
use super::schema::EventSchema;

/// A place in a channel. Bytes that mean something to Salesforce alone: they are neither a number nor can they be compared.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReplayId(Vec<u8>);

impl ReplayId {
    /// As Salesforce gave it; `None` for no bytes, which are no place.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<ReplayId> for String {
    fn from(id: ReplayId) -> Self {
        hex::encode(id.0)
    }
}

impl TryFrom<String> for ReplayId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = hex::decode(text).map_err(|_| "a replay id is written in hexadecimal")?;
        Self::new(bytes).ok_or("a replay id is not empty")
    }
}

impl fmt::Debug for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayId({})", hex::encode(&self.0))
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeType {
    /// Records were made.
    Create,
    /// Records were changed.
    Update,
    /// Records were deleted.
    Delete,
    /// Records were taken back from the bin.
    Undelete,
    /// Something of these happened to the records, and no event could tell what exactly.
    Gap,
    /// More happened to the object in one transaction than is told.
    Overflow,
    /// Something that this version does not know.
    Unknown,
}

impl ChangeType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Undelete,
        Self::Gap,
        Self::Overflow,
        Self::Unknown,
    ];

    fn of(symbol: &str) -> Self {
        match symbol {
            "CREATE" => Self::Create,
            "UPDATE" => Self::Update,
            "DELETE" => Self::Delete,
            "UNDELETE" => Self::Undelete,
            "GAP_CREATE" | "GAP_UPDATE" | "GAP_DELETE" | "GAP_UNDELETE" => Self::Gap,
            "GAP_OVERFLOW" => Self::Overflow,
            _ => Self::Unknown,
        }
    }

    /// The word used in metrics and output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::Gap => "gap",
            Self::Overflow => "overflow",
            Self::Unknown => "unknown",
        }
    }
}

/// One change event, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEvent {
    /// Which object: `Vehicle__c`.
    pub entity: String,
    /// Which records, as Salesforce names them: ids, `a02*` for all of an object, or zeros for an overflow.
    pub records: Vec<String>,
    /// What happened.
    pub change: ChangeType,
    /// When its transaction was committed, by the org's clock. Whole seconds.
    pub committed: Timestamp,
    /// Its transaction.
    pub transaction: String,
    /// Its place in the transaction.
    pub sequence: i32,
    /// Who did it, such as `com/salesforce/api/rest/66.0;client=acme`.
    pub origin: String,
    /// For an update, the fields that changed.
    pub changed: Vec<String>,
    /// For an update, the fields that were emptied.
    pub nulled: Vec<String>,
    /// For an update, the long texts that are told as a difference.
    pub diffed: Vec<String>,
}

/// What a stream tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A change.
    Change(ChangeEvent),
    /// Something that cannot be read: that something happened is all that is known.
    Unreadable(String),
}

impl ChangeEvent {
    /// The header of a payload: it comes first, and nothing behind it is looked at.
    pub(super) fn decode(schema: &EventSchema, payload: &[u8]) -> Result<Self, String> {
        let text = |error: apache_avro::Error| error.to_string();
        let reader = GenericDatumReader::builder(&schema.header)
            .build()
            .map_err(text)?;
        let mut rest = payload;
        let Value::Record(fields) = reader.read_value(&mut rest).map_err(text)? else {
            return Err("its header is no record".to_owned());
        };
        let header = Header(fields);
        let ms = header.long("commitTimestamp")?;
        let committed =
            Timestamp::from_millisecond(ms).map_err(|_| format!("{ms} is no time in milliseconds"))?;
        Ok(Self {
            entity: header.text("entityName")?,
            records: header.texts("recordIds")?,
            change: ChangeType::of(&header.text("changeType")?),
            committed,
            transaction: header.text("transactionKey")?,
            sequence: header.int("sequenceNumber")?,
            origin: header.text("changeOrigin")?,
            changed: bitmap::named(&header.texts("changedFields")?, &schema.fields),
            nulled: bitmap::named(&header.texts("nulledFields")?, &schema.fields),
            diffed: bitmap::named(&header.texts("diffFields")?, &schema.fields),
        })
    }
}

/// The header's fields by name.
struct Header(Vec<(String, Value)>);

impl Header {
    fn get(&self, name: &str) -> Result<&Value, String> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value)
            .ok_or_else(|| format!("its header has no {name}"))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        match self.get(name)? {
            Value::String(text) | Value::Enum(_, text) => Ok(text.clone()),
            other => Err(format!("{name} is {other:?}, no text")),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let wrong = |value: &Value| format!("{name} holds {value:?}, no text");
        match self.get(name)? {
            Value::Array(items) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(wrong(other)),
                })
                .collect(),
            other => Err(wrong(other)),
        }
    }

    fn long(&self, name: &str) -> Result<i64, String> {
        match self.get(name)? {
            Value::Long(number) | Value::TimestampMillis(number) => Ok(*number),
            Value::Int(number) => Ok(i64::from(*number)),
            other => Err(format!("{name} is {other:?}, no number")),
        }
    }

    fn int(&self, name: &str) -> Result<i32, String> {
        i32::try_from(self.long(name)?).map_err(|_| format!("{name} is too large"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shape of a captured schema of a custom object (facts: Salesforce, 13.4).
    pub(in crate::pubsub) const SCHEMA: &str = r#"{"name":"Property__ChangeEvent","type":"record","namespace":"com.sforce.eventbus","fields":[
 {"name":"ChangeEventHeader","doc":"Data:ComplexValueType","type":{"type":"record","name":"ChangeEventHeader","fields":[
   {"name":"entityName","type":"string"},{"name":"recordIds","type":{"type":"array","items":"string"}},
   {"name":"changeType","type":{"type":"enum","name":"ChangeType","namespace":"","symbols":["CREATE","UPDATE","DELETE","UNDELETE","GAP_CREATE","GAP_UPDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"]}},
   {"name":"changeOrigin","type":"string"},{"name":"transactionKey","type":"string"},{"name":"sequenceNumber","type":"int"},
   {"name":"commitTimestamp","type":"long"},{"name":"commitNumber","type":"long"},{"name":"commitUser","type":"string"},
   {"name":"nulledFields","type":{"type":"array","items":"string"}},{"name":"diffFields","type":{"type":"array","items":"string"}},
   {"name":"changedFields","type":{"type":"array","items":"string"}}]}},
 {"name":"OwnerId","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
 {"name":"Name","type":["null","string"],"doc":"Data:Text","default":null},
 {"name":"CreatedDate","type":["null","long"],"doc":"CreatedDate:DateTime","default":null},
 {"name":"CreatedById","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
 {"name":"LastModifiedDate","type":["null","long"],"doc":"Data:DateTime","default":null},
 {"name":"LastModifiedById","type":["null","string"],"doc":"ForeignKey:EntityId","default":null},
 {"name":"Broker__c","type":["null","string"],"doc":"ForeignKey:EntityId:00Nxx0000000001","default":null},
 {"name":"Price__c","type":["null","double"],"doc":"Data:Currency:00Nxx0000000002","default":null},
 {"name":"Status__c","type":["null","string"],"doc":"Data:DynamicEnum:00Nxx0000000003","default":null},
 {"name":"Location__c","type":["null",{"type":"record","name":"Location","fields":[
   {"name":"Latitude","type":["null","double"],"default":null},{"name":"Longitude","type":["null","double"],"default":null},
   {"name":"XyzEncoded","type":["null","string"],"default":null}]}],"doc":"Data:Location:00Nxx0000000004","default":null}]}"#;

    /// An update that was written by another implementation of Avro (facts: Salesforce, 13.4).
    const PAYLOAD: &str = "1650726f70657274795f5f63022461303278783030303030303030303141414100025a636f6d2f73616c6573666f7263\
        652f6170692f726573742f36362e303b636c69656e743d61636d652d73796e634830303034613366322d316232632d33\
        6434652d356636302d3731383239336134623563360280a0d5edee66d4e0c8fe87402430303578783030303030303030\
        3031414141020c3078303230300000040c3078303332300e31302d3078303300000000000280a0d5edee660000020000\
        000030c12d410002020000000000404540020000000000d051c000";

    fn schema() -> EventSchema {
        EventSchema::parse(SCHEMA).unwrap()
    }

    #[test]
    fn an_update_of_another_writer_is_read() {
        let mut payload = hex::decode(PAYLOAD).unwrap();
        assert_eq!(payload.len(), 219);
        let event = ChangeEvent::decode(&schema(), &payload).unwrap();
        assert_eq!(event.entity, "Property__c");
        assert_eq!(event.records, ["a02xx0000000001AAA"]);
        assert_eq!(event.change, ChangeType::Update);
        assert_eq!(event.origin, "com/salesforce/api/rest/66.0;client=acme-sync");
        assert_eq!(event.transaction, "0004a3f2-1b2c-3d4e-5f60-718293a4b5c6");
        assert_eq!(event.committed.as_millisecond(), 1_767_225_600_000);
        assert_eq!(event.nulled, ["Status__c"]);
        assert_eq!(
            event.changed,
            [
                "LastModifiedDate",
                "Price__c",
                "Status__c",
                "Location__c.Latitude",
                "Location__c.Longitude"
            ]
        );
        assert!(event.diffed.is_empty());
        // What comes behind the header is nobody's business here.
        payload.truncate(219 - 43);
        assert_eq!(ChangeEvent::decode(&schema(), &payload).unwrap(), event);
    }

    #[test]
    fn change_types_are_told_apart() {
        for (symbol, change) in [
            ("CREATE", ChangeType::Create),
            ("GAP_DELETE", ChangeType::Gap),
            ("GAP_OVERFLOW", ChangeType::Overflow),
            ("SNAPSHOT", ChangeType::Unknown),
        ] {
            assert_eq!(ChangeType::of(symbol), change);
        }
    }

    #[test]
    fn places_are_kept_byte_by_byte() {
        let id = ReplayId::new(vec![0, 0, 0, 0, 0, 4, 0x87, 0x44, 0, 0]).unwrap();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, r#""00000000000487440000""#);
        assert_eq!(serde_json::from_str::<ReplayId>(&text).unwrap(), id);
        assert_eq!(ReplayId::new(Vec::new()), None);
        assert!(serde_json::from_str::<ReplayId>(r#""xyz""#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ChangeEvent::decode(&schema(), &payload);
        }
    }
}

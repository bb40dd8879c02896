//! A sync's definition: the file that the console, the REST API and the CLI edit.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::ids::{SyncKey, SyncName, TenantId};

/// The only `apiVersion` there is.
pub const API_VERSION: &str = "landbridge/v1";
/// The only `kind` there is.
pub const KIND: &str = "Sync";
/// The unique property when a definition names none.
pub const DEFAULT_ID_PROPERTY: &str = "salesforce_id";
/// The property that every write sets: proof that a record is ours, and which version HubSpot has.
pub const VERSION_PROPERTY: &str = "landbridge_version";
/// The property group of the two.
pub const PROPERTY_GROUP: &str = "landbridge";

/// One sync, as written in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SyncDefinition {
    /// `landbridge/v1`.
    pub api_version: String,
    /// `Sync`.
    pub kind: String,
    /// Whose, and its name.
    pub metadata: Metadata,
    /// What it does.
    pub spec: SyncSpec,
}

impl SyncDefinition {
    /// Tenant and name.
    pub fn key(&self) -> SyncKey {
        SyncKey {
            tenant: self.metadata.tenant.clone(),
            name: self.metadata.name.clone(),
        }
    }
}

/// Whose sync, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The tenant.
    pub tenant: TenantId,
    /// Unique within the tenant.
    pub name: SyncName,
}

/// What a sync does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SyncSpec {
    /// Where records come from.
    pub salesforce: SalesforceEnd,
    /// Where they go.
    #[serde(rename = "hubspot")]
    pub hubspot: HubSpotEnd,
    /// What happens on create, update and delete.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: Rules,
    /// Which records travel; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Lookups that become associations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub associations: Vec<AssociationRule>,
    /// Fields that become properties.
    pub fields: Vec<FieldRule>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The Salesforce end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SalesforceEnd {
    /// API name, such as `Vehicle__c`.
    pub object: String,
}

/// The HubSpot end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct HubSpotEnd {
    /// Name, fully qualified name or object type id of a custom object.
    pub object_type: String,
    /// The unique text property that holds the Salesforce id; created when missing.
    #[serde(default = "default_id_property")]
    pub id_property: String,
}

fn default_id_property() -> String {
    DEFAULT_ID_PROPERTY.to_owned()
}

/// What happens on create, update and delete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Rules {
    /// Read-only, as in HubSpot's own product.
    pub create: Always,
    /// Read-only, as in HubSpot's own product.
    pub update: Always,
    /// When the Salesforce record is deleted.
    pub delete: DeleteRule,
    /// More deletes than this within an hour are held for a person's approval. `None` is the default share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_deletes: Option<MaxDeletes>,
    /// How long a delete is held before it is written, such as `15m`. `None` is at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<String>,
    /// How often all records are read again for the sake of formulas, such as `1d`; `off` is never. Left out, daily when a
    /// mapped formula depends on the date or cannot be read, else never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reread: Option<String>,
}

/// The one choice there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Always {
    /// Always.
    #[default]
    Always,
}

/// What a delete in Salesforce does in HubSpot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteRule {
    /// Nothing.
    #[default]
    DoNothing,
    /// The HubSpot record is archived.
    DeleteRecord,
}

/// The safety limit of deletes: a count (`500`) or a share of the sync's records (`5%`) in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CountOrText", into = "CountOrText")]
pub enum MaxDeletes {
    /// So many records.
    Count(u64),
    /// So many percent of the sync's records in HubSpot.
    Percent(u8),
}

impl Default for MaxDeletes {
    fn default() -> Self {
        Self::Percent(10)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CountOrText {
    Count(u64),
    Text(String),
}

impl TryFrom<CountOrText> for MaxDeletes {
    type Error = String;
    fn try_from(value: CountOrText) -> Result<Self, String> {
        match value {
            CountOrText::Count(count) => Ok(Self::Count(count)),
            CountOrText::Text(text) => text
                .strip_suffix('%')
                .and_then(|share| share.trim().parse::<u8>().ok())
                .filter(|share| *share <= 100)
                .map(Self::Percent)
                .ok_or_else(|| format!("{text:?} is neither a count such as 500 nor a share such as 5%")),
        }
    }
}

impl From<MaxDeletes> for CountOrText {
    fn from(limit: MaxDeletes) -> Self {
        match limit {
            MaxDeletes::Count(count) => Self::Count(count),
            MaxDeletes::Percent(share) => Self::Text(format!("{share}%")),
        }
    }
}

/// Which records travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Filter {
    /// All of these must hold.
    pub all: Vec<Condition>,
    /// What happens to a record that was carried and stops matching.
    #[serde(default)]
    pub on_leave: OnLeave,
}

/// What happens to a record that stops matching the filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnLeave {
    /// HubSpot keeps it as it is.
    #[default]
    Keep,
    /// As if it had been deleted.
    DeleteRule,
}

/// One condition of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// A Salesforce field.
    pub field: String,
    /// How it is compared.
    pub op: Operator,
    /// With what; one value, or a list for `in` and `not-in`; none for `is-empty` and `is-not-empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalars>,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// The same; text ignores case, as Salesforce does.
    Equals,
    /// Not the same; an empty field is not the same as any value.
    NotEquals,
    /// Less, by the field's type.
    LessThan,
    /// Less or the same.
    LessOrEqual,
    /// More.
    GreaterThan,
    /// More or the same.
    GreaterOrEqual,
    /// One of a list.
    In,
    /// None of a list.
    NotIn,
    /// Text within text, ignoring case.
    Contains,
    /// Text at the start, ignoring case.
    StartsWith,
    /// A multi-select picklist has all of the values.
    Includes,
    /// A multi-select picklist has none of the values.
    Excludes,
    /// Null.
    IsEmpty,
    /// Not null.
    IsNotEmpty,
}

/// One value or several, as text whatever YAML took them for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawScalars", into = "RawScalars")]
pub struct Scalars(pub Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawScalars {
    One(RawScalar),
    Many(Vec<RawScalar>),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawScalar {
    Flag(bool),
    Whole(i64),
    Number(f64),
    Text(String),
}

impl From<RawScalar> for String {
    fn from(scalar: RawScalar) -> Self {
        match scalar {
            RawScalar::Flag(flag) => flag.to_string(),
            RawScalar::Whole(number) => number.to_string(),
            RawScalar::Number(number) => number.to_string(),
            RawScalar::Text(text) => text,
        }
    }
}

impl From<RawScalars> for Scalars {
    fn from(raw: RawScalars) -> Self {
        match raw {
            RawScalars::One(one) => Self(vec![one.into()]),
            RawScalars::Many(many) => Self(many.into_iter().map(String::from).collect()),
        }
    }
}

impl From<Scalars> for RawScalars {
    fn from(scalars: Scalars) -> Self {
        let mut texts = scalars.0;
        if texts.len() == 1 {
            Self::One(RawScalar::Text(texts.remove(0)))
        } else {
            Self::Many(texts.into_iter().map(RawScalar::Text).collect())
        }
    }
}

/// A lookup that becomes an association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssociationRule {
    /// The Salesforce lookup or master-detail field.
    pub field: String,
    /// The Salesforce object whose records this rule is for. A lookup that may lead to several objects needs it, and may
    /// have one rule for each of them; of a lookup to one object it can be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The HubSpot object type at the other end.
    pub to: String,
    /// The HubSpot property that identifies the parent; the unique property of the parent's sync when left out.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub match_property: Option<String>,
    /// The association label; the plain association when left out. Created when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl AssociationRule {
    /// Whether the links of this slot ([`crate::batch::slot_name`]) are made by this rule.
    #[must_use]
    pub fn holds(&self, slot: &str) -> bool {
        let of_object = |object: &str| {
            let own = self.object.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(object))
        };
        let (field, object) = crate::batch::slot_parts(slot);
        self.field.eq_ignore_ascii_case(field) && object.is_none_or(of_object)
    }

    /// The field, and the object where the rule names one: what people call the lookup.
    #[must_use]
    pub fn lookup(&self) -> std::borrow::Cow<'_, str> {
        crate::batch::slot_name(&self.field, self.object.as_deref())
    }
}

/// A field that becomes a property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FieldRule {
    /// The Salesforce field; a parent's field as `Depot__r.Name`.
    pub from: String,
    /// The HubSpot property.
    pub to: String,
    /// Picklist value to option value; a value that is not listed travels as it is.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub values: IndexMap<String, String>,
    /// What a picklist value without an option does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unmatched: Unmatched,
}

/// What a picklist value without an option does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// The record fails, with the value and the options.
    #[default]
    Fail,
    /// The property is left empty.
    LeaveEmpty,
    /// The option is added to HubSpot.
    AddOption,
}

impl Rules {
    /// How often all records are read again for the sake of formulas: `None` leaves it to the formulas, `Some(Ok(None))` is
    /// never, and an error says why `reread` is no time.
    pub fn reread_every(&self) -> Option<Result<Option<std::time::Duration>, String>> {
        let text = self.reread.as_deref()?;
        if text.eq_ignore_ascii_case("off") {
            return Some(Ok(None));
        }
        let parsed = text
            .parse::<jiff::SignedDuration>()
            .ok()
            .or_else(|| {
                let days = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
                let is_days = matches!(text[days.len()..].trim(), "d" | "day" | "days");
                let days = days.parse::<i64>().ok().filter(|_| is_days)?;
                Some(jiff::SignedDuration::from_hours(days.checked_mul(24)?))
            })
            .and_then(|duration| std::time::Duration::try_from(duration).ok())
            .filter(|duration| *duration >= std::time::Duration::from_secs(60));
        Some(match parsed {
            Some(every) => Ok(Some(every)),
            None => Err(format!(
                "{text:?} is neither off nor a length of time of a minute at least"
            )),
        })
    }

    /// How long a delete is held before it is written; `None` is at once, and an error says why `grace` is no time.
    pub fn grace_period(&self) -> Option<Result<std::time::Duration, String>> {
        let text = self.grace.as_deref()?;
        let parsed = text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| std::time::Duration::try_from(duration).ok());
        Some(parsed.ok_or_else(|| format!("{text:?} is not a length of time")))
    }
}

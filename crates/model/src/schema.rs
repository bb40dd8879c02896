//! How the identities and the two hand-written values of a definition look in the OpenAPI document. Everything else
//! derives it beside its serialization.

use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::ids::{HubSpotId, ImportId, ObjectTypeId, RunId, SalesforceId, SyncName, TenantId};
use crate::sync::{MaxDeletes, Scalars};

macro_rules! text_schema {
    ($name:ident, $pattern:expr, $example:literal, $about:literal) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let pattern: Option<&str> = $pattern;
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .pattern(pattern)
                    .examples([$example])
                    .description(Some($about))
                    .into()
            }
        }
        impl ToSchema for $name {}
    };
}

const TOKEN: Option<&str> = Some("^[a-z0-9_-]{1,64}$");

text_schema!(
    TenantId,
    TOKEN,
    "acme",
    "One customer: one Salesforce org paired with one HubSpot portal."
);
text_schema!(
    SyncName,
    TOKEN,
    "vehicles",
    "The name of a sync, unique within its tenant."
);
text_schema!(
    ImportId,
    TOKEN,
    "imp-20260301-101500-k3f9",
    "One import of one sync."
);
text_schema!(
    RunId,
    TOKEN,
    "verify-1767225600000-0a1b",
    "One run, such as a verify."
);
text_schema!(
    SalesforceId,
    Some("^[A-Za-z0-9]{18}$"),
    "a00Hs000001ABCdIAO",
    "A Salesforce record id, in its 18-character form."
);
text_schema!(
    ObjectTypeId,
    None,
    "2-123456",
    "A HubSpot object type as HubSpot's paths take it."
);

impl PartialSchema for HubSpotId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(0))
            .description(Some("A HubSpot record id."))
            .into()
    }
}
impl ToSchema for HubSpotId {}

impl PartialSchema for MaxDeletes {
    fn schema() -> RefOr<Schema> {
        let count = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(0));
        let share = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some("^[0-9]{1,3} *%$"))
            .examples(["5%"]);
        OneOfBuilder::new()
            .item(count)
            .item(share)
            .description(Some(
                "A count of records, or a share of the sync's records, in one hour.",
            ))
            .into()
    }
}
impl ToSchema for MaxDeletes {}

impl PartialSchema for Scalars {
    fn schema() -> RefOr<Schema> {
        let scalar = || {
            OneOfBuilder::new()
                .item(ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)))
                .item(ObjectBuilder::new().schema_type(SchemaType::Type(Type::Number)))
                .item(ObjectBuilder::new().schema_type(SchemaType::Type(Type::Boolean)))
        };
        OneOfBuilder::new()
            .item(scalar())
            .item(Schema::Array(
                utoipa::openapi::ArrayBuilder::new().items(scalar()).build(),
            ))
            .description(Some("One value, or a list of values."))
            .into()
    }
}
impl ToSchema for Scalars {}

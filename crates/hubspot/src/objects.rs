//! Records: read, listed, written, archived.

use bytes::Bytes;
use landbridge_model::{HubSpotId, ObjectTypeId};
use serde::Serialize;

use crate::client::{Call, Client, Reply, json_body};
use crate::error::Error;
use crate::governor::{Family, Share};
use crate::records::Records;
use crate::verdict::Effect;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id_property: Option<&'a str>,
    properties: &'a [&'a str],
    properties_with_history: [&'a str; 0],
    inputs: Vec<IdInput<'a>>,
}

#[derive(Serialize)]
struct IdInput<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Inputs<T> {
    inputs: Vec<T>,
}

#[derive(Serialize)]
struct OwnedId {
    id: String,
}

/// Longest `properties` parameter: longer addresses are refused with pages of HTML.
const PROPERTIES_CHARS_MAX: usize = 12_000;

impl Reply {
    /// The records of a batch's or a page's answer, keeping only the wanted properties.
    pub fn records<'r>(&'r self, wanted: &[&str]) -> Result<Records<'r>, Error> {
        Records::parse(&self.body, wanted).map_err(|error| self.unreadable(error))
    }
}

impl Client {
    /// A page of a type's records, 100 at most, with these properties. `after` continues a listing.
    pub async fn list_records(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        properties: &[&str],
        after: Option<&str>,
        archived: bool,
    ) -> Result<Reply, Error> {
        let joined = properties.join(",");
        debug_assert!(
            joined.len() <= PROPERTIES_CHARS_MAX,
            "read so many properties by batch read"
        );
        let mut call = Call::get(self.version().objects(object_type, ""), Family::List, share)
            .query("limit", "100")
            .query("archived", if archived { "true" } else { "false" });
        if !joined.is_empty() {
            call = call.query("properties", joined);
        }
        if let Some(after) = after {
            call = call.query("after", after);
        }
        self.send(call).await
    }

    /// Records by id, or by the value of a unique property; 100 at most. What is missing is not in the answer.
    pub async fn read_records(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        id_property: Option<&str>,
        ids: &[&str],
        properties: &[&str],
    ) -> Result<Reply, Error> {
        let inputs = ids.iter().map(|id| IdInput { id }).collect();
        let body = json_body(&ReadBody {
            id_property,
            properties,
            properties_with_history: [],
            inputs,
        });
        let path = self.version().objects(object_type, "/batch/read");
        self.send(Call::post(path, body, Family::Read, share, Effect::Reads))
            .await
    }

    /// One record with these properties; [`crate::records::Records::parse_one`] reads the body.
    pub async fn read_record(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        id_property: Option<&str>,
        id: &str,
        properties: &[&str],
    ) -> Result<Reply, Error> {
        let id = percent(id);
        let path = self.version().objects(object_type, &format!("/{id}"));
        let mut call = Call::get(path, Family::Read, share).query("properties", properties.join(","));
        if let Some(id_property) = id_property {
            call = call.query("idProperty", id_property);
        }
        self.send(call).await
    }

    /// Writes a batch that [`crate::records::UpsertBody`] made. What became of each input: [`crate::settle`].
    pub async fn upsert_records(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let path = self.version().objects(object_type, "/batch/upsert");
        self.send(Call::post(path, body, Family::Write, share, Effect::Writes))
            .await
    }

    /// Writes a batch that [`crate::records::UpsertBody`] made, but makes no record: an input whose record is not there is
    /// refused with [`crate::Verdict::NotFound`].
    pub async fn update_records(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let path = self.version().objects(object_type, "/batch/update");
        self.send(Call::post(path, body, Family::Write, share, Effect::Writes))
            .await
    }

    /// Archives records by id; 100 at most. Unknown ids are no error.
    pub async fn archive_records(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        ids: &[HubSpotId],
    ) -> Result<(), Error> {
        let inputs = ids.iter().map(|id| OwnedId { id: id.to_string() }).collect();
        let path = self.version().objects(object_type, "/batch/archive");
        let call = Call::post(
            path,
            json_body(&Inputs { inputs }),
            Family::Archive,
            share,
            Effect::Writes,
        );
        self.send(call).await.map(drop)
    }

    /// Records of which `property` has one of these values; 100 at most. Sees what was written with a delay of seconds
    /// or more, and never archived records. Values are compared without regard to case.
    pub async fn search_in(
        &self,
        share: Share,
        object_type: &ObjectTypeId,
        property: &str,
        values: &[&str],
        properties: &[&str],
    ) -> Result<Reply, Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Filter<'a> {
            property_name: &'a str,
            operator: &'a str,
            values: Vec<String>,
        }
        #[derive(Serialize)]
        struct Group<'a> {
            filters: [Filter<'a>; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Search<'a> {
            filter_groups: [Group<'a>; 1],
            properties: &'a [&'a str],
            limit: u32,
        }
        let values = values.iter().map(|value| value.to_lowercase()).collect();
        let filter = Filter {
            property_name: property,
            operator: "IN",
            values,
        };
        let search = Search {
            filter_groups: [Group { filters: [filter] }],
            properties,
            limit: 200,
        };
        let path = self.version().objects(object_type, "/search");
        self.send(Call::post(
            path,
            json_body(&search),
            Family::Search,
            share,
            Effect::Reads,
        ))
        .await
    }
}

/// Escapes what may not stand in one segment of a path.
fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

//! Creating, changing, deleting and restoring single records: what rehearsals and tests need. The engine itself
//! never writes to Salesforce.

use landbridge_model::SalesforceId;
use reqwest::Method;
use serde::Deserialize;

use crate::calls::Family;
use crate::client::{Call, Client};
use crate::describe::object_name;
use crate::error::SalesforceError;

/// Field values of a record by API name.
pub type Values = serde_json::Map<String, serde_json::Value>;

#[derive(Deserialize)]
struct Created {
    id: SalesforceId,
}

/// Records that one collections call may create.
pub const CREATE_MAX: usize = 200;

/// What became of one record of a collections call.
#[derive(Debug, Clone, Deserialize)]
pub struct SaveResult {
    /// Its id, when it was saved.
    pub id: Option<SalesforceId>,
    /// Whether it was saved.
    pub success: bool,
    /// Why not.
    #[serde(default)]
    pub errors: Vec<crate::error::ApiError>,
}

impl Client {
    /// Creates a record.
    pub async fn create(&self, object: &str, values: Values) -> Result<SalesforceId, SalesforceError> {
        let path = format!("sobjects/{}", object_name(object)?);
        let call = record_call("a create", Method::POST, path, Some(values), false);
        Ok(self.json::<Created>(&call).await?.id)
    }

    /// Creates up to [`CREATE_MAX`] records in one call, each by itself: some may be refused.
    pub async fn create_many(
        &self,
        object: &str,
        records: Vec<Values>,
    ) -> Result<Vec<SaveResult>, SalesforceError> {
        let name = object_name(object)?;
        let records: Vec<Values> = records
            .into_iter()
            .map(|mut values| {
                values.insert("attributes".to_owned(), serde_json::json!({ "type": name }));
                values
            })
            .collect();
        let body = serde_json::json!({ "allOrNone": false, "records": records });
        let mut call = Call::with(
            "a create",
            Family::Record,
            Method::POST,
            "composite/sobjects",
            Some(body),
        );
        call.repeatable = false;
        self.json(&call).await
    }

    /// Changes the named fields of a record.
    pub async fn update(
        &self,
        object: &str,
        id: &SalesforceId,
        values: Values,
    ) -> Result<(), SalesforceError> {
        let path = format!("sobjects/{}/{id}", object_name(object)?);
        self.send(&record_call("an update", Method::PATCH, path, Some(values), true))
            .await
            .map(drop)
    }

    /// Puts a record into the recycle bin.
    pub async fn delete(&self, object: &str, id: &SalesforceId) -> Result<(), SalesforceError> {
        let path = format!("sobjects/{}/{id}", object_name(object)?);
        self.send(&record_call("a delete", Method::DELETE, path, None, true))
            .await
            .map(drop)
    }

    /// Sends a POST to a path of the org that this client has no call for, such as a custom Apex REST resource.
    /// Returns the body of the answer.
    pub async fn post_to(
        &self,
        path: &str,
        body: serde_json::Value,
    ) -> Result<bytes::Bytes, SalesforceError> {
        let mut call = Call::given("a custom call", Family::Record, path);
        call.method = Method::POST;
        call.body = Some(body);
        call.repeatable = false;
        self.body(&call).await
    }
}

fn record_call(
    what: &'static str,
    method: Method,
    path: String,
    values: Option<Values>,
    repeatable: bool,
) -> Call {
    let mut call = Call::with(
        what,
        Family::Record,
        method,
        path,
        values.map(serde_json::Value::Object),
    );
    call.repeatable = repeatable;
    call
}

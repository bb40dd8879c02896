//! People at work in the org: edits through Salesforce's own REST API, as any other program would make them.

use std::time::SystemTime;

use anyhow::Context as _;
use landbridge_model::SalesforceId;
use landbridge_sandbox::SalesforceAccess;
use serde_json::{Value, json};

/// A signed-in user of the org.
pub struct OrgUser {
    http: reqwest::Client,
    data: String,
    token: String,
}

/// One committed edit.
#[derive(Clone, Debug)]
pub struct Edit {
    /// What was done, for a person.
    pub what: String,
    /// The record.
    pub id: SalesforceId,
    /// Before the request was sent: the commit is a little later, so delays counted from here are not flattered.
    pub at: SystemTime,
}

impl OrgUser {
    /// Signs in.
    pub async fn sign_in(access: &SalesforceAccess) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(20))
            .build()?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", access.client_id.as_str()),
            ("client_secret", access.client_secret.as_str()),
        ];
        let url = format!("{}/services/oauth2/token", access.login_url);
        let answer: Value = http
            .post(url)
            .form(&form)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let token = answer["access_token"]
            .as_str()
            .context("the org gave no token")?
            .to_owned();
        Ok(Self {
            http,
            data: format!("{}/services/data/v66.0", access.instance_url),
            token,
        })
    }

    /// Ids of an object's records, in the order of creation.
    pub async fn ids(&self, object: &str, condition: &str, most: usize) -> anyhow::Result<Vec<SalesforceId>> {
        let soql = format!("SELECT Id FROM {object} {condition} ORDER BY Id LIMIT {most}");
        let url = format!("{}/query", self.data);
        let request = self
            .http
            .get(url)
            .query(&[("q", soql.as_str())])
            .bearer_auth(&self.token);
        let answer: Value = checked(request.send().await?).await?.json().await?;
        let records = answer["records"].as_array().context("the org gave no records")?;
        let ids = records.iter().filter_map(|record| record["Id"].as_str());
        ids.map(|id| SalesforceId::parse(id).map_err(Into::into))
            .collect()
    }

    /// Creates a record.
    pub async fn create(&self, what: &str, object: &str, fields: Value) -> anyhow::Result<Edit> {
        let at = SystemTime::now();
        let url = format!("{}/sobjects/{object}", self.data);
        let answer = checked(
            self.http
                .post(url)
                .bearer_auth(&self.token)
                .json(&fields)
                .send()
                .await?,
        )
        .await?;
        let answer: Value = answer.json().await?;
        let id = SalesforceId::parse(answer["id"].as_str().context("the org gave no id")?)?;
        Ok(Edit {
            what: what.to_owned(),
            id,
            at,
        })
    }

    /// Changes fields of a record; null clears.
    pub async fn update(
        &self,
        what: &str,
        object: &str,
        id: SalesforceId,
        fields: Value,
    ) -> anyhow::Result<Edit> {
        let at = SystemTime::now();
        let url = format!("{}/sobjects/{object}/{id}", self.data);
        checked(
            self.http
                .patch(url)
                .bearer_auth(&self.token)
                .json(&fields)
                .send()
                .await?,
        )
        .await?;
        Ok(Edit {
            what: what.to_owned(),
            id,
            at,
        })
    }

    /// Deletes a record.
    pub async fn delete(&self, what: &str, object: &str, id: SalesforceId) -> anyhow::Result<Edit> {
        let at = SystemTime::now();
        let url = format!("{}/sobjects/{object}/{id}", self.data);
        checked(self.http.delete(url).bearer_auth(&self.token).send().await?).await?;
        Ok(Edit {
            what: what.to_owned(),
            id,
            at,
        })
    }

    /// Takes a record out of the recycle bin. Salesforce's REST API has no call for it (SOAP has); this is the
    /// sandbox's own.
    pub async fn undelete(&self, what: &str, id: SalesforceId) -> anyhow::Result<Edit> {
        let at = SystemTime::now();
        let url = format!("{}/__sandbox/undelete", self.data);
        let body = json!({ "ids": [id.as_str()] });
        checked(
            self.http
                .post(url)
                .bearer_auth(&self.token)
                .json(&body)
                .send()
                .await?,
        )
        .await?;
        Ok(Edit {
            what: what.to_owned(),
            id,
            at,
        })
    }
}

async fn checked(response: reqwest::Response) -> anyhow::Result<reqwest::Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    anyhow::bail!(
        "the org refused an edit ({status}): {}",
        response.text().await.unwrap_or_default()
    )
}

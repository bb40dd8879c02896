//! Somebody who edits the org.

use anyhow::Context as _;
use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::installation::SalesforceAccess;

/// The API's path.
const API: &str = "/services/data/v66.0";
/// Most records of one collections call.
const COLLECTION_MAX: usize = 200;

/// A session of an integration of the customer's.
pub(crate) struct Org {
    http: reqwest::Client,
    instance: String,
    token: String,
}

impl Org {
    /// Signs in.
    pub(crate) async fn open(access: &SalesforceAccess) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &access.client_id),
            ("client_secret", &access.client_secret),
        ];
        let url = format!("{}/services/oauth2/token", access.login_url);
        let answer = http.post(url).form(&form).send().await?.error_for_status()?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Self {
            http,
            instance: text("instance_url").context("the sign-in names no instance")?,
            token: text("access_token").context("the sign-in gave no token")?,
        })
    }

    /// Ids of so many vehicles.
    pub(crate) async fn vehicles(&self, most: usize) -> anyhow::Result<Vec<String>> {
        let query = format!("SELECT Id FROM Vehicle__c ORDER BY Id LIMIT {most}");
        self.ids(&query).await
    }

    /// Gives a vehicle another name. When this returns, the change is committed.
    pub(crate) async fn rename(&self, id: &str, name: &str) -> anyhow::Result<()> {
        let path = format!("sobjects/Vehicle__c/{id}");
        let request = self.call(Method::PATCH, &path).json(&json!({ "Name": name }));
        request.send().await?.error_for_status().map(drop)?;
        Ok(())
    }

    /// Gives so many vehicles another depot each, in as few calls as it takes; gives how many have one now.
    pub(crate) async fn move_vehicles(&self, most: usize) -> anyhow::Result<u64> {
        let query = "SELECT Id FROM Depot__c ORDER BY Id LIMIT 2".to_owned();
        let depots = self.ids(&query).await?;
        let query = format!(
            "SELECT Id FROM Vehicle__c WHERE Depot__c != '{}' ORDER BY Id LIMIT {most}",
            depots.first().context("the org has no depot")?
        );
        let vehicles = self.ids(&query).await?;
        for part in vehicles.chunks(COLLECTION_MAX) {
            let records: Vec<Value> = part
                .iter()
                .map(|id| json!({ "attributes": { "type": "Vehicle__c" }, "id": id, "Depot__c": depots[0] }))
                .collect();
            let body = json!({ "allOrNone": true, "records": records });
            let request = self.call(Method::PATCH, "composite/sobjects").json(&body);
            request.send().await?.error_for_status()?;
        }
        Ok(vehicles.len() as u64)
    }

    /// The one Bulk query job of the org, which has read its rows, and how many they are.
    pub(crate) async fn finished_job(&self) -> anyhow::Result<(String, u64)> {
        let jobs = self.json("jobs/query").await?;
        let jobs = jobs["records"].as_array().context("the org lists no jobs")?;
        let [job] = jobs.as_slice() else {
            anyhow::bail!(
                "the org has {} Bulk jobs where the import's alone was expected",
                jobs.len()
            );
        };
        let id = job["id"].as_str().context("a job has no id")?;
        let job = self.json(&format!("jobs/query/{id}")).await?;
        anyhow::ensure!(
            job["state"] == "JobComplete",
            "the import's job is not complete: {job}"
        );
        let rows = job["numberRecordsProcessed"].as_u64();
        Ok((id.to_owned(), rows.context("the job does not count its rows")?))
    }

    /// The pages of a job's results, as the server cuts them.
    pub(crate) async fn result_pages(&self, job: &str) -> anyhow::Result<Vec<Bytes>> {
        let path = format!("jobs/query/{job}/results");
        let (mut pages, mut locator) = (Vec::new(), None);
        loop {
            let request = self.call(Method::GET, &path).query(&locator);
            let answer = request.send().await?.error_for_status()?;
            let next = answer.headers().get("sforce-locator");
            let next = next.map(|next| next.to_str().map(str::to_owned)).transpose()?;
            locator = next.filter(|next| next != "null").map(|next| [("locator", next)]);
            pages.push(answer.bytes().await?);
            if locator.is_none() {
                return Ok(pages);
            }
        }
    }

    async fn json(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.call(Method::GET, path).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    async fn ids(&self, query: &str) -> anyhow::Result<Vec<String>> {
        let request = self.call(Method::GET, "query").query(&[("q", query)]);
        let answer = request.send().await?.error_for_status()?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let records = answer["records"]
            .as_array()
            .context("the query gave no records")?;
        let ids = records
            .iter()
            .filter_map(|record| Some(record["Id"].as_str()?.to_owned()));
        Ok(ids.collect())
    }

    fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{API}/{path}", self.instance);
        self.http.request(method, url).bearer_auth(&self.token)
    }
}

//! The operator's commands over the REST API, with `--server`: the same questions, asked as requests.

use std::time::Duration;

use landbridge_bus::seal::PublicKey;
use landbridge_control::ask::{
    AdoptOrg, Applied, AppliedSync, ApplySyncs, AskRevisionUndo, AskTenant, CancelDryRun, CancelImport,
    Disconnect, Done, DryRunPage, DryRunPart, DryRunRecords, DryRunState, EditSyncs, ListHeld, ListLeft,
    ListSchemaEvents, PauseImport, PutTenant, RemoveSyncs, RemoveTenant, Repair, ResumeImport, RetryFailures,
    SetSyncs, StartDryRun, StartImports, StartVerify, StartedImport, StartedImports, TenantPart,
    TestConnections, UndoImport, UndoRevision, VerifyState, Writing, WrittenRecords,
};
use landbridge_control::http::{PredictedRecords, ProblemDocument};
use landbridge_control::service::{Keys, page_cursor};
use landbridge_model::TenantId;
use landbridge_model::ask::{
    DecideHeld, Explain, ImportStatus, ListFailures, ListImports, Question, StartReconcile,
};
use landbridge_model::config::SyncStatus;
use reqwest::header::{ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::output::{CommandError, Exit};

/// Entries asked for at once.
const PAGE: usize = 500;
/// How long a request may take that looks into Salesforce or HubSpot.
const PATIENCE: Duration = Duration::from_secs(330);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A running control, and what lets us in.
pub struct Remote {
    client: reqwest::Client,
    server: Url,
    token: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("server", &self.server.as_str())
            .finish_non_exhaustive()
    }
}

impl Remote {
    /// At an address, with the token of `LANDBRIDGE_TOKEN`.
    pub fn new(server: &str) -> Result<Self, CommandError> {
        let address = landbridge_control::service::check_address(server)
            .map_err(|problem| CommandError::invalid(format!("--server {server}: {problem}")))?;
        let server =
            Url::parse(&address).map_err(|error| CommandError::invalid(format!("--server {error}")))?;
        let token = std::env::var("LANDBRIDGE_TOKEN").unwrap_or_default();
        if token.is_empty() {
            return Err(CommandError::new(
                Exit::Refused,
                "--server needs a token: make one with landbridge token create, and put it into LANDBRIDGE_TOKEN",
            ));
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| CommandError::new(Exit::Failed, format!("no HTTP client: {error}")))?;
        Ok(Self {
            client,
            server,
            token,
        })
    }

    /// A request. `path` stands behind `/api/v1`, its parts in segments.
    pub async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<A, CommandError> {
        let text = self.text(method, path, query, body).await?;
        self.understand(&text)
    }

    /// Replaces what is there, unless somebody else has changed it since `tag` was read.
    pub async fn put_over<A: DeserializeOwned>(
        &self,
        path: &[&str],
        tag: &str,
        body: &Value,
    ) -> Result<A, CommandError> {
        let request = self.request(Method::PUT, path).json(body);
        let request = request.header(IF_MATCH, format!("\"{tag}\""));
        let text = self.send(request).await?;
        self.understand(&text)
    }

    fn understand<A: DeserializeOwned>(&self, text: &str) -> Result<A, CommandError> {
        let text = if text.is_empty() { "null" } else { text };
        serde_json::from_str(text).map_err(|error| {
            CommandError::new(
                Exit::Failed,
                format!(
                    "{} answers what this version does not understand: {error}",
                    self.server
                ),
            )
        })
    }

    /// A request whose answer is taken as it is.
    pub async fn text(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<String, CommandError> {
        let mut request = self.request(method, path).query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.send(request).await
    }

    fn request(&self, method: Method, path: &[&str]) -> reqwest::RequestBuilder {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(["api", "v1"]).extend(path);
        }
        self.client.request(method, url).bearer_auth(&self.token)
    }

    /// What stands for what is there: its `ETag`, in its quotes.
    async fn tag_of(&self, path: &[&str]) -> Result<HeaderValue, CommandError> {
        let (_, tag) = self.receive(self.request(Method::GET, path)).await?;
        tag.ok_or_else(|| {
            let what = format!("{} does not say what stands for {}", self.server, path.join("/"));
            CommandError::new(Exit::Failed, what)
        })
    }

    /// Makes something what it is to be, over what is there this moment or where there is nothing.
    pub async fn put<A: DeserializeOwned>(&self, path: &[&str], body: &Value) -> Result<A, CommandError> {
        let request = self.request(Method::PUT, path).json(body);
        let request = match self.tag_of(path).await {
            Ok(tag) => request.header(IF_MATCH, tag),
            Err(error) if error.exit == Exit::NotFound => request.header(IF_NONE_MATCH, "*"),
            Err(error) => return Err(error),
        };
        let text = self.send(request).await?;
        self.understand(&text)
    }

    /// Removes what is there this moment.
    async fn remove_seen(&self, path: &[&str], query: &[(&str, &str)]) -> Result<(), CommandError> {
        let tag = self.tag_of(path).await?;
        let request = self.request(Method::DELETE, path).query(query);
        self.send(request.header(IF_MATCH, tag)).await.map(drop)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<String, CommandError> {
        self.receive(request).await.map(|(text, _)| text)
    }

    /// The answer's text and `ETag`.
    async fn receive(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(String, Option<HeaderValue>), CommandError> {
        let unreachable = |error: reqwest::Error| {
            let error = error.without_url();
            CommandError::new(
                Exit::Unavailable,
                format!("{} cannot be reached: {error}", self.server),
            )
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let tag = response.headers().get(ETAG).cloned();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok((text, tag));
        }
        Err(refused(status, &text, &self.server))
    }

    /// The keys that a tenant's credentials are sealed to.
    pub async fn keys(&self, tenant: &TenantId) -> Result<(PublicKey, PublicKey), CommandError> {
        let keys: Keys = self.call(Method::GET, &["keys"], &[], None).await?;
        let read = |key: Option<String>| {
            let key = key.ok_or_else(|| {
                CommandError::new(
                    Exit::Unavailable,
                    format!("there is nobody to seal the credentials of {tenant} to: start the extractor and the loader first"),
                )
            })?;
            PublicKey::parse(&key).map_err(|error| CommandError::new(Exit::Failed, error.to_string()))
        };
        Ok((read(keys.salesforce)?, read(keys.hubspot)?))
    }

    /// All entries of a list, page by page.
    pub async fn all<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, CommandError> {
        #[derive(serde::Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            next: Option<String>,
        }
        let limit = PAGE.to_string();
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut asked = query.to_vec();
            asked.push(("limit", &limit));
            if let Some(cursor) = &cursor {
                asked.push(("cursor", cursor));
            }
            let page: Page<T> = self.call(Method::GET, path, &asked, None).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Asks what control would be asked over the bus.
    pub async fn ask<Q: Question>(&self, tenant: &TenantId, question: &Q) -> Result<Q::Answer, CommandError> {
        let question = serde_json::to_value(question).map_err(unfit)?;
        let answer = self.answer(Q::SERVICE, tenant.as_str(), question).await?;
        serde_json::from_value(answer).map_err(unfit)
    }

    /// Questions that change nothing; the others are handed on.
    async fn answer(&self, service: &str, tenant: &str, question: Value) -> Result<Value, CommandError> {
        let get = Method::GET;
        match service {
            AskTenant::SERVICE => self.call(get, &["tenants", tenant, "status"], &[], None).await,
            ListImports::SERVICE => self.list_imports(tenant, read(question)?).await,
            ListFailures::SERVICE => self.list_failures(tenant, read(question)?).await,
            Explain::SERVICE => {
                let id = read::<Explain>(question)?.id;
                let path = ["tenants", tenant, "explain"];
                self.call(get, &path, &[("record", id.as_str())], None).await
            }
            VerifyState::SERVICE => {
                let run = read::<VerifyState>(question)?.run;
                let path = ["tenants", tenant, "verifications", run.as_str()];
                self.call(get, &path, &[], None).await
            }
            DryRunState::SERVICE => {
                let run = read::<DryRunState>(question)?.run;
                let path = ["tenants", tenant, "dry-runs", run.as_str()];
                self.call(get, &path, &[], None).await
            }
            DryRunPage::SERVICE => self.dry_run_page(tenant, read(question)?).await,
            ListSchemaEvents::SERVICE => {
                let sync = read::<ListSchemaEvents>(question)?.sync;
                let path = ["tenants", tenant, "syncs", sync.as_str(), "schema-events"];
                self.call(get, &path, &[], None).await
            }
            AskRevisionUndo::SERVICE => {
                let asked: AskRevisionUndo = read(question)?;
                let number = asked.revision.0.to_string();
                self.call(get, &undo_path(tenant, asked.sync.as_str(), &number), &[], None)
                    .await
            }
            ListHeld::SERVICE => {
                let sync = read::<ListHeld>(question)?.sync;
                let query: Vec<(&str, &str)> = sync.iter().map(|sync| ("sync", sync.as_str())).collect();
                let held: Vec<Value> = self.all(&["tenants", tenant, "held"], &query).await?;
                as_json(&held)
            }
            _ => self.change(service, tenant, question).await,
        }
    }

    async fn change(&self, service: &str, tenant: &str, question: Value) -> Result<Value, CommandError> {
        let of = |tail: &[&'static str]| -> Vec<&str> { [&["tenants", tenant][..], tail].concat() };
        match service {
            TestConnections::SERVICE => self.post(&of(&["connections", "test"]), None).await,
            RemoveTenant::SERVICE => self.remove(&of(&[])).await,
            AdoptOrg::SERVICE => {
                let body = json!({ "org_id": read::<AdoptOrg>(question)?.org_id });
                self.post(&of(&["adopt"]), Some(&body)).await
            }
            Disconnect::SERVICE => {
                let body = json!({ "side": read::<Disconnect>(question)?.side });
                self.text(Method::POST, &of(&["disconnect"]), &[], Some(&body))
                    .await?;
                as_json(&Done {})
            }
            PutTenant::SERVICE => self.put_tenant(tenant, read(question)?).await,
            ApplySyncs::SERVICE => self.post(&of(&["apply"]), Some(&question)).await,
            EditSyncs::SERVICE => {
                let asked: EditSyncs = read(question)?;
                let body = json!({ "definitions": asked.definitions, "expected": asked.expected });
                self.post(&of(&["apply"]), Some(&body)).await
            }
            SetSyncs::SERVICE => self.set_syncs(tenant, read(question)?).await,
            RemoveSyncs::SERVICE => {
                let asked: RemoveSyncs = read(question)?;
                let records = match asked.records {
                    WrittenRecords::Keep => "keep",
                    WrittenRecords::Delete => "delete",
                };
                for name in asked.names {
                    let path = ["tenants", tenant, "syncs", name.as_str()];
                    self.remove_seen(&path, &[("records", records)]).await?;
                }
                as_json(&Done {})
            }
            StartImports::SERVICE => self.start_imports(tenant, read(question)?).await,
            CancelImport::SERVICE => {
                let id = read::<CancelImport>(question)?.id;
                self.act_on_import(tenant, id.as_str(), "cancel").await
            }
            PauseImport::SERVICE => {
                let id = read::<PauseImport>(question)?.id;
                self.act_on_import(tenant, id.as_str(), "pause").await
            }
            ResumeImport::SERVICE => {
                let id = read::<ResumeImport>(question)?.id;
                let path = ["tenants", tenant, "imports", id.as_str(), "resume"];
                let stands: ImportStatus = read(self.post(&path, None).await?)?;
                as_json(&StartedImport {
                    sync: stands.sync,
                    id: stands.id,
                })
            }
            UndoImport::SERVICE => {
                let id = read::<UndoImport>(question)?.id;
                self.act_on_import(tenant, id.as_str(), "undo").await
            }
            UndoRevision::SERVICE => {
                let asked: UndoRevision = read(question)?;
                let number = asked.revision.0.to_string();
                let path = undo_path(tenant, asked.sync.as_str(), &number);
                let seen = format!("\"{}\"", asked.seen);
                self.send(self.request(Method::POST, &path).header("if-match", seen))
                    .await?;
                as_json(&Done {})
            }
            ListLeft::SERVICE => {
                let id = read::<ListLeft>(question)?.id;
                let left: Vec<Value> = self
                    .all(&["tenants", tenant, "imports", id.as_str(), "left"], &[])
                    .await?;
                as_json(&left)
            }
            RetryFailures::SERVICE => self.post(&of(&["failures", "retry"]), Some(&question)).await,
            StartReconcile::SERVICE => {
                let sync = read::<StartReconcile>(question)?.sync;
                self.post(&["tenants", tenant, "syncs", sync.as_str(), "reconcile"], None)
                    .await
            }
            StartVerify::SERVICE => {
                let sync = read::<StartVerify>(question)?.sync;
                self.post(&["tenants", tenant, "syncs", sync.as_str(), "verify"], None)
                    .await
            }
            Repair::SERVICE => {
                let asked: Repair = read(question)?;
                let path = ["tenants", tenant, "syncs", asked.sync.as_str(), "repair"];
                self.post(&path, Some(&json!({ "ids": asked.ids }))).await
            }
            StartDryRun::SERVICE => self.post(&of(&["dry-runs"]), Some(&question)).await,
            CancelDryRun::SERVICE => {
                let run = read::<CancelDryRun>(question)?.run;
                let path = ["tenants", tenant, "dry-runs", run.as_str(), "cancel"];
                self.post(&path, None).await?;
                as_json(&Done {})
            }
            DecideHeld::SERVICE => self.post(&of(&["held", "decide"]), Some(&question)).await,
            other => Err(CommandError::new(
                Exit::Failed,
                format!("{other} cannot be asked with --server; ask it over the bus, with --nats"),
            )),
        }
    }

    async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, CommandError> {
        self.call(Method::POST, path, &[], body).await
    }

    async fn remove(&self, path: &[&str]) -> Result<Value, CommandError> {
        self.text(Method::DELETE, path, &[], None).await?;
        as_json(&Done {})
    }

    async fn act_on_import(&self, tenant: &str, id: &str, verb: &str) -> Result<Value, CommandError> {
        self.post(&["tenants", tenant, "imports", id, verb], None).await?;
        as_json(&Done {})
    }

    async fn put_tenant(&self, tenant: &str, put: PutTenant) -> Result<Value, CommandError> {
        let sealed = |sealed: Option<landbridge_bus::seal::Sealed>| {
            sealed.map(|sealed| json!({ "sealed": { "to": sealed.to, "sealed": sealed.sealed } }))
        };
        let mut body = json!({
            "salesforce": {
                "login_url": put.tenant.salesforce.login_url,
                "daily_calls": put.tenant.salesforce.daily_calls,
                "change_events": put.tenant.salesforce.change_events,
                "pubsub_url": put.tenant.salesforce.pubsub_url,
            },
            "hubspot": {
                "base_url": put.tenant.hubspot.base_url,
                "calls_per_ten_seconds": put.tenant.hubspot.calls_per_ten_seconds,
                "api_version": put.tenant.hubspot.api_version,
            },
            "credentials": { "salesforce": sealed(put.salesforce), "hubspot": sealed(put.hubspot) },
        });
        for part in put.keep {
            let (side, field) = match part {
                TenantPart::DailyCalls => ("salesforce", "daily_calls"),
                TenantPart::ChangeEvents => ("salesforce", "change_events"),
                TenantPart::PubsubUrl => ("salesforce", "pubsub_url"),
                TenantPart::CallsPerTenSeconds => ("hubspot", "calls_per_ten_seconds"),
                TenantPart::ApiVersion => ("hubspot", "api_version"),
            };
            // What is left out stays; `null` takes it away.
            if let Some(side) = body[side].as_object_mut() {
                side.remove(field);
            }
        }
        let _: Value = self.put(&["tenants", tenant], &body).await?;
        as_json(&landbridge_control::ask::Change::Changed)
    }

    async fn set_syncs(&self, tenant: &str, asked: SetSyncs) -> Result<Value, CommandError> {
        let verb = if asked.status == SyncStatus::Active {
            "activate"
        } else {
            "pause"
        };
        let mut applied = Applied::default();
        for name in asked.names {
            let path = ["tenants", tenant, "syncs", name.as_str(), verb];
            let line: AppliedSync = self.call(Method::POST, &path, &[], None).await?;
            applied.written |= line.change != landbridge_control::ask::Change::Unchanged;
            applied.syncs.push(line);
        }
        as_json(&applied)
    }

    async fn start_imports(&self, tenant: &str, asked: StartImports) -> Result<Value, CommandError> {
        let body = json!({
            "syncs": asked.syncs,
            "overwrite": asked.writing == Writing::Everything,
            "back_fill": asked.writing == Writing::Touched,
            "keep_before": asked.keep_before,
        });
        let path = ["tenants", tenant, "imports"];
        let imports = self.call(Method::POST, &path, &[], Some(&body)).await?;
        as_json(&StartedImports {
            imports,
            problems: Vec::new(),
        })
    }

    /// Oldest first, as control lists them.
    async fn list_imports(&self, tenant: &str, asked: ListImports) -> Result<Value, CommandError> {
        let mut imports: Vec<Value> = match asked.id {
            Some(id) => {
                let path = ["tenants", tenant, "imports", id.as_str()];
                vec![self.call(Method::GET, &path, &[], None).await?]
            }
            None => self.all(&["tenants", tenant, "imports"], &[]).await?,
        };
        imports.reverse();
        as_json(&imports)
    }

    async fn dry_run_page(&self, tenant: &str, asked: DryRunPage) -> Result<Value, CommandError> {
        let part = match asked.part {
            DryRunPart::Outcome(outcome) => ("outcome", outcome.as_str()),
            DryRunPart::Link(stance) => ("link", stance.as_str()),
        };
        let limit = asked.limit.to_string();
        let mut query = vec![part, ("limit", limit.as_str())];
        let cursor = asked
            .after
            .as_ref()
            .map(page_cursor)
            .transpose()
            .map_err(|error| CommandError::new(Exit::Failed, error.to_string()))?;
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let path = ["tenants", tenant, "dry-runs", asked.run.as_str(), "records"];
        let page: PredictedRecords = self.call(Method::GET, &path, &query, None).await?;
        as_json(&DryRunRecords {
            // The list goes on behind the last record that it showed.
            after: page.next.and_then(|_| page.items.last().map(|record| record.id)),
            records: page.items,
            kept: page.kept,
            total: page.total,
        })
    }

    async fn list_failures(&self, tenant: &str, asked: ListFailures) -> Result<Value, CommandError> {
        let Some(id) = asked.id else {
            let query: Vec<(&str, &str)> = asked.sync.iter().map(|sync| ("sync", sync.as_str())).collect();
            return as_json(
                &self
                    .all::<Value>(&["tenants", tenant, "failures"], &query)
                    .await?,
            );
        };
        let path = ["tenants", tenant, "failures", id.as_str()];
        match self.call::<Value>(Method::GET, &path, &[], None).await {
            Err(error) if error.exit == Exit::NotFound => as_json(&Vec::<Value>::new()),
            answer => answer,
        }
    }
}

fn undo_path<'p>(tenant: &'p str, sync: &'p str, revision: &'p str) -> [&'p str; 7] {
    ["tenants", tenant, "syncs", sync, "revisions", revision, "undo"]
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, CommandError> {
    serde_json::from_value(value).map_err(unfit)
}

fn as_json<T: Serialize>(value: &T) -> Result<Value, CommandError> {
    serde_json::to_value(value).map_err(unfit)
}

fn unfit(error: serde_json::Error) -> CommandError {
    CommandError::new(
        Exit::Failed,
        format!("the server is of another version than this command: {error}"),
    )
}

/// A refusal, with the exit code that the same refusal has over the bus.
fn refused(status: StatusCode, text: &str, server: &Url) -> CommandError {
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_GATEWAY => Exit::Refused,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::TOO_MANY_REQUESTS => Exit::Limited,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Exit::Unavailable,
        status if status.is_client_error() => Exit::Invalid,
        _ => Exit::Failed,
    };
    match serde_json::from_str::<ProblemDocument>(text) {
        Ok(problem) => {
            let details = problem.problems.iter().map(ToString::to_string);
            CommandError::new(exit, problem.detail).with_details(details)
        }
        Err(_) => CommandError::new(
            exit,
            format!("{server} answers {status}; is it a Landbridge control?"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_exit_codes() {
        let server = Url::parse("http://127.0.0.1:1").unwrap();
        let text = r#"{"type": "x", "title": "y", "status": 422, "detail": "no", "problems":
            [{"place": "vehicles: spec", "what": "is wrong", "remedy": "put it right"}]}"#;
        let error = refused(StatusCode::UNPROCESSABLE_ENTITY, text, &server);
        assert_eq!(error.exit, Exit::Invalid);
        assert_eq!(error.to_string(), "no\n  vehicles: spec: is wrong; put it right");
        for (status, exit) in [
            (401, Exit::Refused),
            (404, Exit::NotFound),
            (503, Exit::Unavailable),
            (500, Exit::Failed),
        ] {
            let error = refused(StatusCode::from_u16(status).unwrap(), "<html>", &server);
            assert_eq!(error.exit, exit, "{status}");
        }
    }
}

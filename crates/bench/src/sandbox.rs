//! What the sandbox's portal takes: batch upserts with limits off, on one core.
//!
//! The sandbox must never hide the engine's speed, so its own is measured alone: 100 inputs a call, a dozen
//! properties each, first creating and then updating, over HTTP to a process of its own that is held to one core. Its
//! processor time counts, this process's does not. Beside it stands what the same thread would take to parse the same
//! bodies as JSON and write them out again: figures of other machines compare as multiples of that.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::usage::{Usage, thread_seconds};

/// Inputs of a call: the most that HubSpot takes.
const BATCH: usize = 100;
/// Calls under way at once.
const CONNECTIONS: usize = 4;

/// What both rounds came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Upserts {
    /// Records of a round.
    pub(crate) records: usize,
    /// Records created for a second of the sandbox's processor time.
    pub(crate) created_per_cpu_second: f64,
    /// Records updated for a second of the sandbox's processor time.
    pub(crate) updated_per_cpu_second: f64,
    /// Records whose JSON is parsed and written again in a second of one core.
    pub(crate) plain_json_per_cpu_second: f64,
    /// The slower round, as a share of plain JSON's pace.
    pub(crate) share_of_plain_json: f64,
    /// The sandbox's resident memory at the end, in bytes.
    pub(crate) resident_bytes: u64,
}

impl Upserts {
    /// For people.
    pub(crate) fn told(&self) -> String {
        format!(
            "batch upserts over HTTP, one core: {:.0} records created and {:.0} updated for a second of processor time\n\
             parsing and writing the same JSON: {:.0}; the slower round is {:.3} of that\n\
             resident with {} records: {} MiB",
            self.created_per_cpu_second,
            self.updated_per_cpu_second,
            self.plain_json_per_cpu_second,
            self.share_of_plain_json,
            self.records,
            self.resident_bytes >> 20,
        )
    }
}

/// Measures a binary's sandbox.
pub(crate) async fn run(binary: &Path, records: usize) -> anyhow::Result<Upserts> {
    let calls = records.div_ceil(BATCH).max(1);
    let sandbox = Sandbox::start(binary)?;
    let road = Road::prepared(&sandbox.access).await?;
    let mut rounds = [0.0; 2];
    let mut plain = 0.0;
    for (round, spent) in ["create", "update"].iter().zip(&mut rounds) {
        let bodies: Arc<Vec<String>> = Arc::new((0..calls).map(|call| body(call, round)).collect());
        let before = Usage::of(sandbox.child.id())?.cpu_seconds;
        road.send(&bodies).await?;
        *spent = Usage::of(sandbox.child.id())?.cpu_seconds - before;
        plain += plain_json_seconds(&bodies)?;
    }
    let pace = |seconds: f64| (calls * BATCH) as f64 / seconds;
    let plain = pace(plain / 2.0);
    Ok(Upserts {
        records: calls * BATCH,
        created_per_cpu_second: pace(rounds[0]),
        updated_per_cpu_second: pace(rounds[1]),
        plain_json_per_cpu_second: plain,
        share_of_plain_json: pace(rounds[0].max(rounds[1])) / plain,
        resident_bytes: Usage::of(sandbox.child.id())?.resident_bytes,
    })
}

/// What the sandbox says of itself, as far as it is needed here.
#[derive(Deserialize)]
struct Announcement {
    hubspot: Access,
}

#[derive(Clone, Deserialize)]
struct Access {
    base_url: String,
    token: String,
}

/// A sandbox of its own, which ends with this.
struct Sandbox {
    child: Child,
    access: Access,
}

impl Sandbox {
    /// Held to the first core, where `taskset` is there to do it: without, its threads only share more cores.
    fn start(binary: &Path) -> anyhow::Result<Self> {
        let is_there = Command::new("taskset").arg("--version").output().is_ok();
        let mut command = if is_there {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", "0"]).arg(binary);
            command
        } else {
            Command::new(binary)
        };
        command.args(["sandbox", "--json", "--limits", "off", "--records", "1"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().context("the sandbox cannot be started")?;
        let output = child.stdout.take().context("the sandbox has no output")?;
        let mut line = String::new();
        std::io::BufReader::new(output).read_line(&mut line)?;
        let told: Announcement =
            serde_json::from_str(&line).with_context(|| format!("the sandbox printed {line:?}"))?;
        Ok(Sandbox {
            child,
            access: told.hubspot,
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
    }
}

/// The way of the calls.
struct Road {
    host: String,
    /// A call's head without its length.
    head: Arc<str>,
}

impl Road {
    /// Creates the object type.
    async fn prepared(access: &Access) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let schemas = format!("{}/crm-object-schemas/2026-09/schemas", access.base_url);
        let schema: serde_json::Value = serde_json::from_str(SCHEMA)?;
        let answer = client
            .post(schemas)
            .bearer_auth(&access.token)
            .json(&schema)
            .send()
            .await?;
        let answer = answer.error_for_status().context("the object type was refused")?;
        let made: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
        let of = made["objectTypeId"]
            .as_str()
            .context("the object type has no id")?;
        let host = access.base_url.trim_start_matches("http://").to_owned();
        let head = format!(
            "POST /crm/objects/2026-09/{of}/batch/upsert HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: ",
            access.token
        );
        Ok(Road {
            host,
            head: head.into(),
        })
    }

    /// Sends every body once, over several connections that stay open.
    async fn send(&self, bodies: &Arc<Vec<String>>) -> anyhow::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut lanes = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (bodies, next, head) = (bodies.clone(), next.clone(), self.head.clone());
            let stream = TcpStream::connect(&self.host).await?;
            stream.set_nodelay(true)?;
            lanes.spawn(async move {
                let mut stream = BufReader::with_capacity(256 << 10, stream);
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    exchange(&mut stream, &head, body).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(lane) = lanes.join_next().await {
            lane??;
        }
        Ok(())
    }
}

/// One call and its answer, of which only the status and the length matter.
async fn exchange(stream: &mut BufReader<TcpStream>, head: &str, body: &str) -> anyhow::Result<()> {
    let call = format!("{head}{}\r\n\r\n{body}", body.len());
    stream.write_all(call.as_bytes()).await?;
    let (mut status, mut length, mut line) = (String::new(), 0, String::new());
    loop {
        line.clear();
        anyhow::ensure!(
            stream.read_line(&mut line).await? > 0,
            "the sandbox closed the connection"
        );
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            break;
        }
        if status.is_empty() {
            status = text;
        } else if let Some(told) = text.strip_prefix("content-length:") {
            length = told.trim().parse()?;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    anyhow::ensure!(
        status.contains(" 200"),
        "the sandbox answered {status}: {}",
        String::from_utf8_lossy(&answer)
    );
    Ok(())
}

/// This thread's time to read all bodies into values and to write them out.
fn plain_json_seconds(bodies: &[String]) -> anyhow::Result<f64> {
    let started = thread_seconds()?;
    for body in bodies {
        let value: serde_json::Value = serde_json::from_str(body)?;
        std::hint::black_box(serde_json::to_vec(&value)?);
    }
    Ok(thread_seconds()? - started)
}

fn body(batch: usize, round: &str) -> String {
    let mut body = String::from("{\"inputs\":[");
    for at in 0..BATCH {
        let number = batch * BATCH + at;
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(
            body,
            "{comma}{{\"id\":\"a01xx{number:010}AAA\",\"idProperty\":\"sf_id\",\
             \"objectWriteTraceId\":\"{batch}-{at}\",\"properties\":{{\"sf_id\":\"a01xx{number:010}AAA\",\
             \"name\":\"Vehicle {number}\",\"price\":\"{}.50\",\"stage\":\"open\",\
             \"bought\":\"2026-11-23\",\"seen\":\"2026-11-23T10:00:00.123Z\",\"active\":\"true\",\
             \"tags\":\"red;blue\",\"note\":\"{round} of a vehicle with a line of text to carry along\",\
             \"mileage\":\"{number}\",\"plate\":\"AB-{number}\",\"version\":\"2026-11-23T10:00:00Z/17\"}}}}",
            number % 100_000
        );
    }
    body.push_str("]}");
    body
}

const SCHEMA: &str = r#"{
  "name": "vehicle", "labels": {"singular": "Vehicle", "plural": "Vehicles"},
  "primaryDisplayProperty": "name", "requiredProperties": ["sf_id"], "searchableProperties": [],
  "secondaryDisplayProperties": [], "associatedObjects": ["0-2"], "allowsSensitiveProperties": false,
  "properties": [
    {"name": "sf_id", "label": "Salesforce Id", "type": "string", "fieldType": "text", "hasUniqueValue": true},
    {"name": "name", "label": "Name", "type": "string", "fieldType": "text"},
    {"name": "price", "label": "Price", "type": "number", "fieldType": "number"},
    {"name": "stage", "label": "Stage", "type": "enumeration", "fieldType": "select",
     "options": [{"label": "Open", "value": "open"}, {"label": "Closed", "value": "closed"}]},
    {"name": "bought", "label": "Bought", "type": "date", "fieldType": "date"},
    {"name": "seen", "label": "Seen", "type": "datetime", "fieldType": "date"},
    {"name": "active", "label": "Active", "type": "bool", "fieldType": "booleancheckbox",
     "options": [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}]},
    {"name": "tags", "label": "Tags", "type": "enumeration", "fieldType": "checkbox",
     "options": [{"label": "Red", "value": "red"}, {"label": "Blue", "value": "blue"}]},
    {"name": "note", "label": "Note", "type": "string", "fieldType": "textarea"},
    {"name": "mileage", "label": "Mileage", "type": "number", "fieldType": "number"},
    {"name": "plate", "label": "Plate", "type": "string", "fieldType": "text"},
    {"name": "version", "label": "Version", "type": "string", "fieldType": "text"}
  ]
}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_full_and_every_record_is_its_own() {
        let ids = |call| -> std::collections::BTreeSet<String> {
            let body: serde_json::Value = serde_json::from_str(&body(call, "create")).expect("JSON");
            let inputs = body["inputs"].as_array().expect("inputs").clone();
            assert_eq!(inputs.len(), BATCH);
            inputs.iter().map(|input| input["id"].to_string()).collect()
        };
        let (one, other) = (ids(0), ids(1));
        assert_eq!((one.len(), one.intersection(&other).count()), (BATCH, 0));
    }
}

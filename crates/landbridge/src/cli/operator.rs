//! The operator's commands: each asks a running installation, none talks to Salesforce or HubSpot itself.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use landbridge_model::{FailureCategory, HubSpotApiVersion, SalesforceId, SyncName, TenantId};

use super::access::{TokenCommand, UserCommand};
use super::alerts::AlertsCommand;
use super::imports::ImportCommand;

/// The operator's commands.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Tenants: one Salesforce org paired with one HubSpot portal each.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// The two connections of a tenant.
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Syncs: one Salesforce object mapped to one HubSpot object type each.
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Imports: one-off runs of a sync over the records that already exist.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Records and links that were refused.
    #[command(subcommand)]
    Failures(FailuresCommand),
    /// Deletes that wait for the end of their grace, or for a person's word.
    #[command(subcommand)]
    Held(HeldCommand),
    /// Tell the story of one record: what each stage knows of it, in the order of time.
    Explain(ExplainArgs),
    /// Compare Salesforce with HubSpot, both read afresh, and list what differs.
    Verify(VerifyArgs),
    /// Show how everything stands.
    Status(StatusArgs),
    /// Alerts: what needs a person is told by a webhook or by mail.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// The key pairs that secrets are sealed to.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Users who sign in with a password.
    #[command(subcommand)]
    User(UserCommand),
    /// API tokens, for programs and for --server.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// Whose.
#[derive(Clone, Debug, Args)]
pub struct TenantArg {
    /// The tenant; may be left out when there is only one.
    #[arg(short, long, value_name = "TENANT", env = "LANDBRIDGE_TENANT")]
    pub tenant: Option<TenantId>,
}

/// `landbridge tenant`.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant, or change its connections; credentials are sealed to the workers that use them.
    Add(Box<TenantAddArgs>),
    /// List the tenants.
    #[command(after_help = "Example:\n  landbridge tenant list --output json")]
    List,
    /// Take the Salesforce org that answers now in the place of the one before, as after the refresh of a sandbox.
    Adopt(TenantAdoptArgs),
    /// Forget the credentials of a side; all syncs stand still until others are entered.
    Disconnect(TenantDisconnectArgs),
    /// Remove a tenant with its syncs, imports and credentials. What was written to HubSpot stays.
    Remove(TenantRemoveArgs),
}

/// `landbridge tenant adopt`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
When another org answers than the one that a tenant was set up for, the tenant stands still and nothing is deleted. Adopt it
if it is meant: nothing that was known of the other org is used, every active sync is imported again and writes over what
HubSpot has, and records that the org does not have are held until you approve or discard their deletes (landbridge held).
The org's id is shown by a connection test. If it is not meant, restore the credentials: the test sets the tenant going.

Example:
  landbridge tenant adopt acme --org 00Dxx0000001gPLEAY")]
pub struct TenantAdoptArgs {
    /// Which tenant.
    pub name: TenantId,
    /// The id of the org that is meant.
    #[arg(long, value_name = "ORG")]
    pub org: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `landbridge tenant disconnect`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  landbridge tenant disconnect acme --side salesforce")]
pub struct TenantDisconnectArgs {
    /// Which tenant.
    pub name: TenantId,
    /// Which side.
    #[arg(long, value_enum)]
    pub side: SideArg,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// A side of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SideArg {
    /// The Salesforce org.
    Salesforce,
    /// The HubSpot portal.
    Hubspot,
}

/// `landbridge tenant add`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Secrets are never arguments. Each is taken from its file, else from its environment variable, else asked for on the
terminal without being shown:
  --client-secret-file           LANDBRIDGE_SALESFORCE_CLIENT_SECRET   (not with --jwt-username)
  --private-key-file             LANDBRIDGE_SALESFORCE_PRIVATE_KEY     (only with --jwt-username; PEM)
  --refresh-token-file           LANDBRIDGE_SALESFORCE_REFRESH_TOKEN   (only with --refresh-token)
  --hubspot-token-file           LANDBRIDGE_HUBSPOT_TOKEN              (not with --hubspot-client-id)
  --hubspot-client-secret-file   LANDBRIDGE_HUBSPOT_CLIENT_SECRET      (only with --hubspot-client-id)
  --hubspot-refresh-token-file   LANDBRIDGE_HUBSPOT_REFRESH_TOKEN      (only with --hubspot-client-id)
A file named - is standard input, one line a secret in this order.

Examples:
  landbridge tenant add acme --salesforce-login-url https://acme.my.salesforce.com --client-id 3MVG9
  landbridge tenant add acme --salesforce-login-url https://acme.my.salesforce.com --client-id 3MVG9 --jwt-username sync@acme.example --private-key-file key.pem
  landbridge tenant add acme --salesforce-login-url http://127.0.0.1:8081 --client-id id --hubspot-url http://127.0.0.1:8082 --hubspot-token-file token.txt")]
pub struct TenantAddArgs {
    /// Its name: lower-case letters, digits, hyphens and underscores.
    pub name: TenantId,
    /// The org's My Domain address, such as `https://acme.my.salesforce.com`.
    #[arg(long, value_name = "URL")]
    pub salesforce_login_url: String,
    /// The consumer key of the org's connected app.
    #[arg(long, value_name = "KEY")]
    pub client_id: String,
    /// A file with the consumer secret.
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// Sign in with a refresh token instead of the app's own identity (client credentials).
    #[arg(long)]
    pub refresh_token: bool,
    /// A file with the refresh token.
    #[arg(long, value_name = "FILE", requires = "refresh_token")]
    pub refresh_token_file: Option<PathBuf>,
    /// Sign in as this user with the key whose certificate the app knows (JWT bearer).
    #[arg(long, value_name = "USER", conflicts_with_all = ["refresh_token", "client_secret_file"])]
    pub jwt_username: Option<String>,
    /// A file with the app's private key: RSA, PEM.
    #[arg(long, value_name = "FILE", requires = "jwt_username")]
    pub private_key_file: Option<PathBuf>,
    /// API calls a day that Landbridge may spend in the org; all but the reserve when left out.
    #[arg(long, value_name = "N")]
    pub salesforce_daily_calls: Option<u64>,
    /// Do not listen to the org's change events: poll for all changes.
    #[arg(long)]
    pub salesforce_without_change_events: bool,
    /// Where the org's Pub/Sub API is, when it is not where the installation says; a sandbox has to be told.
    #[arg(long, value_name = "URL")]
    pub salesforce_pubsub_url: Option<String>,
    /// Where HubSpot is.
    #[arg(long, value_name = "URL", default_value = "https://api.hubapi.com")]
    pub hubspot_url: String,
    /// A file with the service key or private app token.
    #[arg(long, value_name = "FILE")]
    pub hubspot_token_file: Option<PathBuf>,
    /// The client id of an installed HubSpot app; it signs in with a refresh token instead of a service key (OAuth).
    #[arg(long, value_name = "ID", conflicts_with = "hubspot_token_file")]
    pub hubspot_client_id: Option<String>,
    /// A file with that app's secret.
    #[arg(long, value_name = "FILE", requires = "hubspot_client_id")]
    pub hubspot_client_secret_file: Option<PathBuf>,
    /// A file with the refresh token of its installation.
    #[arg(long, value_name = "FILE", requires = "hubspot_client_id")]
    pub hubspot_refresh_token_file: Option<PathBuf>,
    /// HubSpot calls per ten seconds to start from, until its headers say otherwise; 0 is no limit.
    #[arg(long, value_name = "N")]
    pub hubspot_calls_per_ten_seconds: Option<u32>,
    /// HubSpot's paths to call: a date such as 2026-03, or v3 for the numbered ones; the newest that Landbridge knows unless given.
    #[arg(long, value_name = "VERSION")]
    pub hubspot_api_version: Option<HubSpotApiVersion>,
    /// Do not try the connections afterwards.
    #[arg(long)]
    pub no_test: bool,
}

/// `landbridge tenant remove`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  landbridge tenant remove acme --yes")]
pub struct TenantRemoveArgs {
    /// Which tenant.
    pub name: TenantId,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `landbridge connection`.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Sign in to both sides and show identity, limits, and what is missing with its remedy.
    #[command(
        after_help = "Examples:\n  landbridge connection test\n  landbridge connection test --tenant acme --output json"
    )]
    Test(TenantArg),
}

/// `landbridge keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Show to which keys secrets are sealed, after sealing what can be to the current ones. Exit code 6 when a secret is
    /// left that is sealed to another key: an earlier key may be thrown away when it is 0.
    #[command(after_help = "Examples:\n  landbridge keys list\n  landbridge keys list --output json")]
    List,
}

/// `landbridge sync`.
#[derive(Debug, Subcommand)]
pub enum SyncCommand {
    /// Check definitions against themselves and both schemas. Nothing is written.
    #[command(
        after_help = "Examples:\n  landbridge sync validate -f fleet.yaml\n  landbridge sync validate -f syncs/ --offline"
    )]
    Validate(SyncFilesArgs),
    /// Make the definitions what the files say. Applying the same again changes nothing.
    Apply(SyncApplyArgs),
    /// Find out what importing the definitions would do, record for record. Nothing is written.
    DryRun(SyncDryRunArgs),
    /// Show how the definitions differ from the files. Exit code 3 when any does.
    #[command(
        after_help = "Examples:\n  landbridge sync diff -f fleet.yaml\n  landbridge sync diff -f syncs/"
    )]
    Diff(SyncDiffArgs),
    /// Print definitions as YAML that `sync apply` takes.
    Export(SyncExportArgs),
    /// Show what changed in the Salesforce schema that a sync reads, and what followed.
    #[command(after_help = "Example:\n  landbridge sync schema vehicles --tenant acme")]
    Schema(SyncSchemaArgs),
    /// List the syncs.
    #[command(
        after_help = "Examples:\n  landbridge sync list\n  landbridge sync list --tenant acme --output json"
    )]
    List(SyncListArgs),
    /// Turn syncs on: from then on what is created or changed in Salesforce travels.
    #[command(
        after_help = "Examples:\n  landbridge sync activate vehicles\n  landbridge sync activate depots vehicles --tenant acme"
    )]
    Activate(SyncNamesArgs),
    /// Stop reading; activate continues where it stopped.
    #[command(after_help = "Example:\n  landbridge sync pause vehicles --tenant acme")]
    Pause(SyncNamesArgs),
    /// Look in Salesforce, now, for what HubSpot has of syncs: what was purged, and what HubSpot is behind with.
    #[command(after_help = "\
This happens by itself once a day. What is gone from Salesforce becomes a delete, under the sync's rule and safety limit; what
HubSpot has an older version of is read again. A look that is under way is not begun again.

Examples:
  landbridge sync reconcile vehicles
  landbridge sync reconcile depots vehicles --tenant acme")]
    Reconcile(SyncNamesArgs),
    /// Undo a revision of a sync and all that came after it: its definition, and what imports wrote under it.
    Undo(SyncUndoArgs),
    /// Remove syncs, keeping or deleting what they wrote to HubSpot.
    #[command(visible_alias = "delete")]
    Remove(SyncRemoveArgs),
}

/// `landbridge sync validate`.
#[derive(Clone, Debug, Args)]
pub struct SyncFilesArgs {
    /// YAML files, or folders of them; `-` is standard input. Several definitions in a file are parted by `---`.
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Check the files alone, without asking Salesforce and HubSpot.
    #[arg(long)]
    pub offline: bool,
}

/// `landbridge sync apply`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge sync apply -f fleet.yaml
  landbridge sync apply -f syncs/ --dry-run
  landbridge sync apply -f fleet.yaml --activate")]
pub struct SyncApplyArgs {
    /// YAML files, or folders of them; `-` is standard input. Several definitions in a file are parted by `---`.
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Turn the syncs on as well.
    #[arg(long)]
    pub activate: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `landbridge sync diff`.
#[derive(Clone, Debug, Args)]
pub struct SyncDiffArgs {
    /// YAML files, or folders of them; `-` is standard input. Several definitions in a file are parted by `---`.
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
}

/// `landbridge sync dry-run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The definitions need not be applied. Both systems are read, and every record is mapped and judged as an import would do
it; what an import would create first (properties, labels, options) is listed. Several definitions are run with the
parents first, each as if those before it had been imported. Exit code 3 when a record would be refused.

Examples:
  landbridge sync dry-run -f vehicles.yaml
  landbridge sync dry-run -f syncs/ --all
  landbridge sync dry-run -f vehicles.yaml --id a00Hs000001ABCdIAO --output json")]
pub struct SyncDryRunArgs {
    /// YAML files, or folders of them; `-` is standard input. Several definitions in a file are parted by `---`.
    #[arg(short, long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Only so many records of each definition, in the order of their ids.
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with_all = ["ids", "all"])]
    pub sample: u64,
    /// Only these Salesforce records; with a single definition.
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<SalesforceId>,
    /// All records that an import would read.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Print at most so many records of each kind; the counts are of all.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}

/// `landbridge sync export`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  landbridge sync export\n  landbridge sync export vehicles --tenant acme"
)]
pub struct SyncExportArgs {
    /// Which syncs; all when left out.
    pub names: Vec<SyncName>,
    /// Whose; of all tenants when left out.
    #[arg(short, long, value_name = "TENANT", env = "LANDBRIDGE_TENANT")]
    pub tenant: Option<TenantId>,
}

/// `landbridge sync list`.
#[derive(Clone, Debug, Args)]
pub struct SyncListArgs {
    /// Whose; of all tenants when left out.
    #[arg(short, long, value_name = "TENANT", env = "LANDBRIDGE_TENANT")]
    pub tenant: Option<TenantId>,
}

/// `landbridge sync schema`.
#[derive(Clone, Debug, Args)]
pub struct SyncSchemaArgs {
    /// Which sync.
    pub name: SyncName,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Show at most so many changes, the latest.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// Some syncs of one tenant.
#[derive(Clone, Debug, Args)]
pub struct SyncNamesArgs {
    /// Which syncs.
    #[arg(required = true)]
    pub names: Vec<SyncName>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
}

/// `landbridge sync undo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
What it would do is shown first. Imports under the revision that kept what was there before (--keep-before) are undone, the
newest first, as landbridge import undo does it; then the definition of the revision before comes back as a new revision.
What other imports and live changes wrote stays, and is told. Exit code 3 when anything stays.

Examples:
  landbridge sync undo vehicles --revision 4 --plan
  landbridge sync undo vehicles --revision 4 --watch
  landbridge sync undo vehicles --revision 4 --yes --output json")]
pub struct SyncUndoArgs {
    /// Which sync.
    pub name: SyncName,
    /// Which revision; those after it are undone with it.
    #[arg(long, value_name = "N")]
    pub revision: u32,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Only show what it would do, or how it stands when it was begun.
    #[arg(long, conflicts_with_all = ["yes", "watch"])]
    pub plan: bool,
    /// Do not ask first.
    #[arg(long)]
    pub yes: bool,
    /// Watch until it is undone.
    #[arg(long)]
    pub watch: bool,
}

/// `landbridge sync remove`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
With --records delete a sync stands still, what it wrote is archived in HubSpot, and then the sync goes. What is more than
its safety limit allows within an hour waits for landbridge held approve.

Examples:
  landbridge sync remove vehicles --tenant acme --yes
  landbridge sync delete vehicles --records delete")]
pub struct SyncRemoveArgs {
    /// Which syncs.
    #[arg(required = true)]
    pub names: Vec<SyncName>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// What is to become of the records that they wrote to HubSpot.
    #[arg(long, value_enum, default_value_t)]
    pub records: RecordsArg,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// What is to become of the records that a sync wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RecordsArg {
    /// They stay in HubSpot as they are.
    #[default]
    Keep,
    /// They are archived, within the safety limit or when a person approves.
    Delete,
}

/// `landbridge failures`.
#[derive(Debug, Subcommand)]
pub enum FailuresCommand {
    /// List what was refused, and why.
    List(FailuresListArgs),
    /// Show the failures of one record in full.
    #[command(after_help = "Example:\n  landbridge failures show a00Hs000001ABCdIAO")]
    Show(FailuresShowArgs),
    /// Read refused records again, and try again.
    Retry(FailuresRetryArgs),
}

/// `landbridge failures list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge failures list
  landbridge failures list --sync vehicles --category picklist-option --limit 1000")]
pub struct FailuresListArgs {
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Only of this sync.
    #[arg(long, value_name = "SYNC")]
    pub sync: Option<SyncName>,
    /// Only of this category.
    #[arg(long, value_name = "CATEGORY", value_parser = category)]
    pub category: Option<FailureCategory>,
    /// At most so many; the counts are of all.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

/// `landbridge failures show`.
#[derive(Clone, Debug, Args)]
pub struct FailuresShowArgs {
    /// The Salesforce record.
    pub id: SalesforceId,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
}

/// `landbridge failures retry`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge failures retry a00Hs000001ABCdIAO
  landbridge failures retry --sync vehicles --category picklist-option
  landbridge failures retry --all")]
pub struct FailuresRetryArgs {
    /// Only these Salesforce records.
    #[arg(required_unless_present_any = ["sync", "category", "all"])]
    pub ids: Vec<SalesforceId>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Only of this sync.
    #[arg(long, value_name = "SYNC")]
    pub sync: Option<SyncName>,
    /// Only of this category.
    #[arg(long, value_name = "CATEGORY", value_parser = category)]
    pub category: Option<FailureCategory>,
    /// All that the tenant has.
    #[arg(long, conflicts_with_all = ["ids", "sync", "category"])]
    pub all: bool,
}

/// `landbridge held`.
#[derive(Clone, Debug, Subcommand)]
pub enum HeldCommand {
    /// List the deletes that are held, and why.
    List(HeldListArgs),
    /// Write held deletes: the records are archived in HubSpot, unless they came back meanwhile.
    #[command(after_help = "\
Examples:
  landbridge held approve vehicles a00Hs000001ABCdIAO
  landbridge held approve vehicles --all")]
    Approve(HeldDecideArgs),
    /// Discard held deletes: HubSpot keeps the records.
    #[command(after_help = "Example:\n  landbridge held discard vehicles --all")]
    Discard(HeldDecideArgs),
}

/// `landbridge held list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge held list
  landbridge held list --sync vehicles --output json")]
pub struct HeldListArgs {
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Only of this sync.
    #[arg(long, value_name = "SYNC")]
    pub sync: Option<SyncName>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

/// `landbridge held approve` and `landbridge held discard`.
#[derive(Clone, Debug, Args)]
pub struct HeldDecideArgs {
    /// Of which sync.
    pub sync: SyncName,
    /// Which Salesforce records.
    #[arg(required_unless_present = "all")]
    pub ids: Vec<SalesforceId>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// All that the sync holds.
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `landbridge explain`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  landbridge explain a00Hs000001ABCdIAO\n  landbridge explain a00Hs000001ABCd --tenant acme --output json"
)]
pub struct ExplainArgs {
    /// The Salesforce record, by its 15 or 18 characters.
    pub id: SalesforceId,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
}

/// `landbridge verify`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Both systems are read by themselves: Salesforce by query, HubSpot by listing and association reads. Missing, extra,
different and wrongly linked records are listed with ids and values; records that the rules keep or hold are listed
apart. Exit code 3 when something differs.

Examples:
  landbridge verify
  landbridge verify vehicles --repair
  landbridge verify --tenant acme --output json")]
pub struct VerifyArgs {
    /// Which syncs; all of the tenant when left out.
    pub names: Vec<SyncName>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Read the differing records again, write them, and verify once more.
    #[arg(long)]
    pub repair: bool,
    /// Print at most so many differences; the counts are of all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// `landbridge status`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  landbridge status\n  landbridge status --tenant acme --output json")]
pub struct StatusArgs {
    /// Whose; of all tenants when left out.
    #[arg(short, long, value_name = "TENANT", env = "LANDBRIDGE_TENANT")]
    pub tenant: Option<TenantId>,
}

/// A category by the word that lists show.
fn category(text: &str) -> Result<FailureCategory, String> {
    let known = FailureCategory::ALL.into_iter();
    known
        .clone()
        .find(|category| category.as_str() == text)
        .ok_or_else(|| {
            let words: Vec<&str> = known.map(FailureCategory::as_str).collect();
            format!("it is none of {}", words.join(", "))
        })
}

//! Imports.

use clap::{Args, Subcommand};
use landbridge_model::{ImportId, SyncName};

use super::operator::TenantArg;

/// `landbridge import`.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Start an import of each sync named, in this order.
    Start(ImportStartArgs),
    /// Watch imports until they end: outcomes, rate, what remains, and the account of every record.
    Watch(ImportWatchArgs),
    /// List the imports.
    #[command(after_help = "Example:\n  landbridge import list --tenant acme --output json")]
    List(ImportListArgs),
    /// Let an import stand where it is; what is on its way still arrives.
    #[command(after_help = "Example:\n  landbridge import pause imp-20260301-101500-k3f9")]
    Pause(ImportOneArgs),
    /// Let an import go on where it stood.
    #[command(after_help = "Example:\n  landbridge import resume imp-20260301-101500-k3f9")]
    Resume(ImportOneArgs),
    /// Stop an import: nothing more is read, what is on its way still arrives.
    #[command(after_help = "Example:\n  landbridge import cancel imp-20260301-101500-k3f9")]
    Cancel(ImportOneArgs),
    /// Undo an import that kept what was there before it. Its sync is paused; what was changed since stays, and is listed.
    Undo(ImportUndoArgs),
    /// List what the undo of an import left as it is.
    #[command(after_help = "Example:\n  landbridge import left imp-20260301-101500-k3f9 --output json")]
    Left(ImportOneArgs),
}

/// `landbridge import start`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge import start vehicles
  landbridge import start depots vehicles --watch
  landbridge import start vehicles --overwrite       writes also what HubSpot already has
  landbridge import start vehicles --back-fill       fills what edits of the sync touched
  landbridge import start vehicles --keep-before     can be undone: landbridge import undo")]
pub struct ImportStartArgs {
    /// Which syncs, parents first.
    #[arg(required = true)]
    pub names: Vec<SyncName>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Write even what HubSpot already has.
    #[arg(long, conflicts_with = "back_fill")]
    pub overwrite: bool,
    /// Write only what edits touched since records were written, and only of records that were written.
    #[arg(long)]
    pub back_fill: bool,
    /// Keep what is there before it is written over, so that the import can be undone. Costs one read for every 100 records.
    #[arg(long)]
    pub keep_before: bool,
    /// Watch until they end.
    #[arg(long)]
    pub watch: bool,
}

/// `landbridge import watch`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  landbridge import watch\n  landbridge import watch imp-20260301-101500-k3f9 --output json"
)]
pub struct ImportWatchArgs {
    /// Which imports; those that run when left out.
    pub ids: Vec<ImportId>,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
}

/// `landbridge import list`.
#[derive(Clone, Debug, Args)]
pub struct ImportListArgs {
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
}

/// `landbridge import undo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Example:
  landbridge import undo imp-20260301-101500-k3f9 --watch

Values that still are what the import wrote become what they were before; records that it made and nobody touched are
archived; associations are as they were. landbridge import left lists what was changed since.")]
pub struct ImportUndoArgs {
    /// Which import.
    pub id: ImportId,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Do not ask first.
    #[arg(long)]
    pub yes: bool,
    /// Watch until it is undone.
    #[arg(long)]
    pub watch: bool,
}

/// One import.
#[derive(Clone, Debug, Args)]
pub struct ImportOneArgs {
    /// Which import.
    pub id: ImportId,
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
}

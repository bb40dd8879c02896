//! The binary that is measured, and the commit that it is of.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The `landbridge` that stands beside this program. Cargo is asked to bring it up to date first, since numbers of a
/// stale binary would be noted under the wrong commit; `as_it_is` leaves an existing one alone.
pub(crate) fn landbridge(as_it_is: bool) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own place is unknown")?;
    let folder = own.parent().context("this program stands in no folder")?;
    let binary = folder.join(format!("landbridge{}", std::env::consts::EXE_SUFFIX));
    if as_it_is && binary.is_file() {
        return Ok(binary);
    }
    let target = folder.parent().context("cargo's target folder is unknown")?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--release", "-p", "landbridge", "--target-dir"])
        .arg(target);
    let status = command
        .current_dir(repository())
        .status()
        .context("cargo cannot be started")?;
    anyhow::ensure!(status.success(), "`cargo build --release -p landbridge` failed");
    anyhow::ensure!(
        binary.is_file(),
        "{} is not there: start the benchmark with `cargo run --release -p landbridge-bench`, or name the binary \
         with --binary",
        binary.display()
    );
    Ok(binary)
}

/// The commit at hand, in short; with a `+` when files differ from it.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(repository())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=10", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let is_clean = changed.is_some_and(|changed| changed.is_empty());
    if is_clean { hash } else { format!("{hash}+") }
}

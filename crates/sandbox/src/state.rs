//! What both sides have in common about their state in a folder: why it could not be kept or brought back.

use std::{io, path::PathBuf};

/// Why a side's state could not be kept or brought back.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error(
        "cannot use the sandbox's state in {path}; give the folder to the sandbox's user, or choose another"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file is not what this version writes.
    #[error("{path}, line {line}, is no state that this version can read; remove the file to start anew")]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file is of another version.
    #[error("{path} has the form {found}, and this version reads {known}; remove the file to start anew")]
    Format {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The form that this version reads.
        known: u32,
    },
}

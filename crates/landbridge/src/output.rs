//! What the commands print, and with which exit code they end.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use landbridge_control::service::ServiceError;
use landbridge_wire::{AskError, AskErrorCode};
use serde::Serialize;

use crate::cli::OutputFormat;

/// Prints a line on standard output.
macro_rules! say {
    ($($argument:tt)*) => { $crate::output::line(format_args!($($argument)*)) };
}
pub(crate) use say;

/// Prints a line on standard output. Nobody reads it any more: nothing to do about it.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let _closed = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a line for people beside what is for programs.
pub(crate) fn remark(text: fmt::Arguments<'_>) {
    error_line(text);
}

/// Prints a line on standard error.
fn error_line(text: fmt::Arguments<'_>) {
    let _closed = writeln!(std::io::stderr().lock(), "{text}");
}

/// What an exit code means. Part of the contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed, for a reason that is printed.
    Failed = 1,
    /// The command line, a file or a definition is wrong; nothing was written.
    Invalid = 2,
    /// Verify found differences, an import ended with failures, or a dry run found that records would be refused.
    Differences = 3,
    /// What was asked about does not exist.
    NotFound = 4,
    /// The bus or a worker cannot be reached now.
    Unavailable = 5,
    /// Credentials or permissions are refused.
    Refused = 6,
    /// A budget of API calls is used up.
    Limited = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<AskErrorCode> for Exit {
    fn from(code: AskErrorCode) -> Self {
        match code {
            AskErrorCode::Invalid | AskErrorCode::Conflict => Self::Invalid,
            AskErrorCode::NotFound => Self::NotFound,
            AskErrorCode::Unauthorized | AskErrorCode::Forbidden => Self::Refused,
            AskErrorCode::Limited => Self::Limited,
            AskErrorCode::Unavailable => Self::Unavailable,
            AskErrorCode::Internal => Self::Failed,
        }
    }
}

/// Why a command did not do what it was asked to: a sentence, lines of detail, and the exit code.
#[derive(Debug)]
pub struct CommandError {
    /// With which code the program ends.
    pub exit: Exit,
    message: String,
    details: Vec<String>,
}

impl CommandError {
    /// A sentence and an exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// What was typed, or is in a file, is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Exit::Invalid, message)
    }

    /// Lists everything that is wrong, one a line.
    pub fn with_details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for detail in &self.details {
            write!(f, "\n  {detail}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandError {}

impl From<&ServiceError> for Exit {
    fn from(error: &ServiceError) -> Self {
        match error {
            ServiceError::Unauthenticated(_) | ServiceError::Forbidden(_) | ServiceError::RefusedThere(_) => {
                Self::Refused
            }
            ServiceError::NotFound(_) => Self::NotFound,
            ServiceError::Unavailable(_) => Self::Unavailable,
            ServiceError::Limited(_) | ServiceError::TooMany { .. } => Self::Limited,
            ServiceError::Internal(_) => Self::Failed,
            _ => Self::Invalid,
        }
    }
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> Self {
        Self::new((&error).into(), error.to_string())
    }
}

impl From<AskError> for CommandError {
    fn from(error: AskError) -> Self {
        Self::new(error.code.into(), error.message)
    }
}

/// Prints an error with its causes; gives the exit code that fits it.
pub fn complain(error: &anyhow::Error) -> ExitCode {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    error_line(format_args!("landbridge: {text}"));
    exit_of(error).into()
}

/// The first cause that knows its exit code decides.
fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<CommandError>() {
            return error.exit;
        }
        if let Some(error) = cause.downcast_ref::<AskError>() {
            return error.code.into();
        }
        if let Some(error) = cause.downcast_ref::<ServiceError>() {
            return error.into();
        }
        if let Some(landbridge_bus::OpenError::Connect { .. }) =
            cause.downcast_ref::<landbridge_bus::OpenError>()
        {
            return Exit::Unavailable;
        }
    }
    Exit::Failed
}

/// Prints a value as JSON, or as text made of it.
pub fn show<T: Serialize>(
    format: OutputFormat,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    match format {
        OutputFormat::Json => say!("{}", serde_json::to_string_pretty(value)?),
        OutputFormat::Text => say!("{}", text(value).trim_end()),
    }
    Ok(())
}

/// A table for people.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A moment as people read it, in UTC, to the second.
pub fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| ms.to_string(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// A duration as people read it.
pub fn duration(ms: i64) -> String {
    let seconds = ms as f64 / 1_000.0;
    match ms {
        ..10_000 => format!("{seconds:.1} s"),
        10_000..120_000 => format!("{seconds:.0} s"),
        120_000..7_200_000 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

/// Counts that are not zero, such as `12 created, 3 failed`.
pub fn counts<W: fmt::Display>(counts: &[(W, u64)]) -> String {
    let shown: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if shown.is_empty() {
        "none".to_owned()
    } else {
        shown.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errors_code_survives_what_is_said_around_it() {
        let not_found = AskError::new(AskErrorCode::NotFound, "there is no sync x");
        let error = anyhow::Error::from(not_found).context("cannot pause");
        assert_eq!(exit_of(&error), Exit::NotFound);
        assert_eq!(exit_of(&anyhow::anyhow!("anything")), Exit::Failed);
        assert_eq!(exit_of(&CommandError::invalid("no").into()), Exit::Invalid);
    }

    #[test]
    fn durations_read_well() {
        for (ms, text) in [
            (0, "0.0 s"),
            (2_340, "2.3 s"),
            (61_000, "61 s"),
            (600_000, "10 min"),
            (9_000_000, "2.5 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn only_counts_that_are_there_are_shown() {
        assert_eq!(
            counts(&[("created", 2), ("failed", 0), ("kept", 1)]),
            "2 created, 1 kept"
        );
        assert_eq!(counts(&[("created", 0)]), "none");
    }
}

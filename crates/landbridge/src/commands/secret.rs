//! Secrets as they come in: from a file, a variable, or the terminal without being shown. Never as an argument, where
//! every user of the machine could read them.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use landbridge_bus::Secret;
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

use crate::output::CommandError;

/// Where one secret may come from.
pub(super) struct SecretSource<'a> {
    /// What it is, for a person.
    pub what: &'a str,
    /// The flag that names its file.
    pub flag: &'a str,
    /// The file; `-` is a line of standard input.
    pub file: Option<&'a Path>,
    /// The variable.
    pub variable: &'a str,
}

impl SecretSource<'_> {
    /// Reads it.
    pub(super) fn read(&self) -> Result<Secret, CommandError> {
        let text = if let Some(file) = self.file {
            self.read_file(file)?
        } else if let Ok(text) = std::env::var(self.variable) {
            text
        } else if std::io::stdin().is_terminal() {
            self.ask_for_it()?
        } else {
            return Err(CommandError::invalid(format!(
                "{} is missing: set {}, or name a file with {}",
                self.what, self.variable, self.flag
            )));
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(CommandError::invalid(format!("{} is empty", self.what)));
        }
        Ok(Secret::new(text))
    }

    fn read_file(&self, file: &Path) -> Result<String, CommandError> {
        let read = if file == Path::new("-") {
            one_from(&mut std::io::stdin().lock())
        } else {
            std::fs::read_to_string(file)
        };
        read.map_err(|error| {
            CommandError::invalid(format!(
                "{} cannot be read from {}: {error}",
                self.what,
                file.display()
            ))
        })
    }

    fn ask_for_it(&self) -> Result<String, CommandError> {
        let failed = |error: std::io::Error| {
            CommandError::invalid(format!("{} cannot be asked for: {error}", self.what))
        };
        let stdin = std::io::stdin();
        write!(std::io::stderr(), "{}: ", self.what).map_err(failed)?;
        let silent = Silent::new(&stdin).map_err(|error| failed(error.into()))?;
        let mut line = String::new();
        let read = stdin.lock().read_line(&mut line);
        drop(silent);
        let _closed = writeln!(std::io::stderr());
        read.map(|_| line).map_err(failed)
    }
}

/// One secret: a line, or a key in PEM form with all of its lines.
fn one_from(input: &mut impl BufRead) -> std::io::Result<String> {
    let mut text = String::new();
    input.read_line(&mut text)?;
    if text.starts_with("-----BEGIN") {
        let mut last = text.len();
        while input.read_line(&mut text)? > 0 && !text[last..].starts_with("-----END") {
            last = text.len();
        }
    }
    Ok(text)
}

/// While it lives, the terminal does not show what is typed.
struct Silent<'a> {
    stdin: &'a std::io::Stdin,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(stdin: &'a std::io::Stdin) -> nix::Result<Self> {
        let before = termios::tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        silent.local_flags.insert(LocalFlags::ECHONL);
        termios::tcsetattr(stdin, SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _gone = termios::tcsetattr(self.stdin, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: Option<&Path>) -> SecretSource<'_> {
        SecretSource {
            what: "the token",
            flag: "--token-file",
            file,
            variable: "LANDBRIDGE_TEST_NO_SUCH_VARIABLE",
        }
    }

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "pat-na1-x\n").unwrap();
        assert_eq!(source(Some(&file)).read().unwrap().reveal(), "pat-na1-x");
        std::fs::write(&file, "\n").unwrap();
        assert!(
            source(Some(&file))
                .read()
                .unwrap_err()
                .to_string()
                .contains("is empty")
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = source(Some(Path::new("/nowhere/token")))
            .read()
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/token"), "{error}");
    }
}

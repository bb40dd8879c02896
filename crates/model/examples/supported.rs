//! Prints `docs/supported.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(landbridge_model::supported::markdown().as_bytes())
}

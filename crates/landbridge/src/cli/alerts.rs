//! Alerts: where they go, and from where on.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::TenantArg;

/// `landbridge alerts`.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Show where alerts go and from where on, what was told and is not over, and what could not be sent.
    #[command(
        after_help = "Examples:\n  landbridge alerts show\n  landbridge alerts show --tenant acme --output json"
    )]
    Show(TenantArg),
    /// Change where alerts go, and from where on. What is not named stays as it is.
    Set(Box<AlertsSetArgs>),
    /// Send a test message each way that is set.
    #[command(after_help = "Example:\n  landbridge alerts test --tenant acme")]
    Test(TenantArg),
}

/// A bound: a number, or `never` not to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundArg(pub Option<u64>);

impl FromStr for BoundArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self(None)),
            text => match text.parse() {
                Ok(number) => Ok(Self(Some(number))),
                Err(_) => Err("give a whole number, or never".to_owned()),
            },
        }
    }
}

/// `landbridge alerts set`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Secrets are never arguments. Each is taken from its file, else from its environment variable, else asked for on the
terminal without being shown; it is wanted when the place it belongs to is new:
  --webhook-secret-file   LANDBRIDGE_WEBHOOK_SECRET
  --mail-password-file    LANDBRIDGE_MAIL_PASSWORD   (only with --mail-user)

Examples:
  landbridge alerts set --webhook https://hooks.acme.example/landbridge --webhook-secret-file secret.txt
  landbridge alerts set --mail-host smtp.acme.example --mail-from landbridge@acme.example --mail-to ops@acme.example
  landbridge alerts set --behind-seconds 300 --failures 50 --credential-days never
  landbridge alerts set --no-webhook")]
pub struct AlertsSetArgs {
    /// Whose.
    #[command(flatten)]
    pub tenant: TenantArg,
    /// Post messages as JSON to this address.
    #[arg(long, value_name = "URL", conflicts_with = "no_webhook")]
    pub webhook: Option<String>,
    /// A file with the secret that messages are signed with.
    #[arg(long, value_name = "FILE", conflicts_with = "no_webhook")]
    pub webhook_secret_file: Option<PathBuf>,
    /// No webhook any more.
    #[arg(long)]
    pub no_webhook: bool,
    /// Send mails by this server.
    #[arg(long, value_name = "HOST", conflicts_with = "no_mail")]
    pub mail_host: Option<String>,
    /// Its port; 465 when the server is new.
    #[arg(long, value_name = "PORT", conflicts_with = "no_mail")]
    pub mail_port: Option<u16>,
    /// How it is spoken to; tls when the server is new.
    #[arg(long, value_name = "SECURITY", value_parser = ["tls", "starttls", "none"], conflicts_with = "no_mail")]
    pub mail_security: Option<String>,
    /// As whom; an empty one signs in as nobody.
    #[arg(long, value_name = "USER", conflicts_with = "no_mail")]
    pub mail_user: Option<String>,
    /// A file with the password.
    #[arg(long, value_name = "FILE", conflicts_with = "no_mail")]
    pub mail_password_file: Option<PathBuf>,
    /// Who sends.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_mail")]
    pub mail_from: Option<String>,
    /// To whom. Repeat it for several.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_mail")]
    pub mail_to: Vec<String>,
    /// No mails any more.
    #[arg(long)]
    pub no_mail: bool,
    /// Seconds that a sync may be behind Salesforce, or never.
    #[arg(long, value_name = "N")]
    pub behind_seconds: Option<BoundArg>,
    /// Records and links that may be refused at a time, or never.
    #[arg(long, value_name = "N")]
    pub failures: Option<BoundArg>,
    /// Days after which credentials are to be replaced, or never.
    #[arg(long, value_name = "N")]
    pub credential_days: Option<BoundArg>,
}

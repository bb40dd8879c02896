//! Users and API tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use landbridge_control::service::{Role, UserName};
use landbridge_model::TenantId;

/// A role, and where it holds.
#[derive(Clone, Debug, Args)]
pub struct GrantArgs {
    /// What may be done: viewer, editor, operator or admin.
    #[arg(long, value_name = "ROLE")]
    pub role: Role,
    /// Where: this tenant. Repeat it for several.
    #[arg(
        short,
        long = "tenant",
        value_name = "TENANT",
        required_unless_present = "all_tenants"
    )]
    pub tenants: Vec<TenantId>,
    /// Everywhere: all tenants, and the installation itself.
    #[arg(long, conflicts_with = "tenants")]
    pub all_tenants: bool,
}

/// `landbridge user`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user who signs in with a password, or change what they may do.
    Add(UserAddArgs),
    /// List the users.
    #[command(after_help = "Example:\n  landbridge user list --output json")]
    List,
    /// Set a user's password. Their sessions are over.
    Password(UserPasswordArgs),
    /// Remove a user with their tokens. Their sessions are over.
    Remove(UserRemoveArgs),
}

/// `landbridge user add`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The password is taken from its file, else from LANDBRIDGE_USER_PASSWORD, else asked for on the terminal without being
shown.

Examples:
  landbridge user add ann --role admin --all-tenants
  landbridge user add bob --role operator --tenant acme --password-file password.txt")]
pub struct UserAddArgs {
    /// The name: letters, digits, dots, hyphens, underscores and at signs.
    pub name: UserName,
    /// What they may do.
    #[command(flatten)]
    pub grant: GrantArgs,
    /// A file with the password; `-` is a line of standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Leave the password of a user who is there already as it is.
    #[arg(long, conflicts_with = "password_file")]
    pub keep_password: bool,
}

/// `landbridge user password`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  landbridge user password ann")]
pub struct UserPasswordArgs {
    /// Which user.
    pub name: UserName,
    /// A file with the password; `-` is a line of standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// `landbridge user remove`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  landbridge user remove bob --yes")]
pub struct UserRemoveArgs {
    /// Which user.
    pub name: UserName,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `landbridge token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make an API token. It is printed once, alone on a line, and stored hashed.
    Create(TokenCreateArgs),
    /// List the tokens, without what makes them tokens.
    #[command(after_help = "Example:\n  landbridge token list --output json")]
    List,
    /// Make a token good for nothing.
    Revoke(TokenRevokeArgs),
}

/// `landbridge token create`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  landbridge token create ci --role editor --tenant acme --days 90
  landbridge token create fleet --role operator --all-tenants")]
pub struct TokenCreateArgs {
    /// What it is for.
    pub name: String,
    /// What it may do.
    #[command(flatten)]
    pub grant: GrantArgs,
    /// For how many days it is good, 1 to 366.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub days: u32,
}

/// `landbridge token revoke`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  landbridge token revoke k3f9abcdef")]
pub struct TokenRevokeArgs {
    /// Which one, by the id that the list shows.
    pub id: String,
}

//! `landbridge user` and `landbridge token`: who may do what.

use landbridge_control::service::{
    CreateToken, CreatedToken, Grant, PutUser, Reach, TokenView, UserName, UserView,
};
use landbridge_model::TenantId;
use reqwest::Method;
use serde_json::json;

use super::secret::SecretSource;
use super::{Context, Installation, confirm, local};
use crate::cli::{
    GrantArgs, OutputFormat, TokenCommand, TokenCreateArgs, UserAddArgs, UserCommand, UserPasswordArgs,
};
use crate::output::{CommandError, Exit, say, show, table, time};

/// The variable with a user's password.
const PASSWORD: &str = "LANDBRIDGE_USER_PASSWORD";

fn grants(arguments: &GrantArgs) -> Vec<Grant> {
    let reach = if arguments.all_tenants {
        Reach::All
    } else {
        Reach::Tenants(arguments.tenants.clone())
    };
    vec![Grant {
        role: arguments.role,
        reach,
    }]
}

/// Reads a password; on a terminal it is not shown.
pub(super) fn read_password(file: Option<&std::path::Path>) -> Result<String, CommandError> {
    let source = SecretSource {
        what: "the user's password (12 characters at least)",
        flag: "--password-file",
        file,
        variable: PASSWORD,
    };
    source.read().map(|secret| secret.reveal().to_owned())
}

/// The password of a user to be added. One who is there already keeps theirs when none is given.
pub(super) fn password_for(arguments: &UserAddArgs) -> Result<Option<String>, CommandError> {
    if arguments.keep_password {
        return Ok(None);
    }
    read_password(arguments.password_file.as_deref()).map(Some)
}

pub(super) async fn run_user(
    context: &Context,
    command: UserCommand,
    password: Option<String>,
) -> anyhow::Result<Exit> {
    match command {
        UserCommand::Add(arguments) => {
            let UserAddArgs { name, grant, .. } = arguments;
            let wanted = PutUser {
                grants: grants(&grant),
                password,
            };
            let user = put_user(context, &name, wanted).await?;
            show(context.output, &user, |user| {
                format!("user {} may be {}", user.name, granted(&user.grants))
            })?;
        }
        UserCommand::Password(UserPasswordArgs { name, .. }) => {
            let grants = users(context).await?.into_iter().find(|user| user.name == name);
            let grants = grants
                .ok_or_else(|| CommandError::new(Exit::NotFound, format!("there is no user {name}")))?
                .grants;
            put_user(context, &name, PutUser { grants, password }).await?;
            say!("the password of {name} is set; sessions are over");
        }
        UserCommand::List => {
            let users = users(context).await?;
            show(context.output, &users, |users| {
                if users.is_empty() {
                    return "there is no user yet: add one with landbridge user add".to_owned();
                }
                let rows = users.iter().map(|user| {
                    [
                        user.name.to_string(),
                        granted(&user.grants),
                        time(user.created_ms),
                    ]
                });
                table(["user", "may be", "since"], rows)
            })?;
        }
        UserCommand::Remove(arguments) => {
            let name = arguments.name;
            confirm(
                &format!("Remove the user {name} with their tokens?"),
                arguments.yes,
            )?;
            match &context.installation {
                Installation::Bus { service, .. } => service.remove_user(&local(), &name).await?,
                Installation::Server(remote) => {
                    remote
                        .text(Method::DELETE, &["users", name.as_str()], &[], None)
                        .await?;
                }
            }
            say!("user {name} removed");
        }
    }
    Ok(Exit::Done)
}

async fn put_user(context: &Context, name: &UserName, wanted: PutUser) -> anyhow::Result<UserView> {
    Ok(match &context.installation {
        Installation::Bus { service, .. } => service.put_user(&local(), name, wanted).await?,
        Installation::Server(remote) => {
            let body = serde_json::to_value(wanted)?;
            remote.put(&["users", name.as_str()], &body).await?
        }
    })
}

async fn users(context: &Context) -> anyhow::Result<Vec<UserView>> {
    Ok(match &context.installation {
        Installation::Bus { service, .. } => service.users(&local()).await?,
        Installation::Server(remote) => remote.all(&["users"], &[]).await?,
    })
}

pub(super) async fn run_token(context: &Context, command: TokenCommand) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Create(arguments) => create_token(context, arguments).await?,
        TokenCommand::List => {
            let tokens: Vec<TokenView> = match &context.installation {
                Installation::Bus { service, .. } => service.tokens(&local()).await?,
                Installation::Server(remote) => remote.all(&["tokens"], &[]).await?,
            };
            show(context.output, &tokens, |tokens| {
                if tokens.is_empty() {
                    return "there is no token yet: make one with landbridge token create".to_owned();
                }
                let rows = tokens.iter().map(|token| {
                    [
                        token.id.clone(),
                        token.name.clone(),
                        token.owner.clone(),
                        granted(&token.grants),
                        time(token.expires_ms),
                    ]
                });
                table(["token", "name", "of", "may be", "until"], rows)
            })?;
        }
        TokenCommand::Revoke(arguments) => {
            match &context.installation {
                Installation::Bus { service, .. } => service.revoke_token(&local(), &arguments.id).await?,
                Installation::Server(remote) => {
                    remote
                        .text(Method::DELETE, &["tokens", &arguments.id], &[], None)
                        .await?;
                }
            }
            say!("token {} is good for nothing any more", arguments.id);
        }
    }
    Ok(Exit::Done)
}

async fn create_token(context: &Context, arguments: TokenCreateArgs) -> anyhow::Result<()> {
    let wanted = CreateToken {
        name: arguments.name,
        grants: grants(&arguments.grant),
        days: arguments.days,
    };
    let created: CreatedToken = match &context.installation {
        Installation::Bus { service, .. } => service.create_token(&local(), wanted).await?,
        Installation::Server(remote) => {
            let body = json!(wanted);
            remote.call(Method::POST, &["tokens"], &[], Some(&body)).await?
        }
    };
    match context.output {
        OutputFormat::Json => say!("{}", serde_json::to_string_pretty(&created)?),
        OutputFormat::Text => {
            // Alone on its line, so that a script can take it: the rest is for people, and goes elsewhere.
            say!("{}", created.token);
            crate::output::remark(format_args!(
                "token {} is good until {}; it is shown this once",
                created.view.id,
                time(created.view.expires_ms)
            ));
        }
    }
    Ok(())
}

fn granted(grants: &[Grant]) -> String {
    let each = grants.iter().map(|grant| match &grant.reach {
        Reach::All => format!("{} everywhere", grant.role),
        Reach::Tenants(tenants) => {
            let names: Vec<&str> = tenants.iter().map(TenantId::as_str).collect();
            format!("{} of {}", grant.role, names.join(", "))
        }
    });
    let all: Vec<String> = each.collect();
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join("; ")
    }
}

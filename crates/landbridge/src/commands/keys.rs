//! `landbridge keys`.

use landbridge_control::service::StageKeys;
use reqwest::Method;

use super::{Context, Installation, local};
use crate::cli::KeysCommand;
use crate::output::{Exit, show, table};

pub(super) async fn run(context: &Context, command: KeysCommand) -> anyhow::Result<Exit> {
    let KeysCommand::List = command;
    let keys: Vec<StageKeys> = match &context.installation {
        Installation::Bus { service, .. } => service.keys_in_use(&local()).await?,
        Installation::Server(remote) => remote.call(Method::GET, &["keys", "in-use"], &[], None).await?,
    };
    show(context.output, &keys, |keys| text(keys))?;
    Ok(if keys.iter().all(|stage| stage.others.is_empty()) {
        Exit::Done
    } else {
        Exit::Refused
    })
}

fn text(keys: &[StageKeys]) -> String {
    let rows = keys.iter().map(|stage| {
        [
            stage.stage.to_string(),
            stage.current.clone().unwrap_or_else(|| "none yet".to_owned()),
            stage.sealed.to_string(),
            stage
                .others
                .iter()
                .filter(|other| !other.is_lost)
                .count()
                .to_string(),
            stage
                .others
                .iter()
                .filter(|other| other.is_lost)
                .count()
                .to_string(),
        ]
    });
    let heads = [
        "stage",
        "current key",
        "sealed to it",
        "not yet",
        "cannot be opened",
    ];
    let mut lines = vec![table(heads, rows)];
    let others = keys.iter().flat_map(|stage| &stage.others);
    lines.extend(others.map(|other| format!("  {}", other.text)));
    lines.join("\n")
}

//! `landbridge explain`.

use landbridge_model::ask::{Explain, Story};

use super::{Context, LONG_PATIENCE};
use crate::cli::ExplainArgs;
use crate::output::{Exit, show, time};

pub(super) async fn run(context: &Context, arguments: &ExplainArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let story = context
        .ask_patiently(&tenant, &Explain { id: arguments.id }, LONG_PATIENCE)
        .await?;
    show(context.output, &story, |story| {
        format!("{} of {tenant}\n{}", arguments.id, text(story))
    })?;
    Ok(Exit::Done)
}

fn text(story: &Story) -> String {
    let lines = story.lines.iter().map(|line| {
        let at = line.at_ms.map_or_else(|| format!("{:19}", "now"), time);
        let sync = line
            .sync
            .as_ref()
            .map(|sync| format!("[{sync}] "))
            .unwrap_or_default();
        format!("  {at}  {:9}  {sync}{}", line.stage.as_str(), line.text)
    });
    lines.collect::<Vec<_>>().join("\n")
}

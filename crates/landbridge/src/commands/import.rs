//! `landbridge import`.

use landbridge_control::ask::{CancelImport, PauseImport, ResumeImport, StartImports, Writing};
use landbridge_model::ask::{ImportStatus, ListImports};

mod undo;

pub(super) use undo::told;
use undo::undo;

use super::sync::problems;
use super::{Context, LONG_PATIENCE, watch};
use crate::cli::{
    ImportCommand, ImportListArgs, ImportOneArgs, ImportStartArgs, ImportWatchArgs, OutputFormat,
};
use crate::output::{CommandError, Exit, counts, say, show, table, time};

pub(super) async fn run(context: &Context, command: ImportCommand) -> anyhow::Result<Exit> {
    match command {
        ImportCommand::Start(arguments) => start(context, arguments).await,
        ImportCommand::Watch(arguments) => watch_some(context, &arguments).await,
        ImportCommand::List(arguments) => list(context, &arguments).await,
        ImportCommand::Pause(arguments) => pause(context, &arguments).await,
        ImportCommand::Resume(arguments) => resume(context, &arguments).await,
        ImportCommand::Cancel(arguments) => cancel(context, &arguments).await,
        ImportCommand::Undo(arguments) => undo(context, &arguments).await,
        ImportCommand::Left(arguments) => undo::left(context, &arguments).await,
    }
}

async fn start(context: &Context, arguments: ImportStartArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let user = std::env::var("USER").unwrap_or_default();
    let question = StartImports {
        syncs: arguments.names,
        writing: match (arguments.overwrite, arguments.back_fill) {
            (true, _) => Writing::Everything,
            (false, true) => Writing::Touched,
            (false, false) => Writing::Changes,
        },
        keep_before: arguments.keep_before,
        started_by: user,
        once: None,
    };
    let started = context.ask_patiently(&tenant, &question, LONG_PATIENCE).await?;
    if !started.problems.is_empty() {
        let what = "no import was started: put these right first";
        return Err(CommandError::invalid(what)
            .with_details(problems(&started.problems))
            .into());
    }
    match context.output {
        OutputFormat::Json => say!("{}", serde_json::to_string(&started.imports)?),
        OutputFormat::Text => {
            for import in &started.imports {
                say!("import {} of {} started", import.id, import.sync);
            }
        }
    }
    if !arguments.watch {
        return Ok(Exit::Done);
    }
    let ids = started.imports.into_iter().map(|import| import.id).collect();
    watch::until_ended(context, &tenant, ids).await
}

async fn watch_some(context: &Context, arguments: &ImportWatchArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let mut ids = arguments.ids.clone();
    let known = context.ask(&tenant, &ListImports { id: None }).await?;
    for id in &ids {
        if known.iter().all(|import| import.id != *id) {
            return Err(CommandError::new(Exit::NotFound, format!("{tenant} has no import {id}")).into());
        }
    }
    if ids.is_empty() {
        ids = known
            .iter()
            .filter(|import| !watch::is_over(import))
            .map(|import| import.id.clone())
            .collect();
    }
    if ids.is_empty() {
        if context.output == OutputFormat::Text {
            say!("no import of {tenant} is running");
        }
        return Ok(Exit::Done);
    }
    watch::until_ended(context, &tenant, ids).await
}

async fn list(context: &Context, arguments: &ImportListArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let imports = context
        .ask_patiently(&tenant, &ListImports { id: None }, LONG_PATIENCE)
        .await?;
    show(context.output, &imports, |imports| {
        if imports.is_empty() {
            return format!("{tenant} has had no import yet: start one with landbridge import start");
        }
        table(
            [
                "import",
                "sync",
                "state",
                "started",
                "by",
                "ended",
                "extracted",
                "outcomes",
                "in flight",
                "links",
                "pace",
            ],
            imports.iter().map(row),
        )
    })?;
    Ok(Exit::Done)
}

fn row(import: &ImportStatus) -> [String; 11] {
    let undone = import.undo.as_ref().map(|undo| undo::told(&undo.counts));
    let state = match (
        import.reason.as_ref().or(undone.as_ref()),
        import.waits_for.first(),
    ) {
        (Some(reason), _) => format!("{}: {reason}", import.state),
        (None, Some(before)) => format!("{} after {before}", import.state),
        (None, None) => import.state.clone(),
    };
    [
        import.id.to_string(),
        import.sync.to_string(),
        state,
        time(import.started_ms),
        import.started_by.clone(),
        import.ended_ms.map(time).unwrap_or_default(),
        import.extracted.to_string(),
        counts(&import.outcomes),
        import.in_flight.to_string(),
        counts(&import.links),
        if watch::is_over(import) {
            String::new()
        } else {
            watch::speed(import)
        },
    ]
}

async fn pause(context: &Context, arguments: &ImportOneArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = PauseImport {
        id: arguments.id.clone(),
    };
    context.ask(&tenant, &question).await?;
    if context.output == OutputFormat::Text {
        say!("import {} stands; what is on its way still arrives", arguments.id);
    }
    Ok(Exit::Done)
}

async fn resume(context: &Context, arguments: &ImportOneArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    let question = ResumeImport {
        id: arguments.id.clone(),
        by: super::local_name(),
    };
    let goes_on = context.ask(&tenant, &question).await?;
    match context.output {
        OutputFormat::Json => say!("{}", serde_json::to_string(&goes_on)?),
        OutputFormat::Text if goes_on.id == arguments.id => {
            say!("import {} goes on where it stood", arguments.id);
        }
        OutputFormat::Text => say!("import {} goes on with {}", goes_on.id, arguments.id),
    }
    Ok(Exit::Done)
}

async fn cancel(context: &Context, arguments: &ImportOneArgs) -> anyhow::Result<Exit> {
    let tenant = context.tenant(&arguments.tenant).await?;
    context
        .ask(
            &tenant,
            &CancelImport {
                id: arguments.id.clone(),
            },
        )
        .await?;
    if context.output == OutputFormat::Text {
        say!(
            "import {} reads no more; what is on its way still arrives",
            arguments.id
        );
    }
    Ok(Exit::Done)
}

//! What the bootstrap asks, one command a module.

mod apps;
mod check;
mod diagnose;
mod inspect;
mod secrets;
mod wait;

use crate::{
    Error, Kind, Result, bridge,
    cli::{Command, Data, Flags, Serve, Wait},
    connect,
    data::{DataPlace, Put},
};
use kube::Client;
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

/// Carries out a command.
///
/// # Errors
/// See each.
pub async fn run(flags: Flags) -> Result<Value> {
    let context = flags.context.ok_or_else(|| {
        Error::new(
            Kind::NoContext,
            "--context NAME is needed: no other cluster is touched",
        )
    })?;
    let client = || connect::client(&context);
    match flags.command {
        Command::Inspect => inspect::inspect(&client().await?).await,
        Command::Serve(serve) => self::serve(context, serve).await,
        Command::Wait(Wait::Crds { names, deadline }) => {
            wait::crds(&client().await?, &names, Duration::from_secs(deadline)).await
        }
        Command::Wait(Wait::Workloads { namespace, deadline }) => {
            wait::workloads(&client().await?, &namespace, Duration::from_secs(deadline)).await
        }
        Command::Wait(Wait::Job {
            namespace,
            name,
            deadline,
        }) => wait::job(&client().await?, &namespace, &name, Duration::from_secs(deadline)).await,
        Command::Wait(Wait::Apps(apps)) => apps::wait(context, apps).await,
        Command::Secrets(secrets) => secrets::make(&client().await?, &secrets).await,
        Command::GitCredentials(credentials) => secrets::credentials(&client().await?, &credentials).await,
        Command::Data(Data::Put { name, file }) => put(&client().await?, &name, &file).await,
        Command::Data(Data::Copy { check: true }) => {
            let copied = DataPlace::new(&client().await?).is_copied().await?;
            Ok(json!({ "copied": copied }))
        }
        Command::Data(Data::Copy { check: false }) => {
            let batches = DataPlace::new(&client().await?).copy().await?;
            Ok(json!({ "copied": true, "batches": batches }))
        }
        Command::Diagnose { namespace } => {
            let lines = diagnose::lines(&client().await?, &namespace).await?;
            Ok(json!({ "lines": lines }))
        }
        Command::Check => check::check(&client().await?).await,
    }
}

async fn serve(context: String, flags: Serve) -> Result<Value> {
    let options = bridge::Options {
        context,
        state: flags.state,
        engine: flags.engine,
        environment: flags.environment,
        port_offset: flags.port_offset,
        git_url: flags.git_url,
        selector: flags.selector,
        argocd: flags.argocd_namespace,
        api_key_file: flags.api_key_file,
    };
    bridge::serve(options, |ready| {
        eprintln!("{ready}");
    })
    .await?;
    Ok(json!({"ended": true}))
}

async fn put(client: &Client, name: &str, file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file)
        .map_err(|error| Error::other(format!("read {}: {error}", file.display())))?;
    let data = DataPlace::new(client);
    let put = data.put(name, &text).await?;
    data.copy_where_wanted().await?;
    Ok(json!({"name": name, "bytes": text.len(), "already": put == Put::Already}))
}

//! The calls, in an order in which a break at any point leaves something that is found again.

use super::words::tag;
use super::{Story, Tracking, files};
use crate::hook;
use contract::names::{self, ALIAS_CHALLENGER, PREFIX};
use mlflow_client::{
    Batch, Client, Error, LoggedModel, ModelVersion, NewLoggedModel, NewModelVersion, NewRun, Run, RunStatus,
    Tag, now_ms,
};

/// What a registration led to.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Id of the experiment.
    pub experiment_id: String,
    /// MLflow run.
    pub run_id: String,
    /// Logged model.
    pub model_id: String,
    /// Registered version.
    pub version: u64,
    /// Whether the version was there before.
    pub already: bool,
}

pub async fn register(tracking: &Tracking, story: &Story) -> Result<Registered, Error> {
    let client = &tracking.client;
    let (experiment_id, run) = open_run(tracking, story).await?;
    let run_id = run.info.run_id.clone();
    hook::point("register:run");
    log(tracking, story, &run, vec![tag("gate", "passed")]).await?;

    let model = logged_model(tracking, story, &experiment_id, &run_id).await?;
    hook::point("register:model");
    if !model.is_ready() {
        upload(tracking, story, &run, &model).await?;
        client.finalize_logged_model(&model.model_id).await?;
    }
    hook::point("register:files");
    let linked = run
        .outputs
        .model_outputs
        .iter()
        .any(|output| output["model_id"] == model.model_id.as_str());
    if !linked {
        client.log_output(&run_id, &model.model_id).await?;
        let metrics = story.metrics(run.info.start_time, Some(&model.model_id));
        client
            .log_batch(
                &run_id,
                &Batch {
                    metrics,
                    ..Batch::default()
                },
            )
            .await?;
    }

    let name = &story.manifest.name;
    client.registered_model_or_create(name, "").await?;
    let found = client.versions(name, Some(&run_id)).await?.into_iter().last();
    let already = found.is_some();
    let version = match found {
        Some(version) => version,
        None => new_version(tracking, story, &run_id, &model).await?,
    };
    hook::point("register:version");
    // A version that is live already is no challenger any more.
    let champion = client.alias(name, names::ALIAS_CHAMPION).await?;
    if champion.is_none_or(|champion| champion.version != version.version) {
        client.set_alias(name, ALIAS_CHALLENGER, version.version).await?;
    }
    if run.info.status != RunStatus::Finished {
        client.finish_run(&run_id, RunStatus::Finished, now_ms()).await?;
    }
    Ok(Registered {
        experiment_id,
        run_id,
        model_id: model.model_id,
        version: version.version,
        already,
    })
}

pub async fn refuse(tracking: &Tracking, story: &Story, reasons: &[String]) -> Result<String, Error> {
    let (_, run) = open_run(tracking, story).await?;
    let tags = vec![tag("gate", "refused"), tag("gate-reasons", reasons.join("; "))];
    log(tracking, story, &run, tags).await?;
    tracking
        .client
        .finish_run(&run.info.run_id, RunStatus::Failed, now_ms())
        .await?;
    Ok(run.info.run_id)
}

pub async fn abandon(tracking: &Tracking, run_key: &str, reason: &str) -> Result<(), Error> {
    abandon_all(tracking, &by_key(run_key), reason, |_| true).await
}

/// Runs of the same nonce under another key: what they were compared with is not live any more.
pub async fn abandon_others(tracking: &Tracking, nonce: &str, run_key: &str) -> Result<(), Error> {
    let filter = format!("tags.`{PREFIX}/run-nonce` = '{nonce}'");
    let key = format!("{PREFIX}/run-key");
    abandon_all(tracking, &filter, "outrun", |run| run.tag(&key) != Some(run_key)).await
}

async fn abandon_all(
    tracking: &Tracking,
    filter: &str,
    reason: &str,
    is_meant: impl Fn(&Run) -> bool,
) -> Result<(), Error> {
    let client = &tracking.client;
    let Some(experiment_id) = client.experiment(&tracking.experiment).await? else {
        return Ok(());
    };
    for run in client.search_runs(&experiment_id, filter, 10).await? {
        if run.info.status == RunStatus::Running && is_meant(&run) {
            client
                .set_run_tag(&run.info.run_id, &tag("outcome", reason))
                .await?;
            client
                .finish_run(&run.info.run_id, RunStatus::Killed, now_ms())
                .await?;
        }
    }
    Ok(())
}

fn by_key(run_key: &str) -> String {
    format!("tags.`{PREFIX}/run-key` = '{run_key}'")
}

/// The run of this key: found, adopted or made.
async fn open_run(tracking: &Tracking, story: &Story) -> Result<(String, Run), Error> {
    let client = &tracking.client;
    let mut tags = story.tags();
    tags.extend(story.source_tags());
    tags.extend(tracking.nonce.as_ref().map(|nonce| tag("run-nonce", nonce)));
    tags.extend(tracking.cause.iter().cloned());
    if let Some(run_id) = &tracking.adopted_run {
        // A step that is started again is given another run; what the first one was given is the run's.
        let run_id = &adopted(client, run_id, &story.run_key).await?;
        client
            .log_batch(
                run_id,
                &Batch {
                    tags,
                    ..Batch::default()
                },
            )
            .await?;
        let run = client.run(run_id).await?;
        return Ok((run.info.experiment_id.clone(), run));
    }
    let experiment_id = client.experiment_or_create(&tracking.experiment).await?;
    // The oldest, should there be two: every start must choose the same one.
    if let Some(run) = client
        .search_runs(&experiment_id, &by_key(&story.run_key), 10)
        .await?
        .pop()
    {
        return Ok((experiment_id, run));
    }
    let start_time = now_ms();
    let time = jiff::Timestamp::from_millisecond(start_time).unwrap_or_default();
    let new = NewRun {
        experiment_id: experiment_id.clone(),
        run_name: time.strftime("kfp_%Y%m%d_%H%M%S").to_string(),
        start_time,
        tags,
    };
    Ok((experiment_id, client.create_run(&new).await?))
}

/// The run that this key has already, in the experiment of the one that was opened for us; else that one.
async fn adopted(client: &Client, opened: &str, run_key: &str) -> Result<String, Error> {
    let experiment = client.run(opened).await?.info.experiment_id;
    let found = client.search_runs(&experiment, &by_key(run_key), 10).await?.pop();
    Ok(found.map_or_else(|| opened.to_owned(), |run| run.info.run_id))
}

/// Parameters, metrics, dataset, drift reference and the gate's report.
async fn log(tracking: &Tracking, story: &Story, run: &Run, tags: Vec<Tag>) -> Result<(), Error> {
    let client = &tracking.client;
    let run_id = &run.info.run_id;
    let batch = Batch {
        metrics: story.metrics(run.info.start_time, None),
        params: story.params(),
        tags,
    };
    client.log_batch(run_id, &batch).await?;
    if run.inputs.dataset_inputs.is_empty() {
        client.log_input(run_id, &story.dataset()).await?;
    }
    let uri = &run.info.artifact_uri;
    let reference = read(story, names::REFERENCE_FILE)?;
    client.put_artifact(uri, names::REFERENCE_FILE, reference).await?;
    let report = serde_json::to_vec_pretty(&story.report).unwrap_or_default();
    client.put_artifact(uri, "gate.json", report).await
}

async fn logged_model(
    tracking: &Tracking,
    story: &Story,
    experiment_id: &str,
    run_id: &str,
) -> Result<LoggedModel, Error> {
    let client = &tracking.client;
    let found = client
        .search_logged_models(experiment_id, &by_key(&story.run_key), 10)
        .await?;
    // As with the run: the oldest one that this run made.
    if let Some(model) = found
        .into_iter()
        .rev()
        .find(|model| model.source_run_id.as_deref() == Some(run_id))
    {
        return Ok(model);
    }
    let mut tags = story.tags();
    tags.extend(story.source_tags());
    let new = NewLoggedModel {
        experiment_id: experiment_id.to_owned(),
        name: story.manifest.name.clone(),
        model_type: story.manifest.algorithm.clone(),
        source_run_id: run_id.to_owned(),
        params: story.params(),
        tags,
    };
    client.create_logged_model(&new).await
}

async fn upload(tracking: &Tracking, story: &Story, run: &Run, model: &LoggedModel) -> Result<(), Error> {
    let client = &tracking.client;
    let server = client.version().await?;
    let mut all = Vec::new();
    for name in [names::MODEL_FILE, names::MANIFEST_FILE, names::REFERENCE_FILE] {
        all.push((name.to_owned(), read(story, name)?));
    }
    let bytes = all.iter().map(|(_, bytes)| bytes.len()).sum();
    all.extend(files::for_python(story, run, model, &server, bytes));
    for (name, bytes) in all {
        client.put_artifact(&model.artifact_uri, &name, bytes).await?;
    }
    Ok(())
}

async fn new_version(
    tracking: &Tracking,
    story: &Story,
    run_id: &str,
    model: &LoggedModel,
) -> Result<ModelVersion, Error> {
    let metrics = crate::evaluate::in_words(&story.manifest.metrics);
    let new = NewModelVersion {
        name: story.manifest.name.clone(),
        model_id: model.model_id.clone(),
        run_id: run_id.to_owned(),
        description: format!(
            "{}, {} rows; {metrics}",
            story.manifest.algorithm, story.manifest.dataset.rows
        ),
        tags: story.tags(),
    };
    tracking.client.create_version(&new).await
}

/// A file of the model directory; a missing one is the caller's mistake, not the server's.
fn read(story: &Story, name: &str) -> Result<Vec<u8>, Error> {
    let path = story.model.join(name);
    std::fs::read(&path).map_err(|e| Error::Address {
        address: path.display().to_string(),
        reason: e.to_string(),
    })
}

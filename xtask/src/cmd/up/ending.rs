//! How `up` ends: addresses, one `curl` with the answer it just got, the next two commands.

use crate::{
    ctx::{Ctx, engine_failure},
    exec::Request,
    failure::{Failure, Id, Outcome},
    git, profile,
};
use contract::{ModelInfo, names};
use serde::Serialize;
use serde_json::json;

/// What a newcomer needs to go on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ending {
    /// Address of the inference API.
    pub api: String,
    /// Address of MLflow.
    pub mlflow: String,
    /// Address of the page of Kubeflow Pipelines, where the profile has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipelines: Option<String>,
    /// What `git pull` takes.
    pub repository: String,
    /// Version and tag of the live model.
    pub model: String,
    /// Body that was sent to `/predict`.
    pub request: String,
    /// What `/predict` answered.
    pub answer: String,
}

/// Asks for a prediction.
///
/// # Errors
/// `api-unreachable` when it does not answer with one.
pub fn ask(ctx: &Ctx) -> Outcome<Ending> {
    let engine = ctx.engine()?;
    let api = engine
        .address(names::INFERENCE_API)
        .map_err(engine_failure("find the API"))?;
    let mlflow = engine
        .address(names::MLFLOW)
        .map_err(engine_failure("find MLflow"))?;
    // Absent where the profile leaves it out.
    let pipelines = engine.address(profile::PIPELINES).ok();
    let info: ModelInfo = ctx.get_json(Id::ApiUnreachable, &format!("{api}/model/info"))?;
    let body = json!({"features": example(&info)});
    let attempted = "ask for a prediction";
    let fail = |cause: String| Failure::new(Id::ApiUnreachable, attempted).because(cause);
    let answer = ctx
        .exec
        .http(&Request::post(format!("{api}/predict"), body.clone()))
        .map_err(fail)?;
    if !answer.ok() {
        return Err(fail(format!("HTTP {}: {}", answer.status, answer.body)));
    }
    let tag = info
        .image_tag
        .map(|tag| format!(", image tag {tag}"))
        .unwrap_or_default();
    Ok(Ending {
        api,
        mlflow,
        pipelines,
        repository: git::remote::address(ctx)?,
        model: format!("{} version {}{tag}", info.name, info.model_version),
        request: body.to_string(),
        answer: answer.body.trim().to_owned(),
    })
}

/// The source documents' iris where the model takes one, else the middle of each feature's range.
fn example(info: &ModelInfo) -> Vec<f64> {
    let iris = [5.1, 3.5, 1.4, 0.2];
    let fits =
        |(value, feature): (&f64, &contract::manifest::Feature)| (feature.min..=feature.max).contains(value);
    if info.features.len() == iris.len() && iris.iter().zip(&info.features).all(fits) {
        return iris.to_vec();
    }
    info.features
        .iter()
        .map(|feature| (feature.min + feature.max) / 2.0)
        .collect()
}

/// The last lines of `up`.
pub fn text(ending: &Ending) -> String {
    let Ending {
        api,
        mlflow,
        pipelines,
        repository,
        model,
        request,
        answer,
    } = ending;
    // A repository with an address is worth a name.
    let pull = match repository.contains("://") {
        true => format!("git remote add driftless {repository} && git pull driftless main"),
        false => format!("git pull {repository} main"),
    };
    let pipelines = pipelines.as_ref();
    let pipelines = pipelines.map_or_else(String::new, |address| format!("\n  Pipelines      {address}"));
    format!(
        "\
The loop runs. {model} is live.

  Inference API  {api}  (documentation: {api}/docs)
  MLflow         {mlflow}{pipelines}
  Repository     {pull}

  $ curl --silent {api}/predict --header 'content-type: application/json' --data '{request}'
  {answer}

Next:
  cargo xtask demo      drift, a retrain, a rollout under load, a revert
  cargo xtask status    what runs, what is live, what was promoted"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines() {
        let ending = Ending {
            api: "http://127.0.0.1:30080".into(),
            mlflow: "http://127.0.0.1:30500".into(),
            pipelines: None,
            repository: ".driftless/gitops.git".into(),
            model: "iris-model version 1, image tag m1-0a1b2c3".into(),
            request: r#"{"features":[5.1,3.5,1.4,0.2]}"#.into(),
            answer: r#"{"prediction":0,"class_name":"setosa","probabilities":[1.0,0.0,0.0],"model_version":"1","drift_detected":false}"#.into(),
        };
        let shown = text(&ending);
        // The README promises these lines to a newcomer.
        assert!(
            include_str!("../../../../README.md").contains(&shown),
            "README.md does not show:\n{shown}"
        );
        insta::assert_snapshot!(shown);
        let full = Ending {
            pipelines: Some("http://192.168.49.2:30600".into()),
            ..ending
        };
        let line = "\n  MLflow         http://127.0.0.1:30500\n  Pipelines      http://192.168.49.2:30600\n  Repository ";
        assert!(text(&full).contains(line), "{}", text(&full));
    }
}

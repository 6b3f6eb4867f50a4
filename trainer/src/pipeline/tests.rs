//! The file, and what the launcher makes of it.

use super::*;
use crate::cli::{Cli, set};
use clap::Parser;
use kfp::run::{Artifact, End, Facts, Left, Places, Run, State};
use std::ffi::OsString;

const WRITTEN: &str = include_str!("../../pipeline/retrain.yaml");

#[test]
fn the_file_is_what_is_defined() {
    let pipeline = retrain(&Settings::default()).unwrap();
    assert!(
        pipeline.emit().unwrap().text == WRITTEN,
        "trainer/pipeline/retrain.yaml is not what pipeline.rs defines: cargo xtask codegen"
    );
    assert_eq!(Pipeline::read(WRITTEN).unwrap(), pipeline);
}

#[test]
fn training_is_cached_only_by_digest() {
    let cached = |image: &str| {
        let settings = Settings {
            image: image.to_owned(),
            ..Settings::default()
        };
        retrain(&settings).unwrap().dag.tasks["train"].cache.clone()
    };
    assert_eq!(cached("trainer:1"), kfp::model::Cache::Off);
    let digest = format!("trainer@sha256:{}", "0".repeat(64));
    assert_eq!(cached(&digest), kfp::model::Cache::On);
}

/// Every step's command line, as the launcher fills it in, is one that the trainer takes.
#[test]
fn the_trainer_takes_every_command_line() {
    let required = ["git_url", "image_repository"].map(|name| (name.to_owned(), format!("x-{name}").into()));
    let facts = Facts {
        run_id: "run-7".to_owned(),
        run_name: "retrain_1".to_owned(),
        created: String::new(),
    };
    let artifact = Artifact {
        path: "/a/b".to_owned(),
        ..Artifact::default()
    };
    let mut run = Run::new(Pipeline::read(WRITTEN).unwrap(), required.into(), facts).unwrap();
    let mut steps = Vec::new();
    while let Some(launch) = run.look().0.into_iter().next() {
        let files = launch
            .face
            .results
            .keys()
            .map(|name| (name.clone(), format!("/out/{name}")));
        let products = launch.face.products.keys();
        let places = Places {
            files: files.collect(),
            artifacts: products
                .map(|name| (name.clone(), (format!("/a/{name}"), String::new())))
                .collect(),
            executor_output: "/out/executor_output.json".to_owned(),
        };
        let words = launch.command(&places).unwrap();
        assert_eq!(words[0], "/trainer");
        let cli = Cli::try_parse_from(set(words.iter().map(OsString::from)))
            .unwrap_or_else(|error| panic!("{words:?}: {error}"));
        steps.push(crate::single::name(&cli.command));
        let left = Left {
            parameters: launch
                .face
                .results
                .keys()
                .map(|name| (name.clone(), true.into()))
                .collect(),
            artifacts: launch
                .face
                .products
                .keys()
                .map(|name| (name.clone(), vec![artifact.clone()]))
                .collect(),
        };
        run.end(&launch.path, End::Succeeded(left));
    }
    assert_eq!(steps, ["load", "train", "validate", "register", "promote"]);
    assert!(matches!(run.look().1, State::Succeeded(_)));
}

#[test]
fn an_image_that_is_none_is_refused() {
    let settings = Settings {
        image: String::new(),
        ..Settings::default()
    };
    let problems = retrain(&settings).unwrap_err().to_string();
    assert!(
        problems.contains("pipeline retrain: component load: image: \"\" is no reference"),
        "{problems}"
    );
}

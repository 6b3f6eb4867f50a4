//! Model directories that must not be served, each refused by name.

use crate::fixture;
use contract::manifest::{GoldenRow, Task};
use inference_api::{Config, load};
use std::{fs, path::Path};

/// The refusal, with the directory's own path taken out.
fn refusal(model: &Path, hide: &Path) -> String {
    let config = Config::read(["inference-api", "--model", model.to_str().unwrap()]).unwrap();
    let error = load::load(&config)
        .err()
        .unwrap_or_else(|| panic!("{} is served", model.display()));
    error.to_string().replace(hide.to_str().unwrap(), "DIR")
}

#[test]
fn manifests_that_do_not_fit() {
    type Change = fn(&mut contract::Manifest);
    let cases: [(&str, Change); 22] = [
        ("later format", |m| m.format = 2),
        ("other model", |m| m.model_digest = contract::sha256_hex(b"other")),
        ("a feature too many", |m| {
            m.features.push(contract::manifest::Feature {
                name: "x".into(),
                ..m.features[0].clone()
            })
        }),
        ("a feature too few", |m| m.features.truncate(3)),
        ("a name twice", |m| m.features[1].name = "sepal_length".into()),
        ("an empty name", |m| m.features[1].name.clear()),
        ("another type", |m| m.features[2].dtype = "string".into()),
        ("range upside down", |m| {
            (m.features[0].min, m.features[0].max) = (2.0, 1.0)
        }),
        ("classes", |m| m.classes.truncate(2)),
        ("task", |m| m.task = Task::Regression),
        ("golden label", |m| m.golden_rows[0].prediction = 2.0),
        ("golden probability", |m| {
            m.golden_rows[0].probabilities = vec![0.99, 0.01, 0.0]
        }),
        ("golden row too short", |m| m.golden_rows[0].features.truncate(1)),
        ("golden probabilities too few", |m| {
            m.golden_rows[0].probabilities.clear()
        }),
        ("second golden row", |m| {
            m.golden_rows.push(GoldenRow {
                features: vec![6.0, 3.0, 5.0, 2.0],
                prediction: 1.0,
                probabilities: vec![0.0; 3],
            });
        }),
        ("reference changed", |m| {
            m.drift_reference.as_mut().unwrap().digest = contract::sha256_hex(b"other")
        }),
        ("reference rows", |m| {
            m.drift_reference.as_mut().unwrap().rows = 51
        }),
        ("reference missing", |m| {
            m.drift_reference.as_mut().unwrap().path = "drift/other.npy".into()
        }),
        ("reference outside", |m| {
            m.drift_reference.as_mut().unwrap().path = "../reference_data.npy".into()
        }),
        ("reference absolute", |m| {
            m.drift_reference.as_mut().unwrap().path = "/etc/passwd".into()
        }),
        ("reference not numbers", |m| {
            let reference = m.drift_reference.as_mut().unwrap();
            (reference.path, reference.digest) = ("model.onnx".into(), m.model_digest.clone());
        }),
        ("two things wrong", |m| {
            m.features.truncate(3);
            m.model_digest = contract::sha256_hex(b"other");
        }),
    ];
    let texts = cases.map(|(name, change)| {
        let directory = fixture::directory_with(change);
        format!("{name}\n  {}\n", refusal(directory.path(), directory.path()))
    });
    insta::assert_snapshot!(texts.concat());
}

#[test]
fn files_that_are_not_there_or_not_models() {
    type Change = fn(&Path);
    let cases: [(&str, &str, Change); 9] = [
        ("no such directory", "nothing", |_| ()),
        ("no manifest", "", |d| {
            fs::remove_file(d.join("manifest.json")).unwrap()
        }),
        ("no model", "", |d| fs::remove_file(d.join("model.onnx")).unwrap()),
        ("manifest is not JSON", "", |d| {
            fs::write(d.join("manifest.json"), "{").unwrap()
        }),
        ("manifest without format", "", |d| {
            fs::write(d.join("manifest.json"), "{}").unwrap()
        }),
        ("manifest with another field", "", |d| {
            let mut manifest = serde_json::to_value(fixture::manifest()).unwrap();
            manifest["colour"] = "red".into();
            fs::write(d.join("manifest.json"), manifest.to_string()).unwrap();
        }),
        ("model cut short", "", |d| {
            let bytes = &fixture::classifier()[..100];
            fs::write(d.join("model.onnx"), bytes).unwrap();
            let manifest = contract::Manifest {
                model_digest: contract::sha256_hex(bytes),
                ..fixture::manifest()
            };
            fixture::write_manifest(d, &manifest);
        }),
        ("plain file is not a model", "other.onnx", |d| {
            fs::remove_file(d.join("manifest.json")).unwrap();
            fs::write(d.join("other.onnx"), "not a model").unwrap();
        }),
        ("manifest of another file", "other.onnx", |d| {
            fs::write(d.join("other.onnx"), fixture::regression()).unwrap()
        }),
    ];
    let texts = cases.map(|(name, file, change)| {
        let directory = fixture::directory();
        change(directory.path());
        format!(
            "{name}\n  {}\n",
            refusal(&directory.path().join(file), directory.path())
        )
    });
    insta::assert_snapshot!(texts.concat());
}

#[test]
fn a_file_is_served_with_the_manifest_beside_it_or_without_any() {
    let directory = fixture::directory();
    let file = directory.path().join("model.onnx");
    let load = |flags: &[&str]| {
        let given = ["inference-api", "--model", file.to_str().unwrap()];
        load::load(&Config::read(given.iter().chain(flags)).unwrap()).unwrap()
    };
    let with = load(&[]);
    assert_eq!(
        (with.info().name.as_str(), with.info().model_version.as_str()),
        ("iris-model", "3")
    );
    assert!(with.drift().is_some());
    fs::remove_file(directory.path().join("manifest.json")).unwrap();
    let without = load(&[]);
    assert_eq!(
        (without.info().name.as_str(), without.info().algorithm.as_str()),
        ("model", "onnx")
    );
    assert_eq!(without.info().digests.model, with.info().digests.model);
    assert_eq!(
        without.feature_names(),
        ["feature_0", "feature_1", "feature_2", "feature_3"]
    );
    assert!(without.drift().is_none());
    assert_eq!(load(&["--name", "mine"]).info().name, "mine");
}

#[test]
fn configuration_is_refused_by_flag_and_value() {
    let cases: &[&[&str]] = &[
        &["--drift-threshold", "0"],
        &["--drift-threshold", "NaN"],
        &["--drift-window-size", "0"],
        &["--drift-window-size", "10001"],
        &["--max-body-bytes", "1e6"],
        &["--drain-seconds", "-1"],
        &["--request-timeout-seconds", "soon"],
        &["--worker-threads", "0"],
        &["--log-requests", "some"],
        &["--unknown"],
    ];
    let texts = cases.iter().map(|flags| {
        let error = Config::read(["inference-api"].iter().chain(*flags)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        format!(
            "{}\n\n",
            error.to_string().split("\n\n").next().unwrap_or_default()
        )
    });
    insta::assert_snapshot!(texts.collect::<String>());
}

#[test]
fn empty_texts_are_not_given() {
    let config = Config::read([
        "inference-api",
        "--name",
        "",
        "--image-tag",
        "",
        "--image-digest",
        "",
    ])
    .unwrap();
    assert_eq!(
        (config.name, config.release.tag, config.release.digest),
        (None, None, None)
    );
}

//! The reference pipelines, written with the builder.

use kfp::Pipeline;
use kfp::argument::Piece;
use kfp::build::{Builder, Step, if_present};
use kfp::container::{Resources, Retry};
use kfp::kind::{Boolean, Dataset, Double, Integer, Metrics, Model, Struct, Text};
use kfp::kubernetes::{Claim, KeysAsEnv, Volume};
use kfp::model::Runtime;
use serde_json::{Map, json};

const IMAGE: &str = "mlops/pipeline-step:v1";
const BIN: &str = "/usr/local/bin/step";
const DEADLINE_SECONDS: u64 = 600;

fn step(name: &str) -> Step {
    let mut step = Step::new(name, IMAGE, DEADLINE_SECONDS);
    step.command([BIN, name]);
    step
}

macro_rules! slots {
    ($step:ident: $($slot:ident = $make:ident::<$kind:ty>($name:literal);)*) => {
        $(let $slot = $step.$make::<$kind>($name);)*
    };
}

fn key_as_env(secret: &str, key: &str, variable: &str) -> Vec<KeysAsEnv> {
    vec![KeysAsEnv {
        object: secret.into(),
        keys: vec![(key.to_owned(), variable.to_owned())],
        optional: true,
    }]
}

fn train() -> (
    Step,
    Vec<kfp::build::In<Text>>,
    kfp::build::In<Struct>,
    kfp::build::ArtIn<Dataset>,
    Outs,
) {
    let mut train = step("train");
    slots! { train:
        train_set = input_artifact::<Dataset>("train_set");
        experiment = input::<Text>("experiment_name");
        hyper = input::<Struct>("hyper_params");
        run = input::<Text>("kfp_run_id");
        model = output_artifact::<Model>("model");
        metrics = output_artifact::<Metrics>("metrics");
        mlflow = output::<Text>("mlflow_run_id");
        accuracy = output::<Double>("train_accuracy");
    }
    train
        .arg("--train")
        .arg(&train_set)
        .arg("--experiment")
        .arg(&experiment);
    train
        .arg("--hyper-params")
        .arg(&hyper)
        .arg("--model-out")
        .arg(&model);
    train
        .arg("--metrics-out")
        .arg(&metrics)
        .arg("--run-id-out")
        .arg(&mlflow);
    train
        .arg("--accuracy-out")
        .arg(&accuracy)
        .arg("--kfp-run-id")
        .arg(&run);
    train.arg("--executor-input").arg(Piece::ExecutorInput);
    (train, vec![experiment, run], hyper, train_set, (model, mlflow))
}

type Outs = (kfp::build::ArtOut<Model>, kfp::build::Out<Text>);

struct Load {
    step: Step,
    dataset: kfp::build::In<Text>,
    fraction: kfp::build::In<Double>,
    seed: kfp::build::In<Integer>,
    train_set: kfp::build::ArtOut<Dataset>,
    test_set: kfp::build::ArtOut<Dataset>,
    rows: kfp::build::Out<Integer>,
}

fn load() -> Load {
    let mut step = step("load-data");
    slots! { step:
        dataset = input::<Text>("dataset_ref");
        fraction = input::<Double>("test_fraction");
        seed = input::<Integer>("seed");
        train_set = output_artifact::<Dataset>("train_set");
        test_set = output_artifact::<Dataset>("test_set");
        rows = output::<Integer>("rows");
        hash = output::<Text>("data_hash");
    }
    step.arg("--dataset-ref")
        .arg(&dataset)
        .arg("--test-fraction")
        .arg(&fraction);
    step.arg("--seed")
        .arg(&seed)
        .arg("--train-out")
        .arg(&train_set)
        .arg("--test-out")
        .arg(&test_set);
    step.arg("--rows-out").arg(&rows).arg("--hash-out").arg(&hash);
    Load {
        step,
        dataset,
        fraction,
        seed,
        train_set,
        test_set,
        rows,
    }
}

pub fn retrain() -> Pipeline {
    let mut p = Builder::new("iris-retrain");
    p.display_name("Iris retraining")
        .description("load, train, validate, register and deploy");
    let dataset_ref = p.parameter_or::<Text>("dataset_ref", "builtin://iris");
    let test_fraction = p.parameter_or::<Double>("test_fraction", 0.2);
    let seed = p.parameter_or::<Integer>("seed", 42);
    let experiment_name = p.parameter_or::<Text>("experiment_name", "iris");
    let model_name = p.parameter_or::<Text>("model_name", "iris-classifier");
    let depth = Map::from_iter([("max_depth".to_owned(), json!(3))]);
    let hyper_params = p.parameter_or::<Struct>("hyper_params", depth);
    let min_accuracy = p.parameter_or::<Double>("min_accuracy", 0.9);
    let git_repo = p.parameter_or::<Text>(
        "git_repo",
        "http://git.gitops.svc.cluster.local:3000/mlops/deploy.git",
    );

    let l = load();
    let loaded = p.task("load-data", &l.step);
    let loaded = loaded
        .set(&l.dataset, &dataset_ref)
        .set(&l.fraction, &test_fraction)
        .set(&l.seed, &seed);
    let loaded = loaded.cached().add();

    let (mut train, texts, hyper, train_in, (model_out, mlflow_out)) = train();
    train.env(
        "MLFLOW_TRACKING_URI",
        "http://mlflow.mlflow.svc.cluster.local:5000",
    );
    train.kubernetes().secret_env = key_as_env("mlflow-credentials", "username", "MLFLOW_TRACKING_USERNAME");
    train.resources(Resources {
        cpu_request: Some("100m".to_owned()),
        cpu_limit: Some("1".to_owned()),
        memory_request: Some("128Mi".to_owned()),
        memory_limit: Some("512Mi".to_owned()),
        accelerator: None,
    });
    let trained = p
        .task("train", &train)
        .display_name("Train model")
        .retry(Retry::times(2));
    let trained = trained.set_artifact(&train_in, &loaded.artifact(&l.train_set));
    let trained = trained
        .set(&texts[0], &experiment_name)
        .set(&texts[1], Runtime::RunId);
    let trained = trained.set(&hyper, &hyper_params).add();
    let (model, mlflow_run_id) = (trained.artifact(&model_out), trained.output(&mlflow_out));

    let mut validate = step("validate");
    slots! { validate:
        test_in = input_artifact::<Dataset>("test_set");
        model_in = input_artifact::<Model>("model");
        run_in = input::<Text>("mlflow_run_id");
        least = input::<Double>("min_accuracy");
        metrics = output_artifact::<Metrics>("metrics");
        passed = output::<Boolean>("passed");
        accuracy = output::<Double>("accuracy");
    }
    validate
        .arg("--test")
        .arg(&test_in)
        .arg("--model")
        .arg(&model_in)
        .arg("--run-id")
        .arg(&run_in);
    validate
        .arg("--min-accuracy")
        .arg(&least)
        .arg("--metrics-out")
        .arg(&metrics);
    validate
        .arg("--passed-out")
        .arg(&passed)
        .arg("--accuracy-out")
        .arg(&accuracy);
    let judged = p
        .task("validate", &validate)
        .set_artifact(&test_in, &loaded.artifact(&l.test_set));
    let judged = judged
        .set_artifact(&model_in, &model)
        .set(&run_in, &mlflow_run_id);
    let judged = judged.set(&least, &min_accuracy).add();

    p.when("validation-passed", &judged.output(&passed).equals(true), |p| {
        let mut register = step("register");
        slots! { register:
            model_in = input_artifact::<Model>("model");
            run_in = input::<Text>("mlflow_run_id");
            name_in = input::<Text>("model_name");
            accuracy_in = input::<Double>("accuracy");
            version = output::<Text>("model_version");
        }
        register
            .arg("--model")
            .arg(&model_in)
            .arg("--run-id")
            .arg(&run_in)
            .arg("--name")
            .arg(&name_in);
        register
            .arg("--accuracy")
            .arg(&accuracy_in)
            .arg("--alias")
            .arg("champion");
        register.arg("--version-out").arg(&version);
        let registered = p.task("register", &register).set_artifact(&model_in, &model);
        let registered = registered.set(&run_in, &mlflow_run_id).set(&name_in, &model_name);
        let registered = registered.set(&accuracy_in, &judged.output(&accuracy)).add();

        let mut deploy = step("deploy");
        slots! { deploy:
            name_in = input::<Text>("model_name");
            version_in = input::<Text>("model_version");
            repo_in = input::<Text>("git_repo");
        }
        let branch = deploy.input_or::<Text>("branch", "main");
        deploy
            .arg("--name")
            .arg(&name_in)
            .arg("--version")
            .arg(&version_in)
            .arg("--git-repo")
            .arg(&repo_in);
        deploy.arg(if_present(&branch, ["--branch".into(), (&branch).into()], []));
        deploy.kubernetes().secret_env = key_as_env("git-credentials", "password", "GIT_PASSWORD");
        let deployed = p
            .task("deploy", &deploy)
            .set(&name_in, &model_name)
            .set(&repo_in, &git_repo);
        deployed.set(&version_in, &registered.output(&version)).add();
    });
    p.export("Output", &mlflow_run_id);
    p.build().unwrap_or_else(|problems| panic!("{problems}"))
}

pub fn shapes() -> Pipeline {
    let mut p = Builder::new("iris-retrain-shapes");
    p.parameter_or::<Text>("git_repo", "http://git/x.git");
    let mut notify = step("notify");
    let status = notify.input::<Text>("status");
    notify.arg("--status").arg(&status);
    let guarded = p.group("always-notify", |p| {
        let mut l = load();
        let pod = l.step.kubernetes();
        pod.claims = vec![Claim {
            object: "datasets".into(),
            path: "/data".to_owned(),
            sub_path: None,
        }];
        pod.pull_secrets = vec!["regcred".into()];
        pod.secret_volumes = vec![Volume {
            object: "ca".into(),
            path: "/etc/ca".to_owned(),
            optional: false,
        }];
        pod.labels.insert("app".to_owned(), "iris".to_owned());
        let loaded = p
            .task("load-data", &l.step)
            .set(&l.dataset, "builtin://iris")
            .set(&l.fraction, 0.2);
        let loaded = loaded.set(&l.seed, 1).cached().add();
        let item = |depth: i64| Map::from_iter([("max_depth".to_owned(), json!(depth))]);
        p.each::<Struct, _>("sweep", [item(2), item(3)], Some(1), |p, item| {
            let (train, texts, hyper, train_in, _) = train();
            let trained = p
                .task("train", &train)
                .set_artifact(&train_in, &loaded.artifact(&l.train_set));
            trained
                .set(&texts[0], "sweep")
                .set(&texts[1], "x")
                .set(&hyper, &item)
                .cached()
                .add();
        });
        let rows = loaded.output(&l.rows);
        p.branches("how-many-rows", |all| {
            all.when("enough-rows", &rows.greater(100), |p| {
                p.task("notify-2", &notify).set(&status, "big").cached().add();
            });
            all.otherwise("too-few-rows", |p| {
                p.task("notify-3", &notify).set(&status, "small").cached().add();
            });
        });
    });
    p.task("notify", &notify)
        .set(&status, "finished")
        .finally(&guarded.task)
        .cached()
        .add();
    p.build().unwrap_or_else(|problems| panic!("{problems}"))
}

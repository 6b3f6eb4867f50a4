//! Kubeflow Pipelines: what of the stock install must be otherwise, and that nothing of it is left by accident.

use crate::tree::{self, PIPELINES, list, named, objects, text};
use serde_yaml::Value;
use std::collections::{BTreeMap, BTreeSet};
use xtask::{cmd::render::rules, pins};

const ENVIRONMENTS: [&str; 2] = ["minikube", "prod"];

fn rendered(environment: &str, app: &str) -> Option<Vec<Value>> {
    Some(objects(&tree::rendered()?[&format!("{environment}-{app}")]))
}

fn the<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    objects
        .iter()
        .find(|object| named(object) == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn env<'a>(objects: &'a [Value], deployment: &str, variable: &str) -> &'a Value {
    let pod = rules::pod_spec(the(objects, deployment));
    list(&pod["containers"][0]["env"])
        .find(|one| one["name"] == variable)
        .unwrap_or(&Value::Null)
}

/// Each line is a trap of the stock install that was measured on a real one; see docs/kubeflow-pipelines.md.
#[test]
fn the_traps_of_the_stock_install_are_closed() {
    for environment in ENVIRONMENTS {
        let Some(all) = rendered(environment, PIPELINES) else {
            return;
        };
        let deployments = all.iter().filter(|object| object["kind"] == "Deployment");
        assert_eq!(deployments.count(), 9, "{environment}");
        the(&all, "Service/ml-pipeline-visualizationserver");
        for object in &all {
            assert!(
                object["kind"] != "Secret",
                "{}: its value would be in Git",
                named(object)
            );
        }
        let requeue = env(&all, "Deployment/workflow-controller", "DEFAULT_REQUEUE_TIME");
        assert_eq!(requeue["value"], "1s");
        let install = the(&all, "ConfigMap/pipeline-install-config");
        assert_eq!(install["data"]["defaultSecurityContextRunAsNonRoot"], "true");
        let argo = the(&all, "ConfigMap/workflow-controller-configmap");
        let defaults: Value = serde_yaml::from_str(text(&argo["data"]["workflowDefaults"])).unwrap();
        assert!(defaults["spec"]["templateDefaults"].is_null());
        assert!(defaults["spec"]["ttlStrategy"]["secondsAfterCompletion"].is_null());
        assert!(env(&all, "Deployment/mysql", "MYSQL_ALLOW_EMPTY_PASSWORD").is_null());
        let password = env(&all, "Deployment/mysql", "MYSQL_ROOT_PASSWORD");
        assert_eq!(password["valueFrom"]["secretKeyRef"]["name"], "mysql-secret");
    }
}

/// What the bootstrap has to make, since nobody else does: names and keys, as `secrets --pipelines` makes them.
#[test]
fn these_secrets_are_wanted() {
    for environment in ENVIRONMENTS {
        let Some(all) = rendered(environment, PIPELINES) else {
            return;
        };
        let mut wanted = BTreeSet::new();
        for object in &all {
            let pod = rules::pod_spec(object);
            for container in list(&pod["initContainers"]).chain(list(&pod["containers"])) {
                for one in list(&container["env"]).map(|one| &one["valueFrom"]["secretKeyRef"]) {
                    wanted.insert(format!("{} {}", text(&one["name"]), text(&one["key"])));
                }
                for one in list(&container["envFrom"]).map(|one| &one["secretRef"]) {
                    wanted.insert(format!("{} whole", text(&one["name"])));
                }
            }
            for volume in list(&pod["volumes"]) {
                wanted.insert(format!("{} volume", text(&volume["secret"]["secretName"])));
            }
        }
        wanted.retain(|one| !one.starts_with(' '));
        assert_eq!(
            wanted.iter().map(String::as_str).collect::<Vec<_>>(),
            [
                "mlpipeline-minio-artifact accesskey",
                "mlpipeline-minio-artifact secretkey",
                "mlpipeline-minio-artifact whole",
                "mysql-secret password",
                "mysql-secret username",
            ],
            "{environment}"
        );
    }
}

/// The API server reads our file; the plugin in it names our MLflow as MLflow wants to be named.
#[test]
fn the_plugin_points_at_our_mlflow() {
    for environment in ENVIRONMENTS {
        let (Some(all), Some(mlflow)) = (rendered(environment, PIPELINES), rendered(environment, "mlflow"))
        else {
            return;
        };
        let pod = rules::pod_spec(the(&all, "Deployment/ml-pipeline"));
        let mounted = list(&pod["containers"][0]["volumeMounts"])
            .find(|mount| mount["mountPath"] == "/config/config.json" && mount["subPath"] == "config.json")
            .unwrap();
        let volume = list(&pod["volumes"])
            .find(|volume| volume["name"] == mounted["name"])
            .unwrap();
        let config = the(&all, &format!("ConfigMap/{}", text(&volume["configMap"]["name"])));
        let config: serde_json::Value = serde_json::from_str(text(&config["data"]["config.json"])).unwrap();
        let plugin = &config["plugins"]["mlflow"];
        assert!(plugin["tls"].is_null() && plugin["settings"]["authType"] == "none");
        // Each start of a run waits so long for an MLflow that is down.
        assert_eq!(plugin["timeout"], "5s");
        let host = plugin["endpoint"].as_str().unwrap().trim_start_matches("http://");
        let hosts = mlflow
            .iter()
            .filter_map(|object| object["data"]["MLFLOW_SERVER_ALLOWED_HOSTS"].as_str())
            .flat_map(|hosts| hosts.split(','));
        assert!(hosts.into_iter().any(|allowed| allowed == host), "{host}");
        assert!(config["ObjectStoreConfig"]["SecretAccessKey"].is_null());
        let account = config["DEFAULTPIPELINERUNNERSERVICEACCOUNT"].as_str().unwrap();
        the(&all, &format!("ServiceAccount/{account}"));
    }
}

/// Whoever uploads the pipeline tells it the image that runs itself, as the environment has it, and where everything is.
/// In a ConfigMap: Argo CD compares no hooks, so that a new image in the Job alone would never be uploaded.
#[test]
fn uploads_tell_the_image_that_runs_them() {
    for environment in ENVIRONMENTS {
        let (Some(pipelines), Some(monitor), Some(api)) = (
            rendered(environment, PIPELINES),
            rendered(environment, "drift-monitor"),
            rendered(environment, "inference-api"),
        ) else {
            return;
        };
        let job = the(&pipelines, "Job/pipeline-upload");
        assert_eq!(
            job["metadata"]["annotations"]["argocd.argoproj.io/hook"],
            "PostSync"
        );
        let map = the(&pipelines, "ConfigMap/training");
        assert_eq!(told(job, &[map]), told_always(environment, job));
        // The trigger uploads a pipeline that is missing: with the very same defaults, where the profile has it.
        let check = the(&monitor, "CronJob/drift-monitor");
        let own = monitor
            .iter()
            .find(|object| named(object).starts_with("ConfigMap/drift-monitor-"))
            .unwrap();
        if own["data"]["KFP_HOST"].is_null() {
            assert_eq!(environment, "prod");
            continue;
        }
        // Both are in one namespace.
        let shared = the(&api, "ConfigMap/training");
        assert_eq!(shared["metadata"]["namespace"], check["metadata"]["namespace"]);
        assert_eq!(told(check, &[shared, own]), told_always(environment, check));
    }
}

/// Variables of the uploaded pipeline's defaults, from the maps that a container reads in this order.
fn told(object: &Value, maps: &[&Value]) -> BTreeMap<String, String> {
    let container = &rules::pod_spec(object)["containers"][0];
    let read: Vec<&str> = list(&container["envFrom"])
        .map(|from| text(&from["configMapRef"]["name"]))
        .collect();
    let given: Vec<&str> = maps.iter().map(|map| text(&map["metadata"]["name"])).collect();
    assert_eq!(read, given, "{}", named(object));
    let mut all = BTreeMap::new();
    for (name, value) in maps
        .iter()
        .flat_map(|map| map["data"].as_mapping().into_iter().flatten())
    {
        all.insert(text(name).to_owned(), text(value).to_owned());
    }
    all.retain(|name, _| !name.starts_with("RETRAIN_") && !name.starts_with("SMOKE_"));
    all
}

fn told_always(environment: &str, object: &Value) -> BTreeMap<String, String> {
    let image = text(&rules::pod_spec(object)["containers"][0]["image"]);
    assert!(
        image.ends_with(&format!("/trainer@{}", tree::TRAINER_DIGEST)),
        "{image}"
    );
    let settings = tree::root().join(format!(
        "kustomize/overlays/{environment}/training/release/settings/kustomization.yaml"
    ));
    let settings: Value = serde_yaml::from_str(&std::fs::read_to_string(settings).unwrap()).unwrap();
    let settings = list(&settings["configMapGenerator"][0]["literals"])
        .filter_map(|literal| text(literal).split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let fixed = [
        ("API_URL", "http://inference-api.serving:8000"),
        ("ARGOCD_APPLICATION", "argocd/inference-api"),
        ("KFP_HOST", "http://ml-pipeline.kubeflow:8888"),
        ("KFP_PAGE", "http://ml-pipeline-ui.kubeflow"),
        ("MLFLOW_TRACKING_URI", "http://mlflow.training:5000"),
        ("MODEL_NAME", "iris-model"),
        ("TRAINER_IMAGE", image),
    ];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    fixed.into_iter().chain(settings).collect()
}

/// Those that upstream's programs are told of too: drivers, launchers and Argo's executor are no container of a Deployment.
#[test]
fn images_of_steps_are_pinned_too() {
    for environment in ENVIRONMENTS {
        let Some(all) = rendered(environment, PIPELINES) else {
            return;
        };
        let mut images = BTreeSet::new();
        for object in &all {
            let pod = rules::pod_spec(object);
            for container in list(&pod["initContainers"]).chain(list(&pod["containers"])) {
                images.insert(text(&container["image"]).to_owned());
                let told = list(&container["env"]).filter(|one| text(&one["name"]).ends_with("_IMAGE"));
                images.extend(told.map(|one| text(&one["value"]).to_owned()));
                let args: Vec<&str> = list(&container["args"]).map(text).collect();
                let executor = args.windows(2).find(|two| two[0] == "--executor-image");
                images.extend(executor.map(|two| two[1].to_owned()));
            }
        }
        let of = |begin: &str| {
            let found = images.iter().filter_map(|image| image.strip_prefix(begin));
            found
                .map(|rest| rest.split_once(':').unwrap().1)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            of("ghcr.io/kubeflow/kfp-"),
            BTreeSet::from([pins::KUBEFLOW_PIPELINES])
        );
        assert_eq!(of("quay.io/argoproj/"), BTreeSet::from([pins::ARGO_WORKFLOWS]));
        // Ours is the one that uploads.
        assert_eq!(images.len(), 14, "{images:?}");
        for image in &images {
            let moved = image.contains("/mysql:") || image.contains("/alpine:");
            assert!(!moved || image.contains("@sha256:"), "upstream moves {image}");
        }
    }
}

/// What belongs to the cluster as a whole is allowed by kind and name, and nothing else of the kind.
#[test]
fn objects_of_the_cluster_are_allowed_by_name() {
    for environment in ENVIRONMENTS {
        let Some(rendered) = tree::rendered() else { return };
        let own = objects(&rendered[&format!("argocd-{environment}")]);
        for project in own.iter().filter(|object| object["kind"] == "AppProject") {
            let mut made = BTreeSet::new();
            let apps = own.iter().filter(|object| object["kind"] == "Application");
            for app in apps.filter(|app| app["spec"]["project"] == project["metadata"]["name"]) {
                let Some(folder) = rendered.get(&format!("{environment}-{}", text(&app["metadata"]["name"])))
                else {
                    continue;
                };
                let whole = objects(folder)
                    .into_iter()
                    .filter(|object| object["metadata"]["namespace"].is_null());
                made.extend(whole.map(|object| named(&object)));
            }
            let allowed: BTreeSet<String> = list(&project["spec"]["clusterResourceWhitelist"])
                .map(|one| format!("{}/{}", text(&one["kind"]), text(&one["name"])))
                .collect();
            assert_eq!(
                made,
                allowed,
                "{environment} {}",
                text(&project["metadata"]["name"])
            );
        }
    }
}

#[test]
fn its_types_come_before_it_and_lite_has_neither() {
    let Some(kubectl) = tree::kubectl() else { return };
    let scratch = tempfile::tempdir_in(tree::root().join("target")).unwrap();
    let waves = |component: &str| -> BTreeMap<String, i64> {
        let overlay = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../argocd/apps]\n{component}"
        );
        std::fs::write(scratch.path().join("kustomization.yaml"), overlay).unwrap();
        let output = std::process::Command::new(&kubectl)
            .arg("kustomize")
            .arg(scratch.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let apps = objects(&String::from_utf8(output.stdout).unwrap());
        apps.iter()
            .map(|app| {
                let wave = text(&app["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]);
                (text(&app["metadata"]["name"]).to_owned(), wave.parse().unwrap())
            })
            .collect()
    };
    let full = waves("");
    assert!(
        full["kubeflow-pipelines-crds"] < full["kubeflow-pipelines"],
        "{full:?}"
    );
    let lite = waves("components: [../../argocd/components/lite]\n");
    let without: BTreeMap<String, i64> = full
        .into_iter()
        .filter(|(name, _)| !name.starts_with(PIPELINES))
        .collect();
    assert_eq!(lite, without);
}

//! One reading of all that the live rule rests on: Applications, then workloads, then Applications
//! again. Nothing is cached: a watch that has died would go on telling what was.

use crate::{
    Error, Result,
    argo::Application,
    connect::{list, within},
    in_cluster::applications,
    live::Moment,
    view, workload,
    workload::Workload,
};
use futures_util::future::{join_all, try_join_all};
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{Pod, Service},
};
use kube::{Api, Client, api::ListParams};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Where to look.
#[derive(Clone)]
pub struct Reader {
    /// Of the cluster.
    pub client: Client,
    /// Namespace of the Applications.
    pub argocd: String,
    /// Label selector of those that are ours.
    pub selector: String,
    /// Moments count from here.
    pub epoch: Instant,
}

/// What was there.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// When the reading began.
    pub at: Moment,
    /// As first read, with whether the second reading said the same.
    pub apps: Vec<(Application, bool)>,
    /// Objects by namespace.
    pub namespaces: BTreeMap<String, Objects>,
}

/// Objects of one namespace.
#[derive(Debug, Default)]
pub struct Objects {
    /// See the type.
    pub deployments: Vec<Deployment>,
    /// See the type.
    pub stateful_sets: Vec<StatefulSet>,
    /// Read only where a Deployment is not at the end of its rollout.
    pub replica_sets: Vec<ReplicaSet>,
    /// See the type.
    pub pods: Vec<Pod>,
    /// See the type.
    pub cron_jobs: Vec<CronJob>,
    /// See the type.
    pub jobs: Vec<Job>,
    /// See the type.
    pub services: Vec<Service>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({} in {})", self.selector, self.argocd)
    }
}

impl Reader {
    /// Time since the epoch.
    pub fn now(&self) -> Moment {
        self.epoch.elapsed()
    }

    /// Reads everything.
    ///
    /// # Errors
    /// What the API server said, or `Timeout`.
    pub async fn read(&self) -> Result<Snapshot> {
        let at = self.now();
        let before = self.applications().await?;
        let names = namespaces(&before);
        let read = names.iter().map(|namespace| self.objects(namespace));
        let namespaces: BTreeMap<String, Objects> =
            names.iter().cloned().zip(try_join_all(read).await?).collect();
        let after: BTreeMap<String, Application> = self
            .applications()
            .await?
            .into_iter()
            .map(|app| (app.name.clone(), app))
            .collect();
        let steady = |app: &Application| after.get(&app.name).is_some_and(|later| app.says_the_same(later));
        Ok(Snapshot {
            at,
            apps: before
                .into_iter()
                .map(|app| {
                    let steady = steady(&app);
                    (view::without_runs(app), steady)
                })
                .collect(),
            namespaces,
        })
    }

    /// The Applications that are ours, in the order of their names; none where Argo CD is not
    /// installed.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn applications(&self) -> Result<Vec<Application>> {
        let api = applications(&self.client, &self.argocd);
        let params = ListParams::default().labels(&self.selector);
        let what = format!("Applications in namespace {}", self.argocd);
        let found = match list(&api, &what, &params).await {
            Err(error) if error.kind == crate::Kind::NotFound => return Ok(Vec::new()),
            found => found?,
        };
        let mut apps = found
            .items
            .iter()
            .map(|object| Application::read(object).map_err(|error| Error::other(format!("{what}: {error}"))))
            .collect::<Result<Vec<_>>>()?;
        apps.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(apps)
    }

    async fn objects(&self, namespace: &str) -> Result<Objects> {
        let (deployments, stateful_sets, pods, cron_jobs, jobs, services) = tokio::try_join!(
            self.all::<Deployment>(namespace, "Deployments"),
            self.all::<StatefulSet>(namespace, "StatefulSets"),
            self.all::<Pod>(namespace, "Pods"),
            self.all::<CronJob>(namespace, "CronJobs"),
            self.all::<Job>(namespace, "Jobs"),
            self.all::<Service>(namespace, "Services"),
        )?;
        let mut objects = Objects {
            deployments,
            stateful_sets,
            replica_sets: Vec::new(),
            pods,
            cron_jobs,
            jobs,
            services,
        };
        let under_way = |d: &Deployment| workload::of_deployment(d, &[], &[]).unsettled.is_some();
        if objects.deployments.iter().any(under_way) {
            objects.replica_sets = self.all(namespace, "ReplicaSets").await?;
            // The pods that belong to these: those read before may be of the release before.
            objects.pods = self.all(namespace, "Pods").await?;
        }
        Ok(objects)
    }

    /// Objects of a kind in a namespace.
    ///
    /// # Errors
    /// What the API server said.
    pub async fn all<K>(&self, namespace: &str, what: &str) -> Result<Vec<K>>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let what = format!("{what} in namespace {namespace}");
        Ok(list(&api, &what, &ListParams::default()).await?.items)
    }
}

/// Where the Applications' objects are.
fn namespaces(apps: &[Application]) -> Vec<String> {
    let named = apps.iter().flat_map(|app| {
        let kinds = ["Deployment", "StatefulSet", "CronJob"];
        let holds = app.resources.iter().any(|r| kinds.contains(&r.kind.as_str()));
        let own = holds.then_some(&app.namespace);
        let theirs = app
            .resources
            .iter()
            .filter(move |r| kinds.contains(&r.kind.as_str()));
        own.into_iter().chain(theirs.map(|resource| &resource.namespace))
    });
    let set: BTreeSet<String> = named.filter(|name| !name.is_empty()).cloned().collect();
    set.into_iter().collect()
}

impl Snapshot {
    /// Deployments and StatefulSets of an Application that are there, and whether all are.
    pub fn workloads(&self, app: &Application) -> (Vec<Workload>, bool) {
        let mut complete = true;
        let mut found = Vec::new();
        for resource in &app.resources {
            let objects = self.namespaces.get(&resource.namespace);
            let workload = match resource.kind.as_str() {
                "Deployment" => objects.and_then(|objects| {
                    let named = objects
                        .deployments
                        .iter()
                        .find(|d| d.metadata.name.as_ref() == Some(&resource.name))?;
                    Some(workload::of_deployment(
                        named,
                        &objects.replica_sets,
                        &objects.pods,
                    ))
                }),
                "StatefulSet" => objects.and_then(|objects| {
                    let named = objects
                        .stateful_sets
                        .iter()
                        .find(|d| d.metadata.name.as_ref() == Some(&resource.name))?;
                    Some(workload::of_stateful_set(named, &objects.pods))
                }),
                "CronJob" => {
                    complete &= self.cron_job(&resource.namespace, &resource.name).is_some();
                    continue;
                }
                _ => continue,
            };
            complete &= workload.is_some();
            found.extend(workload);
        }
        (found, complete)
    }

    /// A CronJob by name.
    pub fn cron_job(&self, namespace: &str, name: &str) -> Option<&CronJob> {
        let all = &self.namespaces.get(namespace)?.cron_jobs;
        all.iter()
            .find(|cron| cron.metadata.name.as_deref() == Some(name))
    }

    /// CronJobs of an Application that are there.
    pub fn cron_jobs(&self, app: &Application) -> Vec<&CronJob> {
        app.of_kind("CronJob")
            .filter_map(|resource| self.cron_job(&resource.namespace, &resource.name))
            .collect()
    }

    /// Pod templates of an Application, as one text: see `live::Look`.
    pub fn fingerprint(&self, app: &Application, workloads: &[Workload]) -> String {
        let of_workloads = workloads
            .iter()
            .map(|w| format!("{}/{}/{}={}", w.kind, w.namespace, w.name, w.fingerprint));
        let of_crons = self.cron_jobs(app).into_iter().map(|cron| {
            let name = cron.metadata.name.as_deref().unwrap_or_default();
            format!(
                "CronJob/{name}={}",
                workload::fingerprint(&cron.spec.job_template)
            )
        });
        of_workloads.chain(of_crons).collect::<Vec<_>>().join(" ")
    }
}

/// Last lines of a container's log, oldest first; of the run before, where this one has just begun.
///
/// # Errors
/// What the API server said.
pub async fn log_tail(
    client: &Client,
    namespace: &str,
    pod: &str,
    container: &str,
    lines: i64,
) -> Result<Vec<String>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let what = format!("read the log of pod {pod} in namespace {namespace}");
    let ask = |previous: bool| {
        let params = kube::api::LogParams {
            container: (!container.is_empty()).then(|| container.to_owned()),
            tail_lines: Some(lines),
            previous,
            ..kube::api::LogParams::default()
        };
        let api = api.clone();
        async move { api.logs(pod, &params).await }
    };
    let both = join_all([true, false].map(|previous| within(&what, ask(previous)))).await;
    let mut first_error = None;
    for read in both {
        match read {
            Ok(text) if !text.trim().is_empty() => return Ok(text.lines().map(str::to_owned).collect()),
            Ok(_) => {}
            Err(error) => first_error = Some(error),
        }
    }
    first_error.map_or(Ok(Vec::new()), Err)
}

//! What a program inside a pod may ask: to start a run of a template, and to have an Application
//! looked at. As the pod's service account, so a Role must allow it.

use crate::{
    Error, Kind, Result,
    connect::{self, merge, within},
    jobs::{self, End, Wish},
    records::Records,
};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs::File, io::Read};

/// Argo CD looks at an Application that has this annotation, and removes it.
pub const REFRESH: &str = "argocd.argoproj.io/refresh";
/// Annotation of an Application that means nothing to Argo CD: changed so that it reads the object again.
pub const ASKED_AT: &str = "driftless.dev/asked-at";

/// The API server as a pod sees it. Calls block; each has a deadline of seconds.
pub struct InCluster {
    runtime: tokio::runtime::Runtime,
    client: Client,
    namespace: String,
}

impl std::fmt::Debug for InCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InCluster({})", self.namespace)
    }
}

impl InCluster {
    /// As the service account of this pod; templates are looked for in `namespace`.
    ///
    /// # Errors
    /// `NoContext` outside a pod.
    pub fn open(namespace: &str) -> Result<Self> {
        Self::with(namespace, async { connect::in_pod() })
    }

    /// The same calls from outside, through a context of the kubeconfig.
    ///
    /// # Errors
    /// `NoContext`.
    pub fn through(context: &str, namespace: &str) -> Result<Self> {
        Self::with(namespace, connect::client(context))
    }

    fn with(namespace: &str, client: impl Future<Output = Result<Client>>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Error::other(format!("start a runtime: {error}")))?;
        // On the runtime: the client's connections live there.
        let client = runtime.block_on(client)?;
        Ok(InCluster {
            runtime,
            client,
            namespace: namespace.to_owned(),
        })
    }

    /// Names of the runs of `template` that are not over, oldest first. Needs `list` on Jobs.
    ///
    /// # Errors
    /// What the API server said.
    pub fn unfinished_runs(&self, template: &str) -> Result<Vec<String>> {
        self.runtime.block_on(async {
            let jobs = self.jobs().await?;
            let open = jobs::unfinished(&jobs, template);
            Ok(open.iter().filter_map(|job| job.metadata.name.clone()).collect())
        })
    }

    /// Starts one run of the CronJob `template`: `args` are appended to the container's, `env` is
    /// set over its own. Returns the Job's name. Needs `get` on the CronJob, `list` and `create` on
    /// Jobs.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where the template allows one run at a time and one is not over; what
    /// the API server said.
    pub fn start_run(&self, template: &str, args: &[String], env: &[(String, String)]) -> Result<String> {
        self.runtime.block_on(async {
            let crons: Api<CronJob> = Api::namespaced(self.client.clone(), &self.namespace);
            let what = format!("CronJob {template} in namespace {}", self.namespace);
            let cron = within(&format!("get {what}"), crons.get(template)).await?;
            let jobs = self.jobs().await?;
            if let (true, Some(open)) = (
                jobs::one_at_a_time(&cron),
                jobs::unfinished(&jobs, template).first(),
            ) {
                let open = open.metadata.name.as_deref().unwrap_or_default();
                let text = format!("start a run of {what}: {open} is not over");
                return Err(Error::new(Kind::Conflict, text));
            }
            let wish = Wish {
                args,
                env,
                waits_since: None,
                name: None,
            };
            let job = create(&self.client, &cron, wish).await?;
            Ok(job.metadata.name.unwrap_or_default())
        })
    }

    /// As [`InCluster::start_run`], under a name that the caller gives. A Job of that name is that run,
    /// whatever its state; who creates it twice is refused by the API server and finds it.
    ///
    /// # Errors
    /// `NotFound`; `Other` where the name belongs to another Job; what the API server said.
    pub fn start_run_named(
        &self,
        template: &str,
        name: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<Begun> {
        self.runtime.block_on(async {
            let crons: Api<CronJob> = Api::namespaced(self.client.clone(), &self.namespace);
            let what = format!("CronJob {template} in namespace {}", self.namespace);
            let cron = within(&format!("get {what}"), crons.get(template)).await?;
            let jobs = self.jobs().await?;
            if let Some(begun) = look(&jobs, template, name, jobs::one_at_a_time(&cron))? {
                return Ok(begun);
            }
            let wish = Wish {
                args,
                env,
                waits_since: None,
                name: Some(name),
            };
            match create(&self.client, &cron, wish).await {
                Ok(_) => Ok(Begun::There),
                // Another one was faster: found now.
                Err(error) if error.kind == Kind::Conflict => {
                    look(&self.jobs().await?, template, name, false)?.ok_or(error)
                }
                Err(error) => Err(error),
            }
        })
    }

    /// Runs of `template` by name, with how they ended. Needs `list` on Jobs.
    ///
    /// # Errors
    /// What the API server said.
    pub fn runs(&self, template: &str) -> Result<BTreeMap<String, Option<End>>> {
        self.runtime.block_on(async {
            let jobs = self.jobs().await?;
            let mine = jobs.iter().filter(|job| jobs::template_of(job) == Some(template));
            Ok(mine
                .filter_map(|job| Some((job.metadata.name.clone()?, jobs::end(job))))
                .collect())
        })
    }

    /// Version and text of a record; see [`Records::read`].
    ///
    /// # Errors
    /// What the API server said.
    pub fn record(&self, name: &str) -> Result<(String, Option<String>)> {
        let records = Records::new(&self.client, &self.namespace);
        self.runtime.block_on(records.read(name))
    }

    /// Writes a record if it still has that version; see [`Records::write`].
    ///
    /// # Errors
    /// What the API server said.
    pub fn put_record(&self, name: &str, expected: &str, text: &str) -> Result<bool> {
        let records = Records::new(&self.client, &self.namespace);
        self.runtime.block_on(records.write(name, expected, text))
    }

    /// Asks Argo CD to look at an Application (`namespace/name`) now, and returns its `status` as it
    /// was at that moment: `sync`, `health`, `operationState`, `conditions`, …; null before the
    /// first look. Needs nothing but `patch` on that one object.
    ///
    /// An answer is of before the refresh. One that is asked for while an earlier one is carried
    /// out is lost: ask again where the answer is still an old one.
    ///
    /// # Errors
    /// What the API server said, or `Other` for a name that is not `namespace/name`.
    pub fn patch_refresh(&self, application: &str) -> Result<Value> {
        let (namespace, name) = application
            .split_once('/')
            .ok_or_else(|| Error::other(format!("Application {application:?}: expected namespace/name")))?;
        let api = applications(&self.client, namespace);
        // Set again where it is there already, the refresh alone changes nothing, and a controller that
        // has lost sight of it would not hear of it.
        let now = jiff::Timestamp::now().as_millisecond().to_string();
        let patch = json!({"metadata": {"annotations": {REFRESH: "normal", ASKED_AT: now}}});
        self.runtime.block_on(async {
            let patched = merge(&api, &format!("Application {application}"), name, &patch).await?;
            Ok(patched.data.get("status").cloned().unwrap_or_default())
        })
    }

    async fn jobs(&self) -> Result<Vec<Job>> {
        let api: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        let what = format!("Jobs in namespace {}", self.namespace);
        Ok(connect::list(&api, &what, &ListParams::default()).await?.items)
    }
}

/// What became of a start under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The run is there, made now or before.
    There,
    /// Not made: the template allows one run at a time, and this one is not over.
    Busy(String),
}

/// What the Jobs that are there say to a start under a name; `None`: it is to be made.
fn look(jobs: &[Job], template: &str, name: &str, one_at_a_time: bool) -> Result<Option<Begun>> {
    if let Some(job) = jobs.iter().find(|job| job.metadata.name.as_deref() == Some(name)) {
        return match jobs::template_of(job) == Some(template) {
            true => Ok(Some(Begun::There)),
            false => Err(Error::other(format!(
                "start a run of {template}: the name {name} belongs to another Job"
            ))),
        };
    }
    let open = jobs::unfinished(jobs, template);
    let open = open.first().filter(|_| one_at_a_time);
    Ok(open.map(|job| Begun::Busy(job.metadata.name.clone().unwrap_or_default())))
}

/// Argo CD's Applications of a namespace.
pub(crate) fn applications(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: "argoproj.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "argoproj.io/v1alpha1".to_owned(),
        kind: "Application".to_owned(),
        plural: "applications".to_owned(),
    };
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Makes the Job of one run in the template's namespace.
pub(crate) async fn create(client: &Client, template: &CronJob, wish: Wish<'_>) -> Result<Job> {
    let namespace = template.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Job> = Api::namespaced(client.clone(), &namespace);
    let job = jobs::job_of(template, wish, &random::<6>()?)?;
    let what = format!(
        "create Job {} in namespace {namespace}",
        job.metadata.name.as_deref().unwrap_or_default()
    );
    within(&what, api.create(&PostParams::default(), &job)).await
}

/// Random bytes from the kernel.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Error::other(format!("read /dev/urandom: {error}")))?;
    Ok(bytes)
}

#[cfg(all(test, feature = "bridge"))]
mod tests;

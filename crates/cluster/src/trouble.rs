//! Pure: why pods do not come up, and which one to look at.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// Restarts of a new release's container after which it is given up: the first one may be bad luck.
pub const RESTARTS_MAX: i32 = 2;

/// One guilty pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its name; empty where no pod is to blame.
    pub pod: String,
    /// Its container.
    pub container: String,
    /// Kubernetes' word, e.g. `ImagePullBackOff`.
    pub reason: String,
    /// Image that it was to run.
    pub image: String,
    /// In Kubernetes' words.
    pub detail: String,
    /// Restarts so far.
    pub restarts: i32,
    /// It ran and ended: its log says more.
    pub has_log: bool,
    /// It will not pass by itself. An image that could not be fetched because the registry did not
    /// answer may be there at the next attempt.
    pub lasting: bool,
}

impl Trouble {
    /// The Deployment's own deadline passed.
    pub fn late(workload: &str, detail: &str) -> Self {
        Trouble {
            pod: String::new(),
            container: String::new(),
            reason: "ProgressDeadlineExceeded".to_owned(),
            image: String::new(),
            detail: format!("{workload}: {detail}"),
            restarts: 0,
            has_log: false,
            lasting: true,
        }
    }

    /// One line for people: pod, reason, image, detail.
    pub fn line(&self) -> String {
        let mut text = match self.pod.is_empty() {
            true => self.reason.clone(),
            false => format!("pod {}: {}", self.pod, self.reason),
        };
        if !self.image.is_empty() {
            text.push_str(&format!(" of image {}", self.image));
        }
        if self.restarts > 0 {
            text.push_str(&format!(" after {} restarts", self.restarts));
        }
        if !self.detail.is_empty() {
            let detail = self.detail.split_whitespace().collect::<Vec<_>>().join(" ");
            text.push_str(&format!(": {detail}"));
        }
        text
    }
}

/// The worst trouble among pods of one release.
pub fn of(pods: &[&Pod]) -> Option<Trouble> {
    let troubles = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter_map(|pod| of_pod(pod));
    // Of equals the first by name, so that the same state is told in the same words.
    troubles.min_by_key(|trouble| (!trouble.lasting, !trouble.has_log, trouble.pod.clone()))
}

/// What is wrong with a pod, if anything.
pub fn of_pod(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let all = status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .flatten();
    all.into_iter().find_map(|container| of_container(pod, container))
}

fn of_container(pod: &Pod, status: &ContainerStatus) -> Option<Trouble> {
    let state = status.state.as_ref();
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let reason = waiting
        .and_then(|waiting| waiting.reason.as_deref())
        .unwrap_or_default();
    let said = waiting
        .and_then(|waiting| waiting.message.as_deref())
        .unwrap_or_default();
    let ended = last_end(status);
    let trouble = |reason: &str, detail: String, has_log: bool, lasting: bool| Trouble {
        pod: pod.metadata.name.clone().unwrap_or_default(),
        container: status.name.clone(),
        reason: reason.to_owned(),
        image: image_of(pod, &status.name).unwrap_or_else(|| status.image.clone()),
        detail,
        restarts: status.restart_count,
        has_log,
        lasting,
    };
    match reason {
        "ErrImagePull" | "ImagePullBackOff" => Some(trouble(reason, said.to_owned(), false, is_final(said))),
        "InvalidImageName"
        | "ErrImageNeverPull"
        | "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "ImageInspectError" => Some(trouble(reason, said.to_owned(), false, true)),
        // The kubelet restarts once at once; whoever waits under this name after that crashed twice.
        "CrashLoopBackOff" if status.restart_count + 1 >= RESTARTS_MAX => {
            Some(trouble(reason, ended, true, true))
        }
        _ if status.restart_count >= RESTARTS_MAX && !status.ready => {
            Some(trouble("keeps ending", ended, true, true))
        }
        _ => None,
    }
}

/// How the container ended last.
fn last_end(status: &ContainerStatus) -> String {
    let states = [&status.state, &status.last_state];
    let ended = states
        .iter()
        .find_map(|state| state.as_ref()?.terminated.as_ref());
    ended.map_or(String::new(), |ended| {
        let reason = ended.reason.as_deref().unwrap_or("ended");
        let message = ended.message.as_deref().unwrap_or_default();
        format!("{reason}, exit code {} {message}", ended.exit_code)
            .trim()
            .to_owned()
    })
}

/// A registry that answered and does not have it, or does not give it, will not change its mind.
fn is_final(message: &str) -> bool {
    let lower = message.to_lowercase();
    let words = [
        "not found",
        "not_found",
        "notfound",
        "manifest unknown",
        "manifest_unknown",
        "name unknown",
        "denied",
        "unauthorized",
        "forbidden",
        "no match for platform",
        "invalid reference",
    ];
    // A name that DNS does not find is a registry that does not answer.
    !lower.contains("no such host") && words.iter().any(|word| lower.contains(word))
}

fn image_of(pod: &Pod, container: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut all = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    all.find(|one| one.name == container)?.image.clone()
}

#[cfg(test)]
mod tests;

//! What only a cluster has, by the kubectl program: as a person would look and meddle, and independent
//! of the code under test.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{path::PathBuf, process::Command};

/// One cluster, by its context.
pub struct Kubernetes {
    kubectl: PathBuf,
    context: String,
}

impl Kubernetes {
    pub fn new(kubectl: PathBuf, context: String) -> Self {
        Kubernetes { kubectl, context }
    }

    /// Runs kubectl and returns its output; a deadline of a minute for each request.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        let out = Command::new(&self.kubectl)
            .args(["--context", &self.context, "--request-timeout=60s"])
            .args(args)
            .output()
            .with_context(|| self.kubectl.display().to_string())?;
        if !out.status.success() {
            bail!(
                "kubectl {}: {}",
                args.join(" "),
                String::from_utf8_lossy(&out.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// The same as JSON.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.run(&[args, &["--output", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("kubectl {}", args.join(" ")))
    }

    /// Image of the first container of a Deployment.
    pub fn image_of(&self, namespace: &str, deployment: &str) -> Result<String> {
        let found = self.json(&["--namespace", namespace, "get", "deployment", deployment])?;
        let image = &found["spec"]["template"]["spec"]["containers"][0]["image"];
        image.as_str().map(str::to_owned).context("no image")
    }

    /// An error until an Application's last operation has succeeded and none of its pods is ending.
    pub fn at_rest(&self, namespace: &str, application: &str) -> Result<()> {
        let path = "--output=jsonpath={.status.operationState.phase}";
        let phase = self.run(&["--namespace", "argocd", "get", "application", application, path])?;
        ensure!(phase == "Succeeded", "its operation is {phase:?}");
        let selector = format!("--selector=app.kubernetes.io/name={application}");
        let pods = self.json(&["--namespace", namespace, "get", "pods", &selector])?;
        let pods = pods["items"].as_array().context("no items")?;
        let ending = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_string());
        let ending = ending.count();
        ensure!(ending == 0, "{ending} of its {} pods are ending", pods.len());
        Ok(())
    }

    /// Replicas that a Deployment asks for.
    pub fn replicas_of(&self, namespace: &str, deployment: &str) -> Result<u64> {
        let found = self.json(&["--namespace", namespace, "get", "deployment", deployment])?;
        found["spec"]["replicas"].as_u64().context("no replicas")
    }

    /// Deletes pods at once, without grace, as a power cut would.
    pub fn kill_pods(&self, namespace: &str, which: &[&str]) -> Result<()> {
        let args = [
            "--namespace",
            namespace,
            "delete",
            "pods",
            "--grace-period=0",
            "--force",
            "--wait=false",
        ];
        self.run(&[&args, which].concat()).map(drop)
    }

    /// Sends a Service's port nowhere until the returned guard is dropped.
    pub fn cut_off<'a>(&'a self, namespace: &'a str, service: &'a str) -> Result<CutOff<'a>> {
        let found = self.json(&["--namespace", namespace, "get", "service", service])?;
        let port = found["spec"]["ports"][0]["port"].as_u64().context("no port")?;
        let cut = CutOff {
            kubernetes: self,
            namespace,
            service,
            port,
        };
        cut.lead_to(port + 20_000)?;
        Ok(cut)
    }
}

/// A Service that is cut off.
pub struct CutOff<'a> {
    kubernetes: &'a Kubernetes,
    namespace: &'a str,
    service: &'a str,
    port: u64,
}

impl CutOff<'_> {
    fn lead_to(&self, port: u64) -> Result<()> {
        let patch = format!(r#"[{{"op":"replace","path":"/spec/ports/0/port","value":{port}}}]"#);
        let args = [
            "--namespace",
            self.namespace,
            "patch",
            "service",
            self.service,
            "--type=json",
            "--patch",
        ];
        self.kubernetes.run(&[&args[..], &[&patch]].concat()).map(drop)
    }
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.lead_to(self.port) {
            eprintln!(
                "e2e: Service {}/{} still leads nowhere: {error:#}",
                self.namespace, self.service
            );
        }
    }
}

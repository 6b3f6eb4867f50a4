//! Every command and flag, with help for a person in a hurry.

use crate::profile::Profile;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::{ffi::OsString, path::PathBuf};

/// Everything a person or CI does in this repository.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    /// Flags of every command.
    pub globals: Globals,
    #[command(subcommand)]
    /// What to do; none prints the list.
    pub task: Option<Task>,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// Print results as JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Print no progress, only results, warnings and failures
    #[arg(long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show the output of the programs that are run
    #[arg(long, global = true)]
    pub verbose: bool,
    /// Print what would be run and changed, and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// What runs the applications
    #[arg(long, global = true, value_enum, default_value_t = EngineChoice::Auto)]
    pub engine: EngineChoice,
    /// Folder of what is kept on this machine: repository, images, data, logs
    /// [default: .driftless, .driftless-minikube or .driftless-cluster-CONTEXT]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Added to every port (30080 for the API, 30500 for MLflow)
    #[arg(long, global = true, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=30000))]
    pub port_offset: u16,
    #[command(flatten)]
    /// Which cluster, and how to reach what it needs.
    pub cluster: ClusterFlags,
}

/// What the engines minikube and cluster must know. `up` remembers it in the state folder, so that
/// later commands need only `--engine` and `--context`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "For the engines minikube and cluster")]
pub struct ClusterFlags {
    /// Context of the kubeconfig; no other is ever touched
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "DRIFTLESS_CONTEXT",
        hide_env_values = true
    )]
    pub context: Option<String>,
    /// Folder of kustomize/overlays that is made true [default: minikube]
    #[arg(long, global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// Registry and path that this machine pushes to and the nodes pull from
    #[arg(
        long,
        global = true,
        value_name = "HOST/PATH",
        env = "DRIFTLESS_REGISTRY",
        hide_env_values = true
    )]
    pub registry: Option<String>,
    /// The same registry's name inside of the cluster [default: as --registry]
    #[arg(
        long,
        global = true,
        value_name = "HOST/PATH",
        env = "DRIFTLESS_REGISTRY_IN_CLUSTER",
        hide_env_values = true
    )]
    pub registry_in_cluster: Option<String>,
    /// A hosted repository to follow, instead of a Git server in the cluster
    #[arg(long, global = true, value_name = "URL", env = "DRIFTLESS_GIT_URL", hide_env_values = true, value_parser = git_url)]
    pub git_url: Option<String>,
    /// Folder where third-party files are looked up before they are downloaded
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "DRIFTLESS_UPSTREAM_MIRROR",
        hide_env_values = true
    )]
    pub upstream_mirror: Option<PathBuf>,
    /// What is installed [default: as it is there; at first full on Minikube, else lite]
    #[arg(long, global = true, value_enum)]
    pub profile: Option<Profile>,
    /// Use a cluster that holds other things and was not set up by `up`
    #[arg(long, global = true)]
    pub yes_this_cluster: bool,
}

/// Pods read it without a login, and it is written into Git: no password may be in it.
fn git_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        None => Err("expected http:// or https://".to_owned()),
        Some(rest) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
            Err("no user name or password may be in it; set GIT_USERNAME and GIT_TOKEN instead".to_owned())
        }
        Some("") => Err("expected a host".to_owned()),
        Some(_) => Ok(text.to_owned()),
    }
}

/// What runs the applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// The best that works here
    Auto,
    /// Processes on this machine
    Local,
    /// Kubernetes in Minikube
    Minikube,
    /// A Kubernetes cluster of yours
    Cluster,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Check this machine: tools, memory, disk, ports
    Doctor,
    /// Prepare and start everything, train and roll out the first model
    Up(UpFlags),
    /// See the point of it all: drift, retrain, rollout under load, revert
    Demo,
    /// Stop everything that `up` started
    Down(DownFlags),
    /// One screen: what runs, what is live, drift, last promotions
    Status,
    /// Train on what is in the data folder, and promote if it passes the gate
    Train(TrainFlags),
    /// Release a model again that was promoted before, by its image tag
    Promote(PromoteFlags),
    /// Bring the model before the live one back, by `git revert`
    Rollback(RollbackFlags),
    /// Print the last log lines of an application or a run
    Logs(LogsFlags),
    /// Render the overlays as they would be applied
    Render(RenderFlags),
    /// Build the images of API and trainer into the image layout, a registry or an archive
    Images(ImagesFlags),
    /// Print the address of a page, and open it where there is a browser
    Open(OpenFlags),
    /// Run a benchmark beside what it is compared to (`serve`, `forest`, ...)
    Bench(PassFlags),
    /// Run the end-to-end scenarios in a world of their own
    E2e(E2eFlags),
    /// Run every test that this machine can run
    Test(TestFlags),
    /// Check the house rules
    Tidy,
    /// Write the files that are made from code: the retrain's pipeline
    Codegen(CodegenFlags),
}

/// Flags of `up`.
#[derive(Clone, Debug, Default, Args)]
pub struct UpFlags {
    /// Begin at this step, taking the earlier ones as done
    #[arg(long, value_name = "STEP", value_parser = crate::cmd::up::NAMES)]
    pub from: Option<String>,
}

/// Flags of `down`.
#[derive(Clone, Debug, Default, Args)]
pub struct DownFlags {
    /// Also remove the state folder: repository, images, models, data
    #[arg(long)]
    pub purge: bool,
    /// Do not ask before things are removed from a cluster
    #[arg(long)]
    pub yes: bool,
}

/// Flags of `images`.
#[derive(Clone, Debug, Default, Args)]
pub struct ImagesFlags {
    /// Also write both images as an archive for `minikube image load`
    #[arg(long, value_name = "FILE")]
    pub archive: Option<PathBuf>,
    /// Compile our own crates a second time and compare the digests
    #[arg(long)]
    pub twice: bool,
}

/// Flags of `open`.
#[derive(Clone, Debug, Args)]
pub struct OpenFlags {
    /// Which page
    #[arg(value_enum)]
    pub page: Page,
}

/// What can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// Runs, models, versions
    Mlflow,
    /// Documentation of the inference API
    Api,
    /// Kubeflow Pipelines: pipelines, runs, steps
    Pipelines,
    /// Applications, by the command that shows them
    Argocd,
    /// The repository that is followed
    Git,
}

/// Flags of `train`.
#[derive(Clone, Debug, Default, Args)]
pub struct TrainFlags {
    /// Train even when there is nothing new to learn from
    #[arg(long)]
    pub force: bool,
    /// Further flags for the trainer, after `--`
    #[arg(last = true, value_name = "TRAINER FLAGS")]
    pub rest: Vec<String>,
}

/// Flags of `promote`.
#[derive(Clone, Debug, Args)]
pub struct PromoteFlags {
    /// Image tag, e.g. m3-0a1b2c3 (`cargo xtask status` lists them)
    #[arg(long)]
    pub tag: String,
}

/// Flags of `rollback`.
#[derive(Clone, Debug, Default, Args)]
pub struct RollbackFlags {
    /// Bring back the release as it was at this commit, instead of the one before
    #[arg(long, value_name = "COMMIT")]
    pub to: Option<String>,
}

/// Flags of `logs`.
#[derive(Clone, Debug, Args)]
pub struct LogsFlags {
    /// Name of an application (the newest run where it has runs) or of a run
    pub of: String,
    /// Number of lines
    #[arg(long, default_value_t = 50)]
    pub tail: usize,
}

/// Flags of `render`.
#[derive(Clone, Debug, Default, Args)]
pub struct RenderFlags {
    /// Write one file for each overlay into this folder instead of printing
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Check the rendered objects instead of printing them
    #[arg(long)]
    pub check: bool,
}

/// Flags of `codegen`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct CodegenFlags {
    /// Fail where a file is not what the code makes, and write nothing
    #[arg(long)]
    pub check: bool,
}

/// Arguments passed on.
#[derive(Clone, Debug, Default, Args)]
pub struct PassFlags {
    /// Passed on
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub rest: Vec<String>,
}

/// Flags of `e2e`.
#[derive(Clone, Debug, Default, Args)]
pub struct E2eFlags {
    /// Leave the world running afterwards
    #[arg(long)]
    pub keep: bool,
    /// Flags for the scenarios, after `--` (`--only NAME`, `--list`)
    #[arg(last = true, value_name = "E2E FLAGS")]
    pub rest: Vec<String>,
}

/// Flags of `test`.
#[derive(Clone, Debug, Default, Args)]
pub struct TestFlags {
    /// Leave out the end-to-end scenarios
    #[arg(long)]
    pub no_e2e: bool,
}

/// The list that `cargo xtask` alone prints, and the order of the help.
pub const GROUPS: &[(&str, &[&str])] = &[
    ("Start here", &["up", "demo", "test"]),
    (
        "Every day",
        &[
            "status", "open", "train", "promote", "rollback", "logs", "down", "doctor",
        ],
    ),
    (
        "For CI and for changing things",
        &["e2e", "bench", "render", "images", "tidy", "codegen"],
    ),
];

/// The commands by group, a line each.
pub fn overview() -> String {
    let command = Cli::command();
    let mut text = String::new();
    for (group, names) in GROUPS {
        text.push_str(&format!("{group}:\n"));
        for name in *names {
            let about = command
                .find_subcommand(name)
                .and_then(|found| found.get_about())
                .map(ToString::to_string)
                .unwrap_or_default();
            text.push_str(&format!("  {:<10} {about}\n", name));
        }
        text.push('\n');
    }
    text
}

/// The command line as clap sees it, with our grouped list instead of clap's.
pub fn command() -> clap::Command {
    Cli::command().help_template(format!(
        "{{about}}\n\nUsage: {{usage}}\n\n{}Flags of every command:\n{{options}}\n",
        overview()
    ))
}

/// Parses a command line.
///
/// # Errors
/// Clap's: usage (exit code 2), help.
pub fn parse<T: Into<OsString> + Clone>(args: impl IntoIterator<Item = T>) -> Result<Cli, clap::Error> {
    let cli = Cli::from_arg_matches(&command().try_get_matches_from(args)?)?;
    let local = matches!(cli.globals.engine, EngineChoice::Auto | EngineChoice::Local);
    if local && cli.globals.cluster.profile.is_some() {
        let why = "--profile is for the engines minikube and cluster: the local engine has no Kubeflow Pipelines to leave out";
        return Err(command().error(clap::error::ErrorKind::ArgumentConflict, why));
    }
    Ok(cli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let mut grouped: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let command = Cli::command();
        let mut all: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }
}

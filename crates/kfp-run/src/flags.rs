//! Flags of `kfp-run`.

use clap::Parser;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Runs a pipeline of Kubeflow Pipelines as processes on this machine.
///
/// Exit codes: 0 all steps succeeded, 1 some failed, 2 it could not begin or go on.
#[derive(Debug, Parser)]
#[command(name = "kfp-run", version, max_term_width = 100)]
pub struct Flags {
    /// The document: IR 2.1.0 [default with --resume: the one that was begun].
    pub pipeline: Option<PathBuf>,
    /// Folder of this run: its record, what steps say and leave.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// A parameter. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub param: Vec<(String, String)>,
    /// Go on with the run of --dir: what has finished is not run again.
    #[arg(long)]
    pub resume: bool,
    /// Id of the run [default: a new one].
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// OCI layout that images are taken from.
    #[arg(long, value_name = "DIR", requires = "unpacked", conflicts_with_all = ["image", "host"])]
    pub layout: Option<PathBuf>,
    /// With --layout: where images are unpacked.
    #[arg(long, value_name = "DIR")]
    pub unpacked: Option<PathBuf>,
    /// An image and the folder that it is unpacked in. May be repeated.
    #[arg(long, value_name = "REFERENCE=DIR", value_parser = file)]
    pub image: Vec<(String, PathBuf)>,
    /// Images without an --image run programs of this machine.
    #[arg(long)]
    pub host: bool,
    /// With --host: what a name on a command line is here. May be repeated.
    #[arg(long, value_name = "NAME=FILE", value_parser = file, requires = "host")]
    pub program: Vec<(String, PathBuf)>,
    /// Folder for a claim, Secret or ConfigMap that is mounted. May be repeated.
    #[arg(long, value_name = "NAME=DIR", value_parser = file)]
    pub volume: Vec<(String, PathBuf)>,
    /// JSON file with keys of Secrets and ConfigMaps: {"name": {"key": "value"}}.
    #[arg(long, value_name = "FILE")]
    pub objects: Option<PathBuf>,
    /// A variable that steps inherit besides PATH, LANG, LC_ALL and TZ. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub inherit: Vec<String>,
    /// Folder of results that other runs take [default: no cache].
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Steps at the same time [default: one for each processor].
    #[arg(long, value_name = "COUNT")]
    pub parallel: Option<usize>,
}

impl Flags {
    /// Keys of objects, which are never shown.
    pub fn objects(&self) -> Result<BTreeMap<String, BTreeMap<String, SecretString>>, String> {
        let Some(file) = &self.objects else {
            return Ok(BTreeMap::new());
        };
        let shown = file.display();
        let text = std::fs::read(file).map_err(|error| format!("--objects {shown}: {error}"))?;
        // The reader's own words might quote a value.
        let all: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_slice(&text).map_err(|error| {
                format!(
                    "--objects {shown}: line {}: expected {{\"name\": {{\"key\": \"value\"}}}}",
                    error.line()
                )
            })?;
        let secret = |(key, value)| (key, SecretString::from(value));
        let all = all.into_iter();
        Ok(all
            .map(|(name, keys)| (name, keys.into_iter().map(secret).collect()))
            .collect())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = pair(text)?;
    // A step's working folder is another one.
    let file = std::path::absolute(&file).map_err(|error| format!("{file:?}: {error}"))?;
    Ok((name, file))
}

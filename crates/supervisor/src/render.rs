//! Running kustomize on an exported overlay.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

/// Rendering took 0.2 s on two cores; a remote base that is not reachable would wait for minutes.
const DEADLINE: Duration = Duration::from_secs(20);
/// More than any overlay of ours by far; bounds memory.
const OUTPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The overlay could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// kustomize could not be run.
    #[error("cannot run {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// It said no.
    #[error("{overlay} cannot be rendered: {said}")]
    Refused {
        /// Path inside the repository.
        overlay: String,
        /// Its words.
        said: String,
    },
    /// It did not end.
    #[error("rendering {overlay} did not end within {seconds} s")]
    Deadline {
        /// Path inside the repository.
        overlay: String,
        /// The deadline.
        seconds: u64,
    },
    /// It wrote too much.
    #[error("{overlay} renders to more than {OUTPUT_BYTES_MAX} bytes")]
    TooLarge {
        /// Path inside the repository.
        overlay: String,
    },
}

/// Renders `overlay` (a path inside `root`) with `renderer` (program and first arguments).
///
/// # Errors
/// See [`RenderError`].
pub async fn render(renderer: &[String], root: &Path, overlay: &str) -> Result<String, RenderError> {
    let deadline = || RenderError::Deadline {
        overlay: overlay.to_owned(),
        seconds: DEADLINE.as_secs(),
    };
    timeout(DEADLINE, run(renderer, root, overlay))
        .await
        .map_err(|_| deadline())?
}

async fn run(renderer: &[String], root: &Path, overlay: &str) -> Result<String, RenderError> {
    let (program, arguments) = renderer
        .split_first()
        .map_or(("", &[][..]), |(p, rest)| (p.as_str(), rest));
    let start = |source| RenderError::Start {
        program: program.to_owned(),
        source,
    };
    let mut child = Command::new(PathBuf::from(program))
        .args(arguments)
        .arg(root.join(overlay))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        // kubectl looks for its settings; rendering must not depend on them.
        .env("HOME", root)
        .env("KUBECONFIG", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(start)?;
    let (mut output, mut said) = (Vec::new(), Vec::new());
    let pipes = child.stdout.take().zip(child.stderr.take());
    if let Some((stdout, stderr)) = pipes {
        let (mut stdout, mut stderr) = (stdout.take(OUTPUT_BYTES_MAX + 1), stderr.take(64 * 1024));
        // One that writes without end is not waited for: dropping it ends it.
        let read_output = async {
            let length = stdout.read_to_end(&mut output).await.map_err(start)?;
            match length as u64 {
                0..=OUTPUT_BYTES_MAX => Ok(()),
                _ => Err(RenderError::TooLarge {
                    overlay: overlay.to_owned(),
                }),
            }
        };
        let read_said = async { stderr.read_to_end(&mut said).await.map_err(start) };
        tokio::try_join!(read_output, read_said)?;
    }
    let status = child.wait().await.map_err(start)?;
    let refused = |said: &[u8]| RenderError::Refused {
        overlay: overlay.to_owned(),
        // The export is a temporary folder whose name says nothing to a reader.
        said: String::from_utf8_lossy(said)
            .replace(&format!("{}/", root.display()), "")
            .trim()
            .to_owned(),
    };
    if !status.success() {
        return Err(refused(&said));
    }
    String::from_utf8(output).map_err(|_| refused(b"its output is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn output_or_the_words_of_the_refusal() {
        let root = Path::new("/");
        assert_eq!(render(&shell("echo hello"), root, "x").await.unwrap(), "hello\n");
        let error = render(&shell("echo bad base >&2; exit 1"), root, "x/y")
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "x/y cannot be rendered: bad base");
        let error = render(&["/no/such/kustomize".to_owned()], root, "x")
            .await
            .unwrap_err();
        assert!(
            error.to_string().starts_with("cannot run /no/such/kustomize"),
            "{error}"
        );
        let error = render(&shell("exec cat /dev/zero"), root, "x").await.unwrap_err();
        assert!(matches!(error, RenderError::TooLarge { .. }), "{error}");
    }
}

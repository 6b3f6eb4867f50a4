//! A command to run: a program and a vector of arguments, never a line for a shell.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// Hears each line of standard error as it is written.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Whether a command only looks or also changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Only looks: also run under `--dry-run`.
    Reads,
    /// Changes something: written down under `--dry-run`.
    Changes,
}

/// Where a command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Both streams into [`Output`].
    Captured,
    /// Both streams into [`Output`], standard error also to the person (cargo's progress).
    Progress,
    /// Both to the person.
    All,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128 + n when killed by signal n.
    pub code: i32,
    /// Captured standard output.
    pub stdout: String,
    /// Captured standard error.
    pub stderr: String,
}

impl Output {
    /// Exit code 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// Last non-empty lines of standard error, or of standard output where that is empty.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let text = if self.stderr.trim().is_empty() {
            &self.stdout
        } else {
            &self.stderr
        };
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(count)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }
}

/// A command. Display is how a person would type it, with secrets replaced.
#[derive(Clone)]
pub struct Cmd {
    /// Name on PATH or a path.
    pub program: String,
    /// Arguments, one each.
    pub args: Vec<String>,
    /// Variables set over the inherited ones.
    pub env: Vec<(String, String)>,
    /// Variables whose values are never printed.
    pub secret_env: Vec<(String, String)>,
    /// Variables that only change how output looks.
    pub shape: Vec<(String, String)>,
    /// Variables not inherited.
    pub without_env: Vec<String>,
    /// Working folder.
    pub dir: Option<PathBuf>,
    /// Looks or changes.
    pub effect: Effect,
    /// Where output goes.
    pub show: Show,
    /// Hears what is written to standard error meanwhile.
    pub tell: Option<Tell>,
    /// Killed after this long.
    pub deadline: Duration,
    /// Standard output that a dry run goes on with.
    pub pretended: String,
}

impl Cmd {
    /// A command that only looks.
    pub fn reads(program: impl Into<String>) -> Self {
        Cmd {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            secret_env: Vec::new(),
            shape: Vec::new(),
            without_env: Vec::new(),
            dir: None,
            effect: Effect::Reads,
            show: Show::Captured,
            tell: None,
            deadline: Duration::from_secs(60),
            pretended: String::new(),
        }
    }

    /// A command that changes something.
    pub fn changes(program: impl Into<String>) -> Self {
        Cmd {
            effect: Effect::Changes,
            ..Cmd::reads(program)
        }
    }

    /// Adds arguments.
    pub fn args<T: AsRef<str>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds a path as an argument.
    pub fn path(mut self, path: impl AsRef<std::path::Path>) -> Self {
        self.args.push(path.as_ref().display().to_string());
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets a variable whose value is never printed.
    pub fn secret_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secret_env.push((name.into(), value.into()));
        self
    }

    /// Sets a variable that only changes how output looks; not worth showing.
    pub fn shape(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.shape.push((name.into(), value.into()));
        self
    }

    /// Does not inherit a variable.
    pub fn without_env(mut self, name: impl Into<String>) -> Self {
        self.without_env.push(name.into());
        self
    }

    /// Runs in a folder.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Says where output goes.
    pub fn show(mut self, show: Show) -> Self {
        self.show = show;
        self
    }

    /// Lets somebody hear each line of standard error as it is written.
    pub fn tell(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// Sets the deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Says what a dry run goes on with instead of the real standard output.
    pub fn pretend(mut self, stdout: impl Into<String>) -> Self {
        self.pretended = stdout.into();
        self
    }

    /// Whether the arguments begin with these.
    pub fn starts_with(&self, program: &str, args: &[&str]) -> bool {
        let name = self.program.rsplit('/').next().unwrap_or_default();
        name == program && self.args.len() >= args.len() && self.args.iter().zip(args).all(|(a, b)| a == b)
    }
}

/// Quotes as a POSIX shell wants it, only where it must.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%^{}~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        for (name, _) in &self.secret_env {
            write!(f, "{name}=<hidden> ")?;
        }
        f.write_str(&quoted(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cmd({self})")
    }
}

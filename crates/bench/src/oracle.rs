//! The other side of a benchmark, in the pinned Python environment: a line of JSON each way.

use crate::paths;
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The other side's process; ends with its input.
pub struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts a program that answers each line of JSON with one.
    pub fn start(program: &str) -> Result<Self> {
        let mut child = Command::new(paths::oracle_python()?)
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the oracle's Python")?;
        let input = child.stdin.take().context("its input")?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        Ok(Self { child, input, output })
    }

    /// One question.
    pub fn ask(&mut self, request: Value) -> Result<Value> {
        writeln!(self.input, "{request}").context("ask the oracle")?;
        let mut line = String::new();
        self.output.read_line(&mut line).context("the oracle's answer")?;
        serde_json::from_str(&line).context("the oracle ended early, see above")
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

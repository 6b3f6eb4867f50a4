//! An executor that several hold: a test and the context, or `main` and the context.

use super::{Answer, Cmd, ExecError, Executor, Lock, Output, Request};
use engine::{Engine, EngineError};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

impl<T: Executor + ?Sized> Executor for std::sync::Arc<T> {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        (**self).run(cmd)
    }
    fn start(&self, cmd: &Cmd, log: &Path) -> Result<(), ExecError> {
        (**self).start(cmd, log)
    }
    fn find(&self, program: &str) -> Option<PathBuf> {
        (**self).find(program)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        (**self).read(path)
    }
    fn sha256(&self, path: &Path) -> io::Result<String> {
        (**self).sha256(path)
    }
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        (**self).write(path, bytes, mode)
    }
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        (**self).remove_tree(path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        (**self).remove_file(path)
    }
    fn port_is_free(&self, port: u16) -> bool {
        (**self).port_is_free(port)
    }
    fn http(&self, request: &Request) -> Result<Answer, String> {
        (**self).http(request)
    }
    fn engine(&self, state: &Path) -> Result<Box<dyn Engine>, EngineError> {
        (**self).engine(state)
    }
    fn stop_engine(&self, state: &Path) -> Result<(), EngineError> {
        (**self).stop_engine(state)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        (**self).lock(path)
    }
    fn print(&self, line: &str) {
        (**self).print(line);
    }
    fn pause(&self, what: &str, time: Duration) -> bool {
        (**self).pause(what, time)
    }
    fn pretends(&self) -> bool {
        (**self).pretends()
    }
}

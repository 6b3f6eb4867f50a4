//! One test program: the release file's text, promotion, races, kills, and a real HTTP server.

mod common;
mod history;
mod http;
mod kustomize;
mod oracle;
mod race;
mod server;
mod text;
mod withdraw;

//! The real engine, started on a temporary state folder with a bare repository and an image layout.

mod jobs;
mod overlays;
mod replicas;
mod rollout;
mod support;
mod survival;
mod trouble;

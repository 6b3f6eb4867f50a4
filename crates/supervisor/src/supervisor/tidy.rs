//! Bounds on what the engine leaves on disk.

use super::Supervisor;
use crate::{app::App, context::ImageState, image, logs};
use std::{collections::BTreeMap, path::Path};

/// Log files kept for one application.
const LOGS_MAX: usize = 12;
/// Unpacked images kept besides those in use, so that a revert need not unpack.
const SPARE_IMAGES: usize = 3;

impl Supervisor {
    /// Forgets old runs, cuts and removes old logs, removes images that nothing needs.
    pub(super) fn tidy(&mut self) {
        let limits: BTreeMap<String, (usize, usize)> = self
            .apps
            .values()
            .flat_map(|app| app.crons.iter())
            .map(|(name, cron)| (name.clone(), (cron.plan.keep_succeeded, cron.plan.keep_failed)))
            .collect();
        self.runs.forget(
            |template| limits.get(template).copied().unwrap_or((3, 3)),
            &mut self.context,
        );
        let replicas = || {
            self.apps
                .values()
                .flat_map(|a| a.deployments.values())
                .flat_map(|d| d.replicas.values())
        };
        let mut used: Vec<_> = replicas().map(|replica| replica.log.clone()).collect();
        used.extend(self.runs.files_in_use());
        let needed: Vec<String> = self
            .apps
            .values()
            .flat_map(App::images)
            .chain(self.runs.images())
            .collect();
        self.context.images.retain(|image, _| needed.contains(image));
        let mut digests: Vec<String> = replicas().map(|replica| replica.image.clone()).collect();
        digests.extend(self.context.images.values().filter_map(ImageState::digest));
        // One that is just being unpacked is not known by its digest yet.
        let may_sweep = !self
            .context
            .images
            .values()
            .any(|image| matches!(image, ImageState::Preparing));
        digests.extend(needed);
        let names: Vec<String> = self.apps.keys().cloned().collect();
        let home = self.context.home.clone();
        tokio::task::spawn_blocking(move || {
            for path in &used {
                logs::bound(path);
            }
            let used: Vec<&Path> = used.iter().map(std::path::PathBuf::as_path).collect();
            for name in names {
                logs::prune(&home.join("logs").join(name), LOGS_MAX, &used);
            }
            if may_sweep {
                image::sweep(&home, &digests, SPARE_IMAGES);
            }
        });
    }
}

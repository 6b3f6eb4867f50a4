//! Asking Argo CD to look at an Application again.

use super::{Core, Due};
use crate::{
    Kind,
    argo::REFRESH,
    connect::merge,
    in_cluster::{ASKED_AT, applications},
    nudge::Reason,
};
use kube::{Api, core::DynamicObject};
use serde_json::json;

impl Core {
    /// Sets the annotation where it is absent. The resource version makes it certain that it was:
    /// set again while it is there, it would be removed by a comparison that began before.
    pub(super) async fn ask(&self, due: &Due) {
        let api = applications(&self.reader.client, &self.reader.argocd);
        match due.reason {
            Reason::Unheard => return self.poke(&api, due).await,
            Reason::Hooks => return self.sync_whole(&api, due).await,
            _ => {}
        }
        let patch = json!({"metadata": {
            "resourceVersion": due.resource_version,
            "annotations": {REFRESH: "normal"},
        }});
        match merge(&api, &format!("Application {}", due.app), &due.app, &patch).await {
            Ok(_) => {
                tracing::debug!(app = due.app, reason = ?due.reason, "refresh");
                let at = self.reader.now();
                let mut memory = self.memory();
                let head = memory.head.clone();
                memory.nudges.asked(&due.app, at, head.as_deref());
                if let Some(ticket) = due.ticket {
                    memory.tracker.asked(&due.app, ticket, at);
                }
            }
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => self.complain("refresh", &error),
        }
    }

    /// Has Argo CD sync all objects at the commit that they are of already: only its hooks do something.
    async fn sync_whole(&self, api: &Api<DynamicObject>, due: &Due) {
        let patch = json!({
            "metadata": {"resourceVersion": due.resource_version},
            "operation": {
                "initiatedBy": {"username": "driftless"},
                "sync": {"revision": due.revision, "prune": true},
            },
        });
        match merge(api, &format!("Application {}", due.app), &due.app, &patch).await {
            Ok(_) => tracing::info!(
                app = due.app,
                revision = due.revision,
                "synced again, for its hooks"
            ),
            Err(error) if error.kind == Kind::Conflict => return,
            Err(error) => self.complain("sync", &error),
        }
        self.memory().nudges.asked_whole(&due.app, &due.revision);
    }

    /// Changes something that means nothing, so that Argo CD hears of the refresh that is there.
    async fn poke(&self, api: &Api<DynamicObject>, due: &Due) {
        let at = self.reader.now();
        let patch = json!({"metadata": {"annotations": {ASKED_AT: at.as_millis().to_string()}}});
        match merge(api, &format!("Application {}", due.app), &due.app, &patch).await {
            Ok(_) => tracing::debug!(app = due.app, "a refresh that was not heard of"),
            Err(error) => self.complain("poke", &error),
        }
        self.memory().nudges.poked(&due.app, at);
    }
}

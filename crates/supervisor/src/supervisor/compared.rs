//! Following `main`: looked at, compared, taken in.

use super::Supervisor;
use crate::{
    app::App,
    compare::{self, Compared, Comparison, Outcome},
    context::Event,
    git::Source,
    services::ServicePort,
};
use std::time::{Duration, Instant};

/// Overlays that could not be compared are tried again after so long.
const COMPARE_AGAIN: Duration = Duration::from_secs(3);

impl Supervisor {
    pub(super) fn look(&mut self) {
        if !std::mem::replace(&mut self.looking, true) {
            let source = Source {
                repository: self.context.home.join("gitops.git"),
            };
            let events = self.context.events.clone();
            tokio::spawn(async move {
                let looked =
                    tokio::task::spawn_blocking(move || source.head().map_err(|error| error.to_string()));
                let head = looked.await.unwrap_or_else(|panicked| Err(panicked.to_string()));
                drop(events.send(Event::Head(head)).await);
            });
        }
    }

    pub(super) fn head_seen(&mut self, head: Result<String, String>) {
        self.looking = false;
        match head {
            Err(reason) => {
                if self.look_error.as_ref() != Some(&reason) {
                    tracing::error!(reason, "main cannot be read; what runs keeps running");
                }
                self.look_error = Some(reason);
            }
            Ok(head) => {
                self.look_error = None;
                let again = self.compare_error.is_some() || self.apps.values().any(|app| app.error.is_some());
                let due = self.compared != head || (again && self.compare_after <= Instant::now());
                self.head = head;
                if due && !self.comparing && !self.ending {
                    self.compare();
                }
            }
        }
    }

    fn compare(&mut self) {
        self.comparing = true;
        let known = self
            .apps
            .iter()
            .map(|(name, app)| (name.clone(), app.identity.clone()))
            .collect();
        let (home, config) = (self.context.home.clone(), self.context.config.clone());
        let (events, head) = (self.context.events.clone(), self.head.clone());
        tokio::spawn(async move {
            let comparison = compare::compare(home, config, head, known).await;
            drop(events.send(Event::Compared(comparison)).await);
        });
    }

    pub(super) fn take_in(&mut self, comparison: Comparison) {
        self.comparing = false;
        self.compare_after = Instant::now() + COMPARE_AGAIN;
        if self.ending {
            return;
        }
        let Comparison { head, apps } = comparison;
        let first_time = self.compared != head;
        self.compared.clone_from(&head);
        self.context.dirty = true;
        let compared = match apps {
            Ok(compared) => compared,
            Err(reason) => {
                tracing::error!(
                    commit = head,
                    reason,
                    "the commit cannot be read; what runs keeps running"
                );
                self.compare_error = Some(reason);
                return;
            }
        };
        self.compare_error = None;
        if first_time {
            tracing::info!(commit = head, "compared");
        }
        for app in self
            .apps
            .values_mut()
            .filter(|app| !compared.contains_key(&app.name))
        {
            app.remove(&self.context);
        }
        for (name, made) in compared {
            self.take_in_one(&name, made, &head);
        }
        self.context.services = self.apps.values().flat_map(|app| app.services.clone()).collect();
    }

    fn take_in_one(&mut self, name: &str, made: Compared, head: &str) {
        let outcome = match made.outcome {
            Outcome::Planned(plan) => match self.taken_port(&plan.services, name) {
                Some(reason) => Outcome::Failed(reason),
                None => Outcome::Planned(plan),
            },
            other => other,
        };
        let app = self.apps.entry(name.to_owned()).or_insert_with(|| App::new(name));
        app.removed = false;
        head.clone_into(&mut app.revision);
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Planned(plan) => {
                app.identity = made.identity;
                app.plan(*plan, &self.context);
            }
            Outcome::Failed(reason) => {
                if app.error.as_ref() != Some(&reason) {
                    tracing::error!(
                        app = name,
                        commit = head,
                        reason,
                        "cannot be compared; what runs keeps running"
                    );
                }
                app.identity.clear();
                app.error = Some(reason);
            }
        }
    }

    /// A port of this machine can be that of one Service only.
    fn taken_port(&self, wanted: &[ServicePort], name: &str) -> Option<String> {
        let others = || {
            self.apps
                .values()
                .filter(|app| app.name != name)
                .flat_map(|app| &app.services)
        };
        wanted.iter().enumerate().find_map(|(index, port)| {
            let same = |other: &&ServicePort| other.host_port == port.host_port;
            let other = others()
                .find(same)
                .or_else(|| wanted[..index].iter().find(same))?;
            Some(format!(
                "Service {} wants port {} of this machine, which Service {} in {} has",
                port.service, port.host_port, other.service, other.namespace
            ))
        })
    }
}

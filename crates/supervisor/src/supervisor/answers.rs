//! What clients ask of the engine.

use super::Supervisor;
use crate::{
    app::wish_of,
    attempt, logs, records,
    server::{Answer, Ask, Refusal, RunRequest},
    status,
};
use engine::{Condition, Status};

impl Supervisor {
    /// Answers one question.
    pub(super) fn answer(&mut self, ask: Ask) -> Answer {
        if self.ending && !matches!(ask, Ask::Status | Ask::Shutdown) {
            return Err(Refusal::conflict("the engine is ending".to_owned()));
        }
        let json = |error: serde_json::Error| Refusal::conflict(error.to_string());
        match ask {
            Ask::Status => serde_json::to_value(self.status()).map_err(json),
            Ask::Refresh => {
                self.look();
                Ok(serde_json::json!({}))
            }
            Ask::StartRun(request) => self.start_run(request),
            Ask::Record(name) => {
                serde_json::to_value(records::read(&self.context.home, &name)?).map_err(json)
            }
            Ask::PutRecord(name, expected, text) => {
                let written = records::write(&self.context.home, &name, &expected, text)?;
                serde_json::to_value(written).map_err(json)
            }
            Ask::Run(id) => {
                let run = self.runs.find(&id, &self.context);
                let run = run.ok_or_else(|| Refusal::not_found(format!("no run {id:?}")))?;
                serde_json::to_value(run).map_err(json)
            }
            Ask::Logs(of, count) => serde_json::to_value(self.logs(&of, count)?).map_err(json),
            Ask::Kill(of) => self.kill(&of),
            Ask::Suspend(name, suspended) => {
                let app = self.apps.get_mut(&name).ok_or_else(|| no_app(&name))?;
                app.suspended = suspended;
                self.context.dirty = true;
                Ok(serde_json::json!({}))
            }
            Ask::Shutdown => {
                self.end();
                Ok(serde_json::json!({}))
            }
        }
    }

    fn status(&self) -> Status {
        let apps = self.apps.values().map(|app| {
            let error = self.look_error.as_ref().or(self.compare_error.as_ref());
            let mut status = status::of(app, error.map(String::as_str), &self.context);
            status
                .conditions
                .extend(self.state_error.iter().map(|error| Condition {
                    kind: "StateError".to_owned(),
                    message: error.clone(),
                }));
            status
        });
        Status {
            engine: "local".to_owned(),
            revision: self.head.clone(),
            apps: apps.collect(),
            runs: self.runs.list(),
        }
    }

    fn start_run(&mut self, request: RunRequest) -> Answer {
        let cron = self
            .apps
            .values()
            .find_map(|app| app.crons.get(&request.template));
        let Some(cron) = cron else {
            return Err(Refusal::not_found(format!(
                "no CronJob {:?} in the overlays",
                request.template
            )));
        };
        let mut wish = wish_of(cron, request.args, request.env, false);
        wish.name = request.name;
        let run = self.runs.request(wish, &mut self.context)?;
        // Whoever is told of a run may write it down: it must outlive this engine.
        self.remember();
        serde_json::to_value(run).map_err(|error| Refusal::conflict(error.to_string()))
    }

    fn logs(&self, of: &str, count: usize) -> Result<Vec<String>, Refusal> {
        if let Some(run) = self.runs.find(of, &self.context) {
            return Ok(attempt::lines(&run, &self.context.home, count));
        }
        let app = self.apps.get(of).ok_or_else(|| no_app(of))?;
        let replicas = app
            .deployments
            .values()
            .flat_map(|deployment| deployment.replicas.values());
        let mut lines: Vec<String> = replicas
            .flat_map(|replica| logs::tail(&replica.log, count))
            .collect();
        let surplus = lines.len().saturating_sub(count);
        Ok(lines.split_off(surplus))
    }

    fn kill(&mut self, of: &str) -> Answer {
        let killed = match self.runs.kill(of) {
            Some(killed) => killed,
            None => {
                let app = self.apps.get(of).ok_or_else(|| no_app(of))?;
                // One that serves, since that is what a test of the bad days means.
                let member = app.deployments.values().find_map(|deployment| {
                    let ready = deployment.members.iter().find(|m| m.ready);
                    deployment.replicas.get(&ready.or(deployment.members.first())?.id)
                });
                member.map(crate::replica::Replica::kill).is_some()
            }
        };
        match killed {
            true => Ok(serde_json::json!({})),
            false => Err(Refusal::conflict(format!("no process of {of:?} runs"))),
        }
    }
}

fn no_app(name: &str) -> Refusal {
    Refusal::not_found(format!("no application or run {name:?}"))
}

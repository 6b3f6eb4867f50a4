//! The engine as it looks to whoever follows the API's drift events.

use crate::{
    context::Event,
    server::{Answer, Ask, Question, Refusal, RunRequest},
};
use contract::names::DRIFT_MONITOR;
use drift_events::Checks;
use engine::Status;
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot};

/// See the module.
#[derive(Debug)]
pub struct Asker(pub mpsc::Sender<Event>);

impl Asker {
    async fn ask(&self, ask: Ask) -> Answer {
        let gone = || Refusal::conflict("the engine is ending".to_owned());
        let (answer, answered) = oneshot::channel();
        let event = Event::Asked(Question { ask, answer });
        self.0.send(event).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Checks for Asker {
    async fn status(&self) -> Result<Status, String> {
        let answer = self.ask(Ask::Status).await.map_err(|refusal| refusal.message)?;
        serde_json::from_value(answer).map_err(|error| error.to_string())
    }

    async fn start(&self) -> Result<(), String> {
        let request = RunRequest {
            template: DRIFT_MONITOR.to_owned(),
            name: None,
            args: Vec::new(),
            env: BTreeMap::new(),
        };
        let started = self.ask(Ask::StartRun(request)).await;
        started.map(drop).map_err(|refusal| refusal.message)
    }

    fn is_over(&self) -> bool {
        self.0.is_closed()
    }
}

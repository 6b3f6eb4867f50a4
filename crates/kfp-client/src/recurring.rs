//! Recurring runs. The server has no call to change one: delete it and make it anew.

use crate::pages::Query;
use crate::pipelines::gone;
use crate::runs::{mark, marked, runtime_config};
use crate::{Client, Cron, Error, RunParameters, VersionReference, answer, names};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A recurring run to be made.
#[derive(Clone, Debug)]
pub struct NewRecurringRun {
    /// Shown in lists; the server lets two have the same.
    pub display_name: String,
    /// Free text. A word of ours is added, by which one whose answer was lost is found.
    pub description: String,
    /// When; without it the server makes one that never starts anything.
    pub cron: Cron,
    /// How many of its runs may be on their way at a time, 1 to 10.
    pub max_concurrency: u32,
    /// Whether starts that were missed stay so.
    pub no_catchup: bool,
    /// Id of the experiment; `None` takes the default one.
    pub experiment_id: Option<String>,
    /// What to run; without a version the newest one at each start.
    pub version: VersionReference,
    /// Checked by [`crate::check_parameters`].
    pub parameters: RunParameters,
    /// Name of the service account of its pods; `None` takes the usual one.
    pub service_account: Option<String>,
}

/// A recurring run as the server holds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct RecurringRun {
    /// Id.
    pub recurring_run_id: String,
    /// Shown in lists.
    #[serde(default, deserialize_with = "answer::text")]
    pub display_name: String,
    /// Free text.
    #[serde(default, deserialize_with = "answer::text")]
    pub description: String,
    /// `ENABLED`, `DISABLED`, ...; empty where it is not said.
    #[serde(default, deserialize_with = "answer::text")]
    pub status: String,
    /// How many of its runs may be on their way at a time.
    #[serde(default, deserialize_with = "answer::integer")]
    pub max_concurrency: Option<i64>,
    /// When.
    #[serde(default)]
    trigger: Option<Trigger>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Trigger {
    #[serde(default)]
    cron_schedule: Option<CronSchedule>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct CronSchedule {
    #[serde(default, deserialize_with = "answer::text")]
    cron: String,
}

impl RecurringRun {
    /// Its schedule as the server holds it; `None` where it has another trigger or none.
    pub fn cron(&self) -> Option<&str> {
        let schedule = self.trigger.as_ref()?.cron_schedule.as_ref()?;
        Some(&schedule.cron)
    }
}

impl Client {
    /// Makes a recurring run. One whose answer was lost is looked for and never sent again, since
    /// the server would make a second one.
    ///
    /// # Errors
    /// `Name`, `Concurrency`, any of the transport's, or `StartUnclear`.
    pub async fn start_recurring_run(&self, new: &NewRecurringRun) -> Result<RecurringRun, Error> {
        names::check("display_name of the recurring run", &new.display_name)?;
        if !(1..=10).contains(&new.max_concurrency) {
            return Err(Error::Concurrency {
                value: new.max_concurrency,
            });
        }
        let mark = mark();
        let body = body(new, &mark);
        match self
            .post_once(&["recurringruns"], self.start_deadline, &body)
            .await
        {
            Err(e) if e.is_ambiguous() => {
                let look = async || {
                    let all = self.recurring_runs().await?;
                    Ok(all.into_iter().find(|one| one.description.contains(&mark)))
                };
                let what = format!("recurring run {:?}", new.display_name);
                self.settle_start(what, e, look).await
            }
            decided => decided,
        }
    }

    /// All recurring runs, newest first.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn recurring_runs(&self) -> Result<Vec<RecurringRun>, Error> {
        let query = Query {
            newest_first: true,
            ..Query::default()
        };
        // The only list that 2.17.0 writes in camel case.
        let keys = ["recurringRuns", "recurring_runs"];
        self.list(&["recurringruns"], &keys, query).await
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound`, or any of the transport's.
    pub async fn recurring_run(&self, id: &str) -> Result<RecurringRun, Error> {
        self.get(&["recurringruns", id], &[]).await
    }

    /// Lets it start runs again, or no more.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn enable_recurring_run(&self, id: &str, enabled: bool) -> Result<(), Error> {
        let path = format!("{id}:{}", if enabled { "enable" } else { "disable" });
        self.order(Method::POST, &["recurringruns", &path], &[], true)
            .await
    }

    /// Removes it; its runs stay. One that is gone already is no error.
    ///
    /// # Errors
    /// Any of the transport's.
    pub async fn delete_recurring_run(&self, id: &str) -> Result<(), Error> {
        gone(
            self.order(Method::DELETE, &["recurringruns", id], &[], true)
                .await,
        )
    }
}

fn body(new: &NewRecurringRun, mark: &str) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("display_name", json!(new.display_name));
    set("description", json!(marked(&new.description, mark)));
    set("mode", json!("ENABLE"));
    // 64 bits, hence a string.
    set("max_concurrency", json!(new.max_concurrency.to_string()));
    set("no_catchup", json!(new.no_catchup));
    set("trigger", json!({"cron_schedule": {"cron": new.cron.as_str()}}));
    set("pipeline_version_reference", json!(new.version));
    if let Some(id) = &new.experiment_id {
        set("experiment_id", json!(id));
    }
    if let Some(account) = &new.service_account {
        set("service_account", json!(account));
    }
    runtime_config(&mut body, &new.parameters);
    body
}

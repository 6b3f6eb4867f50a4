//! Recurring runs.

use crate::running::new_run;
use crate::support::{Kfp, Reply};
use kfp_client::{Cron, NewRecurringRun};
use serde_json::{Value, json};

#[tokio::test]
async fn a_recurring_run_from_making_to_removal() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let run = new_run(&client, json!({"model_name": "iris"})).await;
    let mut new = NewRecurringRun {
        display_name: "nightly".to_owned(),
        description: String::new(),
        cron: Cron::parse("0 0 2 * * *").unwrap(),
        max_concurrency: 1,
        no_catchup: true,
        experiment_id: run.experiment_id.clone(),
        version: run.version.clone(),
        parameters: run.parameters.clone(),
        service_account: None,
    };
    let made = client.start_recurring_run(&new).await.unwrap();
    assert_eq!(
        (made.cron(), made.max_concurrency, made.status.as_str()),
        (Some("0 0 2 * * *"), Some(1), "ENABLED")
    );
    let sent: Value = serde_json::from_slice(&kfp.world().seen.last().unwrap().body).unwrap();
    assert_eq!(
        (&sent["max_concurrency"], &sent["mode"], &sent["no_catchup"]),
        (&json!("1"), &json!("ENABLE"), &json!(true))
    );
    assert_eq!(sent["trigger"], json!({"cron_schedule": {"cron": "0 0 2 * * *"}}));
    assert_eq!(
        sent["runtime_config"],
        json!({"parameters": {"model_name": "iris"}})
    );

    // The server would make a second one of the same name: found instead.
    kfp.fault("POST", "recurringruns", true, Reply::Close);
    new.display_name = "hourly".to_owned();
    let found = client.start_recurring_run(&new).await.unwrap();
    assert_eq!(found.display_name, "hourly");
    kfp.world().page = Some(1);
    let all = client.recurring_runs().await.unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.display_name.as_str()).collect();
    assert_eq!(names, ["hourly", "nightly"]);

    client
        .enable_recurring_run(&made.recurring_run_id, false)
        .await
        .unwrap();
    assert_eq!(
        client.recurring_run(&made.recurring_run_id).await.unwrap().status,
        "DISABLED"
    );
    client
        .enable_recurring_run(&made.recurring_run_id, true)
        .await
        .unwrap();
    assert_eq!(
        client.recurring_run(&made.recurring_run_id).await.unwrap().status,
        "ENABLED"
    );
    client.delete_recurring_run(&made.recurring_run_id).await.unwrap();
    let error = client.recurring_run(&made.recurring_run_id).await.unwrap_err();
    assert_eq!(error.id(), "kfp-not-found");

    let before = kfp.asked("POST", "recurringruns");
    for max_concurrency in [0, 11] {
        new.max_concurrency = max_concurrency;
        assert_eq!(
            client.start_recurring_run(&new).await.unwrap_err().id(),
            "kfp-concurrency"
        );
    }
    assert_eq!(kfp.asked("POST", "recurringruns"), before);
}

//! Secrets of the Git server, of the API's replicas and of Kubeflow Pipelines: random, made once, never printed.

use crate::{
    Error, Kind, Result,
    bridge::{GIT_SERVER, random_hex, write_private},
    cli,
    connect::{get_opt, merge, within},
};
use engine::EngineClient;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, api::PostParams};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Account of the trainer on the Git server.
const ROBOT: &str = "robot";
/// Where the trainer's copy of it is.
const TRAINING: &str = "training";
/// Namespace and name of the token that replicas of the API know each other by.
const DRIFT_EXCHANGE: (&str, &str) = ("serving", "drift-exchange");
/// Namespace of Kubeflow Pipelines.
const PIPELINES: &str = "kubeflow";
/// What its database and its object store are reached with, under upstream's names: Secret, key and value of the
/// account, key of the random password. The database's account is the one that makes databases.
const OF_PIPELINES: [(&str, &str, &str, &str); 2] = [
    ("mysql-secret", "username", "root", "password"),
    ("mlpipeline-minio-artifact", "accesskey", "kubeflow", "secretkey"),
];
/// File in the state folder, in the format of git's `credential.helper=store`.
pub const CREDENTIALS_FILE: &str = "git-credentials";

#[derive(Default)]
struct Done {
    made: Vec<String>,
    updated: Vec<String>,
    already: Vec<String>,
}

/// Makes what is absent.
pub async fn make(client: &Client, flags: &cli::Secrets) -> Result<Value> {
    let mut done = Done::default();
    let (name, token) = match flags.external_git {
        true => from_environment()?,
        false => {
            let gitops = GIT_SERVER.0;
            account(client, gitops, "git-admin", &flags.git_username, &mut done).await?;
            account(client, gitops, "git-robot", ROBOT, &mut done).await?
        }
    };
    let data = [("GIT_USERNAME", &name), ("GIT_TOKEN", &token)];
    put(client, TRAINING, "git-robot", &data, &mut done).await?;
    exchange_token(client, &mut done).await?;
    if flags.pipelines {
        of_pipelines(client, &mut done).await?;
        // What steps push with.
        put(client, PIPELINES, "git-credentials", &data, &mut done).await?;
    }
    Ok(json!({"made": done.made, "updated": done.updated, "already": done.already}))
}

fn from_environment() -> Result<(SecretString, SecretString)> {
    let read = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value
            .map(SecretString::from)
            .ok_or_else(|| Error::other(format!("the repository is hosted: set {name} in the environment")))
    };
    Ok((read("GIT_USERNAME")?, read("GIT_TOKEN")?))
}

/// An account with a random password; what is there stays.
async fn account(
    client: &Client,
    namespace: &str,
    secret: &str,
    user: &str,
    done: &mut Done,
) -> Result<(SecretString, SecretString)> {
    if let Some(there) = read(client, namespace, secret).await? {
        done.already.push(format!("{namespace}/{secret}"));
        let field = |key: &str| {
            let value = there
                .get(key)
                .map(|value| SecretString::from(value.expose_secret()));
            value.ok_or_else(|| {
                Error::other(format!(
                    "Secret {namespace}/{secret} has no {key}: delete it, and it is made anew"
                ))
            })
        };
        return Ok((field("username")?, field("password")?));
    }
    let (user, password) = (SecretString::from(user), SecretString::from(random_hex::<24>()?));
    put(
        client,
        namespace,
        secret,
        &[("username", &user), ("password", &password)],
        done,
    )
    .await?;
    Ok((user, password))
}

/// What replicas of the API know each other by; what is there stays.
async fn exchange_token(client: &Client, done: &mut Done) -> Result<()> {
    let (namespace, name) = DRIFT_EXCHANGE;
    if read(client, namespace, name).await?.is_some() {
        done.already.push(format!("{namespace}/{name}"));
        return Ok(());
    }
    let token = SecretString::from(random_hex::<24>()?);
    put(client, namespace, name, &[("token", &token)], done).await
}

/// What is there stays: the database took its password when its volume was empty.
async fn of_pipelines(client: &Client, done: &mut Done) -> Result<()> {
    for (name, account_key, account, password_key) in OF_PIPELINES {
        if read(client, PIPELINES, name).await?.is_some() {
            done.already.push(format!("{PIPELINES}/{name}"));
            continue;
        }
        let (account, password) = (
            SecretString::from(account),
            SecretString::from(random_hex::<24>()?),
        );
        let data = [(account_key, &account), (password_key, &password)];
        put(client, PIPELINES, name, &data, done).await?;
    }
    Ok(())
}

async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<BTreeMap<String, SecretString>>> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let found = get_opt(&api, &format!("Secret {name} in namespace {namespace}"), name).await?;
    let text = |bytes: Vec<u8>| SecretString::from(String::from_utf8_lossy(&bytes).into_owned());
    Ok(found.map(|secret| {
        let data = secret.data.unwrap_or_default();
        data.into_iter()
            .map(|(key, value)| (key, text(value.0)))
            .collect()
    }))
}

async fn put(
    client: &Client,
    namespace: &str,
    name: &str,
    data: &[(&str, &SecretString)],
    done: &mut Done,
) -> Result<()> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let what = format!("Secret {name} in namespace {namespace}");
    let shown: BTreeMap<&str, &str> = data
        .iter()
        .map(|(key, value)| (*key, value.expose_secret()))
        .collect();
    if let Some(there) = read(client, namespace, name).await? {
        let same = shown
            .iter()
            .all(|(key, value)| there.get(*key).map(ExposeSecret::expose_secret) == Some(*value));
        if same {
            done.already.push(format!("{namespace}/{name}"));
            return Ok(());
        }
        merge(&api, &what, name, &Hidden(json!({ "stringData": shown }))).await?;
        done.updated.push(format!("{namespace}/{name}"));
        return Ok(());
    }
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "driftless"}},
        "type": "Opaque",
        "stringData": shown,
    });
    let secret: Secret = serde_json::from_value(secret).map_err(|_| Error::other(format!("make {what}")))?;
    match within(
        &format!("create {what}"),
        api.create(&PostParams::default(), &secret),
    )
    .await
    {
        Ok(_) => done.made.push(format!("{namespace}/{name}")),
        // Made by another run meanwhile: that one counts, and is read by whoever comes next.
        Err(error) if error.kind == Kind::Conflict => {
            return Err(Error::new(
                Kind::Conflict,
                format!("{what} was made by another program meanwhile: run again"),
            ));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// A patch that no debug output shows.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Hidden(Value);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Writes the robot's credentials for git into the state folder; answers with the file's path.
pub async fn credentials(client: &Client, flags: &cli::GitCredentials) -> Result<Value> {
    let url = match &flags.git_url {
        Some(url) => url.clone(),
        None => {
            let bridge = EngineClient::open(&flags.state);
            let bridge = bridge.map_err(|error| {
                Error::other(format!(
                    "the Git server's address is the bridge's to know: {error}"
                ))
            })?;
            bridge.endpoint().git_url.clone()
        }
    };
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        .ok_or_else(|| Error::other(format!("{url}: credentials are for http and https")))?;
    let host = rest.split('/').next().unwrap_or_default();
    let (user, token) = robot(client).await?;
    let line = SecretString::from(format!(
        "{scheme}://{}:{}@{host}\n",
        encoded(user.expose_secret()),
        encoded(token.expose_secret())
    ));
    let path = flags.state.join(CREDENTIALS_FILE);
    write_private(&path, line.expose_secret().as_bytes())?;
    Ok(json!({"path": path.display().to_string()}))
}

async fn robot(client: &Client) -> Result<(SecretString, SecretString)> {
    let places = [
        (GIT_SERVER.0, "username", "password"),
        (TRAINING, "GIT_USERNAME", "GIT_TOKEN"),
    ];
    for (namespace, user, token) in places {
        let Some(mut secret) = read(client, namespace, "git-robot").await? else {
            continue;
        };
        if let (Some(user), Some(token)) = (secret.remove(user), secret.remove(token)) {
            return Ok((user, token));
        }
    }
    Err(Error::new(
        Kind::NotFound,
        "no Secret git-robot in namespace gitops or training: `secrets` makes it",
    ))
}

/// Percent-encoded, as git reads it back.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| match plain(b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_git_would_misread_is_encoded() {
        assert_eq!(super::encoded("robot-1_x.y~"), "robot-1_x.y~");
        assert_eq!(super::encoded("p@ss:w/ö%"), "p%40ss%3Aw%2F%C3%B6%25");
    }

    #[test]
    fn a_patch_with_secrets_shows_nothing() {
        let patch = super::Hidden(serde_json::json!({"password": "s3cret"}));
        assert_eq!(format!("{patch:?}"), "(hidden)");
    }
}

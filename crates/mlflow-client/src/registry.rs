//! The registry: registered models, their versions and aliases.

use crate::types::{Tag, find};
use crate::{Client, Error, code};
use reqwest::Method;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// Versions are listed in pages; this many pages are read at most.
const PAGES_MAX: usize = 50;

/// An alias of a registered model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RegisteredAlias {
    /// E.g. `champion`.
    pub alias: String,
    /// From 1; a text in the server's words.
    #[serde(deserialize_with = "version")]
    pub version: u64,
}

/// A registered model.
#[derive(Clone, Debug, Deserialize)]
pub struct RegisteredModel {
    /// Its name.
    pub name: String,
    /// Its aliases.
    #[serde(default)]
    pub aliases: Vec<RegisteredAlias>,
}

/// A version to be made. Its source is the logged model `models:/<model_id>`.
#[derive(Clone, Debug)]
pub struct NewModelVersion {
    /// Registered name.
    pub name: String,
    /// Logged model.
    pub model_id: String,
    /// Run.
    pub run_id: String,
    /// Shown text.
    pub description: String,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// A version as the server holds it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ModelVersion {
    /// Registered name.
    pub name: String,
    /// From 1.
    #[serde(deserialize_with = "version")]
    pub version: u64,
    /// `models:/m-...`; the only place where the logged model is named.
    #[serde(default)]
    pub source: String,
    /// Run.
    #[serde(default)]
    pub run_id: String,
    /// `READY` once usable.
    #[serde(default)]
    pub status: String,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Aliases, where the call fills them.
    #[serde(default)]
    pub aliases: Vec<String>,
}

impl ModelVersion {
    /// The logged model behind the version.
    pub fn model_id(&self) -> Option<&str> {
        self.source.strip_prefix("models:/")
    }

    /// Value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        find(&self.tags, key)
    }
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
struct Registered {
    registered_model: RegisteredModel,
}

#[derive(Deserialize)]
struct OneVersion {
    model_version: ModelVersion,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    model_versions: Vec<ModelVersion>,
    #[serde(default)]
    next_page_token: String,
}

#[derive(Serialize)]
struct AliasBody<'a> {
    name: &'a str,
    alias: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl Client {
    /// Makes the registered model when it is not there.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn registered_model_or_create(&self, name: &str, description: &str) -> Result<(), Error> {
        let body = json!({"name": name, "description": description});
        match self
            .call::<Value>(Method::POST, "registered-models/create", true, &body)
            .await
        {
            Ok(_) => Ok(()),
            Err(e) if e.is(code::ALREADY_EXISTS) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// The registered model with its aliases, `None` when there is none.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn registered_model(&self, name: &str) -> Result<Option<RegisteredModel>, Error> {
        match self
            .get::<Registered>("registered-models/get", &[("name", name)])
            .await
        {
            Ok(found) => Ok(Some(found.registered_model)),
            Err(e) if e.is(code::DOES_NOT_EXIST) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes a version. Not repeated after an ambiguous failure: a second would be made.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn create_version(&self, new: &NewModelVersion) -> Result<ModelVersion, Error> {
        let body = json!({
            "name": new.name, "source": format!("models:/{}", new.model_id), "model_id": new.model_id,
            "run_id": new.run_id, "description": new.description, "tags": new.tags,
        });
        let one: OneVersion = self
            .call(Method::POST, "model-versions/create", false, &body)
            .await?;
        Ok(one.model_version)
    }

    /// Versions of `name`, newest first; `run_id` narrows to those of one run.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn versions(&self, name: &str, run_id: Option<&str>) -> Result<Vec<ModelVersion>, Error> {
        let mut filter = format!("name='{}'", name.replace('\'', ""));
        if let Some(run_id) = run_id {
            filter.push_str(&format!(" and run_id='{}'", run_id.replace('\'', "")));
        }
        let (mut found, mut token) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut query = vec![
                ("filter", filter.as_str()),
                ("max_results", "200"),
                ("order_by", "version_number DESC"),
            ];
            if !token.is_empty() {
                query.push(("page_token", token.as_str()));
            }
            let page: Page = self.get("model-versions/search", &query).await?;
            found.extend(page.model_versions);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// Sets a tag of a version.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn set_version_tag(&self, name: &str, version: u64, tag: &Tag) -> Result<(), Error> {
        let body = json!({"name": name, "version": version.to_string(), "key": tag.key, "value": tag.value});
        let _: Value = self
            .call(Method::POST, "model-versions/set-tag", true, &body)
            .await?;
        Ok(())
    }

    /// Points an alias at a version, moving it when it points elsewhere.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn set_alias(&self, name: &str, alias: &str, version: u64) -> Result<(), Error> {
        let version = Some(version.to_string());
        let body = AliasBody { name, alias, version };
        let _: Value = self
            .call(Method::POST, "registered-models/alias", true, &body)
            .await?;
        Ok(())
    }

    /// The version an alias points at, `None` when there is no such alias or model.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn alias(&self, name: &str, alias: &str) -> Result<Option<ModelVersion>, Error> {
        let query = [("name", name), ("alias", alias)];
        match self.get::<OneVersion>("registered-models/alias", &query).await {
            Ok(found) => Ok(Some(found.model_version)),
            // The server words an absent alias as an invalid parameter.
            Err(e) if e.is(code::DOES_NOT_EXIST) || e.is(code::INVALID_PARAMETER) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Removes an alias; an absent one is a success.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn delete_alias(&self, name: &str, alias: &str) -> Result<(), Error> {
        let body = AliasBody {
            name,
            alias,
            version: None,
        };
        match self
            .call::<Value>(Method::DELETE, "registered-models/alias", true, &body)
            .await
        {
            Ok(_) => Ok(()),
            Err(e) if e.is(code::DOES_NOT_EXIST) || e.is(code::INVALID_PARAMETER) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

//! Lists, page by page.

use crate::{Client, Error, answer};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Items asked for at a time.
const PAGE_SIZE: usize = 100;

/// A list longer than this many pages is not walked.
const PAGES_MAX: usize = 200;

/// What a list is asked for.
#[derive(Default)]
pub(crate) struct Query<'a> {
    /// Only those whose `name` is this.
    pub name: Option<&'a str>,
    /// Newest first.
    pub newest_first: bool,
    /// More of the query.
    pub more: Vec<(&'static str, String)>,
    /// Fewer pages than usual.
    pub pages_max: Option<usize>,
}

impl Client {
    /// Every item of the list, over all pages. `keys`: names that the list was seen under.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        segments: &[&str],
        keys: &[&str],
        query: Query<'_>,
    ) -> Result<Vec<T>, Error> {
        let name = format!("GET {}", segments.join("/"));
        let refuse = |cause: String| Error::Answer {
            request: name.clone(),
            cause,
        };
        let mut fixed = query.more;
        fixed.push(("page_size", PAGE_SIZE.to_string()));
        if query.newest_first {
            fixed.push(("sort_by", "created_at desc".to_owned()));
        }
        if let Some(wanted) = query.name {
            let filter =
                json!({"predicates": [{"operation": "EQUALS", "key": "name", "string_value": wanted}]});
            fixed.push(("filter", filter.to_string()));
        }
        let mut items = Vec::new();
        let mut token = String::new();
        for page in 0.. {
            if page == query.pages_max.unwrap_or(PAGES_MAX) {
                if query.pages_max.is_some() {
                    break;
                }
                return Err(refuse(format!("more than {PAGES_MAX} pages")));
            }
            let mut asked = fixed.clone();
            if !token.is_empty() {
                asked.push(("page_token", token.clone()));
            }
            let mut answered: Map<String, Value> = self.get(segments, &asked).await?;
            let list = keys.iter().find_map(|key| answered.remove(*key));
            if let Some(list) = list {
                let mut list: Vec<T> = answer::list(list).map_err(|e| refuse(e.to_string()))?;
                items.append(&mut list);
            }
            let next = ["next_page_token", "nextPageToken"]
                .into_iter()
                .find_map(|key| answered.get(key)?.as_str())
                .unwrap_or_default();
            if next.is_empty() {
                break;
            }
            // Without this a server that repeats itself is asked for ever.
            if next == token {
                return Err(refuse("the same page token again".to_owned()));
            }
            token = next.to_owned();
        }
        Ok(items)
    }
}

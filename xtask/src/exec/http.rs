//! One HTTP exchange with something on this machine.

use std::time::Duration;

/// A request: GET without a body, POST of JSON with one.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Whole address.
    pub url: String,
    /// JSON body.
    pub body: Option<serde_json::Value>,
    /// For the whole exchange.
    pub deadline: Duration,
}

impl Request {
    /// GET within 5 s.
    pub fn get(url: impl Into<String>) -> Self {
        Request {
            url: url.into(),
            body: None,
            deadline: Duration::from_secs(5),
        }
    }

    /// POST of JSON within 5 s.
    pub fn post(url: impl Into<String>, body: serde_json::Value) -> Self {
        Request {
            body: Some(body),
            ..Request::get(url)
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

impl Answer {
    /// 2xx.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// The parser's words with the start of the body.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.body)
            .map_err(|error| format!("{error} in {:?}", self.body.chars().take(200).collect::<String>()))
    }
}

/// Makes the exchange; any HTTP status is an answer.
pub(super) fn exchange(request: &Request) -> Result<Answer, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(request.deadline))
        .http_status_as_error(false)
        .build()
        .into();
    let sent = match &request.body {
        None => agent.get(&request.url).call(),
        Some(body) => agent.post(&request.url).send_json(body),
    };
    let mut response = sent.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .read_to_string()
        .map_err(|error| error.to_string())?;
    Ok(Answer { status, body })
}

//! What the guard adds to the OpenAPI document: on every path that it stands before, whoever wrote it.

use crate::routes;
use utoipa::{
    Modify,
    openapi::{
        Components, Content, Header, Object, OpenApi, Ref, RefOr, Response,
        path::{Operation, PathItem},
        schema::Type,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};

const API_KEY: &str = "ApiKeyAuth";
const BEARER: &str = "BearerAuth";
const JSON: &str = "application/json";

/// Adds schemes, and to each operation its refusals.
pub struct Guarded;

impl Modify for Guarded {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        let said = "Asked for where API keys are configured; `Authorization: Bearer` carries the same key.";
        let key = ApiKeyValue::with_description("X-API-Key", said);
        components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(key)));
        components.add_security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        for (path, item) in &mut document.paths.paths {
            if !routes::is_free(path) {
                operations(item).for_each(refusals);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let of = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
    of.into_iter().flatten()
}

fn refusals(operation: &mut Operation) {
    let none: [&str; 0] = [];
    operation.security = Some(vec![
        SecurityRequirement::new(API_KEY, none),
        SecurityRequirement::new(BEARER, none),
        // Neither, where no keys are configured.
        SecurityRequirement::default(),
    ]);
    let content = error_content(operation);
    let response = |description: &str| {
        let mut response = Response::new(description);
        response.content.insert(JSON.to_owned(), content.clone().into());
        response
    };
    let number = || Header::new(Object::with_type(Type::Integer));
    let mut limited = response("`rate_limited`: more than the rate of the key or the address");
    limited.headers.insert("Retry-After".to_owned(), number().into());
    let unauthorized = response("`unauthorized`: no API key or an unknown one");
    let crowded = response("`overloaded`, `shedding`: try again after `Retry-After` seconds");
    let responses = &mut operation.responses.responses;
    for (status, response) in [("401", unauthorized), ("429", limited), ("503", crowded)] {
        responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
    if let Some(RefOr::T(response)) = responses.get_mut("503")
        && !response.description.contains("`shedding`")
    {
        response.description = format!("`overloaded`, `shedding`, {}", response.description);
    }
}

/// The form that errors of this operation have already; protocols differ in it.
fn error_content(operation: &Operation) -> Content {
    let content = |response: &RefOr<Response>| match response {
        RefOr::T(response) => response.content.get(JSON).cloned(),
        RefOr::Ref(_) => None,
    };
    let mut errors = operation.responses.responses.iter();
    let found = errors.find_map(|(status, response)| content(response).filter(|_| status.as_str() >= "4"));
    let schema = match found {
        Some(RefOr::T(content)) => content.schema,
        _ => None,
    };
    Content::new(schema.or_else(|| Some(Ref::from_schema_name("ErrorBody").into())))
}

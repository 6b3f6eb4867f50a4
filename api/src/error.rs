//! Every error a client can meet: a code word, a status, a message for a person.
//!
//! 400 is for what is not JSON (or not HTTP), 422 for JSON that is not what the model takes:
//! the first is mended in the client's code, the second in its data.

use crate::mlflow;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use contract::ErrorBody;
use std::borrow::Cow;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal, $status:ident;)*) => {
        /// The closed set of code words; also the label values of `prediction_errors_total`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $doc])* $name,)* }

        impl Code {
            /// All of them, in declaration order (`code as usize` is the index).
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The stable word in bodies, logs and metrics.
            pub fn word(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    /// Not valid JSON: syntax, NaN, bytes that are not UTF-8.
    InvalidJson = "invalid_json", BAD_REQUEST;
    /// No body at all.
    EmptyBody = "empty_body", BAD_REQUEST;
    /// Not valid HTTP, or the body ended early.
    MalformedRequest = "malformed_request", BAD_REQUEST;
    /// No API key, or an unknown one.
    Unauthorized = "unauthorized", UNAUTHORIZED;
    /// Labels of a request that was not answered here, or is forgotten.
    UnknownRequest = "unknown_request", NOT_FOUND;
    /// No such path.
    NotFound = "not_found", NOT_FOUND;
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// Head or body did not arrive in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT;
    /// Another label for a row that has one.
    LabelConflict = "label_conflict", CONFLICT;
    /// The id was given to requests that were answered differently.
    AmbiguousRequest = "ambiguous_request", CONFLICT;
    /// Body over the limit.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE;
    /// Address over the limit.
    UriTooLong = "uri_too_long", URI_TOO_LONG;
    /// Not `application/json`, or compressed.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;
    /// Head over the limit.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// More requests than the rate of a key or an address allows.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS;
    /// JSON, but not an object.
    NotAnObject = "not_an_object", UNPROCESSABLE_ENTITY;
    /// Neither `features` nor `instances`.
    MissingField = "missing_field", UNPROCESSABLE_ENTITY;
    /// Another field.
    UnknownField = "unknown_field", UNPROCESSABLE_ENTITY;
    /// The same field twice.
    DuplicateField = "duplicate_field", UNPROCESSABLE_ENTITY;
    /// `features` and `instances` in one request.
    ConflictingFields = "conflicting_fields", UNPROCESSABLE_ENTITY;
    /// A row, or the list of rows, is not an array.
    NotAnArray = "not_an_array", UNPROCESSABLE_ENTITY;
    /// A value is a string, null, a boolean, an array or an object.
    NotANumber = "not_a_number", UNPROCESSABLE_ENTITY;
    /// A number that float32 cannot hold.
    NumberOutOfRange = "number_out_of_range", UNPROCESSABLE_ENTITY;
    /// A row of the wrong length.
    FeatureCount = "feature_count", UNPROCESSABLE_ENTITY;
    /// `instances` is empty.
    EmptyBatch = "empty_batch", UNPROCESSABLE_ENTITY;
    /// `instances` is over the limit.
    TooManyInstances = "too_many_instances", UNPROCESSABLE_ENTITY;
    /// The model takes something else than rows of numbers.
    UnsupportedModel = "unsupported_model", UNPROCESSABLE_ENTITY;
    /// A label that is no class of the model, or no number.
    UnknownLabel = "unknown_label", UNPROCESSABLE_ENTITY;
    /// Labels for another number of rows than the request had.
    LabelCount = "label_count", UNPROCESSABLE_ENTITY;
    /// A tensor of a name that the model does not have.
    UnknownTensor = "unknown_tensor", BAD_REQUEST;
    /// An input is not there.
    MissingTensor = "missing_tensor", BAD_REQUEST;
    /// The same tensor twice.
    DuplicateTensor = "duplicate_tensor", BAD_REQUEST;
    /// A tensor of another datatype than the model's.
    TensorDatatype = "tensor_datatype", BAD_REQUEST;
    /// A tensor of another shape than the model's, or than its own elements.
    TensorShape = "tensor_shape", BAD_REQUEST;
    /// Not built as the protocol says: fields, data, sizes of binary tensors.
    InvalidRequest = "invalid_request", BAD_REQUEST;
    /// Rows and columns of a table that do not agree, or text that is no table.
    InvalidTable = "invalid_table", BAD_REQUEST;
    /// A value has no meaning to the model.
    PredictionFailed = "prediction_failed", BAD_REQUEST;
    /// The model answered NaN or infinity.
    PredictionNotFinite = "prediction_not_finite", INTERNAL_SERVER_ERROR;
    /// A defect of ours.
    Internal = "internal", INTERNAL_SERVER_ERROR;
    /// Too many requests in flight.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE;
    /// Requests wait too long to be begun; a share of them is refused.
    Shedding = "shedding", SERVICE_UNAVAILABLE;
    /// The model has not answered yet.
    NotReady = "not_ready", SERVICE_UNAVAILABLE;
    /// SIGTERM came; readiness only, requests are still answered.
    Draining = "draining", SERVICE_UNAVAILABLE;
    /// The client hung up; counted, never seen by it.
    ClientClosed = "client_closed", BAD_REQUEST;
}

/// One refusal. The message may quote the client's values, so it goes to the client alone, never to the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Which.
    pub code: Code,
    /// Names field, value and what was expected.
    pub message: Cow<'static, str>,
    /// When it is worth trying again, in seconds; 1 with every 503 unless told.
    pub retry_after_s: Option<u32>,
    /// The connection ends with the answer: the rest of the request is not waited for.
    pub closes: bool,
}

impl ApiError {
    /// An error with its words.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        ApiError {
            code,
            message: message.into(),
            retry_after_s: (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
            closes: code == Code::RequestTimeout,
        }
    }

    /// The JSON body.
    pub fn body(&self, form: ErrorForm, request_id: &str) -> Vec<u8> {
        let message = self.message.clone().into_owned();
        let body = match form {
            ErrorForm::Own => serde_json::to_vec(&ErrorBody {
                code: self.code.word().to_owned(),
                message,
                request_id: request_id.to_owned(),
            }),
            ErrorForm::V2 => serde_json::to_vec(&V2Error { error: message }),
            ErrorForm::Mlflow => return mlflow::error_body(self),
        };
        body.expect("strings are always JSON")
    }

    /// The status it is answered with.
    pub fn status(&self, form: ErrorForm) -> StatusCode {
        match (form, self.code.status()) {
            // V2 knows one status for requests that are wrong, whatever they are wrong about.
            (ErrorForm::V2, StatusCode::UNPROCESSABLE_ENTITY) => StatusCode::BAD_REQUEST,
            (ErrorForm::Mlflow, _) => mlflow::error_status(self.code),
            (_, status) => status,
        }
    }

    /// The whole answer but for the headers that every answer gets.
    pub fn answer(&self, form: ErrorForm, request_id: &str) -> Response<Body> {
        let mut answer = Response::new(Body::from(self.body(form, request_id)));
        *answer.status_mut() = self.status(form);
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.put_headers(headers);
        answer
    }

    /// What a client's library looks at, whatever form the body has.
    pub fn put_headers(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"inference-api\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
}

/// How errors are written, by the path that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// [`ErrorBody`].
    Own,
    /// [`V2Error`].
    V2,
    /// `{"error_code", "message"}`.
    Mlflow,
}

/// Every error below `/v2`.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct V2Error {
    /// For a person; names field, value and what was expected.
    pub error: String,
}

/// Handlers do not know the request id: the error rides in the extensions, and
/// [`crate::App::answer`] writes the body.
impl IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(self);
        response
    }
}

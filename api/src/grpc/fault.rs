//! Errors of ours as gRPC statuses, and tonic's as errors of ours.

use crate::error::{ApiError, Code};
use std::{error::Error, sync::Arc};
use tonic::Status;

/// Longest message in bytes: it travels as a header, and clients take 8 KiB of them.
const MESSAGE_MOST_BYTES: usize = 2048;

/// The status of an error; [`error`] finds the error in it again.
pub fn status(error: ApiError) -> Status {
    let mut status = Status::new(code(error.code), clipped(&error.message));
    status.set_source(Arc::new(error));
    status
}

/// The error behind a status. Statuses of tonic's own are about messages that it could not take.
pub fn error(status: &Status, body_bytes_most: usize) -> ApiError {
    if let Some(error) = status
        .source()
        .and_then(|source| source.downcast_ref::<ApiError>())
    {
        return error.clone();
    }
    match status.code() {
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => ApiError::new(
            Code::BodyTooLarge,
            format!("the message is larger than {body_bytes_most} bytes, the most that is taken"),
        ),
        tonic::Code::NotFound => ApiError::new(Code::NotFound, status.message().to_owned()),
        tonic::Code::Unimplemented => ApiError::new(Code::UnsupportedMediaType, status.message().to_owned()),
        tonic::Code::Cancelled => ApiError::new(Code::ClientClosed, status.message().to_owned()),
        // Missing, cut off, or with flags that are not there.
        _ => ApiError::new(Code::MalformedRequest, status.message().to_owned()),
    }
}

/// gRPC's code for a code word, by the status that HTTP clients get.
fn code(code: Code) -> tonic::Code {
    match code.status().as_u16() {
        401 => tonic::Code::Unauthenticated,
        403 => tonic::Code::PermissionDenied,
        404 => tonic::Code::NotFound,
        405 | 415 => tonic::Code::Unimplemented,
        408 => tonic::Code::DeadlineExceeded,
        413 | 414 | 429 | 431 => tonic::Code::ResourceExhausted,
        500 => tonic::Code::Internal,
        503 => tonic::Code::Unavailable,
        _ => tonic::Code::InvalidArgument,
    }
}

fn clipped(message: &str) -> String {
    if message.len() <= MESSAGE_MOST_BYTES {
        return message.to_owned();
    }
    let mut end = MESSAGE_MOST_BYTES;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &message[..end])
}

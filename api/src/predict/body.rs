//! Reading a request body within bounds. The deadline is the connection's, see [`crate::server`].

use crate::error::{ApiError, Code};
use axum::{
    body::Bytes,
    http::{HeaderMap, header},
};
use hyper::body::Body as HttpBody;
use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    time::Duration,
};
use tokio::time::timeout;

/// Most bytes of a refused body that are read and thrown away, so that the client, still sending,
/// gets to read the answer instead of a reset. A client that sends more is cut off.
const DISCARD_MOST: usize = 64 << 20;

/// How long a refusal waits for the rest of a body that came with its head.
const AT_ONCE: Duration = Duration::from_millis(20);
/// How long more of it is thrown away behind the answer.
const BEHIND: Duration = Duration::from_secs(2);

/// The whole body, at most `most` bytes.
pub async fn read<B>(mut body: B, headers: &HeaderMap, most: usize) -> Result<Bytes, ApiError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let too_large = || {
        ApiError::new(
            Code::BodyTooLarge,
            format!("the body is larger than {most} bytes, the most that is taken"),
        )
    };
    let stated = body.size_hint().exact().unwrap_or(0);
    if stated > most as u64 {
        discard(body, headers).await;
        return Err(too_large());
    }
    // Nearly every body comes in one piece and is used where hyper read it, without a copy.
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if body.is_end_stream() && first.len() <= most {
        return Ok(first);
    }
    let mut whole = Vec::with_capacity((stated as usize).max(first.len()));
    whole.extend_from_slice(&first);
    while whole.len() <= most {
        match next(&mut body).await? {
            Some(piece) => whole.extend_from_slice(&piece),
            None => return Ok(whole.into()),
        }
    }
    drop(whole);
    discard(body, headers).await;
    Err(too_large())
}

/// What `accepted` found out from the head, and the whole body. A body that it refuses is left.
pub async fn taken<B, T>(
    body: B,
    headers: &HeaderMap,
    most: usize,
    accepted: Result<T, ApiError>,
) -> Result<(T, Bytes), ApiError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    match accepted {
        Ok(found) => Ok((found, read(body, headers, most).await?)),
        Err(mut error) => {
            error.closes |= !leave(body, headers, most).await;
            Err(error)
        }
    }
}

/// A defect while predicting is one answer with 500, not a connection that breaks off.
pub fn caught<T>(work: impl FnOnce() -> Result<T, ApiError>) -> Result<T, ApiError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = "the prediction failed, see the log";
        Err(ApiError::new(Code::Internal, message))
    })
}

/// Leaves a body that will not be used, whoever sends it and however slowly, and says whether the
/// connection can go on. What has come with the head is thrown away. What is still on its way does
/// not hold up the answer: up to `most` bytes of it are thrown away behind it, so that the client
/// gets to read the answer, and then the connection ends.
pub async fn leave<B>(mut body: B, headers: &HeaderMap, most: usize) -> bool
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Send,
{
    if body.is_end_stream() {
        return true;
    }
    if headers.contains_key(header::EXPECT) {
        return false;
    }
    match timeout(AT_ONCE, skip(&mut body, most)).await {
        Ok(ended) => ended,
        Err(_) => {
            tokio::spawn(timeout(BEHIND, async move {
                skip(&mut body, most).await;
            }));
            false
        }
    }
}

/// Reads and throws away what is left, within [`DISCARD_MOST`]. A client that waits for
/// `100 Continue` has not sent anything yet, and is not asked to.
async fn discard<B>(mut body: B, headers: &HeaderMap)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    if headers.contains_key(header::EXPECT) || body.size_hint().lower() > DISCARD_MOST as u64 {
        return;
    }
    skip(&mut body, DISCARD_MOST).await;
}

/// Whether the body ended within so many bytes.
async fn skip<B>(body: &mut B, most: usize) -> bool
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut read = 0;
    loop {
        match next(body).await {
            Ok(None) => return true,
            Ok(Some(piece)) if read + piece.len() <= most => read += piece.len(),
            _ => return false,
        }
    }
}

/// The next piece of data; trailers are skipped.
async fn next<B>(body: &mut B) -> Result<Option<Bytes>, ApiError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(_)) => {
                return Err(ApiError::new(
                    Code::MalformedRequest,
                    "the body ended early or is not what its headers say",
                ));
            }
        }
    }
}

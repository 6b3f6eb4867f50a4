//! `/drift/events`: a stream that says when something changes.

use crate::{
    error::{ApiError, Code},
    monitor::events::{MOST, tell, tell_nothing},
    routes::content,
    server::endless::Endless,
    state::State,
};
use axum::{
    body::{Body, Bytes},
    extract,
    http::{HeaderName, HeaderValue, Response},
};
use hyper::body::{Body as HttpBody, Frame};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;

/// nginx and those who learnt from it hold answers back to fill their buffers, unless told.
const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// What changes, as it changes.
#[utoipa::path(get, path = "/drift/events", tag = "model", summary = "Changes of drift, as a stream",
    description = "Server-sent events. `drift` comes at once and then with every change of `drift_detected` or of the newest episode; its data is a `DriftEvent`. `window` comes a few times a second at most while rows come; its data is a `WindowEvent`. A comment keeps the connection alive every 15 seconds. A reader that is slow is told the newest state, not every one. The stream ends when the process is told to stop; at most 64 are open.",
    responses(
        (status = 200, description = "Events, until either side ends it", body = String, content_type = "text/event-stream", example = "event: drift\ndata: {\"model\":\"sha256:1f0c\",\"drift_detected\":false,\"episode\":null}\n\n"),
        (status = 503, description = "`not_ready`, `draining`; `overloaded` also where 64 streams are open", body = contract::ErrorBody)
    ))]
pub async fn events(extract::State(state): extract::State<Arc<State>>) -> Result<Response<Body>, ApiError> {
    let served = state.ready()?;
    let place = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| {
        let message = format!("{MOST} streams are open already, the most that are; try again");
        ApiError::new(Code::Overloaded, message)
    })?;
    let (to, from) = mpsc::channel(1);
    let model = served.info().digests.model.clone();
    let changes = state.monitor().map(|monitor| monitor.changes());
    let mut drained = state.drained();
    tokio::spawn(async move {
        let _place = place;
        let telling = async {
            match changes {
                Some(changes) => tell(changes, &to).await,
                None => tell_nothing(&model, &to).await,
            }
        };
        tokio::select! {
            () = telling => {}
            () = to.closed() => {}
            _ = drained.wait_for(|drained| *drained) => {}
        }
    });
    let mut response = content("text/event-stream", Body::new(Events(from)));
    response.headers_mut().extend([UNBUFFERED]);
    response.extensions_mut().insert(Endless);
    Ok(response)
}

/// What is told, as a body.
struct Events(mpsc::Receiver<Bytes>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|event| event.map(|text| Ok(Frame::data(text))))
    }
}

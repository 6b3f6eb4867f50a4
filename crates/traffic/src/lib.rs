//! Load with a fixed rate or a fixed number of connections; counts every failure.
//!
//! Plain keep-alive HTTP/1.1 over blocking sockets, a thread for each connection. It is made to
//! catch a server that loses a request, so it does what a polite client would hide: a request is
//! sent at most once and never retried, and a connection that the server closes without having
//! said `Connection: close` in the answer before is a failure.
//!
//! ```no_run
//! use traffic::{Load, Target};
//! let target = Target::post("127.0.0.1:30080".parse()?, "/predict", r#"{"features":[5.1,3.5,1.4,0.2]}"#);
//! let running = Load::open(1_000.0, 16).start(&target)?;
//! // … roll out …
//! let report = running.stop();
//! assert_eq!(report.failed, 0, "{:?}", report.failures);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod connection;
mod histogram;
mod load;
mod report;
mod target;
mod worker;

pub use batch::{Batch, SHIFT};
pub use connection::{Connection, FailureKind, RequestError, Response};
pub use histogram::Histogram;
pub use load::{Label, Limit, Load, Running, StartError};
pub use report::{Failure, Latency, Report, Seen};
pub use target::{Target, model_version};

//! SIGTERM: health says so first, calls are answered to the end.

use super::{raw::*, *};
use crate::{fixture, server::eventually};
use inference_api::grpc::proto::ServerReadyRequest;
use prost::Message;
use std::time::{Duration, Instant};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_sees_the_drain_and_nobody_loses_an_answer() {
    let directory = fixture::directory();
    let (mut server, address) = start(directory.path(), &["--drain-seconds", "1"]);
    let mut health = HealthClient::new(channel(address).await);
    let request = HealthCheckRequest {
        service: "inference.GRPCInferenceService".to_owned(),
    };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    let serving = watch.message().await.unwrap().unwrap();
    assert_eq!(serving.status(), ServingStatus::Serving);
    let mut open = client(address).await;
    let mut http2 = Http2::connect(address).await;
    let (response, mut stream) = http2.begin(INFER, &[GRPC]).await;
    eventually("it is in flight", || metric(&server, "requests_in_flight") == 1.0);

    let begun = Instant::now();
    server.terminate();
    let draining = watch.message().await.unwrap().unwrap();
    assert_eq!(draining.status(), ServingStatus::NotServing);
    let ready = open.server_ready(ServerReadyRequest {}).await.unwrap();
    assert!(!ready.get_ref().ready);
    // Within the period both old and new connections are served.
    open.model_infer(typed(&ROWS)).await.unwrap();
    client(address).await.model_infer(typed(&ROWS)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1));

    eventually("the port is closed", || {
        std::net::TcpStream::connect(address).is_err()
    });
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // What was begun before is finished after.
    let body = framed(&typed(&ROWS).encode_to_vec());
    stream.send_data(body.into(), true).unwrap();
    let (_, headers, _) = finish(response).await;
    assert_eq!(text(&headers, "grpc-status"), "0");
    // The watch does not hold the process.
    server.join().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(!matches!(watch.message().await, Ok(Some(_))));
}

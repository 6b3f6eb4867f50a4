//! Bounds: on time, on calls in flight, on connections, on what a hostile client can do to others.

use super::{raw::*, *};
use crate::{fixture, server::eventually};
use h2::Reason;
use inference_api::grpc::proto::ServerLiveRequest;
use prost::Message;
use std::time::{Duration, Instant};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

#[tokio::test]
async fn a_call_that_does_not_arrive_is_ended() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &["--request-timeout-seconds", "0.4"]);
    let mut http2 = Http2::connect(address).await;
    // DEADLINE_EXCEEDED by our limit, and by the client's own where that is shorter.
    for (headers, least, most) in [
        (vec![GRPC], 400, 1400),
        (vec![GRPC, ("grpc-timeout", "50m")], 50, 390),
        (vec![GRPC, ("grpc-timeout", "9H")], 400, 1400),
    ] {
        let begun = Instant::now();
        let (response, _stream) = http2.begin(INFER, &headers).await;
        let (_, headers, _) = finish(response).await;
        let answered = (text(&headers, "grpc-status"), text(&headers, "error-code"));
        assert_eq!(answered, ("4", "request_timeout"));
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(least) && took < Duration::from_millis(most),
            "{took:?}"
        );
    }
    assert_eq!(
        metric(
            &server,
            "prediction_errors_total{protocol=\"grpc\",code=\"request_timeout\"}"
        ),
        3.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_are_refused_at_once() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &["--max-concurrent-requests", "1"]);
    let mut http2 = Http2::connect(address).await;
    let (response, mut stream) = http2.begin(INFER, &[GRPC]).await;
    eventually("it is in flight", || metric(&server, "requests_in_flight") == 1.0);
    let mut client = client(address).await;
    let status = client.model_infer(typed(&ROWS)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.metadata().get("error-code").unwrap(), "overloaded");
    // Probes are not held up.
    client.server_live(ServerLiveRequest {}).await.unwrap();
    let body = framed(&typed(&ROWS).encode_to_vec());
    stream.send_data(body.into(), true).unwrap();
    let (_, headers, _) = finish(response).await;
    assert_eq!(text(&headers, "grpc-status"), "0");
    client.model_infer(typed(&ROWS)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_is_counted_and_gives_its_place_back() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &["--max-concurrent-requests", "1"]);
    let mut http2 = Http2::connect(address).await;
    let (_response, mut stream) = http2.begin(INFER, &[GRPC]).await;
    eventually("it is in flight", || metric(&server, "requests_in_flight") == 1.0);
    stream.send_reset(Reason::CANCEL);
    eventually("it is not", || metric(&server, "requests_in_flight") == 0.0);
    assert_eq!(
        metric(
            &server,
            "prediction_errors_total{protocol=\"grpc\",code=\"client_closed\"}"
        ),
        1.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_are_closed() {
    let directory = fixture::directory();
    let (server, address) = start(
        directory.path(),
        &[
            "--header-timeout-seconds",
            "0.3",
            "--idle-timeout-seconds",
            "0.6",
            "--max-connections",
            "4",
        ],
    );
    let mut silent = TcpStream::connect(address).await.unwrap();
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(10), silent.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "it is closed");
    assert!(begun.elapsed() >= Duration::from_millis(250));
    // After a call there is time until the next one; then the client is told and connects anew.
    let mut client = client(address).await;
    client.model_infer(typed(&ROWS)).await.unwrap();
    eventually("the idle connection is closed", || {
        metric(&server, "open_connections") == 1.0
    });
    client.model_infer(typed(&ROWS)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_over_the_limit_is_refused() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &["--max-header-bytes", "8192"]);
    let mut http2 = Http2::connect(address).await;
    let long = "a".repeat(10_000);
    let (response, _stream) = http2.begin(INFER, &[GRPC, ("x-long", &long)]).await;
    let status = finish(response).await.0;
    assert_eq!(status, 431);
    let body = framed(&typed(&ROWS).encode_to_vec());
    assert_eq!(http2.call(INFER, &[GRPC], body).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_take_its_answer_is_cut_off() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &["--request-timeout-seconds", "0.3"]);
    let socket = TcpStream::connect(address).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (send, connection) = builder.initial_window_size(0).handshake(socket).await.unwrap();
    let task = tokio::spawn(connection);
    let mut http2 = Http2 { send, task };
    let begun = Instant::now();
    let (response, mut stream) = http2.begin(INFER, &[GRPC]).await;
    let body = framed(&typed(&ROWS).encode_to_vec());
    stream.send_data(body.into(), true).unwrap();
    let _answer = response.await.unwrap();
    let ended = timeout(Duration::from_secs(10), http2.task).await;
    assert!(ended.is_ok(), "the connection is closed");
    // The deadline, and a second for the answer; without a farewell that nobody would hear.
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(1200) && took < Duration::from_millis(2500),
        "{took:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_refused_without_words() {
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &["--max-connections", "1"]);
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Client::new(endpoint.connect_lazy());
    let deadline = Instant::now() + Duration::from_secs(10);
    // The connection that asked for readiness may not be gone yet.
    while client.model_infer(typed(&ROWS)).await.is_err() {
        assert!(Instant::now() < deadline, "the first connection is taken");
    }
    let mut other = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(5), other.read_to_end(&mut bytes)).await;
    assert_eq!(read.expect("it is closed").unwrap_or(0), 0);
    client.model_infer(typed(&ROWS)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_end_are_bounded() {
    const WATCH: &str = "/grpc.health.v1.Health/Watch";
    const MOST: usize = 1024;
    let directory = fixture::directory();
    let (_server, address) = start(directory.path(), &[]);
    let mut open = Vec::new();
    let mut last = None;
    while open.len() <= MOST {
        // 128 streams are taken on one connection.
        let mut http2 = Http2::connect(address).await;
        for _ in 0..128.min(MOST + 1 - open.len()) {
            let (response, mut stream) = http2.begin(WATCH, &[GRPC]).await;
            stream.send_data(framed(b"").into(), true).unwrap();
            let answer = timeout(Duration::from_secs(10), response).await.unwrap().unwrap();
            last = Some(text(answer.headers(), "error-code").to_owned());
            open.push((answer, stream, http2.task.abort_handle()));
            if open.len() == MOST {
                assert_eq!(last.as_deref(), Some(""));
            }
        }
    }
    assert_eq!(last.as_deref(), Some("overloaded"));
    client(address).await.model_infer(typed(&ROWS)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_leaves_others_unhurt() {
    let directory = fixture::directory();
    let (server, address) = start(directory.path(), &[]);
    let flood = tokio::spawn(async move {
        let (mut sent, mut closed) = (0_u64, 0);
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            let http2 = Http2::connect(address).await;
            while let Ok(mut send) = http2.send.clone().ready().await {
                let request = axum::http::Request::post(format!("http://test{INFER}"))
                    .header(GRPC.0, GRPC.1)
                    .body(())
                    .unwrap();
                let Ok((_, mut stream)) = send.send_request(request, false) else {
                    break;
                };
                stream.send_reset(Reason::CANCEL);
                sent += 1;
                if Instant::now() > until {
                    return (sent, closed);
                }
                // In bursts, so that the server finds more than it admits before it has looked at one.
                if sent % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            closed += 1;
            http2.task.abort();
        }
        (sent, closed)
    });
    let mut client = client(address).await;
    let mut slowest = Duration::ZERO;
    let mut answered = 0;
    while !flood.is_finished() {
        let begun = Instant::now();
        client.model_infer(typed(&ROWS)).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        answered += 1;
    }
    let (sent, closed) = flood.await.unwrap();
    eprintln!("{sent} resets, {closed} connections closed, {answered} answered, slowest {slowest:?}");
    assert!(
        sent > 500 && closed > 0,
        "{sent} resets, {closed} connections closed"
    );
    assert!(answered > 50, "{answered}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    eventually("nothing is left of it", || {
        metric(&server, "requests_in_flight") == 0.0
    });
    let resident = metric(&server, "process_resident_memory_bytes");
    assert!(resident < 256e6, "{resident}");
}

//! A real registry (Debian's docker-registry) where there is one, and a faulty one of our own.

use crate::common::{base, changes, changes_as, model};
use oci::{
    Credentials, Error, ImageStore, Layout, Registry, RegistryOptions, image, open_store, open_store_as,
};
use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const PASSWORD: &str = "s3cret-Pa55";
/// bcrypt of the password above, as `htpasswd -B` writes it.
const HTPASSWD: &str = "robot:$2b$12$iGycXse9ebXFuOQDsxRfA.yNlESdXQTtpalZieqMBpj2SzeppsqF6\n";

/// A docker-registry process on a free loopback port, stopped when dropped.
struct Server {
    process: Child,
    host: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(test: &str, with_password: bool) -> Option<Self> {
        // A free port can be taken before the registry binds it; then it ends and another is tried.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let host = format!("127.0.0.1:{port}");
            let folder = tempfile::tempdir().unwrap();
            let config = folder.path().join("config.yml");
            let secrets = folder.path().join("htpasswd");
            std::fs::write(&secrets, HTPASSWD).unwrap();
            let mut text = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
                folder.path().join("storage").display()
            );
            if with_password {
                text += &format!(
                    "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
                    secrets.display()
                );
            }
            std::fs::write(&config, text).unwrap();
            let started = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let Ok(mut process) = started else {
                eprintln!("SKIPPED {test}: no docker-registry on PATH (apt-get install docker-registry)");
                return None;
            };
            let start = Instant::now();
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect(&host).is_ok() {
                    return Some(Self {
                        process,
                        host,
                        _folder: folder,
                    });
                }
                assert!(
                    start.elapsed() < Duration::from_secs(20),
                    "docker-registry does not listen"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("docker-registry ended at once, five times");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn robot(password: &str) -> RegistryOptions {
    RegistryOptions {
        credentials: Credentials::Basic {
            username: "robot".to_owned(),
            password: password.to_owned().into(),
        },
        plain_http: Vec::new(),
    }
}

/// What skopeo, which is not ours, says of an image; `None` where it is not installed.
fn skopeo(test: &str, image: &str) -> Option<serde_json::Value> {
    let Ok(output) = Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", image])
        .output()
    else {
        eprintln!("SKIPPED part of {test}: no skopeo on PATH (apt-get install skopeo)");
        return None;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn registry_and_layout_agree() {
    let test = "registry_and_layout_agree";
    let Some(server) = Server::start(test, false) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(folder.path().join("images")).unwrap();
    let registry = open_store(&format!("{}/team/models", server.host)).unwrap();
    let digests = [&layout as &dyn ImageStore, registry.as_ref()].map(|store| {
        let first = base(store);
        let digest = image::append_layer(store, "inference-api:base", &model("m"), &changes()).unwrap();
        // Under another name than the base's: all that it is made of goes there too.
        let there = image::append_layer(store, "inference-api:base", &model("m"), &changes_as("elsewhere"));
        assert_eq!(there.unwrap(), digest);
        assert!(store.tag("elsewhere:m1-abcdef0", &digest, false).unwrap());
        assert!(store.tag("inference-api:m1-abcdef0", &digest, false).unwrap());
        assert!(!store.tag("inference-api:m1-abcdef0", &digest, false).unwrap());
        let moved = store.tag("inference-api:m1-abcdef0", &first, false);
        assert!(matches!(moved, Err(Error::TagTaken { .. })), "{moved:?}");
        assert_eq!(store.find("inference-api:m2-abcdef0").unwrap(), None);
        assert_eq!(store.resolve("inference-api:m1-abcdef0").unwrap().digest, digest);
        digest
    });
    assert_eq!(digests[0], digests[1]);
    let absent = format!("sha256:{}", "0".repeat(64));
    assert!(!registry.has_blob("inference-api", &absent).unwrap());
    assert!(matches!(
        registry.blob("inference-api", &absent),
        Err(Error::NotFound { .. })
    ));

    // By the name that a manifest would hold.
    let name = registry.image_name("inference-api");
    assert_eq!(name, format!("{}/team/models/inference-api", server.host));
    let pinned = format!("{name}@{}", digests[0]);
    let read = image::read_file(registry.as_ref(), &pinned, "model/model.onnx").unwrap();
    assert_eq!(read.as_deref(), Some(&b"m"[..]));
    assert!(image::unpack(registry.as_ref(), &pinned, &folder.path().join("rootfs")).unwrap());
    assert!(
        folder
            .path()
            .join("rootfs/model/drift/reference_data.npy")
            .exists()
    );
    assert!(
        matches!(registry.find(&digests[0]), Err(Error::Text { .. })),
        "a bare digest has no repository"
    );

    let copied = image::copy(&layout, &digests[0], registry.as_ref(), "copied").unwrap();
    assert_eq!(copied, digests[0]);
    assert_eq!(
        registry.resolve(&format!("copied@{copied}")).unwrap().digest,
        copied
    );

    let images = folder.path().join("images");
    for address in [
        format!("docker://{name}:m1-abcdef0"),
        format!("oci:{}:inference-api:m1-abcdef0", images.display()),
    ] {
        let Some(seen) = skopeo(test, &address) else {
            break;
        };
        assert_eq!(seen["Digest"], digests[0], "{address}");
        assert_eq!(seen["Labels"]["driftless.dev/run-id"], "r1");
        assert_eq!(seen["Layers"].as_array().unwrap().len(), 2);
        assert_eq!(seen["Os"], "linux");
    }
    check_copy_by_skopeo(&images, folder.path());
}

/// skopeo copies only what has the digests and sizes that the documents say.
fn check_copy_by_skopeo(images: &Path, folder: &Path) {
    let from = format!("oci:{}:inference-api:m1-abcdef0", images.display());
    let to = format!("oci:{}:inference-api:copy", folder.join("copy").display());
    let Ok(output) = Command::new("skopeo")
        .args(["--insecure-policy", "copy", &from, &to])
        .output()
    else {
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let copy = Layout::open_or_create(folder.join("copy")).unwrap();
    assert_eq!(
        image::config(&copy, "inference-api:copy").unwrap().entrypoint,
        ["/inference-api"]
    );
}

#[test]
fn passwords_are_used_and_never_shown() {
    let Some(server) = Server::start("passwords_are_used_and_never_shown", true) else {
        return;
    };
    let address = format!("http://{}/models", server.host);
    let registry = Registry::open(&address, &robot(PASSWORD)).unwrap();
    let digest = base(&registry);
    assert_eq!(registry.resolve("inference-api:base").unwrap().digest, digest);
    for options in [robot("wr0ng"), RegistryOptions::default()] {
        let refused = Registry::open(&address, &options).unwrap();
        for failure in [
            refused.find("inference-api:base").unwrap_err(),
            refused.put_blob("inference-api", b"x").unwrap_err(),
        ] {
            let text = format!("{failure} {failure:?}");
            assert!(text.contains(&server.host) && !text.contains("wr0ng"), "{text}");
            assert!(
                text.to_lowercase().contains("authori") || text.contains("401"),
                "{text}"
            );
        }
    }
}

/// Answers the first requests with 503, later ones from a table; counts them.
fn faulty(failures: usize, manifest: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut left = failures;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let wanted = head.first().is_some_and(|line| line.contains("/manifests/"));
            let (status, body) = match wanted {
                false => ("200 OK", ""),
                true if left > 0 => {
                    left -= 1;
                    ("503 Service Unavailable", "busy")
                }
                true => ("200 OK", manifest),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.flush();
            let _ = stream.take(0).read(&mut []);
        }
    });
    host
}

#[test]
fn passing_faults_are_tried_again_and_lasting_ones_named() {
    let manifest = r#"{"schemaVersion":2,"layers":[]}"#;
    let patient = open_store(&faulty(2, manifest)).unwrap();
    assert_eq!(
        patient.resolve("inference-api:base").unwrap().size,
        manifest.len() as u64
    );
    let host = faulty(usize::MAX, manifest);
    let failure = open_store(&host)
        .unwrap()
        .find("inference-api:base")
        .unwrap_err()
        .to_string();
    assert!(failure.contains("503") && failure.contains(&host), "{failure}");
    let wrong = format!("inference-api@sha256:{}", "0".repeat(64));
    let failure = open_store(&faulty(0, manifest))
        .unwrap()
        .find(&wrong)
        .unwrap_err()
        .to_string();
    assert!(
        failure.contains(&wrong[14..]),
        "an answer of another digest is refused: {failure}"
    );
}

#[test]
fn written_by_one_name_and_pulled_by_another() {
    let store = |pulled: &str| open_store_as(&faulty(0, r#"{"schemaVersion":2,"layers":[]}"#), pulled);
    let two = store("localhost:5000/team").unwrap();
    assert_eq!(
        two.image_name("inference-api"),
        "localhost:5000/team/inference-api"
    );
    assert!(two.address().starts_with("http://127.0.0.1:"));
    // What a release file names is found at the address that is reached from here.
    assert!(
        two.find("localhost:5000/team/inference-api:base")
            .unwrap()
            .is_some()
    );
    assert!(two.find("inference-api:base").unwrap().is_some());
    let one = store("").unwrap();
    assert_eq!(
        one.image_name("x"),
        format!("{}/x", one.address().trim_start_matches("http://"))
    );
    for (pulled, part) in [
        ("http://localhost:5000", "without a scheme"),
        ("UPPER:5000/A", "lower-case"),
        ("me:s3cret@host/x", "without credentials"),
    ] {
        let text = store(pulled).err().unwrap().to_string();
        assert!(text.contains(part) && !text.contains("s3cret"), "{text}");
    }
    let text = open_store_as("oci-layout:/tmp/never-made", "localhost:5000")
        .err()
        .unwrap();
    assert!(text.to_string().contains("layout is not pulled from"), "{text}");
}

#[test]
fn a_registry_that_is_not_there_is_named() {
    // Bound and closed again: nothing listens there.
    let host = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let failure = open_store(&host)
        .unwrap()
        .find("inference-api:base")
        .unwrap_err()
        .to_string();
    assert!(
        failure.contains(&host) && failure.contains("onnection refused"),
        "{failure}"
    );
}

#[test]
fn may_be_called_and_dropped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = open_store(&faulty(0, r#"{"schemaVersion":2,"layers":[]}"#)).unwrap();
        assert!(store.find("inference-api:base").unwrap().is_some());
    });
}

const CHILD: &str = "DRIFTLESS_TEST_WITHOUT_CA";

#[test]
fn missing_ca_certificates_are_named() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["registry::child_without_ca", "--exact", "--nocapture"])
        .envs([
            (CHILD, "yes"),
            ("SSL_CERT_FILE", "/nonexistent"),
            ("SSL_CERT_DIR", "/nonexistent"),
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("NAMED"),
        "{text}\n{errors}"
    );
}

/// Run by the test above as a process that finds no CA certificates.
#[test]
fn child_without_ca() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    for address in ["https://registry.example", "http://127.0.0.1:5000"] {
        let failure = open_store(address).err().expect("TLS needs roots").to_string();
        assert!(
            failure.contains("SSL_CERT_FILE") && failure.contains("No CA certificates"),
            "{failure}"
        );
    }
    println!("NAMED");
}

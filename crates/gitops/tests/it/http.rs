//! The same promises over HTTP, against git's own server side.

use crate::{
    common::{ENVIRONMENT, World, git, publish, release, write},
    server::{TOKEN, USER, start},
};
use gitops::{Credentials, Error, Repo};
use std::{net::TcpListener, path::Path, sync::Barrier};

fn robot(token: &str) -> Option<Credentials> {
    Some(Credentials {
        username: USER.to_owned(),
        token: token.to_owned().into(),
    })
}

fn open(address: &str, work: &Path, token: &str) -> Repo {
    Repo::open_as(&format!("{address}/gitops.git"), work, robot(token)).unwrap()
}

#[test]
fn reads_and_promotes_over_http() {
    let world = World::new();
    let address = start(world.folder.path());
    let work = world.folder.path().join("work");
    let repo = open(&address, &work, TOKEN);
    assert_eq!(repo.head().unwrap(), world.repo().head().unwrap());
    assert_eq!(repo.current(ENVIRONMENT).unwrap(), None);
    let promoted = repo.promote(ENVIRONMENT, &release(3), None).unwrap();
    assert_eq!(world.repo().head().unwrap(), promoted.commit);
    assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(3)));
    world.fsck();

    // Commits that only the server has arrived since; the cache is used again.
    let clone = world.clone();
    for note in 0..30 {
        write(&clone.join(format!("notes/{note}.md")), &"text\n".repeat(note));
        publish(&clone, "a note");
    }
    let again = open(&address, &work, TOKEN);
    assert_eq!(again.log(100).unwrap().len(), 32);
    assert_eq!(
        again.promote(ENVIRONMENT, &release(3), None).unwrap().commit,
        promoted.commit
    );
    let second = again
        .promote(ENVIRONMENT, &release(4), Some(&release(3).digest))
        .unwrap();
    assert_eq!(world.repo().head().unwrap(), second.commit);
    assert!(matches!(
        again.promote(ENVIRONMENT, &release(5), None),
        Err(Error::Outrun { .. })
    ));

    git(&clone, &["pull", "--quiet", "origin", "main"]);
    git(&clone, &["revert", "--no-edit", "HEAD"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    assert_eq!(repo.current(ENVIRONMENT).unwrap(), Some(release(3)));
    assert!(matches!(
        repo.promote(ENVIRONMENT, &release(4), Some(&release(3).digest)),
        Err(Error::Withdrawn { .. })
    ));
    world.fsck();
}

#[test]
fn of_two_clones_one_promotes_and_one_is_outrun() {
    for seed in 0..15 {
        let world = World::new();
        let address = start(world.folder.path());
        let clone = world.clone();
        let start = Barrier::new(3);
        let outcomes = std::thread::scope(|scope| {
            let promoters = [1, 2].map(|version| {
                let (start, address, root) = (&start, &address, world.folder.path().to_path_buf());
                scope.spawn(move || {
                    let repo = open(address, &root.join(format!("work-{version}")), TOKEN);
                    start.wait();
                    repo.promote(ENVIRONMENT, &release(version), None)
                })
            });
            start.wait();
            if seed % 2 == 0 {
                write(&clone.join("note.md"), "meanwhile\n");
                git(&clone, &["add", "--all"]);
                git(&clone, &["commit", "--quiet", "--message", "a note"]);
                git(&clone, &["pull", "--quiet", "--rebase", "origin", "main"]);
                // Outrun by a promoter this very moment: the person pulls and pushes again.
                let pushed = std::process::Command::new("git")
                    .current_dir(&clone)
                    .args(["push", "--quiet", "origin", "HEAD:main"])
                    .output();
                if !pushed.unwrap().status.success() {
                    git(&clone, &["pull", "--quiet", "--rebase", "origin", "main"]);
                }
            }
            promoters.map(|promoter| promoter.join().unwrap())
        });
        let winner = match &outcomes {
            [Ok(promoted), Err(Error::Outrun { .. })] if !promoted.already => 1,
            [Err(Error::Outrun { .. }), Ok(promoted)] if !promoted.already => 2,
            other => panic!("seed {seed}: {other:?}"),
        };
        assert_eq!(world.promotions(), 1);
        assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(winner)));
        world.fsck();
    }
}

#[test]
fn what_the_server_says_is_named_and_the_token_is_not() {
    let world = World::new();
    let address = start(world.folder.path());
    let work = world.folder.path().join("work");
    let at =
        |path: &str, credentials| Repo::open_as(&format!("{address}/{path}"), &work, credentials).unwrap();
    let promote = |repo: Repo| repo.promote(ENVIRONMENT, &release(3), None).unwrap_err();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Repo::open_as(&format!("http://{nobody}/gitops.git"), &work, robot("wr0ng")).unwrap();
    for (failure, part) in [
        (promote(at("gitops.git", robot("wr0ng"))), "not accepted"),
        (promote(at("gitops.git", None)), "set GIT_USERNAME and GIT_TOKEN"),
        (promote(at("other.git", robot("wr0ng"))), "404"),
        (promote(at("page", robot("wr0ng"))), "not a Git server"),
        (promote(at("moved", robot("wr0ng"))), "http://elsewhere.invalid/"),
        (promote(gone), "onnection refused"),
    ] {
        let text = format!("{failure} {failure:?}");
        assert!(
            text.contains(part) && text.contains("http://127.0.0.1:"),
            "{part}: {text}"
        );
        assert!(!text.contains("wr0ng"), "{text}");
    }
    assert!(!format!("{:?}", at("gitops.git", robot("wr0ng"))).contains("wr0ng"));
    assert_eq!(world.promotions(), 0);
}

#[test]
fn a_server_that_refuses_the_push_is_quoted() {
    let world = World::new();
    let hook = world.bare().join("hooks/pre-receive");
    write(&hook, "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let address = start(world.folder.path());
    let failure =
        open(&address, &world.folder.path().join("work"), TOKEN).promote(ENVIRONMENT, &release(3), None);
    let text = failure.unwrap_err().to_string();
    assert!(text.contains("pre-receive hook declined"), "{text}");
    assert_eq!(world.promotions(), 0);
}

/// TLS is another program's business to set up: a certificate by openssl, trusted by variable.
#[cfg(feature = "https")]
mod tls {
    use super::{ENVIRONMENT, TOKEN, World, open, release};
    use crate::server::serve;
    use std::{env, net::TcpListener, path::Path, process::Command};

    const CHILD: &str = "DRIFTLESS_TEST_HTTPS";

    /// A Git server, behind TLS with this certificate and key (PEM): `https://127.0.0.1:<port>`.
    fn start_tls(root: &Path, certificate: &Path, key: &Path) -> String {
        use rustls::{
            ServerConfig, ServerConnection, StreamOwned,
            pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        };
        let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        let config = std::sync::Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let root = root.to_path_buf();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let root = root.clone();
                std::thread::spawn(move || serve(StreamOwned::new(connection, stream), &root));
            }
        });
        address
    }

    #[test]
    fn promotes_over_https_when_the_certificate_is_trusted() {
        let world = World::new();
        let (certificate, key) = (
            world.folder.path().join("cert.pem"),
            world.folder.path().join("key.pem"),
        );
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output();
        if !made.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED promotes_over_https_when_the_certificate_is_trusted: no openssl on PATH");
            return;
        }
        let address = start_tls(world.folder.path(), &certificate, &key);
        let run = |trusted: &Path| {
            let output = Command::new(env::current_exe().unwrap())
                .args(["http::tls::child_over_https", "--exact", "--nocapture"])
                .env(
                    CHILD,
                    format!("{address} {}", world.folder.path().join("work").display()),
                )
                .env("SSL_CERT_FILE", trusted)
                .env("SSL_CERT_DIR", "/nonexistent")
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let nobody = run(Path::new("/nonexistent"));
        assert!(nobody.contains("CHILD cannot read https://127.0.0.1"), "{nobody}");
        assert_eq!(world.promotions(), 0);
        let trusting = run(&certificate);
        assert!(trusting.contains("CHILD promoted"), "{trusting}");
        assert_eq!(world.promotions(), 1);
    }

    /// Run by the test above as a process that trusts what it is told to.
    #[test]
    fn child_over_https() {
        let Ok(orders) = env::var(CHILD) else {
            return;
        };
        let (address, work) = orders.split_once(' ').unwrap();
        match open(address, Path::new(work), TOKEN).promote(ENVIRONMENT, &release(3), None) {
            Ok(_) => println!("CHILD promoted"),
            Err(error) => println!("CHILD {error}"),
        }
    }
}

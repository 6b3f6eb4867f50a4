//! One promoter and people: what is promoted, taken back, moved, and refused.

use crate::common::{ENVIRONMENT, World, git, publish, release, write};
use contract::names::release_file;
use gitops::{Details, Error, Promoted, Release, Repo};
use std::{
    fs::File,
    time::{Duration, SystemTime},
};

fn details() -> Details {
    Details {
        metrics: [
            ("accuracy".to_owned(), 0.966_67),
            ("f1_weighted".to_owned(), 0.9665),
        ]
        .into(),
        time_s: Some(1_700_000_000),
        again: false,
        run_key: None,
    }
}

#[test]
fn a_promotion_is_one_commit_of_one_file() {
    let world = World::new();
    let repo = world.repo();
    assert_eq!(repo.current(ENVIRONMENT).unwrap(), None);
    let before = repo.head().unwrap();
    let promoted = repo
        .promote_with(ENVIRONMENT, &release(3), None, &details())
        .unwrap();
    assert!(!promoted.already);
    assert_eq!(repo.head().unwrap(), promoted.commit);
    assert_eq!(repo.current(ENVIRONMENT).unwrap(), Some(release(3)));
    assert_eq!(repo.release_at(&before, ENVIRONMENT).unwrap(), None);
    assert_eq!(
        repo.release_at(&promoted.commit, ENVIRONMENT).unwrap(),
        Some(release(3))
    );
    let touched = git(&world.bare(), &["diff", "--name-only", &before, &promoted.commit]);
    assert_eq!(touched, release_file(ENVIRONMENT));
    insta::assert_snapshot!(git(
        &world.bare(),
        &[
            "log",
            "-1",
            "--format=%an <%ae>%n%cn <%ce>%n%at %ct%n%n%B",
            "main"
        ]
    ));
    world.fsck();

    let log = repo.log(10).unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].commit, promoted.commit);
    assert_eq!(log[0].time_s, 1_700_000_000);
    let trailer = |name: &str| {
        log[0]
            .trailers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(trailer("Image-Digest"), Some(release(3).digest.as_str()));
    assert_eq!(trailer("Metrics"), Some("accuracy=0.9667 f1_weighted=0.9665"));
    assert_eq!(log[1].subject, "begin");
    assert_eq!(repo.log(1).unwrap().len(), 1);
    assert_eq!(
        repo.read(None, "README.md").unwrap().as_deref(),
        Some(&b"loop\n"[..])
    );
    assert_eq!(repo.read(Some(&before), "nothing").unwrap(), None);
}

#[test]
fn same_promotion_same_commit() {
    let commits = [(); 2].map(|()| {
        let world = World::new();
        // The first commit differs by its time; the promotion's content must not.
        let commit = world
            .repo()
            .promote_with(ENVIRONMENT, &release(3), None, &details())
            .unwrap()
            .commit;
        git(&world.bare(), &["show", "--format=%T%n%B%at", &commit])
    });
    assert_eq!(commits[0], commits[1]);
}

#[test]
fn twice_is_already() {
    let world = World::new();
    let first = world.repo().promote(ENVIRONMENT, &release(3), None).unwrap();
    let clone = world.clone();
    write(&clone.join("docs/note.md"), "on top\n");
    publish(&clone, "a note");
    for expected in [None, Some(release(3).digest), Some(release(9).digest)] {
        let again = world
            .repo()
            .promote(ENVIRONMENT, &release(3), expected.as_deref())
            .unwrap();
        assert_eq!(
            again,
            Promoted {
                commit: first.commit.clone(),
                already: true
            }
        );
    }
    assert_eq!(
        world.subjects(),
        ["a note", "promote(local): inference-api m3-0123456", "begin"]
    );
}

#[test]
fn a_decision_about_an_older_release_is_outrun() {
    let world = World::new();
    world.repo().promote(ENVIRONMENT, &release(3), None).unwrap();
    for expected in [None, Some(release(2).digest)] {
        match world
            .repo()
            .promote(ENVIRONMENT, &release(4), expected.as_deref())
        {
            Err(Error::Outrun { found, .. }) => assert_eq!(found, release(3).digest),
            other => panic!("{other:?}"),
        }
    }
    world
        .repo()
        .promote(ENVIRONMENT, &release(4), Some(&release(3).digest))
        .unwrap();
    assert_eq!(world.promotions(), 2);
}

#[test]
fn a_revert_brings_the_old_release_back_and_lasts() {
    let world = World::new();
    world.repo().promote(ENVIRONMENT, &release(3), None).unwrap();
    let fourth = world
        .repo()
        .promote(ENVIRONMENT, &release(4), Some(&release(3).digest))
        .unwrap();
    let clone = world.clone();
    git(&clone, &["revert", "--no-edit", "HEAD"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    let reverted = world.repo().head().unwrap();
    assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(3)));

    // The trainer that made it runs again: the person's word stands.
    match world
        .repo()
        .promote(ENVIRONMENT, &release(4), Some(&release(3).digest))
    {
        Err(Error::Withdrawn { promoted, withdrawn }) => {
            assert_eq!((promoted, withdrawn), (fourth.commit, reverted.clone()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.repo().head().unwrap(), reverted);

    git(&clone, &["revert", "--no-edit", "HEAD"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    let promoted = world
        .repo()
        .promote(ENVIRONMENT, &release(4), Some(&release(3).digest))
        .unwrap();
    assert_eq!(
        promoted,
        Promoted {
            commit: world.repo().head().unwrap(),
            already: true
        }
    );

    git(&clone, &["revert", "--no-edit", "HEAD"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    let again = Details {
        again: true,
        ..details()
    };
    assert!(
        !world
            .repo()
            .promote_with(ENVIRONMENT, &release(4), Some(&release(3).digest), &again)
            .unwrap()
            .already
    );
    // Another model than the withdrawn one needs no such word.
    world
        .repo()
        .promote(ENVIRONMENT, &release(5), Some(&release(4).digest))
        .unwrap();
    world.fsck();
}

#[test]
fn a_person_who_moves_the_branch_meanwhile_is_kept() {
    let world = World::new();
    let clone = world.clone();
    write(&clone.join("docs/note.md"), "meanwhile\n");
    git(&clone, &["add", "--all"]);
    git(&clone, &["commit", "--quiet", "--message", "a note"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:refs/heads/side"]);
    let theirs = git(&clone, &["rev-parse", "HEAD"]);

    // Holding the reference's lock, as a push in progress does, stops the promoter between its
    // commit and the push; then the lock becomes the reference, as that push would end.
    let lock = world.bare().join("refs/heads/main.lock");
    write(&lock, &format!("{theirs}\n"));
    let objects = || git(&world.bare(), &["count-objects"]);
    let before = objects();
    std::thread::scope(|scope| {
        let promoter = scope.spawn(|| {
            Repo::open(&world_address(&lock), lock.parent().unwrap())
                .unwrap()
                .promote(ENVIRONMENT, &release(3), None)
        });
        let start = std::time::Instant::now();
        while objects() == before {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the promoter builds no commit"
            );
        }
        std::fs::rename(&lock, world.bare().join("refs/heads/main")).unwrap();
        promoter.join().unwrap().unwrap();
    });
    assert_eq!(
        world.subjects(),
        ["promote(local): inference-api m3-0123456", "a note", "begin"]
    );
    world.fsck();
}

/// The bare repository around a reference's lock.
fn world_address(lock: &std::path::Path) -> String {
    format!("file://{}", lock.ancestors().nth(3).unwrap().display())
}

#[test]
fn the_lock_of_a_killed_process_does_not_stay() {
    let world = World::new();
    let lock = world.bare().join("refs/heads/main.lock");
    let file = File::create(&lock).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60))
        .unwrap();
    world.repo().promote(ENVIRONMENT, &release(3), None).unwrap();
    assert!(!lock.exists());
    assert_eq!(world.promotions(), 1);
}

#[test]
fn a_release_file_that_is_not_ours_is_named_and_kept() {
    let world = World::new();
    let clone = world.clone();
    let file = release_file(ENVIRONMENT);
    write(&clone.join(&file), "kind: Component\n# by hand\n");
    publish(&clone, "by hand");
    for failure in [
        world.repo().current(ENVIRONMENT).map(drop).unwrap_err(),
        world
            .repo()
            .promote(ENVIRONMENT, &release(3), None)
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(
            failure
                .to_string()
                .contains("release file of \"local\" is malformed"),
            "{failure}"
        );
    }
    assert_eq!(world.promotions(), 0);
}

#[test]
fn an_environment_that_has_no_file_yet_gets_one() {
    let world = World::new();
    let prod = Release {
        environment: "prod".to_owned(),
        ..release(3)
    };
    assert_eq!(world.repo().current("prod").unwrap(), None);
    world.repo().promote("prod", &prod, None).unwrap();
    assert_eq!(world.repo().current("prod").unwrap(), Some(prod));
    assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), None);
    for environment in ["", "../x", "a/b", "Prod"] {
        assert!(
            matches!(world.repo().current(environment), Err(Error::Release(_))),
            "{environment}"
        );
    }
    assert!(matches!(
        world.repo().promote(
            ENVIRONMENT,
            &Release {
                environment: "prod".to_owned(),
                ..release(4)
            },
            None
        ),
        Err(Error::Release(_))
    ));
}

#[test]
fn addresses_that_cannot_be_used_are_named() {
    let world = World::new();
    let clone = world.clone();
    let open = |address: &str| {
        Repo::open(address, world.folder.path())
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    for (address, part) in [
        ("/nowhere/at/all", "/nowhere/at/all"),
        ("file:///nowhere", "/nowhere"),
        ("ssh://git@example.invalid/x", "expected file://"),
        ("http://me:s3cret@example.invalid/x.git", "GIT_TOKEN"),
        (clone.to_str().unwrap(), "work tree"),
    ] {
        let text = open(address);
        assert!(text.contains(part) && !text.contains("s3cret"), "{text}");
    }
    git(world.folder.path(), &["init", "--quiet", "--bare", "empty.git"]);
    let empty = Repo::open(
        world.folder.path().join("empty.git").to_str().unwrap(),
        world.folder.path(),
    )
    .unwrap();
    assert!(empty.head().unwrap_err().to_string().contains("no branch main"));
}

//! What did not come up is taken back: once, by one commit, and only while it is the robot's own.

use crate::{
    common::{ENVIRONMENT, World, git, publish, release, write},
    server::{TOKEN, USER, start},
};
use contract::names::release_file;
use gitops::{Credentials, Details, Error, Release, Repo, Withdrawn};
use std::{path::Path, sync::Barrier, time::Duration};

const WHY: &str = "inference-api is Degraded: it ended with 3\nlast words";

/// The third and the fourth version, promoted one after the other.
fn two_promoted(world: &World) -> (String, String) {
    let repo = world.repo();
    let third = repo.promote(ENVIRONMENT, &release(3), None).unwrap();
    let fourth = repo
        .promote(ENVIRONMENT, &release(4), Some(&release(3).digest))
        .unwrap();
    (third.commit, fourth.commit)
}

fn file_at(world: &World, commit: &str) -> String {
    git(
        &world.bare(),
        &["show", &format!("{commit}:{}", release_file(ENVIRONMENT))],
    )
}

fn reverts(world: &World) -> usize {
    let subjects = world.subjects();
    subjects
        .iter()
        .filter(|subject| subject.starts_with("revert("))
        .count()
}

#[test]
fn the_release_before_it_is_back_byte_for_byte() {
    let world = World::new();
    let (third, fourth) = two_promoted(&world);
    let clone = world.clone();
    write(&clone.join("docs/note.md"), "on top\n");
    publish(&clone, "a note");
    let first = world.repo().withdraw(ENVIRONMENT, &release(4), WHY).unwrap();
    assert!(!first.already);
    assert_eq!(world.repo().head().unwrap(), first.commit);
    assert_eq!(file_at(&world, "main"), file_at(&world, &third));
    assert_eq!(
        git(&world.bare(), &["diff", "--name-only", "main~1", "main"]),
        release_file(ENVIRONMENT)
    );
    let message = git(&world.bare(), &["log", "-1", "--format=%an <%ae>%n%n%B", "main"]);
    insta::assert_snapshot!(message.replace(&fourth, "[fourth]"), @r"
    driftless trainer <trainer@driftless.invalid>

    revert(local): inference-api m4-0123456

    inference-api is Degraded: it ended with 3
    last words

    Reverts: [fourth]
    Reason: inference-api is Degraded: it ended with 3
    ");
    let found = world.repo().withdrawal(&fourth, ENVIRONMENT).unwrap().unwrap();
    assert_eq!(found.commit, first.commit);
    assert_eq!(world.repo().withdrawal(&third, ENVIRONMENT).unwrap(), None);
    assert_eq!(
        world.repo().release_before(&fourth, ENVIRONMENT).unwrap(),
        Some(release(3))
    );

    // Again, from elsewhere, with other words, and after others went on.
    let already = Withdrawn {
        commit: first.commit.clone(),
        already: true,
    };
    assert_eq!(
        world
            .repo()
            .withdraw(ENVIRONMENT, &release(4), "other words")
            .unwrap(),
        already
    );
    world
        .repo()
        .promote(ENVIRONMENT, &release(5), Some(&release(3).digest))
        .unwrap();
    assert_eq!(
        world.repo().withdraw(ENVIRONMENT, &release(4), WHY).unwrap(),
        already
    );
    assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(5)));
    assert_eq!(reverts(&world), 1);
    // What did not come up does not come again by itself.
    assert!(matches!(
        world
            .repo()
            .promote(ENVIRONMENT, &release(4), Some(&release(5).digest)),
        Err(Error::Withdrawn { .. })
    ));
    world.fsck();
}

#[test]
fn the_first_release_ever_leaves_an_unreleased_environment() {
    let world = World::new();
    world.repo().promote(ENVIRONMENT, &release(1), None).unwrap();
    world.repo().withdraw(ENVIRONMENT, &release(1), WHY).unwrap();
    assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), None);
    assert_eq!(
        file_at(&world, "main") + "\n",
        Release::unreleased_yaml(ENVIRONMENT)
    );

    // An environment without even a file.
    let prod = Release {
        environment: "prod".to_owned(),
        ..release(1)
    };
    world.repo().promote("prod", &prod, None).unwrap();
    assert!(world.repo().withdraw(ENVIRONMENT, &prod, WHY).is_err());
    world.repo().withdraw("prod", &prod, WHY).unwrap();
    assert_eq!(
        world.repo().read(None, &release_file("prod")).unwrap().unwrap(),
        Release::unreleased_yaml("prod").into_bytes()
    );
    world.fsck();
}

#[test]
fn what_others_did_meanwhile_stays() {
    let outrun = |world: &World| {
        let before = world.repo().head().unwrap();
        match world.repo().withdraw(ENVIRONMENT, &release(4), WHY) {
            Err(Error::Outrun { found, .. }) => assert_eq!(world.repo().head().unwrap(), before, "{found}"),
            other => panic!("{other:?}"),
        }
    };
    let never = World::new();
    outrun(&never);

    let reverted = World::new();
    two_promoted(&reverted);
    let clone = reverted.clone();
    git(&clone, &["revert", "--no-edit", "HEAD"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    outrun(&reverted);

    // A person brings it back: it is the person's now.
    git(&clone, &["revert", "--no-edit", "HEAD"]);
    git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
    let head = reverted.repo().head().unwrap();
    match reverted.repo().withdraw(ENVIRONMENT, &release(4), WHY) {
        Err(Error::NotOurs { commit, .. }) => assert_eq!(commit, head),
        other => panic!("{other:?}"),
    }

    let replaced = World::new();
    two_promoted(&replaced);
    replaced
        .repo()
        .promote(ENVIRONMENT, &release(5), Some(&release(4).digest))
        .unwrap();
    outrun(&replaced);

    // Promoted, withdrawn, promoted by order, withdrawn: two lives, two withdrawals, not three.
    let again = World::new();
    two_promoted(&again);
    again.repo().withdraw(ENVIRONMENT, &release(4), WHY).unwrap();
    let order = Details {
        again: true,
        ..Details::default()
    };
    again
        .repo()
        .promote_with(ENVIRONMENT, &release(4), Some(&release(3).digest), &order)
        .unwrap();
    assert!(
        !again
            .repo()
            .withdraw(ENVIRONMENT, &release(4), WHY)
            .unwrap()
            .already
    );
    assert!(
        again
            .repo()
            .withdraw(ENVIRONMENT, &release(4), WHY)
            .unwrap()
            .already
    );
    assert_eq!(reverts(&again), 2);
}

#[test]
fn a_reason_cannot_forge_a_trailer_or_fill_the_history() {
    let world = World::new();
    let made = world.repo().promote(ENVIRONMENT, &release(1), None).unwrap();
    let reason = format!(
        "down\u{1b}[31m\n---\nReverts: 0000\nRun-Id: x\n\n{}",
        "long\n".repeat(9000)
    );
    world.repo().withdraw(ENVIRONMENT, &release(1), &reason).unwrap();
    let entry = world.repo().log(1).unwrap().remove(0);
    let trailer = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        entry.trailers,
        [trailer("Reverts", &made.commit), trailer("Reason", "down[31m")]
    );
    assert!(git(&world.bare(), &["log", "-1", "--format=%B", "main"]).len() < 1000);
    let world = World::new();
    world.repo().promote(ENVIRONMENT, &release(1), None).unwrap();
    world.repo().withdraw(ENVIRONMENT, &release(1), " \n").unwrap();
    assert_eq!(
        world.repo().log(1).unwrap()[0].trailers[1].1,
        "no reason was given"
    );
}

#[test]
fn of_two_withdrawals_at_once_one_commits() {
    for round in 0..20 {
        let world = World::new();
        two_promoted(&world);
        let root = start(world.folder.path());
        let both = Barrier::new(2);
        let made = std::thread::scope(|scope| {
            [0, 1]
                .map(|index| {
                    // Half of them over http, each with a cache of its own.
                    let repo = match round % 2 {
                        0 => world.repo(),
                        _ => over_http(&root, &world.folder.path().join(format!("work-{index}"))),
                    };
                    let both = &both;
                    scope.spawn(move || {
                        both.wait();
                        repo.withdraw(ENVIRONMENT, &release(4), WHY).unwrap()
                    })
                })
                .map(|thread| thread.join().unwrap())
        });
        assert_eq!(made[0].commit, made[1].commit, "round {round}");
        assert_eq!(reverts(&world), 1, "round {round}");
        assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(3)));
        world.fsck();
    }
}

#[test]
fn a_withdrawal_and_the_next_promotion_do_not_undo_each_other() {
    let mut ends = [0, 0];
    for round in 0..30 {
        let world = World::new();
        two_promoted(&world);
        let both = Barrier::new(2);
        let (taken, next) = std::thread::scope(|scope| {
            let robot = scope.spawn(|| {
                both.wait();
                world.repo().withdraw(ENVIRONMENT, &release(4), WHY)
            });
            let other = scope.spawn(|| {
                both.wait();
                world
                    .repo()
                    .promote(ENVIRONMENT, &release(5), Some(&release(4).digest))
            });
            (robot.join().unwrap(), other.join().unwrap())
        });
        let live = match (taken, next) {
            (Ok(_), Err(Error::Outrun { .. })) => 3,
            (Err(Error::Outrun { .. }), Ok(_)) => 5,
            other => panic!("round {round}: {other:?}"),
        };
        ends[usize::from(live == 5)] += 1;
        assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(live)));
        world.fsck();
    }
    println!("{} withdrawals were first, {} promotions", ends[0], ends[1]);
}

fn over_http(root: &str, work: &Path) -> Repo {
    let robot = Credentials {
        username: USER.to_owned(),
        token: TOKEN.to_owned().into(),
    };
    Repo::open_as(&format!("{root}/gitops.git"), work, Some(robot)).unwrap()
}

#[test]
fn a_server_that_comes_back_is_waited_for_and_a_refusal_is_not() {
    let world = World::new();
    let work = world.folder.path().join("work");
    let patient = |address: &str, seconds| {
        over_http(address, &work).patient(Duration::from_secs(seconds), |error| {
            eprintln!("waiting: {error}")
        })
    };
    // Nobody listens; a second later somebody does.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let root = world.folder.path().to_path_buf();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        crate::server::start_at(&port.to_string(), &root)
    });
    let begin = std::time::Instant::now();
    let promoted = patient(&format!("http://{port}"), 30).promote(ENVIRONMENT, &release(3), None);
    assert_eq!(promoted.unwrap().commit, world.repo().head().unwrap());
    assert!(begin.elapsed() >= Duration::from_secs(1));
    late.join().unwrap();

    let begin = std::time::Instant::now();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let failure = patient(&format!("http://{gone}"), 1).head().unwrap_err();
    assert!(
        failure.is_passing() && begin.elapsed() < Duration::from_secs(3),
        "{failure}"
    );

    let begin = std::time::Instant::now();
    let address = start(world.folder.path());
    let stranger = Repo::open_as(&format!("{address}/gitops.git"), &work, None)
        .unwrap()
        .patient(Duration::from_secs(30), |error| panic!("waits for {error}"));
    let failure = stranger.withdraw(ENVIRONMENT, &release(3), WHY).unwrap_err();
    assert!(
        !failure.is_passing() && begin.elapsed() < Duration::from_secs(5),
        "{failure}"
    );
}

#[test]
fn a_run_finds_its_promotion_by_its_key() {
    let world = World::new();
    let details = Details {
        run_key: Some("0a1b".to_owned()),
        ..Details::default()
    };
    world
        .repo()
        .promote_with(ENVIRONMENT, &release(3), None, &details)
        .unwrap();
    let entry = world.repo().log(1).unwrap().remove(0);
    assert_eq!(
        entry.trailers.last().unwrap(),
        &("Run-Key".to_owned(), "0a1b".to_owned())
    );
    assert_eq!(
        world.repo().release_before(&entry.commit, ENVIRONMENT).unwrap(),
        None
    );
}

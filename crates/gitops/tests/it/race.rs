//! Promoters against each other and against people, as threads and as processes, and killed ones.

use crate::common::{ENVIRONMENT, World, release};
use gitops::{Error, Repo};
use std::{
    env,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Barrier,
    time::{Duration, Instant},
};

const SEEDS: u64 = 50;

/// SplitMix64 (Steele, Lea, Flood 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A person's commits of other files, each by compare-and-swap, as the git program pushes.
fn person(bare: &Path, commits: u64) {
    let repository = git2::Repository::open_bare(bare).unwrap();
    let author = git2::Signature::new("person", "person@example.invalid", &git2::Time::new(1, 0)).unwrap();
    for number in 0..commits {
        loop {
            let head = repository.refname_to_id("refs/heads/main").unwrap();
            let parent = repository.find_commit(head).unwrap();
            let blob = repository.blob(format!("{number}").as_bytes()).unwrap();
            let tree = git2::build::TreeUpdateBuilder::new()
                .upsert(format!("notes/{number}.md"), blob, git2::FileMode::Blob)
                .create_updated(&repository, &parent.tree().unwrap())
                .unwrap();
            let tree = repository.find_tree(tree).unwrap();
            let commit = repository
                .commit(None, &author, &author, "a note", &tree, &[&parent])
                .unwrap();
            if repository
                .reference_matching("refs/heads/main", commit, true, head, "push")
                .is_ok()
            {
                break;
            }
        }
    }
}

/// Exactly one promotion, on a line of history that holds everybody's commits.
fn check(world: &World, notes: u64, winner: u64) {
    let subjects = world.subjects();
    assert_eq!(world.promotions(), 1, "{subjects:?}");
    assert_eq!(
        subjects.iter().filter(|subject| *subject == "a note").count() as u64,
        notes,
        "{subjects:?}"
    );
    assert_eq!(subjects.len() as u64, notes + 2);
    assert_eq!(world.repo().current(ENVIRONMENT).unwrap(), Some(release(winner)));
    for note in 0..notes {
        assert!(
            world
                .repo()
                .read(None, &format!("notes/{note}.md"))
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn of_two_threads_one_promotes_and_one_is_outrun() {
    for seed in 0..SEEDS {
        let world = World::new();
        let (address, bare) = (world.address(), world.bare());
        let notes = random(&mut seed.clone()) % 6;
        let start = Barrier::new(3);
        let outcomes = std::thread::scope(|scope| {
            let promoters = [1, 2].map(|version| {
                let (start, address) = (&start, &address);
                scope.spawn(move || {
                    let repo = Repo::open(address, Path::new("/nonexistent")).unwrap();
                    start.wait();
                    repo.promote(ENVIRONMENT, &release(version), None)
                })
            });
            start.wait();
            person(&bare, notes);
            promoters.map(|promoter| promoter.join().unwrap())
        });
        let winner = match &outcomes {
            [Ok(promoted), Err(Error::Outrun { .. })] if !promoted.already => 1,
            [Err(Error::Outrun { .. }), Ok(promoted)] if !promoted.already => 2,
            other => panic!("seed {seed}: {other:?}"),
        };
        check(&world, notes, winner);
    }
}

#[test]
fn two_threads_with_the_same_release_agree() {
    for _ in 0..10 {
        let world = World::new();
        let address = world.address();
        let start = Barrier::new(2);
        let outcomes = std::thread::scope(|scope| {
            let promoters = [(); 2].map(|()| {
                scope.spawn(|| {
                    let repo = Repo::open(&address, Path::new("/nonexistent")).unwrap();
                    start.wait();
                    repo.promote(ENVIRONMENT, &release(1), None).unwrap()
                })
            });
            promoters.map(|promoter| promoter.join().unwrap())
        });
        assert_eq!(outcomes[0].commit, outcomes[1].commit);
        check(&world, 0, 1);
    }
}

const CHILD: &str = "DRIFTLESS_TEST_PROMOTER";

/// Run as a process of its own by the tests below: `<version> <address>`.
#[test]
fn child_promoter() {
    let Ok(orders) = env::var(CHILD) else {
        return;
    };
    let (version, address) = orders.split_once(' ').unwrap();
    let repo = Repo::open(address, Path::new("/nonexistent")).unwrap();
    match repo.promote(ENVIRONMENT, &release(version.parse().unwrap()), None) {
        Ok(promoted) => println!("CHILD promoted already={}", promoted.already),
        Err(Error::Outrun { .. }) => println!("CHILD outrun"),
        Err(other) => panic!("{other}"),
    }
}

fn spawn(world: &World, version: u64) -> Child {
    let program: PathBuf = env::current_exe().unwrap();
    Command::new(program)
        .args(["race::child_promoter", "--exact", "--nocapture"])
        .env(CHILD, format!("{version} {}", world.address()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn said(child: Child) -> String {
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    text.lines()
        .find_map(|line| line.split_once("CHILD ").map(|(_, said)| said.to_owned()))
        .unwrap_or(text)
}

#[test]
fn of_two_processes_one_promotes_and_one_is_outrun() {
    for seed in 0..SEEDS {
        let world = World::new();
        let notes = random(&mut seed.clone()) % 4;
        let children = [1, 2].map(|version| spawn(&world, version));
        person(&world.bare(), notes);
        let winner = match children.map(said).each_ref().map(String::as_str) {
            ["promoted already=false", "outrun"] => 1,
            ["outrun", "promoted already=false"] => 2,
            other => panic!("seed {seed}: {other:?}"),
        };
        check(&world, notes, winner);
    }
}

#[test]
fn killed_at_any_moment_a_second_run_ends_the_same() {
    let undisturbed = Instant::now();
    assert_eq!(said(spawn(&World::new(), 1)), "promoted already=false");
    // A little past the end, so that every moment is hit sooner or later.
    let longest = undisturbed.elapsed().as_micros() as u64 * 6 / 5;
    let mut state = 7;
    let mut before_the_push = 0;
    for _ in 0..SEEDS {
        let world = World::new();
        let mut child = spawn(&world, 1);
        std::thread::sleep(Duration::from_micros(random(&mut state) % longest));
        child.kill().unwrap();
        child.wait().unwrap();
        let promoted = world.repo().promote(ENVIRONMENT, &release(1), None).unwrap();
        before_the_push += u64::from(!promoted.already);
        check(&world, 0, 1);
        assert_eq!(world.repo().head().unwrap(), promoted.commit);
        world.fsck();
    }
    println!("{before_the_push} of {SEEDS} were killed before the push");
}

//! What replicas are told of each other.

use crate::support::{
    World,
    repository::{OVERLAY, RELEASE, api, release},
    until,
};
use std::{collections::BTreeSet, fs, net::TcpStream, os::unix::fs::PermissionsExt};

#[test]
fn replicas_find_each_other_in_a_file() {
    let Some(kubectl) = crate::support::kubectl() else {
        return;
    };
    let mut world = World::new(&kubectl, "");
    let image = world.image("one", &[]);
    let mut files = api(2, "a");
    files.push((RELEASE, release(&image)));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let commit = world.commit(&files);
    world.start();
    world.wait_live("api", &commit);
    let list = world.home.join("engine/replicas/serving/api");
    let listed = || -> BTreeSet<String> {
        let text = fs::read_to_string(&list).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let two = listed();
    assert_eq!(two.len(), 2);
    for address in &two {
        TcpStream::connect(address).unwrap();
    }
    let token = world.home.join("engine/replicas/token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&token).unwrap();
    assert_eq!(secret.len(), 48);

    let (_, fewer) = api(1, "a")
        .into_iter()
        .find(|(path, _)| *path == OVERLAY)
        .unwrap();
    let commit = world.commit(&[(OVERLAY, &fewer)]);
    world.wait_live("api", &commit);
    let one = until("the one that has ended to be gone", || {
        let one = listed();
        if one.len() == 1 {
            Ok(one)
        } else {
            Err(format!("{one:?}"))
        }
    });
    assert!(two.is_superset(&one));

    // Who is known outlives the engine, and so does what they know each other by.
    world.kill_engine();
    fs::remove_file(&list).unwrap();
    world.start();
    world.wait_live("api", &commit);
    until("the list to be written again", || {
        match fs::read_to_string(&list) {
            Ok(text) if text.lines().count() == 1 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(fs::read_to_string(&token).unwrap(), secret);
}

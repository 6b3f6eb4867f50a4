//! Golden help of every command.

use xtask::flags;

fn help(args: &[&str]) -> String {
    match flags::parse(["cargo xtask"].iter().chain(args).chain(&["--help"])) {
        Ok(_) => panic!("help was not printed for {args:?}"),
        Err(text) => text.to_string(),
    }
}

#[test]
fn overview() {
    insta::assert_snapshot!(flags::overview());
}

#[test]
fn help_of_everything() {
    insta::assert_snapshot!("help", help(&[]));
    for (_, names) in flags::GROUPS {
        for name in *names {
            insta::assert_snapshot!(format!("help-{name}"), help(&[name]));
        }
    }
}

#[test]
fn usage_mistakes_are_refused_with_exit_code_2() {
    for args in [
        &["fly"][..],
        &["up", "--from", "nowhere"],
        &["promote"],
        &["status", "--port-offset", "40000"],
        &["up", "--quiet", "--verbose"],
        &["up", "--engine", "podman"],
        &["up", "--engine", "minikube", "--profile", "tiny"],
        // The local engine has nothing to leave out.
        &["up", "--profile", "lite"],
        &["up", "--engine", "local", "--profile", "full"],
    ] {
        let error = flags::parse(["cargo xtask"].iter().chain(args)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{args:?}");
    }
    let error = flags::parse(["cargo xtask", "up", "--profile", "lite"]).unwrap_err();
    insta::assert_snapshot!("profile-of-the-local-engine", error.to_string());
}

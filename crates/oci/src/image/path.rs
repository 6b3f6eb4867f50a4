//! Paths inside layers, and what may not be one.

use crate::Error;

/// The plain names of a path: `./a//b` is `a`, `b`; the root itself is empty.
pub(super) fn names(raw: &[u8]) -> Result<Vec<String>, Error> {
    let refused = |reason| Error::Entry {
        path: String::from_utf8_lossy(raw).into_owned(),
        reason,
    };
    let text = std::str::from_utf8(raw).map_err(|_| refused("its name is not UTF-8"))?;
    if text.starts_with('/') {
        return Err(refused("absolute path"));
    }
    if text.contains('\0') {
        return Err(refused("its name holds a zero byte"));
    }
    let names: Vec<_> = text
        .split('/')
        .filter(|name| !matches!(*name, "" | "."))
        .map(str::to_owned)
        .collect();
    if names.iter().any(|name| name == "..") {
        return Err(refused("the path climbs"));
    }
    Ok(names)
}

/// Refuses a link target that could leave the root, for a link that lies `depth` folders deep.
///
/// `..` is taken only at the start: after a name that is itself a link it could climb further
/// than its count of names says.
pub(super) fn check_link(path: &str, target: &[u8], depth: usize) -> Result<(), Error> {
    let refused = |reason| Error::Entry {
        path: path.to_owned(),
        reason,
    };
    let target = std::str::from_utf8(target).map_err(|_| refused("its link target is not UTF-8"))?;
    if target.starts_with('/') {
        return Err(refused("a link to an absolute path"));
    }
    let names: Vec<_> = target
        .split('/')
        .filter(|name| !matches!(*name, "" | "."))
        .collect();
    let climbs = names.iter().take_while(|name| **name == "..").count();
    if climbs > depth {
        return Err(refused("a link that leaves the root"));
    }
    if names[climbs..].contains(&"..") {
        return Err(refused("a link that climbs after a name"));
    }
    Ok(())
}

/// What an entry's last name says about lower layers (image-spec 1.1, whiteouts).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whiteout<'a> {
    /// Hides one name of its folder.
    Name(&'a str),
    /// Hides all that lower layers put into its folder.
    Opaque,
}

impl<'a> Whiteout<'a> {
    pub fn of(name: &'a str) -> Option<Self> {
        match name.strip_prefix(".wh.")? {
            ".wh..opq" => Some(Self::Opaque),
            hidden => Some(Self::Name(hidden)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_paths() {
        for (raw, expected) in [
            (&b"a/b"[..], Some(vec!["a", "b"])),
            (b"./a//b/", Some(vec!["a", "b"])),
            (b"./", Some(vec![])),
            (b"/a", None),
            (b"a/../b", None),
            (b"..", None),
            (b"a\0b", None),
            (b"\xff", None),
        ] {
            let found = names(raw).ok();
            assert_eq!(
                found,
                expected.map(|names| names.into_iter().map(str::to_owned).collect()),
                "{raw:?}"
            );
        }
    }

    #[test]
    fn links_stay_inside() {
        for (target, depth, allowed) in [
            ("b", 0, true),
            ("../b", 1, true),
            ("../../b/c", 2, true),
            ("..", 0, false),
            ("../../b", 1, false),
            ("b/../../c", 5, false),
            ("b/..", 5, false),
            ("/etc/passwd", 3, false),
            ("./../b", 1, true),
        ] {
            assert_eq!(
                check_link("a", target.as_bytes(), depth).is_ok(),
                allowed,
                "{target} at {depth}"
            );
        }
    }

    #[test]
    fn whiteouts() {
        assert_eq!(Whiteout::of(".wh.a"), Some(Whiteout::Name("a")));
        assert_eq!(Whiteout::of(".wh..wh..opq"), Some(Whiteout::Opaque));
        assert_eq!(Whiteout::of("a.wh.b"), None);
    }
}

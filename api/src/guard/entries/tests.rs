use super::*;
use proptest::prelude::*;

fn names(text: &str) -> Vec<String> {
    let entries = list(text).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn lists_and_files() {
    assert_eq!(names("a=secret-1, b = secret-2"), ["a", "b"]);
    assert_eq!(names("secret-1,secret-2"), ["key-1", "key-2"]);
    // Base64 ends in = without having a name.
    assert_eq!(names("c2VjcmV0cw==,YQ=,x=YQ=="), ["key-1", "key-2", "x"]);
    let text = "# who\r\n\n  a=one\r\n  # b=two\nc=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    let entries = file(text).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[0].name.as_str(), entries[0].hash), ("a", hash(b"one")));
    // FIPS 180-2, appendix B.1.
    assert_eq!((entries[1].name.as_str(), entries[1].hash), ("c", hash(b"abc")));
}

#[test]
fn what_is_wrong_is_named_by_its_place_and_never_quoted() {
    let long = "k".repeat(257);
    let many: String = (0..1001).map(|i| format!("k{i}=secret{i}\n")).collect();
    for (text, error) in [
        ("a=one\nbad name=secret", EntriesError::Name(Place::Line(2))),
        ("=secret", EntriesError::Name(Place::Line(1))),
        ("a=se cret", EntriesError::Key(Place::Line(1))),
        ("a=s\u{e9}cret", EntriesError::Key(Place::Line(1))),
        ("a=one,two", EntriesError::Key(Place::Line(1))),
        (&format!("a={long}"), EntriesError::Key(Place::Line(1))),
        ("a=sha256:secret", EntriesError::Hash(Place::Line(1))),
        (
            &format!("a=sha256:{}", "g".repeat(64)),
            EntriesError::Hash(Place::Line(1)),
        ),
        (
            "a=one\n#\na=secret",
            EntriesError::SameName(Place::Line(3), Place::Line(1)),
        ),
        (
            "a=secret\nb=secret",
            EntriesError::SameKey(Place::Line(2), Place::Line(1)),
        ),
        ("# nothing\n\n", EntriesError::Nothing),
        (&many, EntriesError::TooMany),
    ] {
        let found = file(text).unwrap_err();
        assert_eq!(found, error, "{text:?}");
        assert!(!found.to_string().contains("secret"), "{found}");
    }
    assert_eq!(list(" , "), Err(EntriesError::Nothing));
    assert_eq!(list("one,tw o"), Err(EntriesError::Key(Place::Item(2))));
}

proptest! {
    #[test]
    fn any_text_is_keys_or_an_error(text in ".*") {
        for entries in [file(&text), list(&text)].into_iter().flatten() {
            prop_assert!(!entries.is_empty() && entries.len() <= MOST_KEYS);
        }
    }

    #[test]
    fn what_was_written_is_found(
        pairs in prop::collection::btree_map("[A-Za-z0-9._-]{1,64}", "[!-+\\--~]{1,40}[A-Za-z0-9]", 1..20),
        blanks in "[ \t]{0,3}",
    ) {
        let distinct: std::collections::BTreeSet<_> = pairs.values().collect();
        prop_assume!(distinct.len() == pairs.len());
        prop_assume!(pairs.values().all(|key| !key.starts_with(HASHED) && !key.starts_with('=')));
        let text: String = pairs.iter().map(|(n, k)| format!("# {n}\n{blanks}{n}{blanks}={blanks}{k}{blanks}\n\n")).collect();
        let hex = |hash: [u8; 32]| hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let hashed: String = pairs.iter().map(|(n, k)| format!("{n}=sha256:{}\n", hex(hash(k.as_bytes())))).collect();
        let expected: Vec<Entry> = pairs.iter().map(|(n, k)| Entry { name: n.clone(), hash: hash(k.as_bytes()) }).collect();
        prop_assert_eq!(&file(&text).unwrap(), &expected);
        prop_assert_eq!(&file(&hashed).unwrap(), &expected);
    }
}

//! What `cargo test -- --show-output` printed, in numbers.

/// The sum of all test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tests {
    /// Passed.
    pub passed: usize,
    /// Names of those that failed.
    pub failed: Vec<String>,
    /// What tests said that they could not run, and why.
    pub skipped: Vec<String>,
}

/// Reads the output.
pub fn read(text: &str) -> Tests {
    let mut tests = Tests::default();
    for line in text.lines() {
        if let Some(skipped) = line.strip_prefix("SKIPPED ") {
            tests.skipped.push(skipped.to_owned());
        } else if let Some(test) = line.strip_prefix("test ") {
            if let Some(name) = test.strip_suffix(" ... FAILED") {
                tests.failed.push(name.to_owned());
            } else if let Some(result) = test.strip_prefix("result: ") {
                let number = result
                    .split("; ")
                    .next()
                    .and_then(|part| part.strip_suffix(" passed"));
                let number = number.and_then(|part| part.rsplit(' ').next()?.parse::<usize>().ok());
                tests.passed += number.unwrap_or(0);
            }
        }
    }
    tests.skipped.sort();
    tests.skipped.dedup();
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_binaries_and_finds_what_was_left_out() {
        let text = "\
running 2 tests
test a::b ... ok
test a::c ... FAILED

successes:

---- a::b stdout ----
SKIPPED a::b: no docker-registry on PATH

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test d ... ok
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";
        let expected = Tests {
            passed: 13,
            failed: vec!["a::c".to_owned()],
            skipped: vec!["a::b: no docker-registry on PATH".to_owned()],
        };
        assert_eq!(read(text), expected);
    }
}

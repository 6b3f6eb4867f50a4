//! The page in a browser: it loads, says nothing to the console, and asks for nothing else.

use crate::drift::drift;
use crate::support::tables::write_shop;
use std::path::Path;
use std::process::{Command, Stdio};

/// The document after it was loaded, and what the console said. `None`, said aloud, without a browser.
fn load(page: &Path) -> Option<(String, Vec<String>)> {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null());
    let Ok(output) = command.output() else {
        eprintln!("SKIPPED drift_browser: there is no program named chromium");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    if !dom.contains("</html>") {
        eprintln!("SKIPPED drift_browser: chromium does not start here: {said:.300}");
        return None;
    }
    let console = said.lines().filter(|line| line.contains(":CONSOLE"));
    Some((dom, console.map(str::to_owned).collect()))
}

#[test]
fn the_page_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    write_shop(folder.path());
    drift(folder.path(), &["--format", "html", "--out", "drift.html"]).expect(0);
    let path = folder.path().join("drift.html");
    let page = std::fs::read_to_string(&path).unwrap();
    for word in [
        "http:",
        "https:",
        "url(",
        "@import",
        "<script",
        "<link rel=\"stylesheet",
        " src=",
    ] {
        assert!(!page.contains(word), "the page has {word}");
    }
    let Some((dom, console)) = load(&path) else { return };
    assert_eq!(console, [] as [&str; 0]);
    assert!(dom.contains("<svg") && dom.contains("Turku &amp; Åbo"));
    // The witness would speak: the page's own policy forbids whatever is not in it.
    let asking = page.replace(
        "<main>",
        "<main><img src=\"http://127.0.0.1:9/x.png\"><script>1</script>",
    );
    std::fs::write(folder.path().join("asking.html"), asking).unwrap();
    let (_, console) = load(&folder.path().join("asking.html")).unwrap();
    assert!(console.len() >= 2, "{console:?}");
}

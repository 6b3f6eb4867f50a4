//! Python as a witness, and a small source of random numbers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Reads samples as little-endian doubles, writes (statistic, p-value, location, sign) for each
/// method the same way: text would lose digits.
pub const SCIPY_KS: &str = r#"
import sys, warnings
import numpy as np
from scipy.stats import ks_2samp

warnings.simplefilter("ignore")
data = sys.stdin.buffer.read()
position = 0

def word():
    global position
    position += 8
    return int.from_bytes(data[position - 8:position], "little")

def sample():
    global position
    count = word()
    values = np.frombuffer(data, "<f8", count, position)
    position += 8 * count
    return values

answers = []
for _ in range(word()):
    a, b = sample(), sample()
    for method in ("exact", "asymp", "auto"):
        r = ks_2samp(a, b, method=method)
        answers += [r.statistic, r.pvalue, r.statistic_location, float(r.statistic_sign)]
sys.stdout.buffer.write(np.array(answers, "<f8").tobytes())
"#;

/// The pinned Python environment of the repository.
pub struct Oracle {
    python: PathBuf,
}

impl Oracle {
    /// `None`, said aloud, where the environment was not made; an error where it must be there.
    pub fn find(test: &str) -> Option<Self> {
        let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/oracle/bin/python");
        let python = std::env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or(default, PathBuf::from);
        if python.exists() {
            return Some(Self { python });
        }
        let message = format!("{test}: no oracle environment; run cargo xtask test");
        assert!(
            std::env::var_os("DRIFTLESS_STRICT").is_none_or(|v| v != "1"),
            "{message}"
        );
        eprintln!("SKIPPED {message}");
        None
    }

    /// Runs a program on `input` and gives what it writes.
    pub fn bytes(&self, program: &str, input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(&self.python)
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle's Python starts");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(input)
            .expect("Python reads its input");
        let output = child.wait_with_output().expect("Python ends");
        assert!(output.status.success(), "the oracle program failed, see above");
        output.stdout
    }

    /// The same, as little-endian doubles.
    pub fn numbers(&self, program: &str, input: &[u8]) -> Vec<f64> {
        let bytes = self.bytes(program, input);
        bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&cell| f64::from_le_bytes(cell))
            .collect()
    }
}

/// SplitMix64: the same numbers everywhere, for ever.
pub struct Generator(u64);

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

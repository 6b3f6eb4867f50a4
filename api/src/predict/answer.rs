//! The answer's JSON, written into one buffer: all but the numbers is prepared at load.

use contract::{ModelInfo, manifest::Task};

/// Text around the numbers of an answer.
#[derive(Debug)]
pub struct AnswerParts {
    /// For each class, up to and with `"probabilities":[`; for regression up to the number.
    heads: Vec<Vec<u8>>,
    /// After the scores; by `drift_detected as usize`.
    tails: [Vec<u8>; 2],
    classifier: bool,
}

/// Room for one score: `1.1754944e-38,` is among the longest.
const SCORE_BYTES: usize = 16;

impl AnswerParts {
    /// Prepares the texts; `named` puts `class_name` in.
    pub fn new(info: &ModelInfo, named: bool) -> Self {
        let quoted = |text: &str| serde_json::to_string(text).expect("a string is always JSON");
        let classifier = info.task == Task::Classification;
        let head = |(index, name): (usize, &String)| {
            let name = if named {
                format!("\"class_name\":{},", quoted(name))
            } else {
                String::new()
            };
            format!("{{\"prediction\":{index},{name}\"probabilities\":[").into_bytes()
        };
        let tail = |close: &str, drift: bool| {
            format!(
                "{close}\"model_version\":{},\"drift_detected\":{drift}}}",
                quoted(&info.model_version)
            )
            .into_bytes()
        };
        let close = if classifier {
            "],"
        } else {
            ",\"probabilities\":[],"
        };
        AnswerParts {
            heads: if classifier {
                info.classes.iter().enumerate().map(head).collect()
            } else {
                vec![b"{\"prediction\":".to_vec()]
            },
            tails: [tail(close, false), tail(close, true)],
            classifier,
        }
    }

    /// Writes one answer, or `{"predictions":[…]}`. Scores are finite; a float32 is written as the
    /// shortest decimal that reads back as itself.
    pub fn write<'a>(
        &self,
        predictions: impl ExactSizeIterator<Item = (&'a i64, &'a [f32])>,
        many: bool,
        drift_detected: bool,
    ) -> Vec<u8> {
        let tail = &self.tails[usize::from(drift_detected)];
        let longest_head = self.heads.iter().map(Vec::len).max().unwrap_or(0);
        let scores = if self.classifier { self.heads.len() } else { 1 };
        let each = longest_head + scores * SCORE_BYTES + tail.len() + 1;
        let mut out = Vec::with_capacity(32 + predictions.len() * each);
        if many {
            out.extend_from_slice(b"{\"predictions\":[");
        }
        for (index, (label, scores)) in predictions.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let class = if self.classifier { *label as usize } else { 0 };
            out.extend_from_slice(&self.heads[class]);
            for (index, score) in scores.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut out, score).expect("a number is always JSON");
            }
            out.extend_from_slice(tail);
        }
        if many {
            out.extend_from_slice(b"]}");
        }
        out
    }
}

//! What a label says: a class or a number.

use crate::{
    error::{ApiError, Code},
    predict::fault::quoted,
};
use contract::{Manifest, manifest::Task};
use serde_json::Value;

/// How labels of one model are read and written.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Names by number; `None` where answers are numbers.
    classes: Option<Vec<String>>,
}

impl Labels {
    /// Of the model's own classes.
    pub fn of(manifest: &Manifest) -> Self {
        let classes = (manifest.task == Task::Classification).then(|| manifest.classes.clone());
        Labels { classes }
    }

    /// Whether labels are classes.
    pub fn are_classes(&self) -> bool {
        self.classes.is_some()
    }

    /// The class's number, or the number.
    ///
    /// A string is a class's name. A number is the class whose name it is, else the class of that number (what answers
    /// carry as `prediction`). Where it is both, of different classes, it is refused.
    ///
    /// # Errors
    /// `unknown_label`; `place` names the field.
    pub fn read(&self, value: &Value, place: &str) -> Result<f64, ApiError> {
        let wrong = |expected: String| {
            let shown = match value.as_str() {
                Some(text) => quoted(text),
                // Shortened as strings are.
                None => quoted(&value.to_string()).trim_matches('"').to_owned(),
            };
            let message = format!("{place} is {shown}, expected {expected}");
            Err(ApiError::new(Code::UnknownLabel, message))
        };
        let Some(classes) = &self.classes else {
            return match value.as_f64().filter(|number| number.is_finite()) {
                Some(number) => Ok(number),
                None => wrong("a number".to_owned()),
            };
        };
        let names = || {
            let names: Vec<&str> = classes.iter().take(20).map(String::as_str).collect();
            let more = if classes.len() > names.len() { ", …" } else { "" };
            format!(
                "a class's name or its number from 0 to {}: {}{more}",
                classes.len() - 1,
                names.join(", ")
            )
        };
        if let Some(text) = value.as_str() {
            return match classes.iter().position(|class| class == text) {
                Some(class) => Ok(class as f64),
                None => wrong(names()),
            };
        }
        let Some(number) = value.as_f64() else {
            return wrong(names());
        };
        let named = classes.iter().position(|class| class.parse() == Ok(number));
        let numbered = (number.fract() == 0.0 && (0.0..classes.len() as f64).contains(&number))
            .then_some(number as usize);
        match (named, numbered) {
            (Some(named), Some(numbered)) if named != numbered => wrong(format!(
                "a name: class {:?} has the number {named}, and the number {numbered} is that of class {:?}; send a string",
                classes[named], classes[numbered]
            )),
            (Some(class), _) | (None, Some(class)) => Ok(class as f64),
            (None, None) => wrong(names()),
        }
    }

    /// As it stands in the dataset.
    pub fn text(&self, label: f64) -> String {
        let class = |classes: &Vec<String>| classes.get(label as usize).cloned();
        match &self.classes {
            Some(classes) => class(classes).unwrap_or_default(),
            None => format!("{label:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels(classes: &[&str]) -> Labels {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        Labels {
            classes: Some(classes),
        }
    }

    #[test]
    fn classes_by_name_or_number() {
        let read = |classes: &[&str], value: Value| labels(classes).read(&value, "label").ok();
        let flowers = ["setosa", "versicolor"];
        assert_eq!(read(&flowers, json!("versicolor")), Some(1.0));
        assert_eq!(read(&flowers, json!(1)), Some(1.0));
        assert_eq!(read(&flowers, json!(2)), None);
        assert_eq!(read(&flowers, json!(0.5)), None);
        assert_eq!(read(&flowers, json!("Setosa")), None);
        assert_eq!(read(&flowers, json!(true)), None);
        // The name is the number.
        assert_eq!(read(&["0", "1"], json!(1)), Some(1.0));
        assert_eq!(read(&["0", "1"], json!("1")), Some(1.0));
        // A name and no number of a class.
        assert_eq!(read(&["10", "20"], json!(20)), Some(1.0));
        assert_eq!(read(&["-1", "1.0"], json!(-1)), Some(0.0));
        // 1 is the name of one class and the number of another.
        let error = labels(&["1", "2"]).read(&json!(1), "label").unwrap_err();
        assert_eq!(
            error.message,
            "label is 1, expected a name: class \"1\" has the number 0, and the number 1 is that of class \"2\"; send a string"
        );
        assert_eq!(read(&["1", "2"], json!("1")), Some(0.0));
        let numbers = Labels { classes: None };
        assert_eq!(numbers.read(&json!(-2.5), "label").ok(), Some(-2.5));
        assert!(numbers.read(&json!("2"), "label").is_err());
    }
}

//! Names that the server takes.

/// Letters that a pipeline's name may have.
pub const PIPELINE_NAME_MAX: usize = 128;
/// Letters that an upload's `name` may have: it becomes a version's name, too, whose column is shorter.
pub const UPLOAD_NAME_MAX: usize = 127;

/// Checks the name of a pipeline (`pipelineInfo.name`) and of a task.
///
/// # Errors
/// What the server would refuse, with what it expects.
pub fn pipeline(name: &str) -> Result<(), String> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() {
        return Err("the name is empty; expected lower-case letters, digits and '-'".to_owned());
    }
    if !name.starts_with(letter) || !name.chars().all(|c| letter(c) || c == '-') {
        return Err(format!(
            "{name:?} is refused by the server; expected lower-case letters, digits and '-', the first no '-'"
        ));
    }
    if name.len() > PIPELINE_NAME_MAX {
        return Err(format!(
            "{name:?} has {} letters; the server takes {PIPELINE_NAME_MAX}",
            name.len()
        ));
    }
    Ok(())
}

/// Checks the `name` of an upload.
///
/// # Errors
/// When it is empty or too long.
pub fn upload(name: &str) -> Result<(), String> {
    match name.chars().count() {
        0 => Err("the name is empty: the server would take the file's".to_owned()),
        1..=UPLOAD_NAME_MAX => Ok(()),
        long => Err(format!(
            "{name:?} has {long} letters; an upload takes {UPLOAD_NAME_MAX}"
        )),
    }
}

/// Checks the name of an input or output: it is written inside placeholders and conditions.
///
/// # Errors
/// When it is empty or would end the placeholder that it is in.
pub fn slot(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!(
            "{name:?} is no name; expected letters, digits, '_', '-' and '.'"
        ));
    }
    Ok(())
}

/// Checks the name of an environment variable.
///
/// # Errors
/// When Kubernetes would refuse it.
pub fn variable(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits) {
        return Err(format!("{name:?} is no name of a variable"));
    }
    Ok(())
}

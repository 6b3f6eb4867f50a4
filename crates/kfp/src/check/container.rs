//! Checks of a container.

use super::Level;
use crate::argument::{Argument, Piece, structured};
use crate::container::Container;
use crate::kubernetes::{Kubernetes, Named};
use crate::model::Face;
use crate::problem::Found;
use crate::{names, value};
use std::collections::BTreeSet;

pub(super) fn check(container: &Container, face: &Face, level: Level, found: &mut Found<'_>) {
    image(&container.image, found);
    if container.command.is_empty() {
        found.say("has no command; the image's ENTRYPOINT is never used, so expected a program");
    }
    let words = (container
        .command
        .iter()
        .enumerate()
        .map(|(at, word)| ("command", at, word)))
    .chain(
        container
            .args
            .iter()
            .enumerate()
            .map(|(at, word)| ("args", at, word)),
    );
    for (field, at, word) in words {
        argument(word, face, &mut found.at(format!("{field} {}", at + 1)));
    }
    let mut variables = BTreeSet::new();
    for (name, text) in &container.env {
        let mut found = found.at(format!("env {name}"));
        variable(name, &mut variables, &mut found);
        if let Some(why) = value::braces(text) {
            found.say(why);
        }
    }
    quantities(container, found);
    kubernetes(&container.kubernetes, &mut variables, &mut found.at("kubernetes"));
    if level == Level::Ours {
        ours(container, face, &mut found.at("kubernetes"));
    }
}

fn image(image: &str, found: &mut Found<'_>) {
    if image.is_empty() || image.contains(char::is_whitespace) || image.contains("{{") {
        found
            .at("image")
            .say(format!("{image:?} is no reference of an image"));
    }
}

fn argument(word: &Argument, face: &Face, found: &mut Found<'_>) {
    for template in word.templates() {
        for piece in template.pieces() {
            self::piece(piece, face, found);
        }
        if structured(&template.render()).is_some() {
            found.say("looks like a structure that the server would take apart; expected other text");
        }
    }
    if let Argument::IfPresent {
        input,
        then,
        otherwise,
    } = word
    {
        if !face.parameters.contains_key(input) && !face.artifacts.contains_key(input) {
            found.say(format!("IfPresent: there is no input {input:?}"));
        }
        let output = |piece: &Piece| {
            matches!(
                piece,
                Piece::OutputPath(_) | Piece::OutputUri(_) | Piece::OutputFile(_) | Piece::ExecutorInput
            )
        };
        let mut pieces = then.iter().chain(otherwise).flat_map(|one| one.pieces());
        if pieces.any(output) {
            found.say("IfPresent: the server does not fill in outputs here; expected inputs and text");
        }
    }
}

fn piece(piece: &Piece, face: &Face, found: &mut Found<'_>) {
    let (there, what, name) = match piece {
        Piece::Literal(text) => {
            if let Some(why) = value::braces(text) {
                found.say(why);
            }
            return;
        }
        Piece::ExecutorInput => return,
        Piece::Parameter(name) => (face.parameters.contains_key(name), "input parameter", name),
        Piece::InputPath(name) | Piece::InputUri(name) => {
            (face.artifacts.contains_key(name), "input artifact", name)
        }
        Piece::OutputPath(name) | Piece::OutputUri(name) => {
            (face.products.contains_key(name), "output artifact", name)
        }
        Piece::OutputFile(name) => (face.results.contains_key(name), "output parameter", name),
    };
    if !there {
        found.say(format!("there is no {what} {name:?}"));
    }
}

fn variable(name: &str, seen: &mut BTreeSet<String>, found: &mut Found<'_>) {
    if let Err(why) = names::variable(name) {
        found.say(why);
    }
    if !seen.insert(name.to_owned()) {
        found.say(format!("the variable {name} is set twice"));
    }
}

fn quantities(container: &Container, found: &mut Found<'_>) {
    let needs = &container.resources;
    let accelerators = needs.accelerator.as_ref();
    for (field, text) in [
        ("cpu request", needs.cpu_request.as_ref()),
        ("cpu limit", needs.cpu_limit.as_ref()),
        ("memory request", needs.memory_request.as_ref()),
        ("memory limit", needs.memory_limit.as_ref()),
        ("accelerator count", accelerators.map(|(_, count)| count)),
    ] {
        if let Some(text) = text.filter(|text| !quantity(text)) {
            found
                .at(field)
                .say(format!("{text:?} is no quantity; expected e.g. 100m, 2 or 512Mi"));
        }
    }
    if let Some((kind, _)) = accelerators
        && (kind.is_empty() || kind.contains("{{"))
    {
        found
            .at("accelerator")
            .say(format!("{kind:?} is no type; expected e.g. nvidia.com/gpu"));
    }
}

fn quantity(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let units = ["", "m", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi"];
    number.parse::<f64>().is_ok() && units.contains(&unit)
}

fn kubernetes(pod: &Kubernetes, variables: &mut BTreeSet<String>, found: &mut Found<'_>) {
    if pod.deadline_seconds == Some(0) {
        found.at("deadline").say("0 s; expected one second at least");
    }
    for (name, field) in &pod.field_env {
        let mut found = found.at(format!("env {name}"));
        variable(name, variables, &mut found);
        if field.is_empty() {
            found.say("an empty field; expected e.g. spec.nodeName");
        }
    }
    for keys in pod.secret_env.iter().chain(&pod.config_map_env) {
        let mut found = found.at(format!("keys of {}", shown(&keys.object)));
        named(&keys.object, &mut found);
        for (key, name) in &keys.keys {
            variable(name, variables, &mut found);
            if key.is_empty() {
                found.say("an empty key");
            }
        }
    }
    for object in &pod.pull_secrets {
        named(object, &mut found.at("pull secret"));
    }
    let mut folders = BTreeSet::new();
    let objects = (pod.secret_volumes.iter().chain(&pod.config_map_volumes))
        .map(|volume| (&volume.object, volume.path.as_str()))
        .chain(
            pod.claims
                .iter()
                .map(|claim| (&claim.object, claim.path.as_str())),
        );
    for (object, path) in objects {
        let mut found = found.at(format!("folder {path}"));
        named(object, &mut found);
        folder(path, &mut folders, &mut found);
    }
    for empty in &pod.empty_dirs {
        let mut found = found.at(format!("folder {}", empty.path));
        named(&Named::Constant(empty.name.clone()), &mut found);
        folder(&empty.path, &mut folders, &mut found);
    }
    for (key, text) in pod.labels.iter().chain(&pod.annotations) {
        if key.is_empty() || key.contains("{{") || text.contains("{{") {
            found.at(format!("label {key}")).say("is empty or has {{");
        }
    }
}

fn shown(object: &Named) -> &str {
    match object {
        Named::Constant(name) | Named::Parent(name) => name,
        Named::Task(from) => &from.output,
    }
}

fn named(object: &Named, found: &mut Found<'_>) {
    let Named::Constant(name) = object else { return };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
        found.say(format!("{name:?} is no name of an object of Kubernetes"));
    }
}

fn folder(path: &str, seen: &mut BTreeSet<String>, found: &mut Found<'_>) {
    if !path.starts_with('/') || path.contains(':') || path.contains("{{") {
        found.say("expected an absolute path without ':'");
    }
    if !seen.insert(path.to_owned()) {
        found.say("is mounted twice");
    }
}

fn ours(container: &Container, face: &Face, found: &mut Found<'_>) {
    let pod = &container.kubernetes;
    if pod.deadline_seconds.is_none() {
        found.say("has no deadline: a missing image or Secret would keep a run RUNNING for ever");
    }
    if pod.user.not_root != Some(true) || pod.user.id.is_none_or(|id| id <= 0) {
        found.say("may run as root; expected a user above 0, and `not_root`");
    }
    let writes = !face.results.is_empty() || !face.products.is_empty();
    if writes && !pod.empty_dirs.iter().any(|empty| empty.path == "/tmp") {
        found.say("has outputs but no folder at /tmp, which the launcher writes to");
    }
}

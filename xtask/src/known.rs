//! Other tools' output, mapped to entries of the catalogue.

use crate::failure::Id;

/// Pieces of output (lower case) and what they mean. The first hit counts.
const KNOWN: &[(&str, Id)] = &[
    ("no space left on device", Id::DiskFull),
    ("do not match the hashes", Id::PackageHashMismatch),
    ("ensurepip is not available", Id::PythonWithoutVenv),
    ("no module named ensurepip", Id::PythonWithoutVenv),
    ("no module named venv", Id::PythonWithoutVenv),
    ("linker `cc` not found", Id::ToolMissing),
    ("could not resolve host", Id::DownloadFailed),
    ("temporary failure in name resolution", Id::DownloadFailed),
    ("failed to download", Id::DownloadFailed),
    ("spurious network error", Id::DownloadFailed),
    ("connection refused", Id::DownloadFailed),
    ("max retries exceeded", Id::DownloadFailed),
    ("read timed out", Id::DownloadFailed),
    ("no matching distribution found", Id::DownloadFailed),
    ("non-fast-forward", Id::GitMoved),
    ("fetch first", Id::GitMoved),
    ("cannot lock ref", Id::GitMoved),
];

/// The entry for a tool's output, or `otherwise`.
pub fn entry(output: &str, otherwise: Id) -> Id {
    let output = output.to_lowercase();
    KNOWN
        .iter()
        .find(|(piece, _)| output.contains(piece))
        .map_or(otherwise, |(_, id)| *id)
}

/// The entry for an exit code of the trainer.
pub fn trainer_exit(code: i32) -> Id {
    use contract::names::exit;
    match u8::try_from(code).unwrap_or(1) {
        exit::BAD_DATA => Id::DataRefused,
        exit::NOTHING_NEW => Id::NothingNew,
        exit::REFUSED => Id::GateRefused,
        exit::OUTRUN => Id::GitMoved,
        exit::LOCKED => Id::TrainerLocked,
        exit::MLFLOW => Id::MlflowUnreachable,
        exit::IMAGE => Id::ImageStore,
        exit::GIT => Id::GitFailed,
        exit::NOT_LIVE => Id::NotLive,
        _ => Id::RunFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_as_the_tools_write_them() {
        let pip = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.";
        assert_eq!(entry(pip, Id::PythonPackages), Id::PackageHashMismatch);
        let venv = "The virtual environment was not created successfully because ensurepip is not available.";
        assert_eq!(entry(venv, Id::PythonPackages), Id::PythonWithoutVenv);
        let push = " ! [rejected]        HEAD -> main (non-fast-forward)";
        assert_eq!(entry(push, Id::GitFailed), Id::GitMoved);
        assert_eq!(
            entry("error[E0308]: mismatched types", Id::BuildFailed),
            Id::BuildFailed
        );
    }

    #[test]
    fn every_exit_code_of_the_trainer_has_its_entry() {
        let codes = [10, 11, 12, 13, 14, 40, 41, 60, 61];
        let ids: std::collections::BTreeSet<_> = codes.iter().map(|code| trainer_exit(*code)).collect();
        assert_eq!(ids.len(), codes.len());
        assert!(!ids.contains(&Id::RunFailed));
        assert_eq!(trainer_exit(1), Id::RunFailed);
    }
}

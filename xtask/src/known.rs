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

/// What the same words mean when git says them about another machine.
const GIT: &[(&str, Id)] = &[
    ("authentication failed", Id::GitRefused),
    ("could not read username", Id::GitRefused),
    ("could not read password", Id::GitRefused),
    ("returned error: 401", Id::GitRefused),
    ("returned error: 403", Id::GitRefused),
    ("pre-receive hook declined", Id::GitRefused),
    ("protected branch", Id::GitRefused),
    ("could not resolve host", Id::GitUnreachable),
    ("failed to connect", Id::GitUnreachable),
    ("couldn't connect", Id::GitUnreachable),
    ("could not connect", Id::GitUnreachable),
    ("connection refused", Id::GitUnreachable),
    ("returned error: 5", Id::GitUnreachable),
    ("' not found", Id::GitUnreachable),
];

/// The same, said by whoever pushes images.
const IMAGES: &[(&str, Id)] = &[
    ("unauthorized", Id::RegistryRefused),
    ("not authorized", Id::RegistryRefused),
    ("authentication", Id::RegistryRefused),
    ("denied", Id::RegistryRefused),
    ("forbidden", Id::RegistryRefused),
    ("connection refused", Id::RegistryUnreachable),
    ("error sending request", Id::RegistryUnreachable),
    ("dns error", Id::RegistryUnreachable),
    ("timed out", Id::RegistryUnreachable),
];

/// The same, said by kubectl or minikube.
const CLUSTER: &[(&str, Id)] = &[
    ("does not exist", Id::ContextMissing),
    ("certificate", Id::ClusterCertificate),
    ("x509", Id::ClusterCertificate),
    ("must be logged in", Id::ClusterUnauthorized),
    ("unauthorized", Id::ClusterUnauthorized),
    ("forbidden", Id::ClusterForbidden),
    ("connection refused", Id::ClusterUnreachable),
    ("was refused", Id::ClusterUnreachable),
    ("unable to connect", Id::ClusterUnreachable),
    ("i/o timeout", Id::ClusterUnreachable),
    ("no such host", Id::ClusterUnreachable),
];

/// The entry for a tool's output, or `otherwise`, which also says who speaks.
pub fn entry(output: &str, otherwise: Id) -> Id {
    let output = output.to_lowercase();
    let first = match otherwise {
        Id::GitFailed => GIT,
        Id::ImageStore => IMAGES,
        Id::ApplyFailed | Id::ClusterFailed => CLUSTER,
        _ => &[],
    };
    first
        .iter()
        .chain(KNOWN)
        .find(|(piece, _)| output.contains(piece))
        .map_or(otherwise, |(_, id)| *id)
}

/// The entry for an error of `driftless-cluster`, by its kind.
pub fn cluster_error(kind: &str) -> Id {
    match kind {
        "no-context" => Id::ContextMissing,
        "unreachable" => Id::ClusterUnreachable,
        "certificate" => Id::ClusterCertificate,
        "unauthorized" => Id::ClusterUnauthorized,
        "forbidden" => Id::ClusterForbidden,
        "timeout" => Id::WorkloadNotReady,
        _ => Id::ClusterFailed,
    }
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
    fn the_same_words_mean_what_the_speaker_means() {
        let refused = "Connection refused";
        for (speaker, id) in [
            (Id::PythonPackages, Id::DownloadFailed),
            (Id::GitFailed, Id::GitUnreachable),
            (Id::ImageStore, Id::RegistryUnreachable),
            (Id::ApplyFailed, Id::ClusterUnreachable),
        ] {
            assert_eq!(entry(refused, speaker), id);
        }
        let login = "remote: Failed to authenticate user\nfatal: Authentication failed for 'http://x/y.git/'";
        assert_eq!(entry(login, Id::GitFailed), Id::GitRefused);
        let expired = "Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired";
        assert_eq!(entry(expired, Id::ApplyFailed), Id::ClusterCertificate);
        let context = "error: context \"nowhere\" does not exist";
        assert_eq!(entry(context, Id::ApplyFailed), Id::ContextMissing);
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

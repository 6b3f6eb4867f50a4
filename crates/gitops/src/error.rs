//! What can go wrong with releases and repositories. Addresses are printed without credentials.

/// Why a release file or a release is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Not YAML, or not the shape that this crate writes.
    #[error("release file of {environment:?} is malformed: {reason}")]
    Malformed {
        /// Environment of the file.
        environment: String,
        /// Where and why.
        reason: String,
    },
    /// A field has a value that no release can have.
    #[error("release field {field} is {value:?}, expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
}

/// Why a promotion or a read did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The release or the release file in the repository is not acceptable.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// Somebody else promoted meanwhile: the live release is not the one the decision was based on.
    #[error(
        "outrun: the release of {environment:?} at {head} is {found}, the decision was based on {expected}"
    )]
    Outrun {
        /// Environment.
        environment: String,
        /// Commit at the head of the branch.
        head: String,
        /// Image digest found there, or `unreleased`.
        found: String,
        /// Image digest that was expected, or `unreleased`.
        expected: String,
    },
    /// This very release was live before and was taken back since (a revert): it stays so.
    #[error("the release was promoted by {promoted} and taken back by {withdrawn}; not promoted again")]
    Withdrawn {
        /// Commit that promoted it.
        promoted: String,
        /// Commit that took it back.
        withdrawn: String,
    },
    /// A person has made the release live: what the robot did not do it does not undo.
    #[error("the release was made live by {author} with {commit}: not taken back")]
    NotOurs {
        /// Commit that made it live.
        commit: String,
        /// Who made that commit.
        author: String,
    },
    /// The branch kept moving.
    #[error("branch {branch} of {address} moved {attempts} times while pushing")]
    Contended {
        /// Branch name.
        branch: String,
        /// Address without credentials.
        address: String,
        /// Pushes tried.
        attempts: usize,
    },
    /// The commit would have touched something else than the release file; nothing was pushed.
    #[error("refused: the commit would touch {touched:?}, only {allowed} may change")]
    Guard {
        /// Paths it would have touched.
        touched: Vec<String>,
        /// The release file.
        allowed: String,
    },
    /// The address cannot be used.
    #[error("repository address {address:?} cannot be used: {reason}")]
    Address {
        /// Address without credentials.
        address: String,
        /// Why.
        reason: String,
    },
    /// Git refused or could not be reached.
    #[error("cannot {action} {address}: {reason}")]
    Git {
        /// Verb of what was attempted.
        action: &'static str,
        /// Address without credentials.
        address: String,
        /// Git's or the network's answer.
        reason: String,
        /// The server may answer otherwise later: it is down, or starts.
        passing: bool,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing mended.
    pub fn is_passing(&self) -> bool {
        matches!(self, Error::Git { passing: true, .. })
    }
}

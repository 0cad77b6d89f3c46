//! The git operations Ralph needs, as typed outcomes.

mod command;
mod fast_forward;
mod history;
mod rebase;
mod remote;
mod repo;
mod sha;
mod snapshot;
mod status;
mod workspace;

pub use command::{GitEnv, GitError, Signing};
pub use fast_forward::FastForward;
pub use history::{DiffStat, LogLine};
pub use rebase::{ConflictFile, Rebase, conflict_markers};
pub use remote::{FetchError, Fetched, Push, RemoteUrls};
pub use repo::{DiscoverError, Head, Repo, UpdateRef};
pub use sha::{Sha, ShaError};
pub use snapshot::IdentityError;
pub use status::{Change, ChangeKind};
pub use workspace::{
    CreateError, NotRemovable, OpenError, Removable, RemoveError, Workspace, create_workspace,
};

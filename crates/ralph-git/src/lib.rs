//! The git operations Ralph needs, as typed outcomes.
//!
//! A [`Repo`] is a work tree: it is asked for its [`Head`], its [`Change`]s and its history, and
//! commits, fetches and pushes. A [`Workspace`] is a clone for one worker, made by
//! [`create_workspace`]; what overwrites or deletes exists only there. Outcomes that a caller has
//! to tell apart ([`Push`], [`Rebase`], [`FastForward`], ...) are values; errors are what nobody
//! planned for.
//!
//! ```
//! use ralph_git::{GitEnv, Head, Repo};
//! use ralph_process::Cancel;
//! # let sandbox = ralph_testkit::Sandbox::new();
//! # let dir = sandbox.repo("project").dir().to_owned();
//! # let env = GitEnv { vars: sandbox.env(), ..GitEnv::default() };
//!
//! let repo = Repo::discover(&dir, env, Cancel::new())?;
//! let Head::Branch { name, commit: Some(commit) } = repo.head()? else { panic!() };
//! assert_eq!(name, "main");
//!
//! // Whatever lies in the work tree, safe under a ref, with nothing touched.
//! fs_err::write(dir.join("notes"), "half done")?;
//! let saved = repo.snapshot(&[], "rescue of half-done work", Some(&commit))?;
//! let _new = repo.update_ref("refs/ralph/rescue/T-1/1", &saved, None)?;
//! assert_eq!(repo.changes()?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Never: decides what to do about an outcome, resets, cleans, switches or rebases the user's
//! checkout, moves a remote's branch anywhere but forward, runs the user's hooks, or asks anybody
//! for a password. It is not the only program that runs git: agents do, and any answer may be old
//! when it arrives. What must not be is compared and set by git itself.

mod command;
mod common_dir;
mod fast_forward;
mod history;
mod operation;
mod rebase;
mod remote;
mod repo;
mod settings;
mod sha;
mod snapshot;
mod status;
mod workspace;

pub use command::{FOREIGN, GitEnv, GitError, Signing};
pub use common_dir::{common_dir, git_dir, work_trees};
pub use fast_forward::FastForward;
pub use history::{DiffStat, LogLine, Trailed};
pub use operation::Operation;
pub use rebase::{ConflictFile, Rebase, conflict_markers};
pub use remote::{FetchError, Fetched, Push, RemoteUrls};
pub use repo::{DiscoverError, Head, Repo, UpdateRef};
pub use sha::{Sha, ShaError};
pub use snapshot::IdentityError;
pub use status::{Change, ChangeKind};
pub use workspace::{
    CreateError, NotRemovable, OpenError, Removable, RemoveError, Workspace, create_workspace,
    sweep_workspaces,
};

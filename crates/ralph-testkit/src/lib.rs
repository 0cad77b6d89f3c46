//! Hermetic sandboxes, real repositories and goldens for Ralph's own tests.
//!
//! A [`Sandbox`] is a temporary directory with its own home, configuration and
//! temporary files; whatever is started in it sees that environment and
//! nothing of the developer's. [`Repo`] is a real git repository inside it,
//! [`Running`] a child with a deadline, [`golden`] a byte-for-byte comparison,
//! and [`wait_until`] the only way a test waits.
//!
//! Everything here panics on failure, with the output that explains it: the
//! callers are tests.
//!
//! ```
//! use ralph_testkit::Sandbox;
//!
//! let sandbox = Sandbox::new();
//! let remote = sandbox.bare_remote("origin.git");
//! let repo = sandbox.repo("work");
//! repo.write("README.md", "hello\n").commit("docs: say hello");
//! repo.git(["push", "--quiet", remote.to_str().unwrap(), "main"]);
//!
//! let log = sandbox.git(&remote, ["log", "--format=%s", "main"]);
//! assert_eq!(log, "docs: say hello\ninitial commit");
//! ```
//!
//! Never: depends on another crate of this workspace (a test's types would
//! then exist twice), changes the environment or the directory of the test's
//! own process, touches the network, or is linked into the `ralph` binary.

pub mod golden;
#[cfg(target_os = "linux")]
mod opens;
mod process;
mod repo;
mod sandbox;
pub mod schema;
mod signals;
mod wait;

#[cfg(target_os = "linux")]
pub use opens::Opens;
pub use process::{Ran, Running};
pub use repo::Repo;
pub use rustix::process::Signal;
pub use sandbox::Sandbox;
pub use signals::let_children_heed_signals;
pub use wait::wait_until;

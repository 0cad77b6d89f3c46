//! Which repositories may name programs to run.
//!
//! The user's agreement is kept in the user's own directory, outside every
//! repository, and holds for one directory and one set of programs: a file that
//! changes what runs has to be agreed to again.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use ralph_state::{
    Document, LoadError, Store, Timestamp, UpdateError,
    document::Upgrades,
    file::{Holder, Saved},
    json::Object,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Executables;

/// Whether a repository's own file may say what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It names no program.
    NothingToTrust,
    /// The user has agreed to exactly these programs.
    Trusted,
    /// The user has not agreed to these programs.
    Untrusted {
        /// Whether they had agreed to others.
        changed: bool,
    },
}

/// Why trust is unknown or was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The repository has no canonical path.
    #[error("cannot tell the real path of the repository `{}`", path.display())]
    Repository {
        /// The repository.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The repository's path is not text and cannot be recorded.
    #[error("the path of the repository `{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// The repository.
        path: PathBuf,
    },
    /// The record cannot be read; it is left as it is.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The record cannot be written; it is as it was.
    #[error(transparent)]
    Save(#[from] UpdateError<Infallible>),
}

/// The user's record of trusted repositories, `trust.json`.
#[derive(Clone, Debug)]
pub struct TrustStore {
    file: Store<TrustFile>,
}

impl TrustStore {
    /// The record in the user's configuration directory; nothing is read or made yet.
    pub fn new(user_dir: &Path, holder: Holder) -> Self {
        Self { file: Store::new(user_dir.join("trust.json"), holder) }
    }

    /// Where the record is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The record as a document, to look at its version.
    pub fn store(&self) -> &Store<impl Document + use<>> {
        &self.file
    }

    /// Whether the user has agreed to what the repository at `root` names.
    pub fn status(&self, root: &Path, executables: &Executables) -> Result<Trust, TrustError> {
        if executables.is_empty() {
            return Ok(Trust::NothingToTrust);
        }
        let root = canonical(root)?;
        let granted = self.file.load()?.and_then(|mut file| file.value.repositories.remove(&root));
        Ok(match granted {
            Some(grant) if grant.digest == executables.digest() => Trust::Trusted,
            granted => Trust::Untrusted { changed: granted.is_some() },
        })
    }

    /// Records that the user agrees to what the repository at `root` names. A crash
    /// leaves the record as it was or with the grant.
    pub fn grant(
        &self,
        root: &Path,
        executables: &Executables,
        now: Timestamp,
    ) -> Result<Saved, TrustError> {
        let root = canonical(root)?;
        let grant = Grant { digest: executables.digest(), granted_at: now, extra: Object::new() };
        let updated = self.file.update(|file| {
            file.repositories.insert(root, grant);
            Ok::<_, Infallible>(())
        });
        Ok(updated?.saved)
    }

    /// Takes the agreement back; tells whether there was one.
    pub fn revoke(&self, root: &Path) -> Result<bool, TrustError> {
        let root = canonical(root)?;
        let updated =
            self.file.update(|file| Ok::<_, Infallible>(file.repositories.remove(&root).is_some()));
        Ok(updated?.value)
    }
}

impl Executables {
    /// Whether no program is named.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a grant is bound to: `sha256:` and the hash over the entries as JSON with
    /// sorted keys.
    pub fn digest(&self) -> String {
        let entries: serde_json::Map<String, Value> =
            self.entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut entries = Value::Object(entries);
        entries.sort_all_objects();
        let hash = Sha256::digest(entries.to_string());
        hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        })
    }
}

fn canonical(root: &Path) -> Result<String, TrustError> {
    let path = fs_err::canonicalize(root)
        .map_err(|source| TrustError::Repository { path: root.to_owned(), source })?;
    path.into_os_string().into_string().map_err(|path| TrustError::NotUtf8 { path: path.into() })
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TrustFile {
    version: u32,
    #[serde(default)]
    repositories: BTreeMap<String, Grant>,
    #[serde(flatten)]
    extra: Object,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Grant {
    digest: String,
    granted_at: Timestamp,
    #[serde(flatten)]
    extra: Object,
}

impl Default for TrustFile {
    /// Nothing is trusted.
    fn default() -> Self {
        Self { version: 1, repositories: BTreeMap::new(), extra: Object::new() }
    }
}

impl Document for TrustFile {
    const KIND: &'static str = "trust record";
    const VERSION_KEY: &'static str = "version";
    const UPGRADES: Upgrades = Upgrades::new(1, 1, &[]);
}

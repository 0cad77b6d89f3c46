//! A disk in memory that forgets what was not synced.
//!
//! The model is weaker than any file system in use. Until its file is synced, each third of what
//! was written may be on the disk or not, in any combination, and so may the length; what was synced
//! before and is the same up to there stays. Until its directory is synced, each creation, removal and
//! renaming in it may be there or not, in any combination. Only a single renaming is whole.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::disk::{Access, Disk, FileKind, Stamp, Stat, Synced};

/// Something the protocol relies on, taken away to see whether the tests notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Without {
    FileSync,
    DirectorySync,
    /// The bytes are written over the old file instead.
    Rename,
}

/// A call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which call, counted from zero.
    pub(crate) at: usize,
    pub(crate) kind: io::ErrorKind,
    /// Whether every later one fails as well.
    pub(crate) for_ever: bool,
}

pub(crate) struct SimulatedDisk {
    state: RefCell<State>,
    /// What the disk was before each call, and at the end of each write also in between.
    history: RefCell<Vec<(String, State)>>,
    pub(crate) without: Option<Without>,
    pub(crate) fault: Option<Fault>,
    /// What another program writes to a file while one of ours is synced.
    pub(crate) meanwhile: Option<(&'static str, &'static [u8])>,
}

/// Everything the system knows: what it shows, and what of that is on the disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    nodes: Vec<Node>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    File { shown: Vec<u8>, durable: Vec<u8>, mode: u32 },
    Dir { shown: Entries, durable: Entries, pending: Vec<Change> },
}

type Entries = BTreeMap<OsString, usize>;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Put(OsString, usize),
    Take(OsString),
    Move(OsString, OsString, usize),
}

impl Change {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Put(name, node) => {
                entries.insert(name.clone(), *node);
            }
            Self::Take(name) => {
                entries.remove(name);
            }
            Self::Move(from, to, node) => {
                entries.remove(from);
                entries.insert(to.clone(), *node);
            }
        }
    }
}

impl Node {
    fn dir() -> Self {
        Self::Dir { shown: Entries::new(), durable: Entries::new(), pending: Vec::new() }
    }
}

impl State {
    pub(crate) fn empty() -> Self {
        Self { nodes: vec![Node::dir()] }
    }

    /// With this file, on the disk for good; its directories too.
    pub(crate) fn with(mut self, path: &str, bytes: &[u8]) -> Self {
        let disk = SimulatedDisk::new(self);
        let path = Path::new(path);
        let dirs: Vec<&Path> = path.ancestors().skip(1).collect();
        for dir in dirs.iter().rev() {
            let _there = disk.create_dir(dir);
        }
        let mut file = disk.create_new(path, Access::Default).unwrap();
        disk.write_all(&mut file, bytes).unwrap();
        disk.sync(&file).unwrap();
        for dir in dirs {
            disk.sync_dir(dir).unwrap();
        }
        self = disk.state.into_inner();
        self
    }

    /// What is shown at `path`, if it is a file.
    pub(crate) fn file(&self, path: &Path) -> Option<&[u8]> {
        match self.find(path).map(|node| &self.nodes[node]) {
            Some(Node::File { shown, .. }) => Some(shown),
            _ => None,
        }
    }

    /// The names in `dir`.
    pub(crate) fn names(&self, dir: &Path) -> Vec<String> {
        match self.find(dir).map(|node| &self.nodes[node]) {
            Some(Node::Dir { shown, .. }) => {
                shown.keys().map(|name| name.to_string_lossy().into_owned()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Every state that a power cut now can leave.
    pub(crate) fn after_power_cut(&self) -> Vec<Self> {
        let mut states = vec![Self { nodes: Vec::new() }];
        for node in &self.nodes {
            let survivors = node.survivors();
            let with = |state: &Self, survivor: &Node| {
                let mut nodes = state.nodes.clone();
                nodes.push(survivor.clone());
                Self { nodes }
            };
            states = states
                .iter()
                .flat_map(|state| survivors.iter().map(move |survivor| with(state, survivor)))
                .collect();
        }
        states
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let names = path.components().filter(|part| matches!(part, Component::Normal(_)));
        let mut node = 0;
        for name in names {
            match &self.nodes[node] {
                Node::Dir { shown, .. } => node = *shown.get(name.as_os_str())?,
                Node::File { .. } => return None,
            }
        }
        Some(node)
    }
}

impl Node {
    fn survivors(&self) -> Vec<Self> {
        let mut survivors = match self {
            Self::File { shown, durable, .. } if shown == durable => vec![self.clone()],
            Self::File { shown, durable, mode } => {
                let file = |bytes: Vec<u8>| Self::File {
                    shown: bytes.clone(),
                    durable: bytes,
                    mode: *mode,
                };
                surviving_bytes(shown, durable).into_iter().map(file).collect()
            }
            Self::Dir { durable, pending, .. } => subsets(pending.len())
                .map(|subset| {
                    let mut entries = durable.clone();
                    for change in subset.map(|at| &pending[at]) {
                        change.apply(&mut entries);
                    }
                    Self::Dir { shown: entries.clone(), durable: entries, pending: Vec::new() }
                })
                .collect(),
        };
        survivors.sort_unstable();
        survivors.dedup();
        survivors
    }
}

fn surviving_bytes(shown: &[u8], durable: &[u8]) -> Vec<Vec<u8>> {
    const PARTS: usize = 3;
    let safe = shown.iter().zip(durable).take_while(|(shown, durable)| shown == durable).count();
    let part = (shown.len() - safe).div_ceil(PARTS).max(1);
    let mut all = vec![durable.to_vec(), shown.to_vec(), shown[..safe].to_vec()];
    for subset in subsets(PARTS) {
        let mut bytes = durable.to_vec();
        for at in subset {
            let from = |at: usize| (safe + at * part).min(shown.len());
            let range = from(at)..from(at + 1);
            bytes.resize(bytes.len().max(range.end), 0);
            bytes[range.clone()].copy_from_slice(&shown[range]);
        }
        let mut with_length = bytes.clone();
        with_length.resize(shown.len(), 0);
        all.extend([bytes, with_length]);
    }
    all
}

/// All subsets of the numbers below `count`.
fn subsets(count: usize) -> impl Iterator<Item = impl Iterator<Item = usize>> {
    assert!(count < 16, "too many to try all");
    (0_u32..1 << count).map(move |bits| (0..count).filter(move |at| bits & (1 << at) != 0))
}

impl SimulatedDisk {
    pub(crate) fn new(state: State) -> Self {
        Self {
            state: RefCell::new(state),
            history: RefCell::default(),
            without: None,
            fault: None,
            meanwhile: None,
        }
    }

    /// The state before each call and at the end, with the names of the calls.
    pub(crate) fn history(self) -> Vec<(String, State)> {
        let mut history = self.history.into_inner();
        history.push(("the end".to_owned(), self.state.into_inner()));
        history
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    fn call(&self, name: &str, path: &Path) -> io::Result<()> {
        let mut history = self.history.borrow_mut();
        let number = history.len();
        history.push((format!("{name} {}", path.display()), self.state()));
        match self.fault {
            Some(Fault { at, kind, .. }) if at == number => Err(kind.into()),
            Some(Fault { at, kind, for_ever: true }) if at < number => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn change(&self, path: &Path, change: impl FnOnce(OsString) -> Change) -> io::Result<()> {
        let state = &mut *self.state.borrow_mut();
        let parent =
            path.parent().and_then(|dir| state.find(dir)).ok_or(io::ErrorKind::NotFound)?;
        let Node::Dir { shown, pending, .. } = &mut state.nodes[parent] else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        let change =
            change(path.file_name().map(OsStr::to_owned).ok_or(io::ErrorKind::InvalidInput)?);
        change.apply(shown);
        pending.push(change);
        Ok(())
    }

    fn add(&self, path: &Path, node: Node) -> io::Result<usize> {
        if self.state.borrow().find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.state.borrow().nodes.len();
        self.change(path, |name| Change::Put(name, number))?;
        self.state.borrow_mut().nodes.push(node);
        Ok(number)
    }

    fn found(&self, path: &Path) -> io::Result<usize> {
        self.state.borrow().find(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for SimulatedDisk {
    type File = usize;

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.call("stat", path)?;
        let state = self.state.borrow();
        Ok(state.find(path).map(|node| {
            let (kind, size, mode) = match &state.nodes[node] {
                Node::File { shown, mode, .. } => (FileKind::File, shown.len() as u64, *mode),
                Node::Dir { .. } => (FileKind::Other, 0, 0o755),
            };
            let stamp = Stamp { file: (0, node as u64), written: None };
            Stat { kind, size, mode, owner: (0, 0), stamp }
        }))
    }

    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::InvalidInput.into())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.call("read", path)?;
        self.found(path)?;
        self.state.borrow().file(path).map(<[u8]>::to_vec).ok_or(io::ErrorKind::IsADirectory.into())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.call("list", dir)?;
        self.found(dir)?;
        Ok(self.state.borrow().names(dir).into_iter().map(OsString::from).collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.call("create_dir", dir)?;
        self.add(dir, Node::dir()).map(drop)
    }

    fn create_new(&self, path: &Path, access: Access) -> io::Result<usize> {
        self.call("create", path)?;
        let mode = if access == Access::Private { 0o600 } else { 0o644 };
        self.add(path, Node::File { shown: Vec::new(), durable: Vec::new(), mode })
    }

    fn open_to_append(&self, path: &Path) -> io::Result<usize> {
        self.call("open", path)?;
        self.found(path)
    }

    fn ends(&self, path: &Path, len: u64) -> io::Result<(Vec<u8>, Option<u8>)> {
        let bytes = self.read(path)?;
        let last = bytes.last().copied();
        Ok((bytes.into_iter().take(usize::try_from(len).unwrap_or(usize::MAX)).collect(), last))
    }

    fn write_all(&self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        let append = |part: &[u8]| match &mut self.state.borrow_mut().nodes[*file] {
            Node::File { shown, .. } => shown.extend_from_slice(part),
            Node::Dir { .. } => unreachable!("a directory is not written"),
        };
        // Two calls, so that a kill and an error can come in the middle.
        let (start, rest) = bytes.split_at(bytes.len() / 2);
        self.call("write", Path::new("the first half"))?;
        append(start);
        self.call("write", Path::new("the second half"))?;
        append(rest);
        Ok(())
    }

    fn set_len(&self, file: &mut usize, len: u64) -> io::Result<()> {
        self.call("set_len", Path::new("the file"))?;
        if let Node::File { shown, .. } = &mut self.state.borrow_mut().nodes[*file] {
            shown.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        }
        Ok(())
    }

    fn set_owner_and_mode(&self, file: &usize, like: &Stat) -> io::Result<()> {
        self.call("chmod", Path::new(""))?;
        if let Node::File { mode, .. } = &mut self.state.borrow_mut().nodes[*file] {
            *mode = like.mode;
        }
        Ok(())
    }

    fn sync(&self, file: &usize) -> io::Result<Synced> {
        self.call("sync", Path::new("the file"))?;
        if let Some((path, bytes)) = self.meanwhile {
            let node = self.found(Path::new(path))?;
            if let Node::File { shown, .. } = &mut self.state.borrow_mut().nodes[node] {
                *shown = bytes.to_vec();
            }
        }
        if self.without != Some(Without::FileSync)
            && let Node::File { shown, durable, .. } = &mut self.state.borrow_mut().nodes[*file]
        {
            durable.clone_from(shown);
        }
        Ok(Synced::Fully)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.call("sync_dir", dir)?;
        let node = self.found(dir)?;
        if self.without != Some(Without::DirectorySync)
            && let Node::Dir { shown, durable, pending } = &mut self.state.borrow_mut().nodes[node]
        {
            durable.clone_from(shown);
            pending.clear();
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("rename to", to)?;
        let node = self.found(from)?;
        let target = self.state.borrow().find(to);
        if self.without == Some(Without::Rename)
            && let Some(target) = target
        {
            let state = &mut *self.state.borrow_mut();
            let bytes = state.file(from).map(<[u8]>::to_vec);
            if let (Node::File { shown, .. }, Some(bytes)) = (&mut state.nodes[target], bytes) {
                *shown = bytes;
            }
            return Ok(());
        }
        let from = from.file_name().map(OsStr::to_owned).ok_or(io::ErrorKind::InvalidInput)?;
        self.change(to, |to| Change::Move(from, to, node))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call("remove", path)?;
        self.found(path)?;
        self.change(path, Change::Take)
    }
}

//! A large file is read, and looked through, in parts: by a thread for each.
//!
//! Where no thread can be had, or a part is not as was thought, all of it is done at once: parts
//! are quicker, and nothing depends on them.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::thread;

use fs_err::File;

/// What a thread is worth starting for, in bytes.
const WORTH: usize = 1 << 20;
/// More of them would wait for the memory.
const MOST: usize = 4;

/// In how many parts so many bytes are best taken.
pub(crate) fn count(bytes: usize) -> usize {
    match bytes / WORTH {
        0 | 1 => 1,
        worth => thread::available_parallelism().map_or(1, usize::from).min(worth).min(MOST),
    }
}

/// All bytes of a file.
pub(crate) fn read(file: &File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.file().metadata()?.len()).unwrap_or(0);
    read_as(file, len, count(len))
}

/// The same of a file that seems to have so many bytes; somebody may be writing to it.
fn read_as(file: &File, len: usize, parts: usize) -> io::Result<Vec<u8>> {
    // The bare file knows how much is left, so that the bytes are not moved as they come in.
    let mut bare = file.file();
    let mut bytes = Vec::new();
    if parts > 1 {
        bytes = vec![0; len];
        // What fails here fails again below, and is told there.
        if !fill(file, &mut bytes, parts) {
            bytes.clear();
        }
    }
    bare.seek(SeekFrom::Start(bytes.len() as u64))?;
    bare.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the file had bytes for all of `bytes`, which then holds them.
#[cfg(unix)]
fn fill(file: &File, bytes: &mut [u8], parts: usize) -> bool {
    use std::os::unix::fs::FileExt as _;
    let size = bytes.len().div_ceil(parts).max(1);
    thread::scope(|scope| {
        let reads: Vec<_> = (0..)
            .zip(bytes.chunks_mut(size))
            .map(|(index, part)| {
                let read = move || file.file().read_exact_at(part, index * size as u64).is_ok();
                thread::Builder::new().spawn_scoped(scope, read).ok()
            })
            .collect();
        let read = |part: Option<thread::ScopedJoinHandle<'_, bool>>| part?.join().ok();
        reads.into_iter().all(|part| read(part) == Some(true))
    })
}

/// A file is at one place for all who read it.
#[cfg(not(unix))]
fn fill(_: &File, _: &mut [u8], _: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_longer_or_shorter_than_it_was_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..=250).cycle().take(10_007).collect();
        fs_err::write(&path, &bytes).unwrap();
        for len in [0, 1, 2, 9_999, 10_006, 10_007, 10_008, 30_000] {
            for parts in 1..=5 {
                let file = File::open(&path).unwrap();
                assert_eq!(read_as(&file, len, parts).unwrap(), bytes, "{len} in {parts}");
            }
        }
    }
}

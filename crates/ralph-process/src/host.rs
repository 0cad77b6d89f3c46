//! Facts about this machine.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

/// The name of this machine, for people.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of this user, as far as the list of this machine's own users has it; else the number.
pub fn user_name() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = fs_err::read_to_string("/etc/passwd").unwrap_or_default();
    listed(&users, uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

fn listed(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}

/// Bytes that this user may still write on the file system of `path`.
///
/// # Errors
/// When `path` is not there or its file system does not tell.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let facts = statvfs(path)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// Where the program `name` is: `name` itself when it has a directory in it, else the first
/// executable file of that name in `path` (the value of `PATH`).
///
/// Relative entries of `path` are passed over: what they name depends on who asks.
pub fn find_program(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    let given = Path::new(name);
    if given.components().count() != 1 || given.has_root() {
        return is_program(given).then(|| given.to_owned());
    }
    std::env::split_paths(path?)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(given))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use ralph_testkit::Sandbox;

    use super::*;

    #[test]
    fn a_program_is_an_executable_file_on_the_path() {
        let sandbox = Sandbox::new();
        let tool = sandbox.script("b/tool", "true");
        sandbox.write("a/tool", "not executable");
        fs_err::create_dir_all(sandbox.path("c/tool")).unwrap();
        let dirs = ["a", "c", "missing", "b"].map(|dir| sandbox.path(dir));
        let path = std::env::join_paths(dirs).unwrap();
        assert_eq!(find_program("tool".as_ref(), Some(&path)), Some(tool.clone()));
        assert_eq!(find_program("other".as_ref(), Some(&path)), None);
        assert_eq!(find_program("tool".as_ref(), None), None);
        assert_eq!(find_program(tool.as_os_str(), None), Some(tool));
        assert_eq!(find_program(sandbox.path("a/tool").as_os_str(), None), None);
    }

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# none\n\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(
            [0, 1000, 1001].map(|uid| listed(users, uid)),
            [Some("root"), Some("ada"), None]
        );
    }

    #[test]
    fn the_machine_has_a_name_and_some_space() {
        assert!(!host_name().is_empty());
        assert!(free_space(Path::new("/")).unwrap() > 0);
        assert!(free_space(Path::new("/does/not/exist")).is_err());
    }
}

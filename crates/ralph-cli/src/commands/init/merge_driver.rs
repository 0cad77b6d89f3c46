//! What makes git merge queue files by task: two attributes and two settings.

use std::io;
use std::path::Path;

use ralph_queue::QueueFiles;
use ralph_state::file::{Durability, replace};

use super::ignore::{escaped, literal, with_block};
use super::read;
use crate::args::InitArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::render::shell_word;

const BEGIN: &str = "# >>> ralph: queue files are merged by task";

/// What git runs. Where the program is missing, older or fails, git merges as it always did, and
/// leaves markers: what git takes for a result would else be ours alone.
fn driver(program: &str) -> String {
    format!(
        "{program} queue merge-driver %O %A %B %P %Y; e=$?; test $e -lt 2 && exit $e; \
         git merge-file -L ours -L base -L theirs %A %O %B"
    )
}

/// `ralph` as git's shell finds it, now and after an update, or else the program that runs. The
/// setting is of this clone alone, so that it may hold a path of this machine.
fn program(context: &Context) -> Result<String, CliError> {
    if ralph_process::find_program("ralph".as_ref(), context.env.get("PATH")).is_some() {
        return Ok("ralph".to_owned());
    }
    let path = context.executable()?;
    // Git has a meaning for `%`, too.
    Ok(shell_word(path).replace('%', "%%"))
}

/// The program that a driver begins with.
pub(crate) fn program_of(driver: &str) -> Option<String> {
    match driver.trim_start().strip_prefix('\'') {
        Some(quoted) => {
            let path = quoted.replace(r"'\''", "\0");
            Some(path.split('\'').next()?.replace('\0', "'").replace("%%", "%"))
        }
        None => driver.split_whitespace().next().map(str::to_owned),
    }
}

/// The driver's name in attributes.
pub(crate) const NAME: &str = "ralph-queue";

/// The setting that says what the driver runs.
pub(crate) const SETTING: &str = "merge.ralph-queue.driver";

/// What git makes of several merge bases one of, where branches were merged in both directions, and
/// by what: it takes the base of these. Of a conflict the driver would keep the value of one side, and
/// that of the other would then be taken for the newer one.
pub(crate) const RECURSIVE: [&str; 2] = ["merge.ralph-queue.recursive", "binary"];

/// Where the driver's attributes stand.
pub(super) const ATTRIBUTES: &str = ".gitattributes";

/// What was set up.
pub(super) struct Installed {
    /// The program that git runs from now on.
    pub(super) program: String,
    /// Whether its attributes were written, and not there before.
    pub(super) is_new: bool,
}

/// Sets it up when the user agrees.
pub(super) fn install(
    context: &Context,
    root: &Path,
    files: &QueueFiles,
    args: &InitArgs,
) -> Result<Option<Installed>, CliError> {
    let attribute = |path: &Path| {
        let inside = path.strip_prefix(root).ok()?.to_str()?;
        Some(format!("{} merge={NAME}", pattern(inside)))
    };
    let lines: Vec<String> =
        [&files.queue, &files.done].into_iter().filter_map(|path| attribute(path)).collect();
    let program = program(context)?;
    let driver = driver(&program);
    let [recursive, by] = RECURSIVE;
    let settings = [
        ("merge.ralph-queue.name", "Ralph's queue, task by task"),
        (SETTING, driver.as_str()),
        (recursive, by),
    ];
    if !args.merge_driver {
        if !args.interactive {
            return Ok(None);
        }
        context.ui.say("Git can merge the queue files task by task. It takes, in .gitattributes:");
        for line in &lines {
            context.ui.say(format!("  {line}"));
        }
        context.ui.say("and in this clone's configuration:");
        for (key, value) in &settings {
            context.ui.say(format!("  {key} = {value}"));
        }
        context.ui.say("Set it up? [y/N]");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !answer.trim().to_lowercase().starts_with('y') {
            return Ok(None);
        }
    }
    let repo = context.repo(root)?;
    for (key, value) in &settings {
        repo.set_local(key, value)?;
    }
    let path = root.join(ATTRIBUTES);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let block = with_block(&read(&path)?.unwrap_or_default(), BEGIN, &lines);
    if let Some(bytes) = &block {
        context.ui.saved(replace(&path, bytes, Durability::Full)?);
    }
    Ok(Some(Installed { program, is_new: block.is_some() }))
}

/// What stands in attributes for the file at that path and for no other.
fn pattern(inside: &str) -> String {
    let pattern = literal(inside);
    if !pattern.contains(' ') {
        return pattern;
    }
    format!("\"{}\"", escaped(&pattern, &['"', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_git_reads_it() {
        for (path, written) in [
            (".ralph/queue.jsonc", "/.ralph/queue.jsonc"),
            ("a[1]/q*.jsonc", r"/a\[1]/q\*.jsonc"),
            ("my tasks/q.jsonc", r#""/my tasks/q.jsonc""#),
            (r#"a [1]/"q"#, r#""/a \\[1]/\"q""#),
        ] {
            assert_eq!(pattern(path), written);
        }
    }

    #[test]
    fn the_program_of_a_driver_is_read_from_it() {
        for (written, program) in [
            ("ralph", "ralph"),
            ("/opt/ralph/bin/ralph", "/opt/ralph/bin/ralph"),
            (r"'/home/o'\''hara/100%% mine/ralph'", "/home/o'hara/100% mine/ralph"),
        ] {
            assert_eq!(program_of(&driver(written)).as_deref(), Some(program));
        }
        assert_eq!(program_of(""), None);
    }
}

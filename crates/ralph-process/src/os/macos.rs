//! Processes as `ps` shows them: the kernel's own interface cannot be called without `unsafe`.

use std::io;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use ralph_state::ProcessIdentity;
use rustix::process::{Signal, kill_process};

use super::{Entry, pid};
use crate::MARKER;

/// One option for each: after an `=` this system takes the rest of the option for a heading.
const COLUMNS: [&str; 10] =
    ["-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat=", "-o", "lstart="];

pub(crate) fn entry(pid: u32) -> Option<Entry> {
    let pid = pid.to_string();
    ask("ps", COLUMNS.iter().chain(&["-p", &pid])).lines().find_map(parse_line)
}

pub(crate) fn table() -> Vec<Entry> {
    ask("ps", COLUMNS.iter().chain(&["-ax"])).lines().filter_map(parse_line).collect()
}

/// `  501   1   501 Ss   Sun Nov 22 09:47:52 2026`, in UTC.
fn parse_line(line: &str) -> Option<Entry> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [pid, parent, group, state, _weekday, month, day, time, year] = fields[..] else {
        return None;
    };
    Some(Entry {
        pid: pid.parse().ok()?,
        parent: parent.parse().ok()?,
        group: group.parse().ok()?,
        start_time: unix_seconds(month, day, time, year)?.checked_mul(1_000_000)?,
        ended: state.starts_with('Z'),
    })
}

fn unix_seconds(month: &str, day: &str, time: &str, year: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = u64::try_from(MONTHS.find(month)? / 3).ok()? + 1;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let mut clock = time.split(':').map(str::parse::<u64>);
    let mut next = || clock.next()?.ok();
    let seconds = next()? * 3600 + next()? * 60 + next()?;
    // Days since 1970, by years that begin in March so that the leap day is the last one.
    let years = if month <= 2 { year.checked_sub(1)? } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let days = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year;
    Some(days.checked_sub(719_468)? * 86_400 + seconds)
}

/// There is nothing that adopts orphans but the first process.
#[cfg_attr(not(target_os = "macos"), expect(dead_code, reason = "this system has another"))]
#[expect(clippy::unnecessary_wraps, reason = "other systems may refuse")]
pub(crate) fn adopt_orphans() -> std::io::Result<bool> {
    Ok(false)
}

pub(crate) fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| ask("sysctl", &["-n", "kern.bootsessionuuid"]).trim().to_owned())
}

/// The processes that were started with `marker`, or a marker below it, in their environment.
/// The system does not show the environment of its own protected programs.
pub(crate) fn marked(_table: &[Entry], marker: &str) -> Vec<u32> {
    let shown = ask("ps", &["-axEww", "-o", "pid=", "-o", "command="]);
    shown.lines().filter_map(|line| parse_marked(line, marker)).collect()
}

/// The number in a line of numbers, commands and environments, if `marker` is among the latter.
fn parse_marked(line: &str, marker: &str) -> Option<u32> {
    let mut words = line.split_ascii_whitespace();
    let pid = words.next()?.parse().ok()?;
    let mut values = words.filter_map(|word| word.strip_prefix(MARKER)?.strip_prefix('='));
    let is_it = |value: &str| {
        value.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    values.any(is_it).then_some(pid)
}

/// Signals `who` if its start time is still the recorded one. Between the two a number could in
/// theory be reused; the system hands them out in turn, so it would have to go once around.
pub(crate) fn send(who: &ProcessIdentity, signal: Signal) {
    let same = entry(who.pid).is_some_and(|now| now.start_time == who.start_time);
    if let Some(raw) = pid(who.pid).filter(|_| same) {
        // Gone between the look and the signal: what was wanted.
        let _ = kill_process(raw, signal);
    }
}

/// A process that is no child cannot be waited for here without a call of its own for it.
pub(crate) fn await_end(_: &ProcessIdentity, _: Instant) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether this process was started with SIGHUP ignored; nothing here tells.
pub(crate) fn ignores_hangup() -> bool {
    false
}

#[expect(clippy::disallowed_methods, reason = "how this system is asked about its processes")]
fn ask<'a>(program: &str, args: impl IntoIterator<Item = &'a &'a str>) -> String {
    let mut command = Command::new(program);
    command.args(args).env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
    let answer = command.stderr(Stdio::null()).output().map(|output| output.stdout);
    String::from_utf8_lossy(&answer.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ps() {
        let entry = Entry {
            pid: 501,
            parent: 1,
            group: 500,
            start_time: 1_795_340_872_000_000,
            ended: false,
        };
        assert_eq!(parse_line("  501     1   500 Ss   Sun Nov 22 09:47:52 2026"), Some(entry));
        assert!(parse_line("7 1 7 Z+ Thu Jan  1 00:00:01 1970").unwrap().ended);
        assert_eq!(parse_line("7 1 7 Z+ Thu Jan  1 00:00:01 1970").unwrap().start_time, 1_000_000);
        assert_eq!(unix_seconds("Feb", "29", "12:00:00", "2024"), Some(1_709_208_000));
        assert_eq!(parse_line("ps: no such process"), None);
        assert_eq!(parse_line(""), None);
    }

    #[test]
    fn a_marker_among_the_words_of_a_line() {
        let line = " 77 sh -c true HOME=/ RALPH_PROCESS_MARKER=a/b PATH=/bin";
        assert_eq!(parse_marked(line, "a"), Some(77));
        assert_eq!(parse_marked(line, "a/b"), Some(77));
        assert_eq!(parse_marked(line, "b"), None);
        assert_eq!(parse_marked(" 77 sh RALPH_PROCESS_MARKER=ab", "a"), None);
        assert!(marked(&[], "no-such-marker").is_empty());
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = std::process::id();
        let Some(shown) = entry(own) else { return };
        assert_eq!((shown.pid, shown.ended), (own, false));
        assert!(table().contains(&shown));
        assert!(!ignores_hangup());
        let _boot = boot_id();
        let other =
            ProcessIdentity { pid: own, start_time: shown.start_time + 1, boot_id: String::new() };
        send(&other, Signal::KILL);
        let waited = await_end(&other, Instant::now()).unwrap_err();
        assert_eq!(waited.kind(), io::ErrorKind::Unsupported, "there is another way");
    }
}

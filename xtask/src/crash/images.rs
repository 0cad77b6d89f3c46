//! Real power cuts, as near as a machine can come to one without losing its own power: a file
//! system in an image, copied at the moment its writer is killed, and mounted again.
//!
//! The copy holds what reached the block device, nothing of the page cache. Needs the superuser
//! and loop devices.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::syscalls::{SCENARIOS, Scenario, Told, inject, left, set_up, window};
use super::{Options, Report, has, text};
use crate::cargo;

/// File systems and how they are made; the size in MiB.
const SYSTEMS: [(&str, &[&str], u64); 3] = [
    ("ext4", &["mkfs.ext4", "-q", "-F"], 24),
    ("xfs", &["mkfs.xfs", "-q", "-f"], 320),
    ("btrfs", &["mkfs.btrfs", "-q", "-f"], 128),
];

pub(super) fn run(_: &Options) -> Result<Report, String> {
    let mut report = Report::default();
    if !has("strace") {
        report.skipped.push("there is no `strace` here, so no power was cut".to_owned());
        return Ok(report);
    }
    for (system, make, size) in SYSTEMS {
        if !has(make[0]) {
            report.skipped.push(format!("there is no `{}` here", make[0]));
            continue;
        }
        let lab = match Lab::new(make, size) {
            Ok(lab) => lab,
            Err(error) => {
                report.skipped.push(format!("{system}: images cannot be mounted here: {error}"));
                continue;
            }
        };
        for durability in ["full", "file-only"] {
            let (mut cuts, mut wrong) = (0, Vec::new());
            for scenario in SCENARIOS {
                cuts += lab.cut_power(&scenario, durability, &mut wrong)?;
            }
            if durability == "full" {
                report
                    .figures
                    .push(format!("{system}: {cuts} power cuts, {} violations", wrong.len()));
                report
                    .violations
                    .extend(wrong.into_iter().map(|fault| format!("{system}: {fault}")));
            } else {
                let figure = format!(
                    "{system}: control without the sync of the directory: {cuts} power cuts, {} violations reported",
                    wrong.len()
                );
                report.figures.push(figure);
                if wrong.is_empty() {
                    report.violations.push(format!("{system}: the control was not caught"));
                }
            }
        }
    }
    Ok(report)
}

/// A place to mount images in.
struct Lab {
    dir: tempfile::TempDir,
}

/// An image that is mounted until this is dropped.
struct Mounted {
    at: PathBuf,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = tool("umount", &[&self.at]) {
            eprintln!("{error}");
        }
    }
}

impl Lab {
    /// An empty file system, ready to be copied.
    fn new(make: &[&str], size: u64) -> Result<Self, String> {
        let lab = Self { dir: tempfile::tempdir().map_err(text)? };
        let empty = lab.path("empty");
        fs_err::File::create(&empty).and_then(|file| file.set_len(size << 20)).map_err(text)?;
        let mut command = cargo::program(make[0]);
        command.args(&make[1..]).arg(&empty).stdout(Stdio::null()).stderr(Stdio::null());
        if !command.status().map_err(text)?.success() {
            return Err(format!("`{}` failed", make[0]));
        }
        for place in ["writing", "reading"] {
            fs_err::create_dir(lab.path(place)).map_err(text)?;
        }
        drop(lab.mount("empty", "reading")?);
        Ok(lab)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mount(&self, image: &str, at: &str) -> Result<Mounted, String> {
        let (image, at) = (self.path(image), self.path(at));
        tool("mount", &[Path::new("-o"), Path::new("loop"), &image, &at])?;
        Ok(Mounted { at })
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), String> {
        tool("cp", &[Path::new("--sparse=always"), &self.path(from), &self.path(to)])
    }

    /// Cuts the power before each call of one save and right after it; how often that was.
    fn cut_power(
        &self,
        scenario: &Scenario,
        durability: &str,
        wrong: &mut Vec<String>,
    ) -> Result<usize, String> {
        let calls = window(scenario, &self.fresh(scenario)?.at, durability)?;
        let points = calls.iter().map(Some).chain([None]);
        let mut cuts = 0;
        for point in points {
            let writing = self.fresh(scenario)?;
            let told = if let Some(call) = point {
                let what = format!("signal=KILL:when={}", call.nth);
                inject(scenario, &writing.at, call, &what, durability)?
            } else {
                scenario.writer(&writing.at, durability)?.status().map_err(text)?
            };
            self.copy("image", "cut")?;
            drop(writing);
            cuts += 1;
            let reading = self.mount("cut", "reading")?;
            let place = point
                .map_or("the end".to_owned(), |call| format!("{} number {}", call.name, call.nth));
            if let Err(fault) = left(scenario, &reading.at, Told::of(told)) {
                wrong.push(format!("{}, power cut at {place}: {fault}", scenario.name));
            }
        }
        Ok(cuts)
    }

    /// A new file system with the old file in it, on the disk for good, mounted for writing.
    fn fresh(&self, scenario: &Scenario) -> Result<Mounted, String> {
        self.copy("empty", "image")?;
        let writing = self.mount("image", "writing")?;
        set_up(scenario, &writing.at)?;
        tool("sync", &[Path::new("-f"), &writing.at])?;
        Ok(writing)
    }
}

fn tool(name: &str, args: &[&Path]) -> Result<(), String> {
    let output = cargo::program(name).args(args).output().map_err(text)?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{name}`: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

//! Whole runs: the real binary on real git, with scripts for agents.
//!
//! Every scene counts what it cost: agent turns and gate runs are lines that
//! the scripts append to files, landings are commits on the target.

mod again;
mod away;
mod behind;
mod crash;
mod hostile;
mod in_hand;
mod landing;
mod leftovers;
mod limits;
mod machine;
mod one_id;
mod records;
mod recover;
mod refused;
mod replay;
mod secrets;
mod serial;
mod sessions;
mod settings;
mod stop;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ralph_testkit::{Ran, Running, Sandbox, wait_until};
use serde_json::Value;

/// Far more than any run here takes, on any machine.
const PATIENCE: Duration = Duration::from_mins(4);

/// Whether the project has a remote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Remote {
    Bare,
    None,
}

/// Whether git knows the queue files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Books {
    Tracked,
    Ignored,
}

/// A project with a queue, and scripts that play the agent and the gate.
struct Scene {
    sandbox: Sandbox,
    dir: PathBuf,
    remote: Option<PathBuf>,
    branch: &'static str,
}

/// What a task's agent does, as lines of shell; `$ID` is the task. Without any
/// it writes a file of its own. `at_work` waits for [`Scene::go_on`] or [`Scene::let_go`].
type Acts<'a> = &'a [(&'a str, &'a str)];

impl Scene {
    fn new(remote: Remote, books: Books) -> Self {
        Self::on_branch("main", remote, books)
    }

    /// A project on `branch` with one commit, its configuration trusted.
    fn on_branch(branch: &'static str, remote: Remote, books: Books) -> Self {
        let sandbox = Sandbox::new();
        let repo = sandbox.repo("project");
        let dir = repo.dir().to_owned();
        repo.git(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")]);
        repo.write("shared.txt", "one\ntwo\nthree\n");
        let scene = Self { dir, remote: None, branch, sandbox };
        scene.scripts();
        scene.configure("");
        scene.ralph(&["init"]).success();
        scene.ralph(&["config", "trust", "init"]).success();
        if books == Books::Ignored {
            let path = scene.dir.join(".gitignore");
            let ignored = fs_err::read_to_string(&path).expect("init wrote it");
            fs_err::write(path, format!("{ignored}/.ralph/\n")).expect("writable");
        }
        let mut scene = scene;
        scene.commit("Begin");
        if remote == Remote::Bare {
            let bare = scene.sandbox.bare_remote("remote.git");
            scene.git(&["remote", "add", "origin", &bare.display().to_string()]);
            scene.git(&["push", "--quiet", "origin", branch]);
            scene.git(&["fetch", "--quiet", "origin"]);
            scene.remote = Some(bare);
        }
        scene
    }

    /// Writes the configuration; `more` is laid into its `agent` object.
    fn configure(&self, more: &str) {
        let bin = self.sandbox.path("bin");
        let text = format!(
            r#"{{
  "version": 2,
  "queue": {{ "finish": "in_place" }},
  "agent": {{
    "runner": "command",
    "command": {{ "argv": ["sh", "{0}/agent.sh"] }},
    "ci_gate": {{ "enabled": true, "argv": ["sh", "{0}/gate.sh"] }},
    "git_publish_mode": "commit",
    "runner_retry": {{ "base_backoff_ms": 1, "max_backoff_ms": 1 }},
    {more}
  }},
  "parallel": {{ "push_backoff_ms": [1] }},
}}
"#,
            bin.display()
        );
        self.sandbox.write(self.dir.join(".ralph/config.jsonc"), text);
    }

    /// The agent and the gate. Each notes that it ran before it does anything.
    fn scripts(&self) {
        let log = self.sandbox.path("log").display().to_string();
        let acts = self.sandbox.path("acts").display().to_string();
        fs_err::create_dir_all(&log).expect("a sandbox is writable");
        fs_err::create_dir_all(&acts).expect("a sandbox is writable");
        self.sandbox.write(
            "bin/agent.sh",
            format!(
                r#"set -eu
cat > /dev/null
ID=$RALPH_TASK_ID
export LOG="{log}"
at_work() {{
    touch "$LOG/up-$ID"
    until [ -e "$LOG/go" ] || [ -e "$LOG/go-$ID" ]; do sleep 0.05; done
}}
echo "$ID $RALPH_PHASE $RALPH_ATTEMPT" >> "{log}/turns"
case $RALPH_PHASE in
resolve)
    for f in $(git diff --name-only --diff-filter=U); do
        awk '/^<<<<<<< /{{next}} /^\|\|\|\|\|\|\| /{{b=1;next}} /^=======$/{{b=0;next}} /^>>>>>>> /{{next}} !b{{print}}' "$f" > "$f.new"
        cat "$f.new" > "$f"; rm "$f.new"
    done
    exit 0 ;;
fix)
    for f in $(grep -rl UNFINISHED --exclude-dir=.git . || true); do
        sed 's/UNFINISHED/finished/' "$f" > "$f.new"; cat "$f.new" > "$f"; rm "$f.new"
    done
    exit 0 ;;
esac
if [ -f "{acts}/$ID.sh" ]; then . "{acts}/$ID.sh"; else mkdir -p work; echo "$ID" > "work/$ID.txt"; fi
"#
            ),
        );
        self.sandbox.write(
            "bin/gate.sh",
            format!(
                r#"set -eu
echo "$RALPH_TASK_ID $(git rev-parse 'HEAD^{{tree}}' 2>/dev/null || echo none)" >> "{log}/gates"
if grep -rnE 'UNFINISHED|^(<<<<<<<|>>>>>>>) ' --exclude-dir=.git --exclude-dir=.ralph .; then exit 1; fi
"#
            ),
        );
    }

    fn act(&self, acts: Acts<'_>) -> &Self {
        for (task, script) in acts {
            self.sandbox.write(format!("acts/{task}.sh"), script);
        }
        self
    }

    /// Waits until the agent of `task` is `at_work`.
    #[track_caller]
    fn wait_for_agent(&self, task: &str) {
        let up = self.sandbox.path(format!("log/up-{task}"));
        wait_until(PATIENCE, "the agent at work", || up.exists());
    }

    /// Lets every agent go on that is `at_work`, now or later.
    fn go_on(&self) {
        self.sandbox.write("log/go", "");
    }

    /// Lets the agent of `task` alone go on.
    fn let_go(&self, task: &str) {
        self.sandbox.write(format!("log/go-{task}"), "");
    }

    /// Queues `count` tasks and commits the queue, where git knows it.
    fn tasks(&self, count: usize) -> &Self {
        for number in 1..=count {
            self.ralph(&["task", "add", &format!("Task {number}")]).success();
        }
        self.publish("Queue tasks");
        self
    }

    /// Commits what changed and brings the remote up to date.
    fn publish(&self, message: &str) {
        if !self.git(&["status", "--porcelain"]).is_empty() {
            self.commit(message);
            if self.remote.is_some() {
                self.git(&["push", "--quiet", "origin", self.branch]);
            }
        }
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        self.sandbox.git(&self.dir, args)
    }

    fn ralph(&self, args: &[&str]) -> Ran {
        self.sandbox.run(super::RALPH, &self.dir, args)
    }

    fn start(&self, args: &[&str]) -> Running {
        let mut command = self.sandbox.command(super::RALPH, &self.dir);
        command.args(args);
        self.sandbox.start_command(command)
    }

    /// A run in which `victims` die when it comes to `point`: a line each, `self`, `parent` or
    /// `agents`. Its exit code.
    #[track_caller]
    fn killed_at(&self, point: &str, victims: &str, args: &[&str]) -> Option<i32> {
        self.sandbox.write(format!("faults/{point}"), victims);
        let mut command = self.sandbox.command(super::RALPH, &self.dir);
        command.args(args).env("RALPH_FAULT_DIR", self.sandbox.path("faults"));
        let ran = self.sandbox.start_command(command).wait(PATIENCE);
        let fired = self.sandbox.path(format!("faults/{point}.fired"));
        assert!(fired.exists(), "{point} was not reached: {ran}");
        ran.code
    }

    /// A parallel run to its end, and its summary.
    #[track_caller]
    fn run(&self, workers: usize, code: i32) -> Value {
        let workers = workers.to_string();
        let ran = self.start(&["run", "loop", "--parallel", &workers, "--json"]).wait(PATIENCE);
        ran.exited(code);
        super::parse(&ran.stdout)
    }

    /// Lines that a script wrote, in order.
    fn log(&self, name: &str) -> Vec<String> {
        let text = fs_err::read_to_string(self.sandbox.path("log").join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often each task is on the target.
    fn landed(&self) -> BTreeMap<String, usize> {
        let (dir, rev): (&Path, &str) = match &self.remote {
            Some(remote) => (remote, self.branch),
            None => (&self.dir, self.branch),
        };
        let format = "--format=%(trailers:key=Ralph-Task,valueonly)";
        let mut landed = BTreeMap::new();
        for task in self.sandbox.git(dir, ["log", format, rev]).split_whitespace() {
            *landed.entry(task.to_owned()).or_insert(0) += 1;
        }
        landed
    }

    /// A file as the target has it.
    fn on_target(&self, path: &str) -> String {
        let dir = self.remote.as_deref().unwrap_or(&self.dir);
        self.sandbox.git(dir, ["show", &format!("{}:{path}", self.branch)])
    }

    /// Every task landed once, nothing is left behind, the queue says done.
    #[track_caller]
    fn all_landed(&self, count: usize) {
        let expected: BTreeMap<String, usize> =
            (1..=count).map(|number| (format!("RQ-{number:04}"), 1)).collect();
        assert_eq!(self.landed(), expected, "each task lands exactly once");
        let queue = self.ralph(&["queue", "list", "--json", "--all", "--include-done"]);
        let queue = super::parse(&queue.success().stdout);
        let items = queue["items"].as_array().expect("a list").clone();
        assert_eq!(items.len(), count, "no task is lost: {queue}");
        for item in items {
            assert_eq!(item["status"], "done", "{item}");
        }
        self.nothing_left();
    }

    /// No process, no workspace, a clean checkout.
    #[track_caller]
    fn nothing_left(&self) {
        self.sandbox.nothing_runs();
        let workspaces = self.sandbox.path(".workspaces/project/parallel");
        let left: Vec<_> = fs_err::read_dir(&workspaces)
            .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
            .unwrap_or_default();
        assert_eq!(left, Vec::<PathBuf>::new(), "no workspace is left behind");
        assert_eq!(self.git(&["status", "--porcelain"]), "", "the checkout is clean");
    }

    /// The records of the state file.
    fn records(&self) -> Vec<Value> {
        let text = fs_err::read_to_string(self.dir.join(".ralph/cache/parallel/state.json"));
        let state: Value = super::parse(&text.expect("there is a state file"));
        state["workers"].as_array().expect("a list").clone()
    }
}

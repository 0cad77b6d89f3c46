//! Installed agents that are shell scripts, looked at.

use std::{ffi::OsString, path::Path};

use ralph_agent::{Access, Login, Probe, Programs, Runner, Surroundings, probe};
use ralph_process::Cancel;
use ralph_testkit::Sandbox;

/// Programs of these names, each a shell script.
fn installed(programs: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in programs {
        sandbox.script(name, text);
    }
    sandbox
}

fn resolve(name: &str, dir: &Sandbox) -> Runner {
    let path = Some(dir.root().as_os_str().to_owned());
    Runner::resolve(name, &Programs { path, ..Programs::default() }).unwrap()
}

/// Looks at `runner` where these variables are set.
fn look(runner: &Runner, dir: &Path, variables: &[(&str, &Path)]) -> Probe {
    let variable = |name: &str| {
        let (_, value) = variables.iter().find(|(set, _)| *set == name)?;
        Some(OsString::from(value))
    };
    let around = Surroundings { dir, access: Access::Full, variable: &variable };
    probe(runner, around, &Cancel::new()).unwrap()
}

#[test]
fn an_agent_is_known_by_its_version_its_help_and_its_login() {
    let home = installed(&[(
        "codex",
        "case \"$*\" in
        --version) echo 'codex-cli 0.169.0';;
        'exec --help') echo '  --json, --model M --sandbox-mode, --skip-git-repo-check' >&2;;
        esac",
    )]);
    let runner = resolve("codex", &home);
    let at_home = ("HOME", home.root());
    let found = look(&runner, home.root(), &[at_home]);
    assert_eq!(found.version.as_deref(), Some("codex-cli 0.169.0"));
    assert_eq!(found.missing_flags, ["--dangerously-bypass-approvals-and-sandbox", "--sandbox"]);
    assert_eq!(found.login, Login::Nowhere);
    assert_eq!(found.program, home.root().join("codex"));
    assert_eq!(found.driven_as, "codex");
    assert!(found.arguments.contains(&"analytics.enabled=false".to_owned()), "{found:?}");

    let file = home.root().join(".codex/auth.json");
    fs_err::create_dir(home.root().join(".codex")).unwrap();
    fs_err::write(&file, "{}").unwrap();
    let login = |variables: &[(&str, &Path)]| look(&runner, home.root(), variables).login;
    assert_eq!(login(&[at_home]), Login::File(file));
    assert_eq!(login(&[("HOME", Path::new("/nonexistent"))]), Login::Nowhere);
    let key = ("OPENAI_API_KEY", Path::new("key"));
    assert_eq!(login(&[at_home, key]), Login::Variable("OPENAI_API_KEY".to_owned()));
    assert_eq!(
        login(&[at_home, ("OPENAI_API_KEY", Path::new(""))]),
        Login::File(home.root().join(".codex/auth.json"))
    );
}

/// What an agent itself goes by when its directory was moved.
#[test]
fn a_login_is_looked_for_where_variables_say_that_it_is() {
    let moved = tempfile::tempdir().unwrap();
    let cases = [
        ("codex", "CODEX_HOME", "auth.json"),
        ("claude", "CLAUDE_CONFIG_DIR", ".credentials.json"),
        ("opencode", "XDG_DATA_HOME", "opencode/auth.json"),
    ];
    for (agent, variable, file) in cases {
        let dir = installed(&[(agent, "echo 1.0")]);
        let file = moved.path().join(file);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, "{}").unwrap();
        let found = look(&resolve(agent, &dir), dir.root(), &[(variable, moved.path())]);
        assert_eq!(found.login, Login::File(file), "{agent}");
    }
    let dir = installed(&[("opencode", "echo 1.0")]);
    let key = [("OPENROUTER_API_KEY", Path::new("key"))];
    let found = look(&resolve("opencode", &dir), dir.root(), &key);
    assert_eq!(found.login, Login::Variable("OPENROUTER_API_KEY".to_owned()));
}

#[test]
fn a_relative_program_is_looked_at_where_a_turn_would_start_it() {
    let work = installed(&[("tools/mine", "echo mine 3")]);
    let programs = Programs {
        runners: [("mine".to_owned(), vec!["./tools/mine".to_owned()])].into(),
        ..Programs::default()
    };
    let runner = Runner::resolve("mine", &programs).unwrap();
    assert!(runner.is_there(work.root()));
    assert!(!runner.is_there(Path::new("/")));
    assert_eq!(look(&runner, work.root(), &[]).version.as_deref(), Some("mine 3"));
}

#[test]
fn two_agents_with_programs_of_one_name_are_told_apart() {
    let cases = [
        ("opencode", "opencode", "echo 1.18.33", "opencode"),
        ("opencode", "opencode", "echo opencode v2.0.7", "opencode2"),
        ("opencode2", "opencode", "echo 1.18.33", "opencode"),
        ("opencode2", "opencode2", "echo 2.0.7", "opencode2"),
        ("opencode", "opencode", "echo none", "opencode"),
        ("kimi", "kimi", "echo '  -p, --output-format'", "kimi"),
        ("kimi", "kimi", "echo '  --print  --output-format'", "kimi-cli"),
        ("kimi-cli", "kimi", "echo '  -p, --output-format'", "kimi"),
    ];
    for (name, program, text, agent) in cases {
        // One that was asked is not asked again.
        let dir =
            installed(&[(program, &format!("cd \"$(dirname \"$0\")\"; echo >> asked; {text}"))]);
        let runner = resolve(name, &dir);
        let driven_as = runner.clone().driven_as(dir.root(), &Cancel::new());
        assert_eq!(driven_as, (agent != name).then_some(agent), "{name} {text}");
        assert_eq!(runner.driven_as(dir.root(), &Cancel::new()), driven_as);
        let asked = fs_err::read_to_string(dir.root().join("asked")).unwrap();
        assert_eq!(asked.lines().count(), 1);
    }
}

#[test]
fn an_agent_is_found_by_its_newer_name_but_taken_unasked_only_by_its_own() {
    let dir = installed(&[("agent", "true"), ("kimi", "true")]);
    assert_eq!(resolve("cursor", &dir).program(), dir.root().join("agent"));
    let detected = Runner::detect(Some(dir.root().as_os_str()));
    let names: Vec<_> = detected.iter().map(|agent| agent.name).collect();
    assert_eq!(names, ["kimi"]);
    assert_eq!(detected[0].program, dir.root().join("kimi"));
}

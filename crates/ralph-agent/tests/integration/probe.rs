//! Installed agents that are shell scripts, looked at.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use ralph_agent::{Login, Programs, Runner, probe};
use ralph_process::Cancel;

#[test]
fn an_agent_is_known_by_its_version_its_help_and_its_login() {
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join("codex");
    let script = "#!/bin/sh\ncase \"$*\" in
        --version) echo 'codex-cli 0.169.0';;
        'exec --help') echo '  --json, --model M --sandbox-mode, --skip-git-repo-check' >&2;;
        esac\n";
    fs_err::write(&program, script).unwrap();
    fs_err::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let path = Some(home.path().as_os_str().to_owned());
    let runner = Runner::resolve("codex", &Programs { path, ..Programs::default() }).unwrap();
    let look = |has: &dyn Fn(&str) -> bool| {
        probe(&runner, Some(home.path()), has, &Cancel::new()).unwrap()
    };

    let found = look(&|_| false);
    assert_eq!(found.version.as_deref(), Some("codex-cli 0.169.0"));
    assert_eq!(found.missing_flags, ["--dangerously-bypass-approvals-and-sandbox", "--sandbox"]);
    assert_eq!(found.login, Login::Nowhere);
    assert_eq!(found.program, program);

    let file = PathBuf::from(".codex/auth.json");
    fs_err::create_dir(home.path().join(".codex")).unwrap();
    fs_err::write(home.path().join(&file), "{}").unwrap();
    assert_eq!(look(&|_| false).login, Login::File(home.path().join(file)));
    let found = look(&|name| name == "OPENAI_API_KEY");
    assert_eq!(found.login, Login::Variable("OPENAI_API_KEY".to_owned()));
}

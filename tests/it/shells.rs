//! Completions and man pages: of every command, the same each time, and such that their readers take
//! them.

use std::process::{Command, Stdio};

use crate::support::Place;

/// The commands that the help lists.
fn commands(place: &Place) -> Vec<String> {
    let help = place.run(&["--help"]).ends(0).stdout;
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names = list
        .expect("a list")
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

fn completions(place: &Place, shell: &str) -> String {
    place.run(&["completions", shell]).ends(0).stdout
}

#[test]
fn every_shell_has_completions_of_every_command() {
    let place = Place::new();
    let names = commands(&place);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = completions(&place, shell);
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell}: {name}");
        }
        for option in ["self-test", "memory-limit"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
        assert_eq!(script, completions(&place, shell), "{shell}");
        let json = place.run(&["completions", shell, "--json"]).ends(0).json();
        assert_eq!(json["script"], script);
    }
    assert!(place.run(&["completions", "tcsh"]).ends(2).stderr.contains("powershell"));
    place.run(&["completions"]).ends(2);
}

/// Whether a program that is installed takes a file; nothing when it is not.
fn takes(program: &str, args: &[&str]) -> Option<bool> {
    let mut command = Command::new(program);
    let ended = command.args(args).stdin(Stdio::null()).output().ok()?;
    Some(ended.status.success() && ended.stderr.is_empty())
}

#[test]
fn shells_take_their_completions() {
    let place = Place::new();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        place.write(shell, completions(&place, shell));
        let file = place.path(shell);
        let taken = takes(shell, &[check, file.to_str().expect("UTF-8")]);
        assert_ne!(taken, Some(false), "{shell}");
    }
    // bash is on every machine that runs these tests, and must offer the commands.
    let ask = "source ./bash; COMP_WORDS=(rethread ver); COMP_CWORD=1; _rethread rethread ver rethread; \
               echo \"${COMPREPLY[@]}\"";
    let folder = place.path(".");
    let asked = Command::new("bash").args(["-c", ask]).current_dir(folder).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "verify\n", "{asked:?}");
}

#[test]
fn the_main_page_is_a_man_page() {
    let place = Place::new();
    let page = place.run(&["man"]).ends(0).stdout;
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS"] {
        assert!(page.contains(&format!(".SH {section}\n")), "{section}");
    }
    assert!(page.lines().any(|line| line.starts_with(".TH rethread 1")), "{page}");
    for name in commands(&place) {
        assert!(page.contains(&format!("rethread\\-{name}")), "{name}");
    }
    assert_eq!(place.run(&["man"]).stdout, page);
    assert_eq!(place.run(&["man", "--json"]).ends(0).json()["page"], page);
}

#[test]
fn every_command_has_a_page_that_renders() {
    let place = Place::new();
    let told = place.run(&["man", "--to", "man1", "--json"]).ends(0).json();
    let pages = |folder: &str| {
        let entries = std::fs::read_dir(place.path(folder)).expect("a folder");
        let mut found: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        found.sort();
        found
    };
    let found = pages("man1");
    let name = |path: &std::path::PathBuf| {
        path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned()
    };
    let names: Vec<String> = found.iter().map(name).collect();
    let told: Vec<&str> =
        told["pages"].as_array().expect("names").iter().filter_map(|name| name.as_str()).collect();
    assert_eq!(names, told);
    for command in commands(&place) {
        assert!(names.contains(&format!("rethread-{command}.1")), "{command}: {names:?}");
    }
    for nested in ["rethread.1", "rethread-contract-show.1", "rethread-contract-init.1"] {
        assert!(names.iter().any(|name| name == nested), "{nested}");
    }
    for page in &found {
        let text = std::fs::read_to_string(page).expect("a page");
        assert!(text.contains("\n.SH NAME\n") && text.contains("\n.SH SYNOPSIS\n"), "{page:?}");
        let file = page.to_str().expect("UTF-8");
        let rendered = takes("groff", &["-man", "-Tutf8", "-ww", "-z", file]);
        assert_ne!(rendered, Some(false), "{page:?}");
    }
    place.run(&["man", "--to", "again"]).ends(0);
    let bytes =
        |folder| pages(folder).iter().map(|page| std::fs::read(page).expect("a page")).collect();
    let (one, two): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (bytes("man1"), bytes("again"));
    assert_eq!(one, two);
    place.run(&["man", "--to", "man1"]).ends(0);
    assert_eq!(pages("man1"), found, "pages are replaced");
}

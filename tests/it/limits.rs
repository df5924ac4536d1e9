//! Limits of memory, and a folder for working files.

use crate::data;
use crate::support::Place;
use crate::whole::bundle;

/// Runs the stages one by one, each with some options, and says where the bundle is.
fn stages(place: &Place, options: &[&str]) -> String {
    let ends = |args: &[&str]| place.run(&[args, options].concat()).ends(0).stdout;
    ends(&["export", "app.json"]);
    let made = ends(&["transform", "snapshots/app"]).trim_end().to_owned();
    ends(&["verify", &made]);
    ends(&["import", &made]);
    made
}

#[test]
fn a_limit_too_small_is_said_before_any_work() {
    let place = Place::new();
    place.write("app.json", data::sound().to_string());
    let refused = |args: &[&str]| {
        let error = place.run(&[args, &["--memory-limit", "10M"]].concat()).ends(2).error();
        assert!(error.contains("the memory limit of 10 MiB is too small to"), "{error}");
        assert!(error.contains("give `--memory-limit"), "{error}");
    };
    refused(&["export", "app.json"]);
    assert!(!place.path("snapshots").exists());
    place.run(&["export", "app.json"]).ends(0);
    refused(&["transform", "snapshots/app"]);
    assert!(!place.path("out").exists());
    let made = place.run(&["transform", "snapshots/app"]).ends(0).stdout.trim_end().to_owned();
    refused(&["verify", &made]);
    refused(&["import", &made]);
    assert!(!place.path(&made).join("report").exists());
    assert!(!place.path(&made).join("import").exists());
    let error = place.run(&["verify", &made, "--memory-limit", "much"]).ends(2).stderr;
    assert!(error.contains("`much` is no size: write it as 512M or 2G"), "{error}");
}

#[test]
fn limits_and_working_folders_change_no_byte() {
    let manifest = |options: &[&str]| {
        let place = Place::new();
        place.write("app.json", data::sound().to_string());
        place.write("elsewhere/keep", "");
        let made = stages(&place, options);
        assert_eq!(made, bundle(&place));
        let left: Vec<_> = std::fs::read_dir(place.path("elsewhere")).expect("a folder").collect();
        assert_eq!(left.len(), 1, "{left:?}");
        std::fs::read_to_string(place.path(&made).join("manifest-sha256.txt")).expect("a manifest")
    };
    let plain = manifest(&[]);
    assert_eq!(plain, manifest(&["--memory-limit", "400M", "--temp-dir", "elsewhere"]));
    assert_eq!(plain, manifest(&["--memory-limit=0.5G"]));
}

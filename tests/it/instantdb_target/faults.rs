//! Every way in which the server fails, at many places: afterwards the app holds what an unbroken
//! import leaves, and no row was written twice.

use std::panic::AssertUnwindSafe;

use rethread::error::Kind;
use rethread::target::instantdb::Options;

use super::scene::{FEW, Killer, Scene, TINY, empty, order, told};
use crate::instantdb::{Content, FAULTS, Fault, Route, Server, Store};

fn whole() -> (Content, u64, u64) {
    let scene = Scene::new(&FEW, empty());
    scene.import().expect("an import");
    (scene.content(), scene.server.calls(Route::Query), scene.server.calls(Route::Transact))
}

/// Places in a run with so many calls: the first, the last, and some between them.
fn places(calls: u64) -> Vec<u64> {
    let mut places: Vec<u64> = vec![1, calls / 2, calls];
    places.dedup();
    places
}

/// Whether the error of a first try is one that the fault may end with.
#[track_caller]
fn assert_fits(fault: Fault, error: &rethread::error::Error, scene: &Scene) {
    let expect = match fault {
        Fault::ReadOnly | Fault::Disabled => Kind::Refused,
        Fault::BadToken | Fault::NotFound | Fault::Redirect => Kind::Usage,
        Fault::NotUnique | Fault::InvalidEntity | Fault::Invalid | Fault::MalformedJson => {
            assert!(matches!(error.kind, Kind::Findings | Kind::System), "{}", told(scene, error));
            return;
        }
        _ => panic!("{fault:?} should not end a run: {}", told(scene, error)),
    };
    assert_eq!(error.kind, expect, "{fault:?}: {}", told(scene, error));
}

fn after_each(route: Route, calls: u64, expect: &Content) {
    let mut tried = 0;
    for fault in FAULTS {
        for place in places(calls) {
            let mut scene = Scene::new(&FEW, empty());
            scene.options =
                Options { workers: 1 + usize::try_from(place % 4).expect("small"), ..TINY };
            scene.server.fail(route, place, fault);
            let first = scene.import();
            scene.assert_no_token(first.as_ref().err());
            if let Err(error) = &first {
                assert_fits(fault, error, &scene);
                scene.import().unwrap_or_else(|error| {
                    panic!("{fault:?} at {place}: {}", told(&scene, &error))
                });
            }
            assert_eq!(&scene.content(), expect, "{fault:?} at {place}");
            assert_eq!(scene.most_updates(), 1, "{fault:?} at {place}");
            assert!(scene.server.most_busy() <= 4);
            scene.assert_no_token(None);
            tried += 1;
        }
    }
    assert!(tried >= 25 * 3, "{tried}");
}

#[test]
fn of_transactions() {
    let (expect, _, transacts) = whole();
    after_each(Route::Transact, transacts, &expect);
}

#[test]
fn of_queries() {
    let (expect, queries, _) = whole();
    after_each(Route::Query, queries, &expect);
}

#[test]
fn of_the_schema() {
    let (expect, _, _) = whole();
    for fault in FAULTS {
        let scene = Scene::new(&FEW, empty());
        scene.server.fail(Route::Schema, 1, fault);
        let first = scene.import();
        scene.assert_no_token(first.as_ref().err());
        if first.is_err() {
            assert!(scene.content().values().all(std::collections::BTreeMap::is_empty));
            scene.import().expect("the next one");
        }
        assert_eq!(scene.content(), expect, "{fault:?}");
    }
}

/// Stops a run at each of its points; the next one goes on.
#[test]
fn killed_anywhere() {
    let (expect, _, _) = whole();
    let counting = Scene::new(&FEW, empty());
    let killer = Killer::after(i64::MAX);
    counting.import_as(&order(), &killer).expect("an import");
    let points = killer.met.into_inner();
    assert!(points > 20, "{points}");
    for point in 0..points {
        let scene = Scene::new(&FEW, empty());
        let killer = Killer::after(i64::try_from(point).expect("few"));
        let killed = AssertUnwindSafe(|| scene.import_as(&order(), &killer));
        assert!(std::panic::catch_unwind(killed).is_err(), "{point}");
        if point % 3 == 1 {
            if let Err(error) = scene.rollback() {
                assert_eq!(error.kind, Kind::Usage, "{point}: {}", told(&scene, &error));
            } else {
                assert_eq!(scene.content(), Server::start(empty()).content(), "{point}");
            }
        }
        if point % 2 == 0 {
            let again = Killer::after(5);
            drop(std::panic::catch_unwind(AssertUnwindSafe(|| scene.import_as(&order(), &again))));
        }
        scene.import().unwrap_or_else(|error| panic!("{point}: {}", told(&scene, &error)));
        assert_eq!(scene.content(), expect, "{point}");
        if point % 3 != 1 {
            assert_eq!(scene.most_updates(), 1, "{point}");
        }
        if point % 3 == 0 {
            scene.rollback().unwrap_or_else(|error| panic!("{point}: {}", told(&scene, &error)));
            assert_eq!(scene.content(), Server::start(empty()).content(), "{point}");
        }
    }
}

#[test]
fn half_an_import_is_undone() {
    let (_, _, transacts) = whole();
    for place in 1..=transacts {
        let scene = Scene::new(&FEW, filled());
        let before = scene.content();
        scene.server.fail(Route::Transact, place, Fault::ReadOnly);
        scene.import().expect_err("it stops");
        let dry = scene.rollback_as(
            &rethread::import::Order { execute: false, ..order() },
            &rethread::progress::Silent,
        );
        assert!(!dry.expect("a dry run").executed);
        scene.rollback().unwrap_or_else(|error| panic!("{place}: {}", told(&scene, &error)));
        assert_eq!(scene.content(), before, "{place}");
        scene.import().unwrap_or_else(|error| panic!("{place}: {}", told(&scene, &error)));
    }
}

/// An app with a row that is none of ours.
fn filled() -> Store {
    let mut store = empty();
    store.fill(&serde_json::json!({ "thread_threads": [
        { "id": "0000000a-0000-4000-8000-00000000000a", "key": "another", "createdAt": 5 }] }));
    store
}

#[test]
fn an_undoing_that_is_broken_off_goes_on() {
    let (_, _, transacts) = whole();
    for fault in FAULTS {
        for place in [1, transacts / 2] {
            let scene = Scene::new(&FEW, filled());
            let before = scene.content();
            scene.import().expect("an import");
            scene.server.fail(Route::Transact, place, fault);
            let first = scene.rollback();
            scene.assert_no_token(first.as_ref().err());
            if first.is_err() {
                scene.rollback().unwrap_or_else(|error| {
                    panic!("{fault:?} at {place}: {}", told(&scene, &error))
                });
            }
            assert_eq!(scene.content(), before, "{fault:?} at {place}");
        }
    }
}

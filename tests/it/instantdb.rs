//! A stand-in for InstantDB's server: real HTTP on loopback over a triple store that keeps
//! InstantDB's rules, and fails where it is told to.
//!
//! Not kept: cascading deletes, permission rules, cursors, lookups of entities that do not exist.
#![allow(dead_code, reason = "each test module uses a part of it")]

mod backups;
mod checks;
mod fault;
mod fill;
mod http;
mod query;
mod routes;
mod rules;
mod scan;
mod steps;
mod store;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use backups::Backups;
pub(crate) use fault::{FAULTS, Fault, Route};
pub(crate) use fill::Content;
pub(crate) use store::{Attr, Store};

/// The app that every server serves.
pub(crate) const APP: &str = "d92ddb12-9b52-4715-8100-8b9f45a2cbc1";
/// Its admin token: a canary that must show nowhere.
pub(crate) const TOKEN: &str = "c0ffee00-ca4a-4bad-8f00-ca4a41e5ec4e";

/// A running server. Dropped, it stops.
pub(crate) struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// What all connections share.
pub(crate) struct Shared {
    state: Mutex<State>,
    stopped: AtomicBool,
    busy: AtomicUsize,
    address: SocketAddr,
}

/// The app, what was asked, and what is to fail.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) backups: Backups,
    pub(crate) log: Vec<Entry>,
    script: Vec<(Route, u64, u64, Fault)>,
    delay: Duration,
    most_busy: usize,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) route: Route,
    /// `throw-on-missing-attrs?` was sent as true.
    pub(crate) strict: bool,
    /// How many steps came.
    pub(crate) steps: usize,
    /// A token came with it, whatever it is.
    pub(crate) token: bool,
    /// What was done to it.
    pub(crate) fault: Option<Fault>,
}

impl Server {
    /// Serves a store on a free port.
    pub(crate) fn start(store: Store) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State {
            store,
            backups: Backups::default(),
            log: Vec::new(),
            script: Vec::new(),
            delay: Duration::ZERO,
            most_busy: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            stopped: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            address,
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &served));
        Self { shared, address }
    }

    /// What `--api-uri` would name.
    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The app and its log, while nobody else has them.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Does a fault to the `nth` request of a route from now on, counted from 1.
    pub(crate) fn fail(&self, route: Route, nth: u64, fault: Fault) {
        self.fail_from_to(route, (nth, nth), fault);
    }

    /// Does a fault to every request of a route from now on.
    pub(crate) fn fail_always(&self, route: Route, fault: Fault) {
        self.fail_from_to(route, (1, u64::MAX / 2), fault);
    }

    fn fail_from_to(&self, route: Route, (from, to): (u64, u64), fault: Fault) {
        let mut state = self.state();
        let came = state.came(route);
        state.script.push((route, came + from, came + to, fault));
    }

    /// Answers every request so much later.
    pub(crate) fn delay(&self, time: Duration) {
        self.state().delay = time;
    }

    /// How often a route was called.
    pub(crate) fn calls(&self, route: Route) -> u64 {
        self.state().came(route)
    }

    /// The most requests that were served at the same time.
    pub(crate) fn most_busy(&self) -> usize {
        self.state().most_busy
    }

    /// All rows of the app, by entity and id, in canonical form.
    pub(crate) fn content(&self) -> Content {
        self.state().store.content()
    }

    /// Takes a backup of what is there, as the server does at night.
    pub(crate) fn back_up(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.backups.take(&state.store);
    }
}

impl State {
    fn came(&self, route: Route) -> u64 {
        self.log.iter().filter(|entry| entry.route == route).count() as u64
    }

    /// What is to be done to the next request of a route.
    fn planned(&self, route: Route) -> Option<Fault> {
        let nth = self.came(route) + 1;
        let hit = |(at, from, to, _): &&(Route, u64, u64, Fault)| {
            *at == route && (*from..=*to).contains(&nth)
        };
        self.script.iter().find(hit).map(|(_, _, _, fault)| *fault)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || http::serve(stream, &shared));
    }
}

/// Runs the stand-in to be tried by hand, with the target model and nothing in it, until it is stopped:
/// `cargo test --test it -- --ignored --nocapture the_stand_in_by_hand`.
#[test]
#[ignore = "it never ends"]
#[allow(clippy::print_stderr, reason = "it says where it is")]
fn the_stand_in_by_hand() {
    let server =
        Server::start(Store::with_schema(&crate::instantdb_target::scene::target_schema()));
    eprintln!("--to instantdb://{APP} --api-uri {}, RETHREAD_TOKEN={TOKEN}", server.uri());
    loop {
        std::thread::park();
    }
}

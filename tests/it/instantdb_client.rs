//! The client against the stand-in server: what is repeated, what is told, what is never shown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rethread::instantdb::{Class, Client, Failure, Settings};
use rethread::secret::Secret;
use serde_json::json;

use crate::instantdb::{APP, FAULTS, Fault, Route, Server, Store, TOKEN};

/// A client that does not wait but notes how long it would have.
pub(crate) fn client(server: &Server) -> (Client, Arc<Mutex<Vec<u64>>>) {
    let slept = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&slept);
    let settings = Settings {
        whole: Duration::from_millis(1500),
        sleep: Arc::new(move |time| {
            notes.lock().expect("no panic").push(u64::try_from(time.as_millis()).expect("short"));
        }),
        ..Settings::default()
    };
    let client = Client::with(&server.uri(), APP, Secret::new(TOKEN), settings).expect("a client");
    (client, slept)
}

fn server() -> Server {
    let schema = json!({ "entities": { "posts": { "attrs": {
        "key": { "valueType": "string", "config": { "unique": true, "indexed": true } } } } } });
    Server::start(Store::with_schema(&schema))
}

const POST: &str = r#"[["update","posts","aaaaaaaa-0000-4000-8000-000000000001",{"key":"k"}]]"#;

fn class(failure: &Failure) -> &'static str {
    match failure.class {
        Class::Retry(_) => "retry",
        Class::Halve => "halve",
        Class::BadRows => "bad rows",
        Class::Fatal(_) => "fatal",
        Class::Ambiguous => "ambiguous",
    }
}

/// What becomes of a transaction to which a fault is done; nothing of it shows the token.
fn outcome(fault: Fault) -> String {
    let server = server();
    let (client, slept) = client(&server);
    server.fail(Route::Transact, 1, fault);
    let outcome = client.transact(POST);
    let tries = server.calls(Route::Transact);
    let is_there = !server.content()["posts"].is_empty();
    let slept = slept.lock().expect("no panic").clone();
    let said = match &outcome {
        Ok(tx) => format!("tx {tx}"),
        Err(failure) => class(failure).to_owned(),
    };
    let debug = format!("{outcome:?} {client:?}");
    let error = outcome.err().map(Failure::into_error);
    let text = error.as_ref().map(ToString::to_string).unwrap_or_default();
    let shown = format!("{debug} {error:?} {text}");
    assert!(!shown.to_lowercase().contains(TOKEN), "{fault:?}: {shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains("aaaaaaaa-0000"), "{fault:?}: {shown}");
    let log = server.state().log.clone();
    assert!(log.iter().all(|entry| entry.route != Route::Transact || entry.strict));
    assert_eq!(server.calls(Route::Unknown), 0, "no redirect is followed");
    format!("{fault:?}: {said}, tries {tries}, waits {slept:?}, there {is_there}")
}

#[test]
fn every_fault_of_a_transaction_is_classed_and_told_without_the_token() {
    let told: Vec<String> = FAULTS.into_iter().map(outcome).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    LimitedByHint: tx 1, tries 2, waits [7000], there true
    LimitedByHeader: tx 1, tries 2, waits [9000], there true
    LimitedBare: tx 1, tries 2, waits [500], there true
    LimitedByProxy: tx 1, tries 2, waits [500], there true
    StatementTimeout: halve, tries 1, waits [], there false
    SqlException: ambiguous, tries 1, waits [], there false
    OperationTimedOut: ambiguous, tries 1, waits [], there false
    UnknownError: ambiguous, tries 1, waits [], there false
    BadGateway: ambiguous, tries 1, waits [], there false
    Unavailable: ambiguous, tries 1, waits [], there false
    GatewayTimeout: ambiguous, tries 1, waits [], there false
    Closed: ambiguous, tries 1, waits [], there false
    ClosedMidway: ambiguous, tries 1, waits [], there true
    DoneThenClosed: ambiguous, tries 1, waits [], there true
    DoneThenError: ambiguous, tries 1, waits [], there true
    Slow: ambiguous, tries 1, waits [], there false
    DoneThenSlow: ambiguous, tries 1, waits [], there true
    CutJson: ambiguous, tries 1, waits [], there true
    OtherShape: ambiguous, tries 1, waits [], there true
    Empty: ambiguous, tries 1, waits [], there true
    Html: ambiguous, tries 1, waits [], there true
    ReadOnly: fatal, tries 1, waits [], there false
    Disabled: fatal, tries 1, waits [], there false
    BadToken: fatal, tries 1, waits [], there false
    ParameterLimit: halve, tries 1, waits [], there false
    NotUnique: bad rows, tries 1, waits [], there false
    InvalidEntity: bad rows, tries 1, waits [], there false
    Invalid: bad rows, tries 1, waits [], there false
    MalformedJson: bad rows, tries 1, waits [], there false
    NotFound: fatal, tries 1, waits [], there false
    Redirect: fatal, tries 1, waits [], there false
    TooLarge: halve, tries 1, waits [], there false
    ");
}

#[test]
fn a_rate_limit_that_stays_ends_after_six_tries() {
    let server = server();
    let (client, slept) = client(&server);
    server.fail_always(Route::Transact, Fault::LimitedBare);
    let error = client.transact(POST).expect_err("limited").into_error();
    assert_eq!(server.calls(Route::Transact), 6);
    assert_eq!(*slept.lock().expect("no panic"), [500, 1000, 2000, 4000, 8000]);
    insta::assert_snapshot!(error, @"the server still limits the rate after 6 tries (429 rate-limited): Rate limit exceeded (Bearer [hidden])");
}

#[test]
fn a_query_is_repeated_where_a_transaction_is_not() {
    let server = server();
    let (client, _) = client(&server);
    client.transact(POST).expect("it fits");
    let faults =
        [Fault::Closed, Fault::ClosedMidway, Fault::CutJson, Fault::Slow, Fault::BadGateway];
    for (at, fault) in (1..).zip(faults) {
        server.fail(Route::Query, at, fault);
    }
    let answer = client.query(&json!({ "posts": {} }), 1 << 20).expect("the sixth try");
    assert_eq!(answer.rows("posts").expect("rows").len(), 1);
    assert_eq!(answer.rows("others"), None);
    assert_eq!(server.calls(Route::Query), 6);
    let failure = client.query(&json!({ "posts": {} }), 10).map(drop).expect_err("too large");
    assert_eq!(class(&failure), "halve");
}

#[test]
fn one_rate_limit_slows_all_clients() {
    let server = server();
    server.delay(Duration::from_millis(150));
    server.fail(Route::Query, 1, Fault::LimitedByHint);
    server.fail(Route::Query, 2, Fault::LimitedByHint);
    let (first, slept) = client(&server);
    let second = first.another().expect("a client");
    std::thread::scope(|scope| {
        for client in [first, second] {
            scope.spawn(move || {
                client.query(&json!({ "posts": {} }), 1 << 20).map(drop).expect("rows");
            });
        }
    });
    assert_eq!(*slept.lock().expect("no panic"), [7000], "one wait serves both");
    assert_eq!(server.most_busy(), 2);
}

#[test]
fn a_wrong_token_is_told_and_not_shown() {
    let server = server();
    let client = Client::new(&server.uri(), APP, Secret::new("wrong-canary")).expect("a client");
    let error = client.schema().expect_err("refused").into_error();
    insta::assert_snapshot!(error, @"the server does not know this token for this app");
    assert!(!format!("{error:?}").contains("canary"));
}

#[test]
fn a_server_that_is_not_there() {
    let server = server();
    let (client, slept) = client(&server);
    drop(server);
    std::thread::sleep(Duration::from_millis(300));
    let failure = client.transact(POST).expect_err("nobody is there");
    insta::assert_snapshot!(failure.into_error(), @"the server failed 6 times: there is no connection");
    assert_eq!(slept.lock().expect("no panic").len(), 5, "what was not sent is sent again");
}

#[test]
fn the_schema_is_read_as_a_flat_list() {
    let server = Server::start(Store::from_archive(&crate::support::fixture("sample-backup.zip")));
    let (client, _) = client(&server);
    let schema = client.schema().expect("a schema");
    let key = schema.attr("thread_threads", "key").expect("an attribute");
    assert!(key.unique && key.indexed && !key.is_link && !key.busy && !key.system);
    let current = schema.attr("thread_contexts", "currentExecution").expect("a link");
    assert!(current.is_link && !current.is_many && current.unique);
    assert_eq!(current.reverse, Some(("thread_executions".to_owned(), "currentOf".to_owned())));
    assert!(schema.attr("emails", "events").expect("a link").is_many);
    assert!(schema.attr("$users", "email").expect("it").system);
}

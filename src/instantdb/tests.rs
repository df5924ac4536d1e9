//! What failures mean, without a server.

use super::failure::Said;
use super::*;

const TOKEN: &str = "c0ffee00-1111-4222-8333-444455556666";

fn failure(http: u16, after: Option<&str>, body: &str) -> Failure {
    let said = Said { http, after: after.map(str::to_owned) };
    Failure::answered("POST x/admin/transact", &said, body.as_bytes(), &Secret::new(TOKEN))
}

fn check(http: u16, body: &str, expect: &str) {
    let failure = failure(http, None, body);
    let class = match &failure.class {
        Class::Retry(after) => format!("retry {:?}", after.map(|after| after.as_millis())),
        Class::Fatal(error) => format!("fatal: {error}"),
        class => format!("{class:?}"),
    };
    assert_eq!(class, expect, "{http} {body}");
}

#[test]
fn the_retry_matrix() {
    let kind = |kind: &str| format!(r#"{{"type":"{kind}","message":"m","hint":{{}}}}"#);
    check(429, &kind("rate-limited"), "retry None");
    check(429, r#"{"type":"rate-limited","hint":{"retry-after":2.5}}"#, "retry Some(2500)");
    check(429, r#"{"type":"rate-limited","hint":{"retry-after":"3"}}"#, "retry Some(3000)");
    check(429, "<html>slow down</html>", "retry None");
    check(429, &kind("timeout"), "Halve");
    check(400, &kind("parameter-limit-exceeded"), "Halve");
    check(413, "", "Halve");
    check(500, &kind("sql-exception"), "Ambiguous");
    check(502, "<html>", "Ambiguous");
    check(400, &kind("validation-failed"), "BadRows");
    check(400, &kind("record-not-unique"), "BadRows");
    check(400, "Malformed JSON in request body.", "BadRows");
    check(400, "<html>", "fatal: the server refuses the call (400)");
    check(
        400,
        &kind("app-read-only"),
        "fatal: the app is read-only: the server takes no writes for it",
    );
    check(
        400,
        &kind("record-not-found"),
        "fatal: the server does not know this token for this app",
    );
    check(302, "", "fatal: the server sends the call elsewhere");
    let missing =
        r#"{"type":"validation-failed","hint":{"errors":[{"hint":{"attributes":["a.b"]}}]}}"#;
    check(400, missing, "fatal: the app's schema lacks attributes");
}

#[test]
fn the_header_tells_how_long_where_the_hint_does_not() {
    let limited = r#"{"type":"rate-limited","hint":{}}"#;
    let class = failure(429, Some("7"), limited).class;
    assert!(matches!(class, Class::Retry(Some(after)) if after.as_secs() == 7));
    assert!(matches!(failure(429, Some("7200"), limited).class, Class::Fatal(_)));
    let date = failure(429, Some("Wed, 21 Oct 2015 07:28:00 GMT"), limited).class;
    assert!(matches!(date, Class::Retry(None)));
}

#[test]
fn an_echo_is_not_kept() {
    let body = format!(
        r#"{{"type":"validation-failed","message":"bad {} {}\u001b{}","hint":{{"input":["payload"],
        "namespace":"a","attribute":"b","entity-id":"e","value":"payload"}}}}"#,
        TOKEN.to_uppercase(),
        TOKEN,
        "x".repeat(500)
    );
    let failure = failure(400, None, &body);
    let told = format!("{failure:?}");
    assert!(!told.to_lowercase().contains(TOKEN) && !told.contains("payload"), "{told}");
    assert!(
        failure.told.message.starts_with("bad [hidden] [hidden]\\u{1b}xxx"),
        "{}",
        failure.told.message
    );
    assert!(failure.told.message.chars().count() < 320);
    assert_eq!(failure.told.entity_id.as_deref(), Some("e"));
    assert_eq!(failure.told.attribute.as_deref(), Some("a.b"));
}

#[test]
fn a_thousand_levels_of_echo_are_no_trouble() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let body = format!(r#"{{"hint":{{"input":{deep}}},"type":"app-disabled"}}"#);
    check(400, &body, "fatal: the app is disabled: the server does not answer for it");
}

#[test]
fn a_token_is_needed_and_is_not_shown() {
    let app = "d92ddb12-9b52-4715-8100-8b9f45a2cbc1";
    let wrong = |token: &str| Client::new(CLOUD, app, Secret::new(token)).map(drop).unwrap_err();
    assert_eq!(wrong(" ").message, "the token is empty");
    assert!(!format!("{:?}", wrong("se\ncret")).contains("cret"));
    let client = Client::new(CLOUD, app, Secret::new(TOKEN)).expect("a client");
    assert!(!format!("{client:?}").contains(TOKEN));
}

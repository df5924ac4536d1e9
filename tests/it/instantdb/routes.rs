//! Which call a request is, and what the server answers.

use std::time::Duration;

use rethread::json::{elements, members};
use serde_json::{Map, Value, json};

use super::fault::{Answer, Fault, Route};
use super::http::{Reply, Request};
use super::store::{Attr, Refusal, Store, refusal};
use super::{APP, Entry, Shared, State, TOKEN, query, steps};

/// Answers a request, logs it, and says what is to happen to the answer.
pub(super) fn answer(
    shared: &Shared,
    request: &Request,
    busy: usize,
) -> (Reply, Option<Fault>, Duration) {
    let mut state = shared.state();
    let route = route(request);
    let fault = state.planned(route);
    state.most_busy = state.most_busy.max(busy);
    let entry = entry(request, route, fault);
    state.log.push(entry);
    let reply = match fault {
        Some(fault) if !fault.is_done() => instead(fault, request, shared),
        Some(fault) => {
            let reply = honest(&mut state, request, route, shared);
            after(fault, reply)
        }
        None => honest(&mut state, request, route, shared),
    };
    (reply, fault, state.delay)
}

fn route(request: &Request) -> Route {
    let segments: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", ["admin", "query"]) => Route::Query,
        ("POST", ["admin", "transact"]) => Route::Transact,
        ("GET", ["admin", "schema"]) => Route::AdminSchema,
        ("GET", ["dash", "apps", _, "schema", "pull"]) => Route::Schema,
        ("GET", ["dash", "apps", _, "perms", "pull"]) => Route::Rules,
        ("GET", ["dash", "apps", _, "backups"]) => Route::Backups,
        ("POST", ["dash", "apps", _, "backups"]) => Route::CreateBackup,
        ("GET", ["dash", "apps", _, "backup-jobs", _]) => Route::Job,
        ("GET", ["dash", "apps", _, "backups", _, "files"]) => Route::Files,
        ("GET", ["dash", "apps", _, "backups", _, "file-url"]) => Route::FileUrl,
        ("GET", ["store", _, "file"]) => Route::Download,
        _ => Route::Unknown,
    }
}

fn entry(request: &Request, route: Route, fault: Option<Fault>) -> Entry {
    let body = members(&request.body).unwrap_or_default();
    let get = |key: &str| body.iter().find(|(name, _)| name == key).map(|(_, raw)| *raw);
    let steps = get("steps").and_then(|steps| elements(steps).ok()).map_or(0, |steps| steps.len());
    let token = request.header("authorization").is_some();
    Entry { route, strict: get("throw-on-missing-attrs?") == Some("true"), steps, token, fault }
}

/// The envelope of an error, which echoes what was sent.
fn envelope(http: u16, kind: &str, message: &str, hint: &str) -> Reply {
    let body = format!(
        r#"{{"type":{},"message":{},"hint":{hint},"trace-id":"0af7651916cd43dd"}}"#,
        json!(kind),
        json!(message)
    );
    Reply { http, headers: json_type(), body: body.into_bytes() }
}

fn json_type() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json; charset=utf-8".to_owned())]
}

/// What a fault answers in place of what was asked.
fn instead(fault: Fault, request: &Request, shared: &Shared) -> Reply {
    let Answer::Instead { http, kind, message } = fault.answer() else {
        return Reply { http: 200, headers: Vec::new(), body: Vec::new() };
    };
    let token = request.header("authorization").unwrap_or_default();
    let steps = members(&request.body).unwrap_or_default();
    let steps = steps.iter().find(|(key, _)| key == "steps").map_or("[]", |(_, raw)| raw);
    let hint = match fault {
        Fault::LimitedByHint => r#"{"retry-after":7,"retry-at":"2026-08-21T10:00:00Z"}"#.to_owned(),
        Fault::BadToken => json!({ "args": [{ "app-id": APP, "token": token }] }).to_string(),
        Fault::InvalidEntity => format!(
            r#"{{"namespace":"thread_items","attribute":"idx","value":"{token}","entity-id":"{APP}","input":{steps}}}"#
        ),
        Fault::Invalid => format!(
            r#"{{"data-type":"steps","input":{steps},"errors":[{{"message":"{token}","in":[0,2]}}]}}"#
        ),
        _ => "{}".to_owned(),
    };
    let mut reply = match kind {
        "" => Reply { http, headers: Vec::new(), body: message.as_bytes().to_vec() },
        kind => envelope(http, kind, &format!("{message} ({token})"), &hint),
    };
    match fault {
        Fault::LimitedByHeader => reply.headers.push(("retry-after", "9".to_owned())),
        Fault::Redirect => {
            reply.headers.push(("location", format!("http://{}/else", shared.address)));
        }
        _ => {}
    }
    reply
}

/// Spoils an answer.
fn after(fault: Fault, mut reply: Reply) -> Reply {
    match (fault, fault.answer()) {
        (_, Answer::After { http, body: Some(body) }) => {
            Reply { http, headers: json_type(), body: body.as_bytes().to_vec() }
        }
        (Fault::ShortFile, _) => {
            let text = zstd::decode_all(reply.body.as_slice()).expect("zstd");
            reply.body = zstd::encode_all(&text[..text.len() - 1], 0).expect("zstd");
            reply
        }
        (Fault::BadZstd, _) => Reply { body: b"not packed at all".repeat(9), ..reply },
        (Fault::CutZstd, _) => {
            reply.body.truncate(reply.body.len() - 3);
            reply
        }
        (Fault::Moved, _) => {
            let location = reply.headers.iter().find(|(name, _)| *name == "x-here");
            let location = location.map(|(_, here)| here.clone()).unwrap_or_default();
            Reply { http: 302, headers: vec![("location", location)], body: Vec::new() }
        }
        _ => reply,
    }
}

fn honest(state: &mut State, request: &Request, route: Route, shared: &Shared) -> Reply {
    if route == Route::Download {
        return download(state, request);
    }
    if route == Route::Unknown {
        let body = b"{\"message\":\"Oops! We couldn't match this route.\"}".to_vec();
        return Reply { http: 404, headers: json_type(), body };
    }
    match call(state, request, route, shared) {
        Ok(text) => Reply { http: 200, headers: json_type(), body: text.into_bytes() },
        Err(refusal) => envelope(refusal.http, refusal.kind, &refusal.message, &refusal.hint),
    }
}

fn call(
    state: &mut State,
    request: &Request,
    route: Route,
    shared: &Shared,
) -> Result<String, Refusal> {
    let given = request.header("authorization").unwrap_or_default();
    let app = request.header("app-id").or(request.param("app_id")).unwrap_or_default();
    if given != format!("Bearer {TOKEN}") || app != APP {
        let hint = json!({ "args": [{ "app-id": app, "token": given }] }).to_string();
        return Err(refusal("record-not-found", "Record not found: app-admin-token", &hint));
    }
    if request.method == "POST" && request.header("content-type") != Some("application/json") {
        return Err(refusal("param-missing", "Missing parameter: [\"body\"]", "{}"));
    }
    let segments: Vec<&str> = request.path.split('/').collect();
    let gone = || refusal("record-not-found", "Record not found: app-backup", "{}");
    let backup = segments.get(5).copied().unwrap_or_default();
    match route {
        Route::Query => query::query(&state.store, &request.body),
        Route::Transact => {
            let tx = steps::transact(&mut state.store, &request.body)?;
            Ok(format!("{{\"tx-id\":{tx}}}"))
        }
        Route::Schema => Ok(pull(&state.store).to_string()),
        Route::Rules => Ok(json!({ "perms": state.store.rules }).to_string()),
        Route::AdminSchema => Ok(json!({ "schema": nested(&state.store) }).to_string()),
        Route::Backups => Ok(state.backups.list().to_string()),
        Route::CreateBackup => Ok(state.backups.begin().to_string()),
        Route::Job => {
            let job = state.backups.poll(backup, &state.store);
            Ok(job.ok_or_else(gone)?.to_string())
        }
        Route::Files => Ok(state.backups.files(backup).ok_or_else(gone)?.to_string()),
        Route::FileUrl => {
            let name = request.param("name").unwrap_or_default();
            state.backups.file(backup, name).ok_or_else(gone)?;
            let name = name.replace('%', "%25").replace('$', "%24").replace('/', "%2F");
            let signed = format!("?name={name}&sig=signed-{TOKEN}");
            Ok(json!({ "url": format!("http://{}/store/{backup}/file{signed}", shared.address) })
                .to_string())
        }
        Route::Download | Route::Unknown => unreachable!("it was answered before"),
    }
}

/// A file by its signed address, which is all that is asked for.
fn download(state: &State, request: &Request) -> Reply {
    let backup = request.path.split('/').nth(2).unwrap_or_default();
    let name = request.param("name").unwrap_or_default();
    let signed = request.param("sig").is_some_and(|sig| sig.ends_with(TOKEN));
    let Some(text) = state.backups.file(backup, name).filter(|_| signed) else {
        return Reply { http: 403, headers: Vec::new(), body: Vec::new() };
    };
    let body = zstd::encode_all(text, 0).expect("zstd");
    let here = format!("/store/{backup}/file?name={name}&sig=again-{TOKEN}").replace('$', "%24");
    Reply {
        http: 200,
        headers: vec![("content-encoding", "zstd".to_owned()), ("x-here", here)],
        body,
    }
}

fn attr_json(store: &Store, attr: &Attr) -> Value {
    let system = attr.etype.starts_with('$');
    let mut told = json!({
        "id": attr.id, "value-type": if attr.link { "ref" } else { "blob" },
        "cardinality": if attr.many { "many" } else { "one" },
        "forward-identity": [attr.id, attr.etype, attr.label],
        "unique?": attr.unique, "index?": attr.indexed, "required?": attr.required,
        "inferred-types": null, "catalog": if system { "system" } else { "user" },
    });
    if let Some(checked) = attr.checked {
        told["checked-data-type"] = json!(checked);
    }
    if store.indexing == Some(&attr.label) {
        told["indexing?"] = json!(true);
    }
    if let Some((etype, label)) = &attr.reverse {
        told["reverse-identity"] = json!([attr.id, etype, label]);
    }
    told
}

fn pull(store: &Store) -> Value {
    let attrs: Vec<Value> = store.attrs.iter().map(|attr| attr_json(store, attr)).collect();
    json!({ "schema": nested(store), "attrs": attrs, "app-title": store.title })
}

fn nested(store: &Store) -> Value {
    let (mut blobs, mut refs) = (json!({}), Map::new());
    for attr in &store.attrs {
        match &attr.reverse {
            Some((etype, label)) => {
                let key = json!([attr.etype, attr.label, etype, label]).to_string();
                refs.insert(key.replace(',', " "), attr_json(store, attr));
            }
            None => blobs[&attr.etype][&attr.label] = attr_json(store, attr),
        }
    }
    json!({ "blobs": blobs, "refs": refs })
}

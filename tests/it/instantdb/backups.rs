//! The server's backups and the jobs that make them.

use serde_json::{Map, Value, json};

use super::APP;
use super::store::Store;

/// Backups, oldest first, and jobs.
#[derive(Default)]
pub(crate) struct Backups {
    taken: Vec<Taken>,
    jobs: Vec<Job>,
    /// Whether the next job fails.
    pub(crate) fails: bool,
}

/// A backup: files by name.
struct Taken {
    id: String,
    files: Vec<(String, Vec<u8>)>,
}

struct Job {
    polls: u32,
    failed: bool,
    backup: Option<String>,
}

impl Backups {
    /// Takes a backup of a store and gives its id.
    pub(crate) fn take(&mut self, store: &Store) -> String {
        let id = format!("b0000000-0000-4000-8000-{:012x}", self.taken.len());
        self.taken.push(Taken { id: id.clone(), files: files(store) });
        id
    }

    pub(super) fn list(&self) -> Value {
        let backups: Vec<Value> = self
            .taken
            .iter()
            .rev()
            .map(|backup| {
                json!({ "id": backup.id, "isn": "16/B374D848", "backup_at": "2026-08-21T10:11:12.345Z",
                        "files_size": 0, "description": null, "expires_at": "2026-09-20T10:11:12Z" })
            })
            .collect();
        json!({ "backups": backups })
    }

    pub(super) fn begin(&mut self) -> Value {
        self.jobs.push(Job { polls: 0, failed: self.fails, backup: None });
        self.job(self.jobs.len() - 1)
    }

    /// The next look at a job: it waits, goes on, and ends at the third.
    pub(super) fn poll(&mut self, id: &str, store: &Store) -> Option<Value> {
        let number = usize::from_str_radix(id.rsplit('-').next()?, 16).ok()?;
        let job = self.jobs.get_mut(number)?;
        job.polls += 1;
        if job.polls == 3 && !job.failed {
            let backup = self.take(store);
            self.jobs[number].backup = Some(backup);
        }
        Some(self.job(number))
    }

    fn job(&self, number: usize) -> Value {
        let job = &self.jobs[number];
        let status = match job.polls {
            0 => "waiting",
            1 | 2 => "processing",
            _ if job.failed => "errored",
            _ => "completed",
        };
        json!({ "job": { "id": format!("c0000000-0000-4000-8000-{number:012x}"), "app_id": APP,
                         "app_backup_id": job.backup, "job_status": status, "description": "x",
                         "work_estimate": 10, "work_completed": job.polls } })
    }

    pub(super) fn files(&self, backup: &str) -> Option<Value> {
        let files = &self.taken.iter().find(|taken| taken.id == backup)?.files;
        let listed: Vec<Value> =
            files.iter().map(|(name, text)| json!({ "name": name, "size": text.len() })).collect();
        Some(json!({ "files": listed }))
    }

    pub(super) fn file(&self, backup: &str, name: &str) -> Option<&[u8]> {
        let files = &self.taken.iter().find(|taken| taken.id == backup)?.files;
        files.iter().find(|(file, _)| file == name).map(|(_, text)| text.as_slice())
    }
}

fn files(store: &Store) -> Vec<(String, Vec<u8>)> {
    let (mut counts, mut tables) = (Map::new(), Vec::new());
    for (etype, rows) in store.content() {
        if rows.is_empty() && etype.starts_with('$') {
            continue;
        }
        counts.insert(etype.clone(), json!(rows.len()));
        let own = store.attr(&etype, "id").expect("an entity");
        let lines: Vec<String> = rows
            .keys()
            .map(|id| {
                let at = store.one(own, id).map_or(0, |triple| triple.at);
                format!("{{\"entity\":{},\"createdAt\":{at}}}\n", store.row(&etype, id))
            })
            .collect();
        tables.push((format!("entities/{etype}.jsonl"), lines.concat().into_bytes()));
    }
    let config = json!({
        "counts": counts, "tripleCount": store.triples(), "schema": schema(store), "rules": store.rules,
        "title": store.title, "appId": APP, "backupAt": "2026-08-21T10:11:12.345Z",
    });
    tables.push(("files/b1946ac9".to_owned(), b"\x00picture".to_vec()));
    tables.insert(0, ("config.json".to_owned(), config.to_string().into_bytes()));
    tables
}

/// The schema as `config.json` has it.
fn schema(store: &Store) -> Value {
    let (mut entities, mut links) = (Map::new(), Map::new());
    for attr in &store.attrs {
        let has = |many: bool| if many { "many" } else { "one" };
        let attrs = entities
            .entry(attr.etype.clone())
            .or_insert_with(|| json!({ "attrs": {}, "links": {} }));
        if let Some((to, label)) = &attr.reverse {
            let link = json!({
                "forward": { "on": attr.etype, "label": attr.label, "has": has(attr.many) },
                "reverse": { "on": to, "label": label, "has": has(!attr.unique) },
            });
            links.insert(format!("{}{}", attr.etype, attr.label), link);
        } else if attr.label != "id" {
            attrs["attrs"][&attr.label] = json!({
                "valueType": attr.checked.unwrap_or("json"), "required": attr.required,
                "config": { "indexed": attr.indexed, "unique": attr.unique },
            });
        }
    }
    json!({ "entities": entities, "links": links })
}

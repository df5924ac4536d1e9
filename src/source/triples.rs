//! A self-hosted InstantDB's own storage: the `triples` and `attrs` of one app (`INSTANTDB.md` §5),
//! in one consistent snapshot.
//!
//! Rows are what a backup of the app would hold: forward links only, a has-many link as an array,
//! NULL values present, the creation time of the `id` triple; of InstantDB's own entities only those
//! that a backup has. What stands on an id without an `id` triple is a row without an id, as there.

mod app;
mod fold;

use sha2::{Digest as _, Sha256};

use super::{At, Form, Head, Row, Source, SourceMeta, Visit, postgres};
use crate::app::AppSettings;
use crate::contract::Contract;
use crate::error::{Error, Result, grouped};
use crate::pg::copy::Reader;
use crate::pg::{self, Client, Login, Place};
use crate::progress::{Progress, Silent};
use crate::storage;
use app::App;
use fold::{Fold, Folded};

/// What could not be done when the server fails.
const WHAT: &str = "the triples cannot be read";

/// Rows between two words on the progress.
const STEP: u64 = 1000;

/// One app of an InstantDB server's database.
#[derive(Debug)]
pub(super) struct Triples {
    place: Place,
    login: Login,
    app: String,
    session: Option<Session>,
}

/// A transaction that sees the database as it was when it began, and the app it is about.
struct Session {
    client: Client,
    app: App,
}

#[allow(clippy::missing_fields_in_debug, reason = "a connection has nothing to show")]
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("app", &self.app).finish()
    }
}

impl Triples {
    /// The app of that id.
    pub(super) fn new(place: Place, login: Login, app: &str) -> Result<Self> {
        let id = uuid::Uuid::try_parse(app).map_err(|error| {
            Error::usage("the id of the app is no UUID")
                .help("write `instantdb+postgres://USER@HOST/DATABASE?app=APP_ID`")
                .because(error)
        })?;
        Ok(Self { place, login, app: id.to_string(), session: None })
    }

    fn begin(&self) -> Result<Session> {
        let mut client = postgres::begin(&self.place, &self.login)?;
        let app = App::read(&mut client, &self.place, &self.app)?;
        Ok(Session { client, app })
    }

    /// Passes every row on, and hashes it.
    fn walk(
        &self,
        session: &mut Session,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let Session { client, app } = session;
        progress.begin("export", Some(app.counts.iter().map(|(_, rows)| rows).sum()));
        let mut hash = Sha256::new();
        hash.update(&app.schema_text);
        hash.update(app.rules.text());
        let mut read: Vec<(String, u64)> =
            app.counts.iter().map(|(entity, _)| (entity.clone(), 0)).collect();
        let (mut passed, mut without_id) = (0, vec![0; read.len()]);
        let mut each = |row: Folded<'_>| -> Result<()> {
            hash.update(format!("\n{} {} ", row.entity, row.created_at));
            hash.update(row.object);
            if let Ok(at) = read.binary_search_by(|(entity, _)| entity.as_str().cmp(row.entity)) {
                read[at].1 += 1;
                without_id[at] += u64::from(!row.has_id);
            }
            let at = format!("`{}` {}", row.entity, row.id);
            visit(Row {
                entity: row.entity,
                text: row.object,
                form: Form::Object,
                server_created_at: Some(row.created_at),
                at: At::Named(&at),
            })?;
            passed += 1;
            if passed % STEP == 0 {
                progress.advance(STEP);
            }
            Ok(())
        };
        rows(client, &self.place, app, &mut each)?;
        progress.advance(passed % STEP);
        let entities = grouped(read.len() as u64);
        progress.done(&format!("{} rows of {entities} entities", grouped(passed)));
        self.compare(&read, &without_id, &app.counts)?;
        let meta = SourceMeta {
            kind: "instantdb-postgres".to_owned(),
            name: self.place.database().to_owned(),
            sha256: storage::hex(&hash.finalize()),
            app_id: Some(self.app.clone()),
            title: app.title.clone(),
            taken_at: None,
        };
        Ok((meta, read))
    }

    fn compare(
        &self,
        read: &[(String, u64)],
        without_id: &[u64],
        counts: &[(String, u64)],
    ) -> Result<()> {
        let rows = read.iter().zip(without_id).map(|((entity, rows), lack)| (entity, rows - lack));
        let mut rows =
            rows.zip(counts).map(|((entity, rows), (_, counted))| (entity, rows, *counted));
        let Some((entity, read, counted)) = rows.find(|(_, rows, counted)| rows != counted) else {
            return Ok(());
        };
        let (read, counted) = (grouped(read), grouped(counted));
        Err(Error::damaged(format!("{read} rows of `{entity}` were read, it has {counted} ids"))
            .at(self.place.shown())
            .help("the `id` triples of the app are not one a row: check the database"))
    }
}

impl Source for Triples {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        progress.begin("hash the source", Some(1));
        let (meta, _) = self.walk(&mut self.begin()?, &mut |_| Ok(()), &Silent)?;
        progress.advance(1);
        progress.done("1 app");
        Ok(meta)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        let session = self.begin()?;
        let head = Head {
            schema_text: Some(session.app.schema_text.clone()),
            schema: Some(session.app.schema.clone()),
            counts: Some(session.app.counts.clone()),
            app: AppSettings { rules: session.app.rules.clone(), ..AppSettings::default() },
        };
        self.session = Some(session);
        Ok(head)
    }

    fn read(
        &mut self,
        _contract: &Contract,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin()?,
        };
        self.walk(&mut session, visit, progress)
    }
}

/// Streams the app's triples in the order of their key, and folds those of one id into rows.
fn rows(
    client: &mut Client,
    place: &Place,
    app: &App,
    each: &mut dyn FnMut(Folded<'_>) -> Result<()>,
) -> Result<()> {
    let copied = client.copy_out(&app.select());
    let copied = copied.map_err(|error| pg::failed(&error, place, WHAT))?;
    let mut reader = Reader::new(copied, 4, place, WHAT)?;
    let mut fold = Fold::new(&app.attrs);
    while let Some(cells) = reader.next_row()? {
        fold.take(cells, each)?;
    }
    fold.finish(each)
}

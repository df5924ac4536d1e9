//! Plain tables of a PostgreSQL database: one consistent snapshot of it, table by table.
//!
//! A row becomes a JSON object with every column in it: numbers keep their digits, JSON stays the
//! text it is, moments are UTC with microseconds, NULL is `null`.

mod catalog;
mod columns;

use sha2::{Digest as _, Sha256};

use super::rows::{At, LONGEST_ROW, Tally, too_long};
use super::{Form, Head, Source, SourceMeta, Visit};
use crate::contract::Contract;
use crate::error::{Error, Result, grouped};
use crate::pg::copy::Reader;
use crate::pg::{self, Access, Client, Login, Place};
use crate::progress::{Progress, Silent};
use crate::storage;
use catalog::{Table, Wish};

/// What could not be done when the server fails.
const WHAT: &str = "the tables cannot be read";

/// Tables by the entities of a contract.
#[derive(Debug)]
pub(super) struct Tables {
    place: Place,
    login: Login,
    wishes: Vec<Wish>,
    session: Option<Session>,
}

impl Tables {
    /// `tables` names tables by entity; any other entity of the contract is the table of its name
    /// in `schema`.
    pub(super) fn new(
        place: Place,
        login: Login,
        tables: &[(String, String)],
        schema: &str,
        contract: &Contract,
    ) -> Result<Self> {
        let wishes = catalog::wishes(tables, schema, contract)?;
        Ok(Self { place, login, wishes, session: None })
    }

    fn begin(&self) -> Result<Session> {
        Session::begin(&self.place, &self.login, &self.wishes)
    }

    /// Passes every row on, and hashes it.
    fn walk(
        &self,
        session: &mut Session,
        visit: &mut Visit<'_>,
        progress: &dyn Progress,
    ) -> Result<(SourceMeta, Vec<(String, u64)>)> {
        let total = session.tables.iter().map(|table| table.rows).sum();
        let mut tally = Tally::begin(visit, progress, Some(total));
        let mut hash = Sha256::new();
        let Session { client, tables } = session;
        for table in tables.iter() {
            tally.entity(&table.entity);
            hash.update(format!("{}\n", table.entity));
            let read = rows(client, &self.place, table, &mut |object, at| {
                hash.update(object);
                hash.update("\n");
                tally.row(object, Form::Object, None, At::TableRow(&table.shown(), at))
            })?;
            if read != table.rows {
                let (read, rows) = (grouped(read), grouped(table.rows));
                return Err(Error::damaged(format!("{read} rows were read, the table has {rows}"))
                    .at(table.shown()));
            }
        }
        let meta = SourceMeta {
            kind: "postgres".to_owned(),
            name: self.place.database().to_owned(),
            sha256: storage::hex(&hash.finalize()),
            ..SourceMeta::default()
        };
        Ok((meta, tally.finish()))
    }
}

impl Source for Tables {
    fn identify(&self, progress: &dyn Progress) -> Result<SourceMeta> {
        progress.begin("hash the source", Some(1));
        let (meta, _) = self.walk(&mut self.begin()?, &mut |_| Ok(()), &Silent)?;
        progress.advance(1);
        progress.done("1 database");
        Ok(meta)
    }

    fn head(&mut self, _contract: &Contract) -> Result<Head> {
        let session = self.begin()?;
        let tables = session.tables.iter();
        let counts = tables.map(|table| (table.entity.clone(), table.rows)).collect();
        self.session = Some(session);
        Ok(Head { counts: Some(counts), ..Head::default() })
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

/// A transaction that sees the database as it was when it began.
struct Session {
    client: Client,
    tables: Vec<Table>,
}

#[allow(clippy::missing_fields_in_debug, reason = "a connection has nothing to show")]
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("tables", &self.tables).finish()
    }
}

impl Session {
    fn begin(place: &Place, login: &Login, wishes: &[Wish]) -> Result<Self> {
        let mut client = begin(place, login)?;
        let mut tables = catalog::tables(&mut client, place, wishes)?;
        for table in &mut tables {
            let sql = format!("SELECT pg_catalog.count(*) FROM {}", table.quoted());
            let row = client.query_typed_one(&sql, &[]);
            let rows: i64 = row.map_err(|error| pg::failed(&error, place, WHAT))?.get(0);
            table.rows = u64::try_from(rows).unwrap_or_default();
        }
        Ok(Self { client, tables })
    }
}

/// Connects and begins a transaction that sees one state of the database and changes nothing.
pub(super) fn begin(place: &Place, login: &Login) -> Result<Client> {
    pg::begin(place, login, Access::Read, WHAT)
}

/// Passes the rows of a table on as JSON objects, numbered from 1; gives their count.
fn rows(
    client: &mut Client,
    place: &Place,
    table: &Table,
    each: &mut dyn FnMut(&str, u64) -> Result<()>,
) -> Result<u64> {
    let copied = client.copy_out(&table.select());
    let copied = copied.map_err(|error| pg::failed(&error, place, WHAT))?;
    let mut reader = Reader::new(copied, table.columns.len(), place, WHAT)?;
    let (mut object, mut at) = (Vec::new(), 0);
    while let Some(cells) = reader.next_row()? {
        at += 1;
        object.clear();
        columns::write_object(&table.columns, cells, &mut object);
        if object.len() as u64 > LONGEST_ROW {
            return Err(too_long(At::TableRow(&table.shown(), at)));
        }
        let text = std::str::from_utf8(&object).map_err(|error| {
            Error::damaged("the row holds text that is no UTF-8")
                .at(At::TableRow(&table.shown(), at))
                .help("repair the text: a database of the encoding `SQL_ASCII` takes any bytes")
                .because(error)
        })?;
        each(text, at)?;
    }
    Ok(at)
}

//! A real PostgreSQL server for tests: in a folder of its own, on a free port, as an unprivileged
//! user. It stops and its folder goes when the test process ends, however it ends: a shell beside
//! it waits for the end of a pipe.
//!
//! Who may log in: `postgres` without a password; `guarded` by SCRAM with [`PASSWORD`]; `sealed`
//! the same, over TLS only; `open` never over TLS; nobody else. The certificate names `localhost` and leads to
//! [`Server::ca`].

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ::postgres::{Client, Config, NoTls};

/// The password of `guarded`, `sealed` and `open`: no output of the program may hold it.
pub(crate) const PASSWORD: &str = "canary-pässword:\\1";

/// Copies the template (making it first where there is none), runs the server, and ends it when
/// standard input ends.
const SCRIPT: &str = r#"
set -e
bin=$1; template=$2; folder=$3; shift 3
umask 077
if [ ! -d "$template" ]; then
    new="$template.$$"
    "$bin/initdb" --no-sync -D "$new" -U postgres -A trust -E UTF8 --locale=C >/dev/null
    cat >"$new/pg_hba.conf" <<END
local all postgres trust
local all guarded scram-sha-256
host all postgres all trust
host all guarded all scram-sha-256
hostssl all sealed all scram-sha-256
hostnossl all open all scram-sha-256
END
    cd "$new"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj /CN=test-ca -keyout ca.key -out ca.crt 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
        -keyout server.key -out server.csr 2>/dev/null
    printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 \
        -extfile ext -out server.crt 2>/dev/null
    cd /
    mv -T "$new" "$template" 2>/dev/null || rm -rf "$new"
fi
mkdir -m 711 "$folder"
trap 'rm -rf "$folder"' EXIT
cp -a "$template" "$folder/data"
chmod 711 "$folder/data"; chmod 700 "$folder/data"
cp "$folder/data/ca.crt" "$folder/ca.crt"; chmod 644 "$folder/ca.crt"
"$bin/postgres" -D "$folder/data" -k "$folder" -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c shared_buffers=16MB -c autovacuum=off -c max_connections=60 \
    -c listen_addresses=localhost "$@" >"$folder/log" 2>&1 </dev/null &
server=$!
read -r _ || true
kill -QUIT $server 2>/dev/null || true
wait $server 2>/dev/null || true
"#;

/// A server that runs.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    watch: Child,
}

/// The server all tests of a process share; `None`, said on stderr, where none is installed.
pub(crate) fn server() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&["-c", "ssl=on"])).as_ref()
}

impl Server {
    /// Starts a server with more settings; `None`, said on stderr, where none is installed.
    #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) fn start(settings: &[&str]) -> Option<Self> {
        let Some(bin) = binaries() else {
            eprintln!("skipped: no PostgreSQL server is installed");
            return None;
        };
        (0..5).find_map(|_| Self::attempt(&bin, settings)).or_else(|| panic!("no server starts"))
    }

    fn attempt(bin: &Path, settings: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let at = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(format!("/tmp/rethread-pg-{}-{at}", std::process::id()));
        let port = free_port();
        let user = unprivileged();
        let name = user.unwrap_or("self");
        let version = bin.parent()?.file_name()?.to_string_lossy().into_owned();
        let template = format!("/tmp/rethread-pg-template-2-{version}-{name}");
        let mut command = as_unprivileged("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(bin).arg(template).arg(&folder);
        command.args(["-c", &format!("port={port}")]).args(settings);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = command.spawn().expect("a shell");
        let mut server = Self { folder, port, watch };
        for _ in 0..600 {
            if let Ok(mut client) = server.connect("postgres") {
                furnish(&mut client);
                return Some(server);
            }
            if server.watch.try_wait().expect("a child").is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    /// The port, on `localhost`.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.folder
    }

    /// The certificate that the server's leads to.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A database of a test's own.
    pub(crate) fn database(&self) -> Database<'_> {
        self.database_with("")
    }

    /// A database made with more options.
    pub(crate) fn database_with(&self, options: &str) -> Database<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut client = self.connect("postgres").expect("the server answers");
        client.batch_execute(&format!("CREATE DATABASE {name} {options}")).expect("a database");
        Database { server: self, name }
    }

    fn connect(&self, database: &str) -> Result<Client, ::postgres::Error> {
        Config::new()
            .host_path(&self.folder)
            .port(self.port)
            .user("postgres")
            .dbname(database)
            .connect(NoTls)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        drop(self.watch.wait());
    }
}

/// A database of a server.
pub(crate) struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl Database<'_> {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, for the user who needs no password, without TLS.
    pub(crate) fn url(&self) -> String {
        let (port, name) = (self.server.port, &self.name);
        format!("postgres://postgres@localhost:{port}/{name}?sslmode=disable")
    }

    /// A connection of the test's own.
    pub(crate) fn client(&self) -> Client {
        self.server.connect(&self.name).expect("the server answers")
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn run(&self, sql: &str) {
        self.client().batch_execute(sql).expect("the statements run");
    }
}

/// Makes the users that need a password.
fn furnish(client: &mut Client) {
    let password = PASSWORD.replace('\'', "''");
    let users = format!(
        "CREATE ROLE guarded LOGIN PASSWORD '{password}'; \
         CREATE ROLE sealed LOGIN PASSWORD '{password}'; \
         CREATE ROLE open LOGIN PASSWORD '{password}'"
    );
    client.batch_execute(&users).expect("roles");
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// The folder of `initdb` and `postgres`: the newest of Debian's, or one of `PATH`.
fn binaries() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    found.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name);
        version.and_then(|version| version.to_str()?.parse::<u32>().ok()).unwrap_or_default()
    });
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    found.push("/usr/local/bin".into());
    found.into_iter().find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

/// A program that runs as nobody special: servers refuse root.
pub(crate) fn as_unprivileged(program: &str) -> Command {
    let Some(user) = unprivileged() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    let user = format!("--reuid={user}");
    command.args([user.as_str(), "--clear-groups", "--no-new-privs", program]);
    command
}

/// Whom to run the server as: PostgreSQL refuses root.
fn unprivileged() -> Option<&'static str> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0);
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_there = |name: &&str| users.lines().any(|line| line.starts_with(&format!("{name}:")));
    root.then(|| ["postgres", "nobody"].into_iter().find(is_there)).flatten()
}

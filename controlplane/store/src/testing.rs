//! Fresh databases on both engines, for tests.
//!
//! PostgreSQL is a private server on a Unix socket, started from the installed binaries once a
//! test process; it ends, and its files go, when the process does.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// One empty database. Dropping it removes a SQLite file; PostgreSQL's go with its server.
#[derive(Debug)]
pub struct Database {
    pub engine: &'static str,
    /// For [`Db::open`](crate::Db::open).
    pub url: String,
    folder: Option<TempDir>,
}

/// An empty database on each engine.
///
/// # Panics
/// If one cannot be made. A missing PostgreSQL is said aloud and left out, unless
/// `IRONHERD_TESTS_REQUIRE_ALL=1`.
#[must_use]
pub fn databases() -> Vec<Database> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = folder.path().join("region.db").to_string_lossy().into_owned();
    let mut all = vec![Database { engine: "sqlite", url, folder: Some(folder) }];
    if let Some(server) = server() {
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("test_{number}");
        server.run("createdb", &["-U", "postgres", "-T", "template0", &name]);
        let socket = server.folder.display();
        let url = format!("postgres://postgres@localhost/{name}?host={socket}");
        all.push(Database { engine: "postgres", url, folder: None });
    }
    all
}

impl Database {
    /// Where a SQLite database lies.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }
}

struct Server {
    bin: PathBuf,
    folder: PathBuf,
    account: Option<(u32, u32)>,
    /// Holds the pipe whose end tells the server's shell that this process is gone.
    _shell: Child,
}

fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let start = || {
        let Some(bin) = binaries() else {
            let required = std::env::var("IRONHERD_TESTS_REQUIRE_ALL").is_ok_and(|it| it == "1");
            assert!(!required, "PostgreSQL is not installed (no /usr/lib/postgresql/*/bin)");
            eprintln!("SKIPPED: no PostgreSQL in /usr/lib/postgresql: SQLite alone is tested");
            return None;
        };
        Some(Server::start(bin))
    };
    SERVER.get_or_init(start).as_ref()
}

impl Server {
    fn start(bin: PathBuf) -> Self {
        let account = account();
        let template = template(&bin, account);
        let folder = tempfile::Builder::new().prefix("ironherd-test-postgres-").tempdir();
        let folder = folder.expect("a temporary folder").keep();
        give(&folder, account);
        // The shell outlives this process by a moment: when the pipe to it closes, it stops the
        // server and removes the files, however this process ended.
        let script = r#"
            cp -r "$1" "$2/data" && chmod 700 "$2/data" || exit 1
            "$3/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off \
                -c full_page_writes=off -c max_connections=200 >"$2/log" 2>&1 &
            server=$!
            cat >/dev/null
            kill -QUIT $server
            wait $server
            rm -rf "$2"
        "#;
        let mut shell = as_account(Command::new("sh"), account);
        shell.args(["-c", script, "sh"]).arg(&template).arg(&folder).arg(&bin);
        // A process group of its own: an interrupt of the tests must not cut the clean-up short.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let shell = shell.spawn().expect("a shell");
        let server = Self { bin, folder, account, _shell: shell };
        let until = Instant::now() + Duration::from_secs(60);
        while !server.answers() {
            let log = || fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "PostgreSQL does not start: {}", log());
        }
        server
    }

    fn answers(&self) -> bool {
        let mut ask = Command::new(self.bin.join("pg_isready"));
        ask.arg("-h").arg(&self.folder).args(["-t", "1"]).stdout(Stdio::null());
        ask.status().is_ok_and(|it| it.success())
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = as_account(Command::new(self.bin.join(program)), self.account);
        let done = command.arg("-h").arg(&self.folder).args(args).output();
        let done = done.expect("a PostgreSQL program");
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// The newest installed server.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<PathBuf> = versions.filter_map(|it| Some(it.ok()?.path())).collect();
    found.sort_by_key(|path| number(path));
    let bin = found.pop()?.join("bin");
    bin.join("initdb").exists().then_some(bin)
}

/// PostgreSQL refuses to run as root; then the account that its package made is used.
fn account() -> Option<(u32, u32)> {
    let own = fs::metadata("/proc/self").ok()?.uid();
    if own != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|it| it.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn as_account(mut command: Command, account: Option<(u32, u32)>) -> Command {
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command.current_dir("/");
    command
}

fn give(path: &Path, account: Option<(u32, u32)>) {
    if let Some((user, group)) = account {
        chown(path, Some(user), Some(group)).expect("a changed owner");
    }
}

/// A freshly made cluster, kept between runs: copying it takes a tenth of making it.
fn template(bin: &Path, account: Option<(u32, u32)>) -> PathBuf {
    let owner = account.map_or_else(|| "own".to_owned(), |(user, _)| user.to_string());
    let version = bin.parent().and_then(Path::file_name).unwrap_or_default();
    let name = format!("ironherd-postgres-template-{}-{owner}", version.to_string_lossy());
    let path = std::env::temp_dir().join(name);
    let lock = File::create(path.with_extension("lock")).expect("a lock file");
    lock.lock().expect("a lock"); // Tests run in many processes; one makes it.
    if path.join("done").exists() {
        return path.join("data");
    }
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("a folder");
    give(&path, account);
    let mut make = as_account(Command::new(bin.join("initdb")), account);
    make.args(["--no-sync", "--no-locale", "-E", "UTF8", "-A", "trust", "-U", "postgres", "-D"]);
    let made = make.arg(path.join("data")).output().expect("initdb");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    fs::write(path.join("done"), "").expect("a mark");
    path.join("data")
}

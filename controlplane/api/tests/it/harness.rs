//! A region on SQLite in a folder of its own, asked through the schema.

use async_graphql::{Request, Response, Variables};
use ironherd_api::{Caller, Schema};
use ironherd_app::{Actor, App};
use ironherd_domain::{MachineId, PowerState};
use ironherd_snapshot::BootKey;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const IMAGE: &[u8] = b"image\n";
/// SHA-256 of [`IMAGE`].
pub(crate) const IMAGE_SHA256: &str =
    "254eddf15d9534e3b20c55469077aa2f24f167aa4b897a36381d3e251e4829c2";

pub(crate) struct Region {
    pub(crate) app: App,
    pub(crate) schema: Schema,
    pub(crate) admin: Actor,
    pub(crate) rack: Actor,
    nonces: std::sync::atomic::AtomicU8,
    _folder: TempDir,
}

impl Region {
    /// A region on SQLite, which is enough for what does not depend on the engine.
    pub(crate) async fn new() -> Region {
        Region::open(None).await
    }

    /// A region on each engine that is there.
    pub(crate) async fn on_each_engine() -> Vec<Region> {
        let mut regions = Vec::new();
        for database in ironherd_store::testing::databases() {
            let url = (database.engine == "postgres").then_some(database.url.as_str());
            regions.push(Region::open(url).await);
        }
        regions
    }

    async fn open(url: Option<&str>) -> Region {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::open(folder.path(), url).await.expect("the app opens");
        let admin = app.admin_create("tester").await.expect("an admin");
        let admin = app.actor(admin.text.expose()).await.expect("the admin's token is known");
        let rack = app.rack_token_ensure().await.expect("a rack token");
        let rack = app.actor(rack.expose()).await.expect("the rack's token is known");
        let schema = ironherd_api::schema(app.clone());
        Region { app, schema, admin, rack, nonces: 0.into(), _folder: folder }
    }

    /// Runs a document as whoever it is, and gives the whole answer.
    pub(crate) async fn run(
        &self,
        caller: Option<&Actor>,
        text: &str,
        variables: Value,
    ) -> Response {
        let request = Request::new(text).variables(Variables::from_json(variables));
        self.schema.execute(request.data(Caller(caller.cloned()))).await
    }

    /// Runs a document that must succeed, and gives its data.
    #[track_caller]
    pub(crate) fn ask<'r>(
        &'r self,
        caller: &'r Actor,
        text: &'r str,
        variables: Value,
    ) -> impl Future<Output = Value> + use<'r> {
        let from = std::panic::Location::caller();
        async move {
            let answer = self.run(Some(caller), text, variables).await;
            assert!(answer.errors.is_empty(), "{from}: {:?}", answer.errors);
            answer.data.into_json().expect("JSON")
        }
    }

    /// Runs a mutation of one field, and gives the field's payload.
    pub(crate) async fn payload(&self, caller: &Actor, text: &str, variables: Value) -> Value {
        let mut data = self.ask(caller, text, variables).await;
        let fields = data.as_object_mut().expect("an object");
        assert_eq!(fields.len(), 1, "one mutation at a time");
        fields.values_mut().next().map(Value::take).expect("a field")
    }

    /// Runs a mutation that must be done, and gives the field's payload.
    pub(crate) async fn done(&self, caller: &Actor, text: &str, variables: Value) -> Value {
        let payload = self.payload(caller, text, variables).await;
        assert_eq!(payload["userErrors"], json!([]), "{text}");
        payload
    }

    /// Runs a mutation that must be refused, and gives the first reason's code and field.
    pub(crate) async fn refused(&self, text: &str, variables: Value) -> (String, Value) {
        let payload = self.payload(&self.admin, text, variables).await;
        let reason = payload["userErrors"][0].clone();
        let message = reason["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty(), "a reason has a message: {payload}");
        (reason["code"].as_str().unwrap_or_default().to_owned(), reason["field"].clone())
    }

    /// Makes a machine that is switched on and off by hand, and gives its global id.
    pub(crate) async fn machine(&self, hostname: &str, mac: &str) -> String {
        const CREATE: &str = "mutation($input: MachineCreateInput!) {
            machineCreate(input: $input) { machine { id } userErrors { code message } } }";
        let input = json!({ "input": { "hostname": hostname, "macAddresses": [mac] } });
        text(&self.done(&self.admin, CREATE, input).await["machine"]["id"])
    }

    /// Makes [`IMAGE`] known as a disk image, uploads it, and gives its global id.
    pub(crate) async fn image(&self) -> String {
        const CREATE: &str = "mutation($input: ImageCreateInput!) {
            imageCreate(input: $input) { image { id } userErrors { code message } } }";
        let input = json!({ "input": { "name": "debian", "kind": "DISK_RAW",
            "sha256": IMAGE_SHA256, "sizeBytes": IMAGE.len(), "architecture": "amd64" } });
        let id = text(&self.done(&self.admin, CREATE, input).await["image"]["id"]);
        let upload = self.app.image_upload_begin(&self.admin, IMAGE_SHA256, None).await;
        let mut upload = upload.expect("an upload begins").expect("the bytes are missing");
        upload.write(IMAGE).await.expect("the bytes are taken");
        upload.finish().await.expect("the digest is right");
        id
    }

    /// Uploads the files that carry the agent.
    pub(crate) async fn ephemeral(&self) {
        const CREATE: &str = "mutation($input: ImageCreateInput!) {
            imageCreate(input: $input) { image { id } userErrors { code message } } }";
        for (name, kind) in [
            ("ephemeral/amd64/vmlinuz", "EPHEMERAL_KERNEL"),
            ("ephemeral/amd64/initrd.img", "EPHEMERAL_INITRD"),
        ] {
            let input = json!({ "input": { "name": name, "kind": kind, "sha256": IMAGE_SHA256,
                "sizeBytes": 6, "architecture": "amd64" } });
            self.done(&self.admin, CREATE, input).await;
        }
        self.image().await;
    }

    /// One field of a machine.
    pub(crate) async fn of_machine(&self, id: &str, field: &str) -> Value {
        let query = format!("query($id: ID!) {{ machine(id: $id) {{ {field} }} }}");
        self.ask(&self.admin, &query, json!({ "id": id })).await["machine"].take()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        text(&self.of_machine(id, "state").await["state"])
    }

    /// Says hello as an agent that was booted by the rack, with the key from its snapshot.
    pub(crate) async fn hello(&self, machine: Option<&str>) -> Value {
        let token = self.boot_token(machine).await;
        self.hello_with(&token).await
    }

    pub(crate) async fn hello_with(&self, token: &str) -> Value {
        const HELLO: &str = "mutation($input: AgentHelloInput!) {
            agentHello(input: $input) { sessionToken machineId task userErrors { code } } }";
        let input = json!({ "input": { "bootToken": token, "agentVersion": "test" } });
        let answer = self.run(None, HELLO, input).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        answer.data.into_json().expect("JSON")["agentHello"].take()
    }

    /// The rack's snapshot, once it fits. It is built beside the commands, a moment after each.
    pub(crate) async fn snapshot(&self, fits: impl Fn(&Value) -> bool) -> Value {
        const SNAPSHOT: &str = "{ rackSnapshot { generation
            settings { enlist enlistKey ephemeral { kernel initrd } }
            machines { id intent bootKey attempt } } }";
        let mut changes = self.app.snapshot_changes();
        loop {
            changes.mark_unchanged();
            let mut data = self.ask(&self.rack, SNAPSHOT, json!({})).await;
            if fits(&data["rackSnapshot"]) {
                return data["rackSnapshot"].take();
            }
            changes.changed().await.expect("the app lives");
        }
    }

    /// Waits until racks are told that a machine shall do this at its next boot.
    pub(crate) async fn intent(&self, machine: &str, intent: &str) {
        let id = plain(machine);
        self.snapshot(|it| of(it, &id).is_some_and(|it| it["intent"] == intent)).await;
    }

    /// A one-time token as the rack mints it for a machine, or for one that is unknown.
    pub(crate) async fn boot_token(&self, machine: Option<&str>) -> String {
        let (key, id, attempt) = match machine {
            None => {
                let snapshot = self.snapshot(|_| true).await;
                let today = ironherd_proto::token::day_of(self.app.now().as_seconds());
                (text(&snapshot["settings"]["enlistKey"]), "enlist".to_owned(), today)
            }
            Some(machine) => {
                let id = plain(machine);
                let row = self.app.machine(&self.admin, id.parse().expect("an id")).await;
                let attempt = row.expect("a look").expect("a machine").attempt;
                let current = |it: &Value| it["attempt"].as_u64() == Some(attempt);
                let snapshot = self.snapshot(|it| of(it, &id).is_some_and(current)).await;
                let machine = of(&snapshot, &id).expect("it was there");
                (text(&machine["bootKey"]), id, attempt)
            }
        };
        let nonce = [self.nonces.fetch_add(1, std::sync::atomic::Ordering::Relaxed); 16];
        ironherd_proto::token::mint(&BootKey(key_bytes(&key)), &id, attempt, nonce)
    }

    /// Says hello, and gives the session's actor with the task it was given.
    pub(crate) async fn agent(&self, machine: Option<&str>) -> (Actor, String) {
        let hello = self.hello(machine).await;
        assert_eq!(hello["userErrors"], json!([]));
        let session = text(&hello["sessionToken"]);
        let actor = self.app.actor(&session).await.expect("the session is known");
        (actor, text(&hello["task"]))
    }

    /// What the management controller says when it is asked next.
    pub(crate) async fn power_seen(&self, machine: &str, state: PowerState) {
        let id: MachineId = plain(machine).parse().expect("a machine id");
        self.app.power_observed(id, Ok(state)).await.expect("the power state is taken");
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// The plain id in a global one.
pub(crate) fn plain(id: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(id).expect("base64");
    let text = String::from_utf8(bytes).expect("text");
    text.split_once(':').expect("a kind and a key").1.to_owned()
}

/// A machine in the rack's snapshot.
fn of<'s>(snapshot: &'s Value, id: &str) -> Option<&'s Value> {
    snapshot["machines"].as_array()?.iter().find(|it| it["id"] == id)
}

fn key_bytes(hex: &str) -> [u8; 32] {
    std::array::from_fn(|at| {
        u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal digits")
    })
}

//! The Redfish service as a client sees it, over a machine that is off.

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use axum::{Router, body};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ironherd_bmc_sim::{
    BmcConfig, BmcKind, BootEnabled, BootTarget, DiskBus, Firmware, Machine, MachineConfig, Secret,
    redfish,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

const SYSTEM: &str = "/redfish/v1/Systems/1";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
const RESET: &str = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";

struct Bmc {
    service: Router,
    machine: Machine,
    _dir: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: Value,
}

impl Bmc {
    fn new(firmware: Firmware) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        let machine = Machine::create(dir.path(), config(firmware)).expect("made");
        Self { service: redfish::router(machine.clone()), machine, _dir: dir }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response: Response<Body> =
            self.service.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body::to_bytes(body, 1 << 20).await.expect("a short body");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        let login = basic("admin", "hunter2");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[("authorization", &login)], &body).await
    }

    async fn show(&self) -> Answer {
        self.ask(Method::GET, SYSTEM, &Value::Null).await
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn config(firmware: Firmware) -> MachineConfig {
    let identity = MachineConfig::identity("redfish-test", 1);
    MachineConfig {
        name: "node1".into(),
        lab: "redfish-test".into(),
        namespace: "ironherd-not-there".into(),
        uuid: identity.uuid,
        serial: identity.serial,
        mac: identity.mac,
        tap: "tap1".into(),
        firmware,
        memory_mib: 512,
        disk_bytes: 1 << 20,
        disk_bus: DiskBus::Virtio,
        bmc: BmcConfig {
            kind: BmcKind::Redfish,
            address: [10, 77, 0, 201].into(),
            prefix_len: 24,
            gateway: [10, 77, 0, 1].into(),
            port: 80,
            mac: "52:54:01:00:00:01".into(),
            username: "admin".into(),
            password: Secret("hunter2".into()),
            in_band_port: 9001,
        },
    }
}

#[tokio::test]
async fn only_the_root_is_open() {
    let bmc = Bmc::new(Firmware::Bios);
    let rows = [
        (Method::GET, "/redfish", true),
        (Method::GET, "/redfish/v1", true),
        (Method::GET, "/redfish/v1/", true),
        (Method::GET, "/redfish/v1/odata", true),
        (Method::GET, SYSTEM, false),
        (Method::GET, SESSIONS, false),
        (Method::GET, "/redfish/v1/nothing", false), // Strangers learn nothing about paths.
        (Method::PATCH, SYSTEM, false),
        (Method::POST, RESET, false),
    ];
    for (method, path, open) in rows {
        let answer = bmc.send(method.clone(), path, &[], "").await;
        assert_eq!(answer.status == StatusCode::OK, open, "{method} {path}");
        if !open {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
            assert_eq!(answer.body["error"]["code"], "Base.1.16.0.NoValidSession");
        }
        assert_eq!(answer.headers["odata-version"], "4.0");
    }
    for (user, password) in [("admin", "wrong"), ("root", "hunter2"), ("", "")] {
        let login = basic(user, password);
        let answer = bmc.send(Method::GET, SYSTEM, &[("authorization", &login)], "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{user}");
    }
}

#[tokio::test]
async fn a_session_opens_and_closes() {
    let bmc = Bmc::new(Firmware::Bios);
    let login = |password: &str| json!({ "UserName": "admin", "Password": password }).to_string();
    let refused = bmc.send(Method::POST, SESSIONS, &[], &login("wrong")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);

    let opened = bmc.send(Method::POST, SESSIONS, &[], &login("hunter2")).await;
    assert_eq!(opened.status, StatusCode::CREATED);
    let token = opened.headers["x-auth-token"].to_str().expect("text").to_owned();
    let location = opened.headers["location"].to_str().expect("text").to_owned();
    assert_eq!(opened.body["@odata.id"], location.as_str());
    assert!(opened.body.get("Password").is_none());

    let headers = [("x-auth-token", token.as_str())];
    assert_eq!(bmc.send(Method::GET, SYSTEM, &headers, "").await.status, StatusCode::OK);
    let closed = bmc.send(Method::DELETE, &location, &headers, "").await;
    assert_eq!(closed.status, StatusCode::NO_CONTENT);
    let stale = bmc.send(Method::GET, SYSTEM, &headers, "").await;
    assert_eq!(stale.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_that_never_logs_out_is_stopped() {
    let bmc = Bmc::new(Firmware::Bios);
    let login = json!({ "UserName": "admin", "Password": "hunter2" }).to_string();
    let mut opened = 0;
    let last = loop {
        let answer = bmc.send(Method::POST, SESSIONS, &[], &login).await;
        if answer.status != StatusCode::CREATED || 100 < opened {
            break answer;
        }
        opened += 1;
    };
    assert_eq!((opened, last.status), (16, StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(last.body["error"]["code"], "Base.1.16.0.SessionLimitExceeded");
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    let bmc = Bmc::new(Firmware::Uefi);
    let mut todo = vec!["/redfish/v1/".to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = todo.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = bmc.ask(Method::GET, &path, &Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.body["@odata.id"], path.as_str());
        links(&answer.body, &mut todo);
    }
    assert!(seen.contains(SYSTEM) && seen.contains(SESSIONS) && 9 <= seen.len(), "{seen:?}");
}

fn links(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("@odata.id").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|it| links(it, found));
        }
        Value::Array(items) => items.iter().for_each(|it| links(it, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_boot_override_is_kept_by_the_machine() {
    let bmc = Bmc::new(Firmware::Bios);
    let body = json!({ "Boot": {
        "BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Hdd",
        "BootSourceOverrideMode": "Legacy",
    }});
    let answer = bmc.ask(Method::PATCH, SYSTEM, &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["Boot"]["BootSourceOverrideTarget"], "Hdd");
    let kept = bmc.machine.boot_override().expect("readable");
    assert_eq!((kept.enabled, kept.target), (BootEnabled::Continuous, BootTarget::Hdd));

    let part = json!({ "Boot": { "BootSourceOverrideEnabled": "Once" } });
    bmc.ask(Method::PATCH, SYSTEM, &part).await;
    let kept = bmc.machine.boot_override().expect("readable");
    assert_eq!((kept.enabled, kept.target), (BootEnabled::Once, BootTarget::Hdd));
}

#[tokio::test]
async fn changes_are_guarded_by_the_etag() {
    let bmc = Bmc::new(Firmware::Bios);
    let login = basic("admin", "hunter2");
    let etag = bmc.show().await.headers["etag"].to_str().expect("text").to_owned();
    let body = json!({ "Boot": { "BootSourceOverrideTarget": "Pxe" } }).to_string();
    let rows = [("\"other\"", 412), (etag.as_str(), 200), (etag.as_str(), 412), ("*", 200)];
    for (wanted, status) in rows {
        let headers = [("authorization", login.as_str()), ("if-match", wanted)];
        let answer = bmc.send(Method::PATCH, SYSTEM, &headers, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{wanted}");
    }
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let bmc = Bmc::new(Firmware::Bios);
    let boot = |name: &str, value: Value| json!({ "Boot": { name: value } });
    let target = "BootSourceOverrideTarget";
    let rows = [
        (Method::PATCH, SYSTEM, boot(target, json!("Floppy")), 400, "PropertyValueNotInList"),
        (Method::PATCH, SYSTEM, boot(target, json!("UefiHttp")), 400, "PropertyValueNotInList"),
        (Method::PATCH, SYSTEM, boot(target, json!(7)), 400, "PropertyValueNotInList"),
        (
            Method::PATCH,
            SYSTEM,
            boot("BootSourceOverrideMode", json!("UEFI")),
            400,
            "PropertyValueNotInList",
        ),
        (Method::PATCH, SYSTEM, boot("BootOrder", json!([])), 400, "PropertyNotWritable"),
        (Method::PATCH, SYSTEM, json!({ "Name": "x" }), 400, "PropertyNotWritable"),
        (Method::PATCH, SYSTEM, json!("x"), 400, "MalformedJSON"),
        (Method::PATCH, SYSTEM, Value::Null, 400, "MalformedJSON"),
        (Method::POST, RESET, json!({ "ResetType": "Nmi" }), 400, "ActionParameterValueNotInList"),
        (Method::POST, RESET, json!({ "ResetType": "Hard" }), 400, "ActionParameterValueNotInList"),
        (Method::POST, RESET, json!({ "ResetType": 1 }), 400, "ActionParameterValueNotInList"),
        (Method::POST, RESET, json!({ "ResetType": "GracefulShutdown" }), 409, "ResourceInStandby"),
        (Method::POST, RESET, json!({ "ResetType": "ForceRestart" }), 409, "ResourceInStandby"),
        (Method::POST, RESET, json!({ "ResetType": "On" }), 500, "InternalError"), // No namespace.
        (Method::GET, "/redfish/v1/Systems/2", Value::Null, 404, "ResourceMissingAtURI"),
        (Method::DELETE, SYSTEM, Value::Null, 405, "OperationNotAllowed"),
    ];
    for (method, path, body, status, code) in rows {
        let answer = bmc.ask(method.clone(), path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}");
        let got = answer.body["error"]["code"].as_str().unwrap_or_default();
        assert_eq!(got, format!("Base.1.16.0.{code}"), "{method} {path} {body}");
    }
    let off = bmc.ask(Method::POST, RESET, &json!({ "ResetType": "ForceOff" })).await;
    assert_eq!(off.status, StatusCode::NO_CONTENT, "off already is fine");
}

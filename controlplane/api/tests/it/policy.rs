//! Who may do what: every field of the three roots, with every kind of caller.
//!
//! The fields come from the schema itself: a new one fails here until it is listed.

use std::collections::BTreeMap;

use async_graphql::futures_util::StreamExt as _;
use async_graphql::{Request, Response};
use ironherd_api::Caller;
use ironherd_app::Actor;
use serde_json::{Value, json};

use crate::harness::Region;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    User,
    Rack,
    /// Agents, whatever they are there for.
    Agent,
    /// Agents that take in an unknown machine.
    Enlister,
    /// Agents that take stock of a known one.
    Commissioner,
    /// Whoever has a token.
    Known,
    /// Also without a token: the argument is the proof.
    Everybody,
}

use May::{Agent, Commissioner, Enlister, Everybody, Known, Rack, User};

const POLICY: &[(&str, May)] = &[
    ("node", User),
    ("viewer", Known),
    ("userTokens", User),
    ("machine", User),
    ("machines", User),
    ("subnet", User),
    ("subnets", User),
    ("fabric", User),
    ("fabrics", User),
    ("vlan", User),
    ("vlans", User),
    ("subnet6", User),
    ("subnets6", User),
    ("dhcpOptionsKnown", User),
    ("clientClasses", User),
    ("image", User),
    ("images", User),
    ("racks", User),
    ("leases", User),
    ("leaseHistory", User),
    ("events", User),
    ("operation", User),
    ("operations", User),
    ("lifecycle", User),
    ("settings", User),
    ("rackSnapshot", Rack),
    ("dhcpExplain", User),
    ("agentTask", Agent),
    ("fabricCreate", User),
    ("fabricUpdate", User),
    ("fabricDelete", User),
    ("vlanCreate", User),
    ("vlanUpdate", User),
    ("vlanDelete", User),
    ("rangeUpdate", User),
    ("reservationUpdate", User),
    ("subnet6Create", User),
    ("subnet6Update", User),
    ("subnet6Delete", User),
    ("reservation6Create", User),
    ("reservation6Update", User),
    ("reservation6Delete", User),
    ("dhcpOptionSet", User),
    ("dhcpOptionUnset", User),
    ("clientClassCreate", User),
    ("clientClassUpdate", User),
    ("clientClassDelete", User),
    ("clientClassReorder", User),
    ("machineCreate", User),
    ("machineUpdate", User),
    ("machineCommission", User),
    ("machineAllocate", User),
    ("machineDeploy", User),
    ("machineRelease", User),
    ("machineAbort", User),
    ("machineRetry", User),
    ("machinePower", User),
    ("machineMarkBroken", User),
    ("machineMarkFixed", User),
    ("machineDelete", User),
    ("subnetCreate", User),
    ("subnetUpdate", User),
    ("subnetDelete", User),
    ("rangeCreate", User),
    ("rangeDelete", User),
    ("reservationCreate", User),
    ("reservationDelete", User),
    ("imageCreate", User),
    ("imageDelete", User),
    ("settingsUpdate", User),
    ("bmcCredentialSet", User),
    ("userTokenCreate", User),
    ("userTokenDelete", User),
    ("rackRegister", Rack),
    ("rackReport", Rack),
    ("rackAnswer", Rack),
    ("dhcpCapture", User),
    ("agentHello", Everybody),
    ("agentEnlist", Enlister),
    ("agentCommissioned", Commissioner),
    ("agentProgress", Agent),
    ("agentFinished", Agent),
    ("systemReady", Everybody),
    ("machineChanges", User),
    ("rackDeltas", Rack),
    ("rackRequests", Rack),
];

const MACHINE: &str = "node-1";

#[tokio::test]
async fn every_field_knows_its_callers() {
    let region = Region::new().await;
    region.ephemeral().await;
    region.machine(MACHINE, "52:54:00:77:00:10").await;
    let types = types(&region).await;
    let mut listed: BTreeMap<&str, May> = POLICY.iter().copied().collect();
    for (root, operation) in
        [("Query", "query"), ("Mutation", "mutation"), ("Subscription", "subscription")]
    {
        for field in types[root]["fields"].as_array().expect("fields") {
            let name = field["name"].as_str().expect("a name");
            let may = listed.remove(name);
            let may = may.unwrap_or_else(|| panic!("{name} is not in the list: who may use it?"));
            check_field(&region, &types, operation, field, may).await;
        }
    }
    assert!(listed.is_empty(), "no longer in the schema: {listed:?}");
}

async fn check_field(region: &Region, types: &Types, operation: &str, field: &Value, may: May) {
    let text = document(types, operation, field);
    // A session may end with its report: fresh ones for each field.
    let enlister = region.agent(None).await.0;
    let commissioner = commissioner(region).await;
    let callers = [
        (None, may == Everybody),
        (Some(&region.admin), matches!(may, User | Known | Everybody)),
        (Some(&region.rack), matches!(may, Rack | Known | Everybody)),
        (Some(&enlister), matches!(may, Agent | Enlister | Known | Everybody)),
        (Some(&commissioner), matches!(may, Agent | Commissioner | Known | Everybody)),
    ];
    for (caller, allowed) in callers {
        let got = outcome(&run(region, caller, &text).await);
        let want = match (allowed, caller) {
            (true, _) => "allowed",
            (false, None) => "UNAUTHENTICATED",
            (false, Some(_)) => "FORBIDDEN",
        };
        assert_eq!(got, want, "{text} as {caller:?}");
    }
}

/// An agent that takes stock of the one machine, which begins anew if it has ended.
async fn commissioner(region: &Region) -> Actor {
    const COMMISSION: &str = "mutation { machineCommission(id: \"node-1\") {
        machine { id } userErrors { code } } }";
    if region.state(MACHINE).await != "COMMISSIONING" {
        region.done(&region.admin, COMMISSION, json!({})).await;
    }
    let id = region.of_machine(MACHINE, "id").await["id"].take();
    region.agent(id.as_str()).await.0
}

#[tokio::test]
async fn a_stranger_asks_one_field_at_a_time() {
    let region = Region::new().await;
    let rows = [
        // Document, whether a stranger gets an answer.
        ("{ __typename }", true),
        ("{ ... on Query { __typename } }", true),
        ("{ a: __typename b: __typename }", false),
        ("{ ...F } fragment F on Query { a: __typename b: __typename }", false),
        ("{ ... { ... { a: __typename b: __typename } } }", false),
    ];
    for (text, allowed) in rows {
        let want = if allowed { "allowed" } else { "UNAUTHENTICATED" };
        assert_eq!(outcome(&run(&region, None, text).await), want, "{text}");
        assert_eq!(outcome(&run(&region, Some(&region.admin), text).await), "allowed", "{text}");
    }
}

async fn run(region: &Region, caller: Option<&Actor>, text: &str) -> Response {
    let request = Request::new(text).data(Caller(caller.cloned()));
    region.schema.execute_stream(request).next().await.expect("an answer")
}

/// What became of a call: a code of access, or that it was let through. Our own faults fail.
fn outcome(answer: &Response) -> &'static str {
    let Some(error) = answer.errors.first() else { return "allowed" };
    let code = error.extensions.as_ref().and_then(|it| it.get("code"));
    match code.map(ToString::to_string).unwrap_or_default().trim_matches('"') {
        "UNAUTHENTICATED" => "UNAUTHENTICATED",
        "FORBIDDEN" => "FORBIDDEN",
        "" | "INTERNAL" => panic!("{error:?}"),
        _ => "allowed", // Refused for what was asked, not for who asks.
    }
}

type Types = BTreeMap<String, Value>;

async fn types(region: &Region) -> Types {
    const TYPE: &str = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
    let query = format!(
        "{{ __schema {{ types {{ name kind
            fields {{ name type {{ {TYPE} }} args {{ name type {{ {TYPE} }} }} }}
            inputFields {{ name type {{ {TYPE} }} }}
            enumValues {{ name }} }} }} }}"
    );
    let mut data = region.ask(&region.admin, &query, json!({})).await;
    let types = data["__schema"]["types"].take();
    let named = |it: &Value| (it["name"].as_str().unwrap_or_default().to_owned(), it.clone());
    types.as_array().expect("types").iter().map(named).collect()
}

/// The smallest document that uses a field, with made-up values for what must be given.
fn document(types: &Types, operation: &str, field: &Value) -> String {
    let mut arguments = required(types, &field["args"]);
    let resumable = field["args"].as_array().into_iter().flatten().any(|it| it["name"] == "after");
    if operation == "subscription" && resumable {
        arguments.push("after: 0".to_owned()); // From the start: then there is a first item.
    }
    let name = field["name"].as_str().expect("a name");
    let arguments = match arguments.as_slice() {
        [] => String::new(),
        some => format!("({})", some.join(", ")),
    };
    let mut kind = &field["type"];
    while !kind["ofType"].is_null() {
        kind = &kind["ofType"];
    }
    let selection = match kind["kind"].as_str() {
        Some("SCALAR" | "ENUM") => "",
        _ => " { __typename }",
    };
    format!("{operation} {{ {name}{arguments}{selection} }}")
}

fn required(types: &Types, inputs: &Value) -> Vec<String> {
    let given = inputs.as_array().into_iter().flatten().filter_map(|input| {
        let value = value(types, &input["type"])?;
        Some(format!("{}: {value}", input["name"].as_str().expect("a name")))
    });
    given.collect()
}

/// A value of a type that must not be null; `None` where nothing need be given.
fn value(types: &Types, kind: &Value) -> Option<String> {
    if kind["kind"] != "NON_NULL" {
        return None;
    }
    let kind = &kind["ofType"];
    let name = kind["name"].as_str().unwrap_or_default();
    Some(match kind["kind"].as_str().expect("a kind") {
        "LIST" => "[]".to_owned(),
        "INPUT_OBJECT" => {
            format!("{{ {} }}", required(types, &types[name]["inputFields"]).join(", "))
        }
        "ENUM" => types[name]["enumValues"][0]["name"].as_str().expect("a name").to_owned(),
        _ => match name {
            "Boolean" => "false".to_owned(),
            "Int" | "Long" => "0".to_owned(),
            _ => "\"x\"".to_owned(),
        },
    })
}

//! What operators say about DHCP: it arrives at racks as it was said, or is refused by name.

use ironherd_link::{RACK_SNAPSHOT, decode_snapshot};
use ironherd_snapshot::{
    ClassField, ClassMatch, DhcpMode, DhcpOption, Mac, MatchOperator, PrefixPool, Range6,
    RelayPort, ReservationKey, ReservationKey6, RouterAdvertisement, ScopeOptions, Snapshot,
};
use serde_json::{Value, json};

use crate::harness::{Region, plain, text};

/// The mutations whose payload has one object, by the field that holds it.
async fn create(region: &Region, mutation: &str, field: &str, input: Value) -> Value {
    let kind = mutation[..1].to_uppercase() + &mutation[1..];
    let shape = match field {
        "subnet" if mutation.contains('6') => "id reservations { id }",
        "subnet" => "id ranges { id } reservations { id }",
        _ => "id",
    };
    let document = format!(
        "mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{
            {field} {{ {shape} }} userErrors {{ code message field }} }} }}"
    );
    region.done(&region.admin, &document, json!({ "input": input })).await[field].take()
}

async fn set_option(region: &Region, scope: &str, id: Option<&Value>, rest: Value) {
    const SET: &str = "mutation($input: DhcpOptionSetInput!) { dhcpOptionSet(input: $input) {
        options { code value force } userErrors { code message field } } }";
    let mut input = rest;
    input["scope"] = json!(scope);
    input["scopeId"] = json!(id);
    region.done(&region.admin, SET, json!({ "input": input })).await;
}

fn v4(option: &str, value: &str) -> Value {
    json!({ "family": "V4", "option": option, "value": value })
}

fn v6(option: &str, value: &str) -> Value {
    json!({ "family": "V6", "option": option, "value": value })
}

/// The snapshot of a rack, once it fits.
async fn snapshot(region: &Region, fits: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut changes = region.app.snapshot_changes();
    loop {
        changes.mark_unchanged();
        let data = region.ask(&region.rack, RACK_SNAPSHOT, json!({})).await;
        let snapshot = decode_snapshot(data).expect("racks read it");
        if fits(&snapshot) {
            return snapshot;
        }
        changes.changed().await.expect("the app lives");
    }
}

fn one(code: u16, data: &[u8], force: bool) -> Vec<DhcpOption> {
    vec![DhcpOption { code, data: data.to_vec(), force }]
}

fn four(code: u16, data: &[u8]) -> ScopeOptions {
    ScopeOptions { v4: one(code, data, false), v6: Vec::new() }
}

#[tokio::test]
async fn a_fresh_region_has_the_default_vlan() {
    for region in Region::on_each_engine().await {
        let it = snapshot(&region, |it| !it.vlans.is_empty()).await;
        assert_eq!((it.fabrics.len(), it.vlans.len()), (1, 1));
        assert_eq!((it.vlans[0].vid, it.vlans[0].mode), (0, DhcpMode::Full));
        assert_eq!(it.vlans[0].fabric, it.fabrics[0].id);
        assert!(it.settings.conflict_probes && it.settings.options == ScopeOptions::NONE);
    }
}

#[tokio::test]
async fn everything_that_is_set_arrives_equal_at_the_rack() {
    for region in Region::on_each_engine().await {
        let region = &region;
        let fabric = create(region, "fabricCreate", "fabric", json!({ "name": "hall" })).await;
        let input = json!({ "fabricId": fabric["id"], "vid": 20, "name": "boot", "mode": "AUTO" });
        let vlan = create(region, "vlanCreate", "vlan", input).await;
        let class = class(region).await;
        let subnet = subnet(region, &vlan, &class).await;
        let subnet6 = subnet6(region, &vlan).await;
        let machine = machine(region).await;
        let settings = "mutation { settingsUpdate(input: { conflictProbes: false }) {
            userErrors { code } } }";
        region.done(&region.admin, settings, json!({})).await;
        set_option(region, "GLOBAL", None, v4("captive-portal", "https://x")).await;
        set_option(region, "FABRIC", Some(&fabric["id"]), v4("4", "10.20.0.4")).await;
        set_option(region, "VLAN", Some(&vlan["id"]), v6("sntp-servers", "fd00::1")).await;
        set_option(region, "SUBNET", Some(&subnet["id"]), v4("domain-search", "a.b")).await;
        set_option(region, "SUBNET", Some(&subnet6["id"]), v6("59", "tftp://x/y")).await;
        set_option(region, "CLASS", Some(&class["id"]), v4("root-path", "/srv")).await;
        let suppress = json!({ "family": "V4", "option": "114", "suppress": true, "force": true });
        set_option(region, "RANGE", Some(&subnet["ranges"][0]["id"]), suppress).await;
        let reserved = Some(&subnet["reservations"][0]["id"]);
        set_option(region, "HOST", reserved, v4("224", "0x0a0b")).await;
        let reserved = Some(&subnet6["reservations"][0]["id"]);
        set_option(region, "HOST", reserved, v6("preference", "7")).await;
        set_option(region, "HOST", Some(&json!(machine)), v4("interface-mtu", "9000")).await;

        let got = snapshot(region, |it| {
            it.machines.first().is_some_and(|it| it.options != ScopeOptions::NONE)
        })
        .await;
        check_scopes(&got, &fabric, &vlan);
        check_subnet(&got, &vlan, &class);
        check_subnet6(&got, &vlan);
        assert_eq!(got.machines[0].boot_file.as_deref(), Some("http://10.20.0.2/own.efi"));
        assert_eq!(got.machines[0].options, four(26, &[0x23, 0x28]));
    }
}

async fn class(region: &Region) -> Value {
    let conditions = json!([
        { "field": "MAC", "operator": "STARTS_WITH", "value": "52:54:00" },
        { "field": "ARCHITECTURE", "operator": "EQUALS", "value": "7", "negate": true },
        { "field": "OPTION", "option": 43, "subOption": 6, "operator": "PRESENT" },
    ]);
    let input = json!({ "name": "lab", "conditions": conditions, "bootFile": "lab.efi" });
    create(region, "clientClassCreate", "clientClass", input).await
}

async fn subnet(region: &Region, vlan: &Value, class: &Value) -> Value {
    let input = json!({ "cidr": "10.20.0.0/24", "vlanId": vlan["id"], "gateway": "10.20.0.1" });
    let subnet = create(region, "subnetCreate", "subnet", input).await;
    let id = &subnet["id"];
    let range = json!({ "subnetId": id, "first": "10.20.0.100", "last": "10.20.0.109",
        "classId": class["id"] });
    create(region, "rangeCreate", "subnet", range).await;
    let clients = [
        json!({ "macAddress": "52:54:00:00:00:07", "hostname": "seven" }),
        json!({ "clientId": "01:02:03" }),
        json!({ "uuid": "0198c2a8-7b1e-7c55-9c1d-3a6f1f0e2b4d" }),
        json!({ "circuitId": "ge-0/0/3", "remoteId": "0x0a0b", "address": "10.20.0.50" }),
        json!({ "circuitId": "ge-0/0/4" }),
    ];
    let mut subnet = subnet.clone();
    for mut input in clients {
        input["subnetId"] = subnet["id"].clone();
        subnet = create(region, "reservationCreate", "subnet", input).await;
    }
    subnet
}

async fn subnet6(region: &Region, vlan: &Value) -> Value {
    let input = json!({ "cidr": "2001:db8::/64", "vlanId": vlan["id"],
        "dnsServers": ["2001:db8::53"], "domainSearch": ["lab.example"],
        "preferredSeconds": 300, "validSeconds": 600,
        "ranges": [{ "first": "2001:db8::100", "last": "2001:db8::1ff" }],
        "prefixPools": [{ "prefix": "2001:db8:100::/40", "delegatedLength": 56 }],
        "routerAdvertisement": { "routerLifetimeSeconds": 1800, "autonomous": true } });
    let mut subnet = create(region, "subnet6Create", "subnet", input).await;
    let clients = [
        json!({ "macAddress": "52:54:00:00:00:07", "address": "2001:db8::7", "hostname": "seven" }),
        json!({ "duid": "00:03:00:01:52:54", "prefix": "2001:db8:200::/56" }),
    ];
    for mut input in clients {
        input["subnetId"] = subnet["id"].clone();
        subnet = create(region, "reservation6Create", "subnet", input).await;
    }
    subnet
}

async fn machine(region: &Region) -> String {
    const UPDATE: &str = "mutation($id: ID!, $input: MachineUpdateInput!) {
        machineUpdate(id: $id, input: $input) { machine { bootFile } userErrors { code } } }";
    let machine = region.machine("node-1", "52:54:00:00:00:01").await;
    let input = json!({ "id": machine, "input": { "bootFile": "http://10.20.0.2/own.efi" } });
    region.done(&region.admin, UPDATE, input).await;
    machine
}

#[track_caller]
fn check_scopes(got: &Snapshot, fabric: &Value, vlan: &Value) {
    assert!(!got.settings.conflict_probes);
    assert_eq!(got.settings.options, four(114, b"https://x"));
    let id = plain(&text(&fabric["id"]));
    let it = got.fabrics.iter().find(|it| it.id == id).expect("the fabric");
    assert_eq!((it.name.as_str(), &it.options), ("hall", &four(4, &[10, 20, 0, 4])));
    let untagged = got.vlans.iter().find(|it| it.fabric == id && it.vid == 0);
    assert!(untagged.is_some(), "a fabric has its untagged VLAN");
    let id = plain(&text(&vlan["id"]));
    let it = got.vlans.iter().find(|it| it.id == id).expect("the VLAN");
    assert_eq!((it.vid, it.name.as_str(), it.mode), (20, "boot", DhcpMode::Auto));
    let address = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(it.options.v6, one(31, &address, false));
}

#[track_caller]
fn check_subnet(got: &Snapshot, vlan: &Value, class: &Value) {
    let it = &got.subnets[0];
    assert_eq!(it.vlan, plain(&text(&vlan["id"])));
    assert_eq!(it.options, four(119, b"\x01a\x01b\x00"));
    let range = &it.ranges[0];
    assert_eq!(range.class, Some(plain(&text(&class["id"]))));
    assert_eq!(range.options.v4, one(114, &[], true), "suppressed");
    let keys: Vec<_> = it.reservations.iter().map(|it| it.key.clone()).collect();
    let kept = |key: &ReservationKey| keys.iter().position(|it| it == key);
    let port = |circuit: &[u8], remote: &[u8]| RelayPort {
        circuit_id: circuit.to_vec(),
        remote_id: remote.to_vec(),
    };
    let uuid = 0x0198_c2a8_7b1e_7c55_9c1d_3a6f_1f0e_2b4d_u128.to_be_bytes();
    let want = [
        ReservationKey::Mac(Mac([0x52, 0x54, 0, 0, 0, 7])),
        ReservationKey::ClientId(vec![1, 2, 3]),
        ReservationKey::Uuid(uuid),
        ReservationKey::RelayPort(port(b"ge-0/0/3", &[10, 11])),
        ReservationKey::RelayPort(port(b"ge-0/0/4", &[])),
    ];
    let places: Vec<usize> = want.iter().map(|it| kept(it).expect("a reservation")).collect();
    let reservation = |row: usize| &it.reservations[places[row]];
    assert_eq!(reservation(0).hostname.as_deref(), Some("seven"));
    assert_eq!(reservation(0).options, four(224, &[10, 11]));
    assert_eq!(reservation(3).address.to_string(), "10.20.0.50");
    let it = &got.classes[0];
    assert_eq!((it.name.as_str(), it.boot_file.as_deref()), ("lab", Some("lab.efi")));
    assert_eq!(it.options, four(17, b"/srv"));
    let condition = |field, operator, value: &[u8], negate| ClassMatch {
        field,
        operator,
        value: value.to_vec(),
        negate,
    };
    let (arch, sub) =
        (ClassField::Option { code: 93, sub: None }, ClassField::Option { code: 43, sub: Some(6) });
    let want = [
        condition(ClassField::Mac, MatchOperator::StartsWith, &[0x52, 0x54, 0], false),
        condition(arch, MatchOperator::Equals, &[0, 7], true),
        condition(sub, MatchOperator::Present, &[], false),
    ];
    assert_eq!(it.matches, want);
}

#[track_caller]
fn check_subnet6(got: &Snapshot, vlan: &Value) {
    let it = &got.subnets6[0];
    assert_eq!(it.vlan, plain(&text(&vlan["id"])));
    assert_eq!(it.cidr.to_string(), "2001:db8::/64");
    assert_eq!(it.dns_servers, ["2001:db8::53".parse::<std::net::Ipv6Addr>().expect("one")]);
    assert_eq!(it.domain_search, ["lab.example"]);
    assert_eq!((it.preferred_seconds, it.valid_seconds), (300, 600));
    let (first, last) = ("2001:db8::100".parse(), "2001:db8::1ff".parse());
    let range = Range6 { first: first.expect("one"), last: last.expect("one") };
    assert_eq!(it.ranges, [range]);
    let prefix = "2001:db8:100::/40".parse().expect("a prefix");
    assert_eq!(it.prefix_pools, [PrefixPool { prefix, delegated_len: 56 }]);
    let told =
        RouterAdvertisement { enabled: true, router_lifetime_seconds: 1800, autonomous: true };
    assert_eq!(it.router_advertisement, told);
    assert_eq!(it.options.v6, one(59, b"tftp://x/y", false));
    assert_eq!(it.reservations[0].key, ReservationKey6::Mac(Mac([0x52, 0x54, 0, 0, 0, 7])));
    assert_eq!(it.reservations[0].options.v6, one(7, &[7], false));
    assert_eq!(it.reservations[0].address, "2001:db8::7".parse().ok());
    assert_eq!(it.reservations[1].key, ReservationKey6::Duid(vec![0, 3, 0, 1, 0x52, 0x54]));
    assert_eq!(it.reservations[1].prefix, "2001:db8:200::/56".parse().ok());
}

/// Options and reservations go with what they belong to, and leave nothing behind.
#[tokio::test]
async fn what_is_deleted_takes_its_options_along() {
    for region in Region::on_each_engine().await {
        let region = &region;
        let input = json!({ "cidr": "10.20.0.0/24" });
        let subnet = create(region, "subnetCreate", "subnet", input.clone()).await;
        let input = json!({ "subnetId": subnet["id"], "macAddress": "52:54:00:00:00:07" });
        let it = create(region, "reservationCreate", "subnet", input).await;
        let (id, reservation) = (text(&it["id"]), text(&it["reservations"][0]["id"]));
        for (scope, on) in [("SUBNET", &id), ("HOST", &reservation)] {
            set_option(region, scope, Some(&json!(on)), v4("root-path", "/x")).await;
        }
        const DELETE: &str = "mutation($id: ID!) { subnetDelete(id: $id) { userErrors { code } } }";
        region.done(&region.admin, DELETE, json!({ "id": id })).await;
        let scopes = [plain(&id), plain(&reservation)];
        let left = region.app.dhcp_options(&region.admin, &scopes).await.expect("a look");
        assert!(left.is_empty(), "{left:?}");
    }
}

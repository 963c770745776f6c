//! Each refusal of the DHCP nouns, with the field at fault.

use serde_json::{Value, json};

use crate::harness::{Region, text};

/// One mutation of one input, as its answer's first code and field.
async fn refusal(region: &Region, mutation: &str, input: &Value) -> (String, Value) {
    let kind = mutation[..1].to_uppercase() + &mutation[1..];
    let document = format!(
        "mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{
            userErrors {{ code field message }} }} }}"
    );
    region.refused(&document, json!({ "input": input })).await
}

async fn made(region: &Region, mutation: &str, field: &str, input: Value) -> String {
    let kind = mutation[..1].to_uppercase() + &mutation[1..];
    let document = format!(
        "mutation($input: {kind}Input!) {{ {mutation}(input: $input) {{
            {field} {{ id }} userErrors {{ code message }} }} }}"
    );
    let payload = region.done(&region.admin, &document, json!({ "input": input })).await;
    text(&payload[field]["id"])
}

async fn delete(region: &Region, mutation: &str, id: &str) -> String {
    let document = format!(
        "mutation($id: ID!) {{ {mutation}(id: $id) {{ userErrors {{ code field message }} }} }}"
    );
    region.refused(&document, json!({ "id": id })).await.0
}

#[tokio::test]
async fn options_are_refused_by_name() {
    let region = Region::new().await;
    let subnet = made(&region, "subnetCreate", "subnet", json!({ "cidr": "10.20.0.0/24" })).await;
    let set = |scope: &str, id: Value, family: &str, option: &str, value: Value| {
        json!({ "scope": scope, "scopeId": id, "family": family, "option": option,
            "value": value })
    };
    let rows = [
        (set("GLOBAL", json!(null), "V4", "nosuch", json!("1")), "OPTION_UNKNOWN", "option"),
        (set("GLOBAL", json!(null), "V4", "53", json!("1")), "OPTION_REFUSED", "option"),
        (set("GLOBAL", json!(null), "V4", "255", json!("0x01")), "OPTION_REFUSED", "option"),
        (set("GLOBAL", json!(null), "V6", "2", json!("0x01")), "OPTION_REFUSED", "option"),
        (set("GLOBAL", json!(null), "V4", "routers", json!("x")), "VALUE_INVALID", "value"),
        (set("GLOBAL", json!(null), "V4", "routers", json!(null)), "VALUE_INVALID", "value"),
        (set("GLOBAL", json!(subnet), "V4", "4", json!("10.0.0.1")), "SCOPE_MISMATCH", "scopeId"),
        (set("VLAN", json!(subnet), "V4", "4", json!("10.0.0.1")), "SCOPE_MISMATCH", "scopeId"),
        (set("SUBNET", json!(null), "V4", "4", json!("10.0.0.1")), "SCOPE_MISMATCH", "scopeId"),
        (set("SUBNET", json!("x"), "V4", "4", json!("10.0.0.1")), "SCOPE_NOT_FOUND", "scopeId"),
        (set("SUBNET", json!(subnet), "V6", "23", json!("fd00::1")), "FAMILY_MISMATCH", "family"),
    ];
    for (input, code, field) in rows {
        let got = refusal(&region, "dhcpOptionSet", &input).await;
        assert_eq!(got, (code.to_owned(), json!(["input", field])), "{input}");
    }
    let mut both = set("GLOBAL", json!(null), "V4", "routers", json!("10.0.0.1"));
    both["suppress"] = json!(true);
    assert_eq!(refusal(&region, "dhcpOptionSet", &both).await.0, "VALUE_INVALID");
    let unset = json!({ "scope": "GLOBAL", "family": "V4", "option": "routers" });
    assert_eq!(refusal(&region, "dhcpOptionUnset", &unset).await.0, "OPTION_NOT_SET");
}

#[tokio::test]
async fn fabrics_and_vlans_are_refused_by_name() {
    for region in Region::on_each_engine().await {
        let region = &region;
        let fabric = made(region, "fabricCreate", "fabric", json!({ "name": "hall" })).await;
        let input = json!({ "vid": 5, "fabricId": fabric });
        let vlan = made(region, "vlanCreate", "vlan", input).await;
        let rows = [
            ("fabricCreate", json!({ "name": "hall" }), "NAME_TAKEN"),
            ("fabricCreate", json!({ "name": " " }), "NAME_INVALID"),
            ("vlanCreate", json!({ "vid": 4095 }), "VID_INVALID"),
            ("vlanCreate", json!({ "vid": -1 }), "VID_INVALID"),
            ("vlanCreate", json!({ "vid": 0 }), "VID_TAKEN"),
            ("vlanCreate", json!({ "vid": 5, "fabricId": fabric }), "VID_TAKEN"),
            ("vlanCreate", json!({ "vid": 5, "fabricId": vlan }), "FABRIC_NOT_FOUND"),
            ("vlanCreate", json!({ "vid": 6, "name": "" }), "NAME_INVALID"),
            ("subnetCreate", json!({ "cidr": "10.0.0.0/24", "vlanId": fabric }), "VLAN_NOT_FOUND"),
        ];
        for (mutation, input, want) in rows {
            assert_eq!(refusal(region, mutation, &input).await.0, want, "{mutation} {input}");
        }
        let input = json!({ "cidr": "2001:db8::/64", "vlanId": vlan });
        let subnet = made(region, "subnet6Create", "subnet", input).await;
        const ALL: &str = "{ vlans { nodes { id vid fabric { id name } } } }";
        let all = region.ask(&region.admin, ALL, json!({})).await;
        let nodes = all["vlans"]["nodes"].as_array().expect("nodes");
        let default = nodes.iter().find(|it| it["fabric"]["name"] == "default").expect("one");
        let rows = [
            ("fabricDelete", text(&default["fabric"]["id"]), "FABRIC_IS_DEFAULT"),
            ("vlanDelete", text(&default["id"]), "VLAN_IS_DEFAULT"),
            ("vlanDelete", vlan.clone(), "VLAN_IN_USE"),
            ("fabricDelete", fabric.clone(), "FABRIC_IN_USE"),
            ("fabricDelete", vlan.clone(), "NOT_FOUND"),
        ];
        for (mutation, id, want) in rows {
            assert_eq!(delete(region, mutation, &id).await, want, "{mutation}");
        }
        let gone = "mutation($id: ID!) { subnet6Delete(id: $id) { userErrors { code } } }";
        region.done(&region.admin, gone, json!({ "id": subnet })).await;
        let gone = "mutation($id: ID!) { fabricDelete(id: $id) { userErrors { code } } }";
        region.done(&region.admin, gone, json!({ "id": fabric })).await;
    }
}

#[tokio::test]
async fn classes_ranges_and_reservations_are_refused_by_name() {
    for region in Region::on_each_engine().await {
        let region = &region;
        let input = json!({ "name": "lab", "conditions": [] });
        let class = made(region, "clientClassCreate", "clientClass", input).await;
        let input = json!({ "cidr": "10.20.0.0/24" });
        let subnet = made(region, "subnetCreate", "subnet", input).await;
        let range = json!({ "subnetId": subnet, "first": "10.20.0.10", "last": "10.20.0.19",
            "classId": class });
        made(region, "rangeCreate", "subnet", range).await;
        let reserve = json!({ "subnetId": subnet, "clientId": "01:02" });
        made(region, "reservationCreate", "subnet", reserve.clone()).await;
        let bad = json!([{ "field": "ARCHITECTURE", "operator": "EQUALS", "value": "x" }]);
        let no_option = json!([{ "field": "OPTION", "operator": "PRESENT" }]);
        let rows = [
            ("clientClassCreate", json!({ "name": "lab", "conditions": [] }), "NAME_TAKEN"),
            ("clientClassCreate", json!({ "name": "", "conditions": [] }), "NAME_INVALID"),
            ("clientClassCreate", json!({ "name": "x", "conditions": bad }), "CONDITION_INVALID"),
            (
                "clientClassCreate",
                json!({ "name": "x", "conditions": no_option }),
                "CONDITION_INVALID",
            ),
            (
                "clientClassCreate",
                json!({ "name": "x", "conditions": [], "bootFile": "a b" }),
                "BOOT_FILE_INVALID",
            ),
            (
                "rangeCreate",
                json!({ "subnetId": subnet, "first": "10.20.0.30", "last": "10.20.0.39",
                    "classId": subnet }),
                "CLASS_NOT_FOUND",
            ),
            ("reservationCreate", reserve, "CLIENT_TAKEN"),
            ("reservationCreate", json!({ "subnetId": subnet }), "CLIENT_INVALID"),
        ];
        for (mutation, input, want) in rows {
            assert_eq!(refusal(region, mutation, &input).await.0, want, "{mutation} {input}");
        }
        assert_eq!(delete(region, "clientClassDelete", &class).await, "CLASS_IN_USE");
        const ORDER: &str = "mutation($ids: [ID!]!) { clientClassReorder(ids: $ids) {
            clientClasses { name } userErrors { code field message } } }";
        let refused = region.refused(ORDER, json!({ "ids": [class, class] })).await;
        assert_eq!(refused.0, "ORDER_INVALID");
        let input = json!({ "name": "second", "conditions": [] });
        let second = made(region, "clientClassCreate", "clientClass", input).await;
        let done = region.done(&region.admin, ORDER, json!({ "ids": [second, class] })).await;
        assert_eq!(done["clientClasses"], json!([{ "name": "second" }, { "name": "lab" }]));
    }
}

#[tokio::test]
async fn ipv6_is_refused_by_name() {
    for region in Region::on_each_engine().await {
        let region = &region;
        let base = |more: Value| {
            let mut input = json!({ "cidr": "2001:db8:1::/64" });
            input.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap());
            input
        };
        let range = |first: &str, last: &str| json!([{ "first": first, "last": last }]);
        let pool = |prefix: &str, len: i32| json!([{ "prefix": prefix, "delegatedLength": len }]);
        let first = json!({ "cidr": "2001:db8::/64", "name": "one",
            "ranges": range("2001:db8::100", "2001:db8::1ff"),
            "prefixPools": pool("2001:db8:100::/40", 56) });
        let subnet = made(region, "subnet6Create", "subnet", first).await;
        let rows = [
            (json!({ "cidr": "10.0.0.0/24" }), "CIDR_INVALID"),
            (json!({ "cidr": "2001:db8::/60" }), "SUBNET_OVERLAP"),
            (base(json!({ "name": "one" })), "NAME_TAKEN"),
            (base(json!({ "name": "" })), "NAME_INVALID"),
            (base(json!({ "dnsServers": ["1.1.1.1"] })), "ADDRESS_INVALID"),
            (base(json!({ "domainSearch": ["a..b"] })), "DOMAIN_INVALID"),
            (base(json!({ "validSeconds": 1 })), "LIFETIME_INVALID"),
            (base(json!({ "validSeconds": 600 })), "LIFETIME_INVALID"),
            (base(json!({ "ranges": range("2001:db8:1::2", "2001:db8:1::1") })), "RANGE_BACKWARDS"),
            (
                base(json!({ "ranges": range("2001:db8:1::1", "2001:db8:2::1") })),
                "RANGE_OUTSIDE_SUBNET",
            ),
            (base(json!({ "prefixPools": pool("2001:db8:300::/40", 65) })), "POOL_INVALID"),
            (base(json!({ "prefixPools": pool("x", 56) })), "PREFIX_INVALID"),
            (base(json!({ "prefixPools": pool("2001:db8:100::/48", 56) })), "POOL_OVERLAP"),
            (
                json!({ "cidr": "2001:db8:1::/80", "routerAdvertisement": { "autonomous": true } }),
                "ADVERTISEMENT_INVALID",
            ),
            (
                base(json!({ "routerAdvertisement": { "routerLifetimeSeconds": 9001 } })),
                "ADVERTISEMENT_INVALID",
            ),
        ];
        for (input, want) in rows {
            assert_eq!(refusal(region, "subnet6Create", &input).await.0, want, "{input}");
        }
        let card = "52:54:00:00:00:07";
        let rows = [
            (json!({ "macAddress": card }), "NOTHING_RESERVED"),
            (json!({ "address": "2001:db8::7" }), "CLIENT_INVALID"),
            (json!({ "macAddress": "x", "address": "2001:db8::7" }), "MAC_INVALID"),
            (json!({ "macAddress": card, "address": "2001:db8::101" }), "ADDRESS_IN_RANGE"),
            (json!({ "macAddress": card, "address": "2001:db9::1" }), "ADDRESS_OUTSIDE_SUBNET"),
            (json!({ "macAddress": card, "prefix": "2001:db8:100::/56" }), "PREFIX_IN_POOL"),
            (json!({ "macAddress": card, "prefix": "2001:db8::/56" }), "PREFIX_TAKEN"),
        ];
        for (mut input, want) in rows {
            input["subnetId"] = json!(subnet);
            assert_eq!(refusal(region, "reservation6Create", &input).await.0, want, "{input}");
        }
    }
}

//! Whose word holds for an option.

use ironherd_snapshot::{ClientClass, DhcpOption, Fabric, Intent, Snapshot, Vlan};
use ironherd_wire::dhcp::MessageType::{Discover, Inform};
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{Lab, MAC, Said, address, option, reservation, snapshot, value};

/// A site option that nobody else uses.
const SITE: u8 = 224;

/// Puts an option into the scope of this name.
fn put(snapshot: &mut Snapshot, scope: &str, it: DhcpOption) {
    let subnet = &mut snapshot.subnets[0];
    let options = match scope {
        "reservation" => &mut subnet.reservations[0].options,
        "machine" => &mut snapshot.machines[0].options,
        "class" => &mut snapshot.classes[0].options,
        "second class" => &mut snapshot.classes[1].options,
        "range" => &mut subnet.ranges[0].options,
        "subnet" => &mut subnet.options,
        "vlan" => &mut snapshot.vlans[0].options,
        "fabric" => &mut snapshot.fabrics[0].options,
        "global" => &mut snapshot.settings.options,
        other => panic!("no scope `{other}`"),
    };
    options.v4.push(it);
}

/// All scopes hold for the lab's machine, whose reserved address lies in the range.
fn all_scopes() -> Snapshot {
    let mut snapshot = snapshot(Some(Intent::Local), false);
    snapshot.fabrics = vec![Fabric { id: "f".to_owned(), ..Fabric::default() }];
    snapshot.vlans = vec![Vlan { id: "v".to_owned(), fabric: "f".to_owned(), ..Vlan::default() }];
    snapshot.classes = vec![ClientClass::default(), ClientClass::default()];
    snapshot.subnets[0].vlan = "v".to_owned();
    snapshot.subnets[0].reservations = vec![reservation(MAC, 150).into()];
    snapshot
}

#[track_caller]
fn offered(snapshot: Snapshot, said: &Said, code: u8) -> Option<Vec<u8>> {
    let (_, offer) = Lab::new(snapshot).ask(&said.bytes());
    value(&Message::parse(&offer).unwrap(), code)
}

#[test]
fn the_narrower_scope_wins_code_by_code() {
    let order = [
        "reservation",
        "machine",
        "class",
        "second class",
        "range",
        "subnet",
        "vlan",
        "fabric",
        "global",
    ];
    let discover = Said::new(Discover, MAC);
    for (at, wanted) in order.iter().enumerate() {
        let mut snapshot = all_scopes();
        for scope in &order[at..] {
            put(&mut snapshot, scope, option(SITE, scope.as_bytes()));
            put(&mut snapshot, "global", option(SITE + 1, b"another code"));
        }
        let got = offered(snapshot.clone(), &discover, SITE);
        assert_eq!(got.as_deref(), Some(wanted.as_bytes()));
        assert!(offered(snapshot.clone(), &discover, SITE + 1).is_some());
        // Nothing at all where this scope says so, whatever the wider ones hold.
        let mut silent = all_scopes();
        put(&mut silent, wanted, option(SITE, b""));
        for scope in &order[at + 1..] {
            put(&mut silent, scope, option(SITE, scope.as_bytes()));
        }
        assert_eq!(offered(silent, &discover, SITE), None, "{wanted}");
    }
}

#[test]
fn what_is_not_asked_for_goes_out_by_force_alone() {
    let lists: [(Option<&[u8]>, bool); 3] =
        [(None, true), (Some(&[1, SITE]), true), (Some(&[1, 3]), false)];
    for (list, asked) in lists {
        for force in [false, true] {
            for scope in ["reservation", "subnet", "global"] {
                let mut snapshot = all_scopes();
                let it = DhcpOption { force, ..option(SITE, b"x") };
                put(&mut snapshot, scope, it);
                let said = Said::new(Discover, MAC);
                let said = match list {
                    Some(list) => said.with(code::PARAMETERS, list),
                    None => said,
                };
                let got = offered(snapshot, &said, SITE).is_some();
                assert_eq!(got, asked || force, "{scope}, {list:?}, force: {force}");
            }
        }
    }
}

/// The subnet's own fields count as its options.
#[test]
fn the_fields_of_a_subnet_stand_between_its_options_and_its_vlans() {
    let fields = [
        code::SUBNET_MASK,
        code::ROUTER,
        code::DNS_SERVER,
        code::NTP_SERVER,
        code::BROADCAST,
        code::MTU,
        code::DOMAIN,
    ];
    let discover = Said::new(Discover, MAC);
    for field in fields {
        let own = offered(all_scopes(), &discover, field);
        assert!(own.is_some(), "option {field}");
        for (scope, wins) in [("reservation", true), ("subnet", true), ("vlan", false)] {
            let mut snapshot = all_scopes();
            put(&mut snapshot, scope, option(field, &[9, 8, 7, 6]));
            let want = if wins { Some(vec![9, 8, 7, 6]) } else { own.clone() };
            assert_eq!(offered(snapshot, &discover, field), want, "{scope}, option {field}");
        }
    }
    let mut without = all_scopes();
    without.subnets[0].gateway = None;
    put(&mut without, "vlan", option(code::ROUTER, &[10, 77, 0, 7]));
    assert_eq!(offered(without, &discover, code::ROUTER), Some(vec![10, 77, 0, 7]));
}

#[test]
fn a_hosts_name_yields_to_an_option_of_the_host_alone() {
    let rows = [("reservation", "other"), ("machine", "other"), ("class", "node-one")];
    for (scope, want) in rows {
        let mut snapshot = all_scopes();
        put(&mut snapshot, scope, option(code::HOSTNAME, b"other"));
        let got = offered(snapshot, &Said::new(Discover, MAC), code::HOSTNAME);
        assert_eq!(got.as_deref(), Some(want.as_bytes()), "{scope}");
    }
}

/// What makes the protocol work is not for scopes to say.
#[test]
fn no_scope_speaks_for_the_server() {
    let said = Said::new(Discover, MAC).with(code::CLIENT_ID, b"client");
    let (_, plain) = Lab::new(all_scopes()).ask(&said.bytes());
    for guarded in [0, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 80, 81, 82, 93, 97, 118, 255] {
        let mut snapshot = all_scopes();
        for scope in ["reservation", "subnet", "global"] {
            put(&mut snapshot, scope, DhcpOption { force: true, ..option(guarded, b"bad") });
        }
        let far = DhcpOption { code: 256 + u16::from(SITE), ..option(0, b"far") };
        put(&mut snapshot, "subnet", far);
        let (_, offer) = Lab::new(snapshot).ask(&said.bytes());
        assert_eq!(offer, plain, "option {guarded}");
    }
}

#[test]
fn an_inform_is_told_what_holds_at_its_address() {
    let mut snapshot = all_scopes();
    snapshot.subnets[0].reservations.clear();
    put(&mut snapshot, "range", option(SITE, b"range"));
    put(&mut snapshot, "subnet", option(SITE, b"subnet"));
    for (last, want) in [(150, "range"), (250, "subnet")] {
        let said = Said::new(Inform, MAC).header(|it| it.ciaddr = address(last));
        let got = offered(snapshot.clone(), &said, SITE);
        assert_eq!(got.as_deref(), Some(want.as_bytes()), "{last}");
    }
}

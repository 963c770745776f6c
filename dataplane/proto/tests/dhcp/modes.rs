//! What the mode of a VLAN makes of a client: full service, proxyDHCP beside a foreign server, or
//! nothing at all.

use std::net::{Ipv4Addr, SocketAddrV4};

use ironherd_proto::dhcp::{Destination, ForeignServer, ServerPort};
use ironherd_proto::{BootStage, DropReason, Event};
use ironherd_snapshot::{DhcpMode, Intent, Snapshot, Vlan};
use ironherd_wire::dhcp::MessageType::{self, Ack, Discover, Inform, Offer, Release, Request};
use ironherd_wire::dhcp::{Message, code};

use crate::lab::{Lab, MAC, NOBODY, OURS, Said, address, mac, snapshot, value};

const FOREIGN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const UUID: [u8; 17] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

fn in_mode(mode: DhcpMode) -> Snapshot {
    let mut snapshot = snapshot(Some(Intent::Deploy), false);
    snapshot.vlans = vec![Vlan { id: "vlan".to_owned(), mode, ..Vlan::default() }];
    snapshot.subnets[0].vlan = "vlan".to_owned();
    snapshot
}

fn kind(got: Result<Vec<crate::lab::Sent>, DropReason>) -> Result<Option<MessageType>, DropReason> {
    got.map(|it| it.first().and_then(|it| Message::parse(&it.1).unwrap().message_type()))
}

#[test]
fn the_mode_decides_who_is_answered() {
    use DhcpMode::{Full, Off, Proxy};
    use DropReason::{DhcpNotBooting, DhcpOff, DhcpOtherServer, DhcpProxyOnly};
    let boots = |it: Said| it.booting("PXEClient", "", 7);
    let other = Said::new(Request, MAC).with(code::SERVER_ID, &FOREIGN.octets()).wish(address(150));
    let discover = Said::new(Discover, MAC);
    let select = Said::new(Request, MAC).select(address(150));
    let inform = Said::new(Inform, MAC).header(|it| it.ciaddr = address(250));
    let rows = [
        (Full, discover.clone(), Ok(Some(Offer))),
        (Full, boots(discover.clone()), Ok(Some(Offer))),
        (Full, select.clone(), Ok(Some(Ack))),
        (Proxy, discover.clone(), Err(DhcpNotBooting)),
        (Proxy, boots(discover.clone()), Ok(Some(Offer))),
        (Proxy, discover.clone().booting("PXEClient", "", 0x29), Err(DhcpNotBooting)),
        (Proxy, boots(select.clone()), Err(DhcpProxyOnly)),
        (Proxy, boots(other.clone()), Err(DhcpOtherServer)),
        (Proxy, boots(inform.clone()), Err(DhcpProxyOnly)),
        (Off, discover, Err(DhcpOff)),
        (Off, boots(select), Err(DhcpOff)),
        (Off, inform, Err(DhcpOff)),
        (Off, other, Err(DhcpOff)),
    ];
    for (mode, said, want) in rows {
        let mut lab = Lab::new(in_mode(mode));
        assert_eq!(kind(lab.tell(&said.bytes())), want, "{mode:?}: {said:?}");
        if mode != Full {
            assert_eq!(lab.server.leases().bound().count(), 0);
        }
    }
}

/// What firmware of each kind needs to see in an answer that brings no address.
#[test]
fn a_proxy_offer_says_what_firmware_waits_for() {
    let snponly = "http://10.77.0.1:5248/boot/snponly.efi";
    let script = "http://10.77.0.1:5248/ipxe/52-54-00-77-00-10";
    let rows = [
        ("PXEClient:Arch:00000:UNDI:002001", "", 0, "undionly.kpxe", "PXEClient"),
        ("PXEClient:Arch:00007:UNDI:003016", "", 7, "snponly.efi", "PXEClient"),
        ("HTTPClient:Arch:00016:UNDI:003001", "", 16, snponly, "HTTPClient"),
        ("PXEClient:Arch:00007:UNDI:003010", "iPXE", 7, script, "PXEClient"),
    ];
    for (class, user, arch, file, want_class) in rows {
        let mut lab = Lab::new(in_mode(DhcpMode::Proxy));
        let said = Said::new(Discover, MAC).booting(class, user, arch);
        let (reply, payload) = lab.ask(&said.with(code::CLIENT_UUID, &UUID).bytes());
        assert_eq!(reply.to, Destination::Broadcast { port: 68 }, "it has no address yet");
        assert_eq!(reply.source_port, 67);
        let offer = Message::parse(&payload).unwrap();
        assert_eq!((offer.yiaddr(), offer.siaddr()), (NOBODY, OURS), "{class}");
        assert_eq!(offer.server_id(), Some(OURS));
        assert_eq!(offer.file(), file.as_bytes());
        assert_eq!(value(&offer, code::VENDOR_CLASS), Some(want_class.into()));
        // "Load the file, look for no other server", which only PXE knows.
        let control = (want_class == "PXEClient").then(|| vec![6, 1, 8, 255]);
        assert_eq!(value(&offer, code::VENDOR_SPECIFIC), control, "{class}");
        assert_eq!(value(&offer, code::CLIENT_UUID), Some(UUID.to_vec()));
        for absent in [1, 3, 6, 51, 58, 59, code::IPXE] {
            assert!(offer.option(absent).is_none(), "{class}: option {absent}");
        }
        let told = lab.events();
        let is_boot = |it: &Event| matches!(it, Event::Boot { stage: BootStage::Dhcp, .. });
        assert!(told.iter().any(is_boot), "{told:?}");
    }
}

/// PXE firmware that got its address elsewhere comes to port 4011 for the rest.
#[test]
fn port_4011_serves_where_the_mode_lets_it() {
    let source = SocketAddrV4::new(address(50), 4011);
    let said = Said::new(Request, MAC).booting("PXEClient", "", 7);
    let said = said.header(|it| it.ciaddr = address(50));
    let rows = [
        (DhcpMode::Proxy, Ok(Some(Ack))),
        (DhcpMode::Full, Ok(Some(Ack))),
        (DhcpMode::Auto, Ok(Some(Ack))),
        (DhcpMode::Off, Err(DropReason::DhcpOff)),
    ];
    for (mode, want) in rows {
        let mut lab = Lab::new(in_mode(mode));
        let got = lab.hand(ServerPort::Proxy4011, source, &said.bytes());
        if let Ok(sent) = &got {
            assert_eq!(sent[0].0.to, Destination::Unicast(source));
            assert_eq!(sent[0].0.source_port, 4011);
        }
        assert_eq!(kind(got), want, "{mode:?}");
    }
}

#[test]
fn auto_steps_back_while_a_foreign_server_is_heard() {
    let mut lab = Lab::new(in_mode(DhcpMode::Auto));
    let system = Said::new(Discover, mac(1)).bytes();
    let firmware = Said::new(Discover, MAC).booting("PXEClient", "", 7).bytes();
    let is_full = |lab: &mut Lab| kind(lab.tell(&system)) == Ok(Some(Offer));
    assert!(is_full(&mut lab), "nobody else was heard");
    // By probing: the caller says so.
    let server = ForeignServer { address: FOREIGN, seen: lab.now.instant };
    lab.server.set_foreign_server("vlan", Some(server));
    assert!(!is_full(&mut lab));
    let (_, offer) = lab.ask(&firmware);
    assert_eq!(Message::parse(&offer).unwrap().yiaddr(), NOBODY);
    lab.server.set_foreign_server("vlan", None);
    assert!(is_full(&mut lab), "it is gone");
    // By listening: a client chooses the other.
    let chose = Said::new(Request, mac(2)).with(code::SERVER_ID, &FOREIGN.octets());
    let chose = chose.wish(address(150)).bytes();
    assert_eq!(lab.tell(&chose), Err(DropReason::DhcpOtherServer));
    assert!(!is_full(&mut lab));
    lab.wait(14 * 60);
    assert!(!is_full(&mut lab));
    lab.wait(2 * 60);
    assert!(is_full(&mut lab), "nothing was heard for a quarter of an hour");
    lab.server.set_foreign_server("another vlan", Some(server));
    assert!(is_full(&mut lab));
}

/// One forged word of a foreign server must not end the leases of a whole network.
#[test]
fn beside_a_foreign_server_our_own_leases_are_renewed() {
    let mut lab = Lab::new(in_mode(DhcpMode::Auto));
    let held = lab.lease(mac(1));
    let chose = Said::new(Request, mac(2)).with(code::SERVER_ID, &FOREIGN.octets());
    let chose = chose.wish(address(150)).bytes();
    assert_eq!(lab.tell(&chose), Err(DropReason::DhcpOtherServer));
    let renew = |card, held| Said::new(Request, mac(card)).header(|it| it.ciaddr = held).bytes();
    assert_eq!(kind(lab.tell(&renew(1, held))), Ok(Some(Ack)));
    assert_eq!(lab.tell(&renew(3, held)).err(), Some(DropReason::DhcpProxyOnly), "another's");
    let reboot = Said::new(Request, mac(3)).wish(address(151)).bytes();
    assert_eq!(lab.tell(&reboot).err(), Some(DropReason::DhcpProxyOnly));
}

/// Leases from before the foreign server came are given back as ever.
#[test]
fn a_release_is_heard_in_every_mode_but_off() {
    let mut lab = Lab::new(in_mode(DhcpMode::Auto));
    let held = lab.lease(mac(1));
    let server = ForeignServer { address: FOREIGN, seen: lab.now.instant };
    lab.server.set_foreign_server("vlan", Some(server));
    let release = Said::new(Release, mac(1)).header(|it| it.ciaddr = held).bytes();
    assert_eq!(lab.tell(&release), Ok(Vec::new()));
    assert_eq!(lab.server.leases().bound().count(), 0);
}

#[test]
fn a_foreign_server_is_told_of_once_a_minute() {
    let mut lab = Lab::new(in_mode(DhcpMode::Full));
    let chose = |card, server: Ipv4Addr| {
        let said = Said::new(Request, mac(card)).with(code::SERVER_ID, &server.octets());
        said.wish(address(150)).bytes()
    };
    let told = |lab: &mut Lab, card, server| {
        assert_eq!(lab.tell(&chose(card, server)), Err(DropReason::DhcpOtherServer));
        lab.events()
    };
    let event = |card, server| {
        let (link, vlan, mac) = (7, "vlan".to_owned(), mac(card));
        vec![Event::ForeignServer { link, vlan, server, mac }]
    };
    assert_eq!(told(&mut lab, 1, FOREIGN), event(1, FOREIGN));
    assert_eq!(told(&mut lab, 2, FOREIGN), []);
    let another = Ipv4Addr::new(10, 77, 0, 8);
    assert_eq!(told(&mut lab, 2, another), event(2, another));
    lab.wait(61);
    assert_eq!(told(&mut lab, 3, FOREIGN), event(3, FOREIGN));
}

use super::*;

fn span(first: &str, last: &str) -> Span6 {
    Span6 { first: first.parse().unwrap(), last: last.parse().unwrap() }
}

fn pool(prefix: &str, delegated_len: u8) -> PrefixPool {
    PrefixPool { prefix: prefix.parse().unwrap(), delegated_len }
}

fn plan() -> Plan6 {
    Plan6 {
        cidr: "2001:db8::/64".parse().unwrap(),
        ranges: vec![span("2001:db8::100", "2001:db8::1ff")],
        pools: vec![pool("2001:db8:100::/40", 56)],
        taken: BTreeSet::from(["2001:db8::53".parse().unwrap()]),
        taken_prefixes: vec!["2001:db8:200::/56".parse().unwrap()],
        others: vec!["2001:db8:0:1::/64".parse().unwrap()],
    }
}

#[test]
fn networks_prefixes_and_pools_are_read_or_refused() {
    let rows = [
        ("2001:db8::/64", None),
        ("fd00:1::/48", None),
        ("2001:db8::1/64", Some("CIDR_INVALID")),
        ("2001:db8::/47", Some("CIDR_INVALID")),
        ("2001:db8::/127", Some("CIDR_INVALID")),
        ("fe80::/64", Some("CIDR_INVALID")),
        ("ff02::/64", Some("CIDR_INVALID")),
        ("10.0.0.0/24", Some("CIDR_INVALID")),
        ("2001:db8::", Some("CIDR_INVALID")),
    ];
    for (text, want) in rows {
        assert_eq!(cidr6(text, &["input"]).err().map(|it| it.code), want, "{text}");
    }
    let rows = [
        ("2001:db8::/40", 56, None),
        ("2001:db8::/40", 40, None),
        ("2001:db8::/40", 39, Some("POOL_INVALID")),
        ("2001:db8::/40", 65, Some("POOL_INVALID")),
        ("2001::/16", 64, Some("POOL_INVALID")), // 2^48 prefixes.
        ("2001:db8::/65", 65, Some("PREFIX_INVALID")),
        ("2001:db8::1/40", 56, Some("PREFIX_INVALID")),
        ("x", 56, Some("PREFIX_INVALID")),
    ];
    for (prefix, len, want) in rows {
        assert_eq!(pool6(prefix, len, &["input"]).err().map(|it| it.code), want, "{prefix} {len}");
    }
    for (text, good) in
        [("2001:db8::1", true), ("::", false), ("ff02::1", false), ("1.2.3.4", false)]
    {
        assert_eq!(address6(text, &["input"]).is_ok(), good, "{text}");
    }
}

#[test]
fn a_network_keeps_clear_of_others() {
    assert!(plan().check_network(&[]).is_ok());
    let plan = Plan6 { cidr: "2001:db8::/60".parse().unwrap(), ..plan() };
    assert_eq!(plan.check_network(&[]).unwrap_err().code, "SUBNET_OVERLAP");
}

#[test]
fn ranges_keep_clear_of_everything_else() {
    let rows = [
        ("2001:db8::200", "2001:db8::2ff", None),
        ("2001:db8::2ff", "2001:db8::200", Some("RANGE_BACKWARDS")),
        ("2001:db8::", "2001:db8::2", Some("RANGE_OUTSIDE_SUBNET")), // The routers' own.
        ("2001:db8::200", "2001:db8:0:1::1", Some("RANGE_OUTSIDE_SUBNET")),
        ("2001:db8::1f0", "2001:db8::200", Some("RANGE_OVERLAP")),
        ("2001:db8::50", "2001:db8::5f", Some("RANGE_HOLDS_RESERVATION")),
    ];
    for (first, last, want) in rows {
        let mut plan = plan();
        plan.ranges.push(span(first, last));
        let got = plan.check_ranges(&["input", "ranges"]).err();
        assert_eq!(got.as_ref().map(|it| it.code), want, "{first}-{last}");
        assert!(got.is_none_or(|it| it.field == ["input", "ranges", "1"]));
    }
}

#[test]
fn pools_keep_clear_of_everything_else() {
    let rows = [
        ("2001:db8:300::/40", None),
        ("2001:db8::/48", Some("POOL_OVERLAP")), // Holds the subnet.
        ("2001:db8:0:1::/64", Some("POOL_OVERLAP")), // Another subnet.
        ("2001:db8:100::/48", Some("POOL_OVERLAP")), // Another pool.
        ("2001:db8:200::/48", Some("POOL_HOLDS_RESERVATION")),
    ];
    for (prefix, want) in rows {
        let mut plan = plan();
        plan.pools.push(pool(prefix, 64));
        assert_eq!(plan.check_pools(&["input"]).err().map(|it| it.code), want, "{prefix}");
    }
}

#[test]
fn a_reservation_lies_outside_what_is_handed_out() {
    let rows = [
        ("2001:db8::10", None),
        ("2001:db8::", Some("ADDRESS_OUTSIDE_SUBNET")),
        ("2001:db8:1::1", Some("ADDRESS_OUTSIDE_SUBNET")),
        ("2001:db8::100", Some("ADDRESS_IN_RANGE")),
        ("2001:db8::53", Some("ADDRESS_TAKEN")),
    ];
    for (address, want) in rows {
        let got = plan().check_address(address.parse().unwrap(), &["input"]).err();
        assert_eq!(got.map(|it| it.code), want, "{address}");
    }
    let rows = [
        ("2001:db8:400::/56", None),
        ("2001:db8:100::/56", Some("PREFIX_IN_POOL")),
        ("2001:db8:200::/60", Some("PREFIX_TAKEN")),
        ("2001:db8::/56", Some("PREFIX_TAKEN")), // Holds the subnet itself.
    ];
    for (prefix, want) in rows {
        let got = plan().check_prefix(prefix.parse().unwrap(), &["input"]).err();
        assert_eq!(got.map(|it| it.code), want, "{prefix}");
    }
}

#[test]
fn stored_forms_come_back() {
    let it = span("2001:db8::100", "2001:db8::1ff");
    assert_eq!(it.to_string().parse(), Ok(it));
    let it = pool("2001:db8:100::/40", 56);
    assert_eq!(it.to_string().parse(), Ok(it));
    assert!("x".parse::<Span6>().is_err() && "x".parse::<PrefixPool>().is_err());
}

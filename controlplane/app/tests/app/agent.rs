use std::time::Duration;

use ironherd_app::{
    AgentEnlist, AgentFinished, AgentProgress, BmcFound, CommandError, Firmware, NicHardware,
    PageRequest, RackLease, RackRegister, RackReport, Secret, SettingsUpdate, System,
};
use ironherd_domain::{
    AgentNext, AgentTaskKind, FirmwareKind, LeaseState, MachineId, MachineState, PowerProtocol,
};
use ironherd_proto::token as boot_token;
use ironherd_snapshot::{BootKey, Intent};

use crate::harness::{CARD, Region, admin, code, found, regions};

#[tokio::test]
async fn a_boot_token_opens_one_session_of_the_current_attempt() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let idle = region.boot_token(it.id, 9).await;
        assert_eq!(code(region.hello(&idle).await), "TOKEN_STALE", "nothing to do");
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let token = region.boot_token(it.id, 1).await;
        let attempt = region.load(it.id).await.attempt;
        let key = BootKey([7; 32]);
        let rows = [
            ("nonsense".to_owned(), "TOKEN_INVALID"),
            (boot_token::mint(&key, &it.id.to_text(), attempt, [1; 16]), "TOKEN_INVALID"),
            (boot_token::mint(&key, &MachineId::new().to_text(), 1, [1; 16]), "TOKEN_INVALID"),
            (boot_token::mint(&key, "enlist", 0, [1; 16]), "TOKEN_INVALID"),
            (idle, "TOKEN_STALE"),
        ];
        for (text, want) in rows {
            assert_eq!(code(region.hello(&text).await), want, "{text}");
        }
        let welcome = region.hello(&token).await.unwrap();
        assert_eq!((welcome.machine, welcome.task), (Some(it.id), AgentTaskKind::Commission));
        assert_eq!(code(region.hello(&token).await), "TOKEN_USED");
        let second = region.boot_token(it.id, 2).await;
        region.hello(&second).await.unwrap(); // The machine booted again within the attempt.
        let first = region.app.actor(welcome.session_token.expose()).await;
        assert!(matches!(first, Err(CommandError::Unauthenticated)), "the later session rules");
        region.app.machine_abort(&admin(), it.id).await.unwrap();
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        assert_eq!(code(region.hello(&second).await), "TOKEN_STALE");
    }
}

pub(crate) fn enlisting(card: &str, uuid: &str) -> AgentEnlist {
    let mut it = found(card);
    it.hardware.system = System { uuid: Some(uuid.into()), ..System::default() };
    it.hardware.firmware = Firmware { kind: Some("UEFI".into()), ..Firmware::default() };
    it.bmc = Some(BmcFound {
        protocol: PowerProtocol::Ipmi,
        address: "10.20.0.200".into(),
        username: Some("ironherd".into()),
        password: Some(Secret::new("made-by-agent")),
    });
    it
}

pub(crate) async fn enlist(region: &Region, nonce: u8, input: AgentEnlist) -> AgentNext {
    let welcome = region.hello(&region.enlist_token(nonce)).await.unwrap();
    assert_eq!((welcome.machine, welcome.task), (None, AgentTaskKind::Enlist));
    let agent = region.app.actor(welcome.session_token.expose()).await.unwrap();
    let progress = AgentProgress { step: "inventory".into(), ..AgentProgress::default() };
    let next = region.app.agent_progress(&agent, progress).await.unwrap();
    assert_eq!(next, AgentNext::Continue);
    let next = region.app.agent_enlist(&agent, input.clone()).await.unwrap();
    let agent = region.app.actor(welcome.session_token.expose()).await.unwrap();
    assert_eq!(region.app.agent_enlist(&agent, input).await.unwrap(), next, "said twice");
    next
}

/// A token for unknown machines is good around its day only: used ones are not remembered longer.
#[tokio::test]
async fn an_enlist_token_grows_old() {
    for region in regions().await {
        region.furnish().await;
        for (days, want) in [(-2, "TOKEN_STALE"), (2, "TOKEN_STALE"), (-20_000, "TOKEN_STALE")] {
            let token = region.enlist_token_of(days, 1);
            assert_eq!(code(region.hello(&token).await), want, "{days} days");
        }
        for (days, nonce) in [(-1, 1), (0, 2), (1, 3)] {
            let token = region.enlist_token_of(days, nonce);
            region.hello(&token).await.unwrap();
            assert_eq!(code(region.hello(&token).await), "TOKEN_USED", "{days} days");
        }
        let newest = region.enlist_token_of(1, 3);
        for _ in 0..12 {
            region.pass(Duration::from_hours(12));
            region.app.sweep().await.unwrap();
            let again = code(region.hello(&newest).await);
            assert!(["TOKEN_USED", "TOKEN_STALE"].contains(&again), "{again}");
        }
    }
}

pub(crate) const UUID: &str = "4c4c4544-0035-4c10-8058-b7c04f4e3232";

#[tokio::test]
async fn an_unknown_machine_enlists_once() {
    for region in regions().await {
        region.furnish().await;
        let next = enlist(&region, 1, enlisting(CARD, UUID)).await;
        assert_eq!(next, AgentNext::PowerOff);
        let it = region.app.machine_by_hostname(&admin(), "node-770010").await.unwrap().unwrap();
        assert_eq!((it.state, it.firmware), (MachineState::New, Some(FirmwareKind::Uefi)));
        assert_eq!(it.address, Some([10, 20, 0, 2].into()), "the first address is the gateway");
        assert_eq!(it.power_protocol, PowerProtocol::Ipmi);
        let target = region.app.power_target(it.id).await.unwrap().unwrap();
        assert_eq!(
            (target.username.as_str(), target.password.expose()),
            ("ironherd", "made-by-agent")
        );
        region.published(it.id, Intent::PowerOff).await;
        enlist(&region, 2, enlisting(CARD, "00000000-0000-0000-0000-000000000000")).await;
        let all = region.app.machines(&admin(), &PageRequest::default(), &Default::default()).await;
        assert_eq!(all.unwrap().items.len(), 1, "{}: the same by its card", region.engine);
        // Another machine whose vendor left the UUID empty is another machine.
        enlist(&region, 4, enlisting("52:55:00:77:00:10", "00000000-0000-0000-0000-000000000000"))
            .await;
        let twin = region.app.machine_by_hostname(&admin(), "node-770010-2").await.unwrap();
        assert_eq!(twin.unwrap().address, Some([10, 20, 0, 3].into()));
    }
}

#[tokio::test]
async fn enlistment_can_be_turned_off() {
    for region in regions().await {
        let input = SettingsUpdate { enlist: Some(false), ..SettingsUpdate::default() };
        let settings = region.app.settings_update(&admin(), input).await.unwrap();
        assert!(!settings.enlist);
        let mut changes = region.app.snapshot_changes();
        changes.wait_for(|_| !region.app.snapshot().settings.enlist).await.unwrap();
        assert_eq!(code(region.hello(&region.enlist_token(1)).await), "TOKEN_STALE");
    }
}

#[tokio::test]
async fn the_card_with_a_lease_names_the_machine() {
    for region in regions().await {
        region.furnish().await;
        let rack = region.app.rack_token_ensure().await.unwrap();
        let rack = region.app.actor(rack.expose()).await.unwrap();
        let input = RackRegister {
            name: "rack-1".into(),
            version: "0.1".into(),
            addresses: vec!["10.20.0.2".into()],
        };
        region.app.rack_register(&rack, input).await.unwrap();
        let lease = RackLease {
            address: "10.20.0.3".into(),
            mac_address: Some("52:54:00:00:00:02".into()),
            client: None,
            hostname: None,
            state: LeaseState::Active,
            started_unix_seconds: 1_700_000_000,
            expires_unix_seconds: 1_700_000_600,
        };
        let report = RackReport { leases: vec![lease], sequence: 1, ..RackReport::default() };
        region.app.rack_report(&rack, report).await.unwrap();
        let mut input = found("52:54:00:00:00:01");
        let second = NicHardware { mac_address: "52:54:00:00:00:02".into(), ..Default::default() };
        input.hardware.nics.push(second);
        enlist(&region, 1, input).await;
        let it = region.app.machine_by_hostname(&admin(), "node-000002").await.unwrap().unwrap();
        // .1 is the gateway, .2 the rack; .3 is leased, but to this very card.
        assert_eq!(it.address, Some([10, 20, 0, 3].into()));
    }
}

#[tokio::test]
async fn an_agent_without_cards_or_stock_is_refused() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let agent = region.agent(it.id, 1).await;
        let nothing = AgentEnlist::default();
        assert_eq!(code(region.app.agent_commissioned(&agent, nothing).await), "HARDWARE_INVALID");
        let done = AgentFinished { success: true, message: None };
        assert_eq!(code(region.app.agent_finished(&agent, done).await), "HARDWARE_MISSING");
        let other = region.app.agent_enlist(&agent, found(CARD)).await;
        assert!(matches!(other, Err(CommandError::Forbidden)));
        let failed = AgentFinished { success: false, message: None };
        assert_eq!(region.app.agent_finished(&agent, failed).await.unwrap(), AgentNext::PowerOff);
        let it = region.load(it.id).await;
        assert_eq!(it.failure.as_deref(), Some("The agent gave no reason."));
    }
}

#[tokio::test]
async fn an_enlistment_that_failed_is_over() {
    for region in regions().await {
        let welcome = region.hello(&region.enlist_token(1)).await.unwrap();
        let agent = region.app.actor(welcome.session_token.expose()).await.unwrap();
        let failed = AgentFinished { success: false, message: Some("x".repeat(5_000)) };
        for _ in 0..2 {
            let next = region.app.agent_finished(&agent, failed.clone()).await.unwrap();
            assert_eq!(next, AgentNext::PowerOff);
        }
        let next = region.app.agent_enlist(&agent, found(CARD)).await.unwrap();
        assert_eq!(next, AgentNext::PowerOff);
        let counts = region.app.machines_by_state().await.unwrap();
        assert!(counts.iter().all(|it| it.1 == 0), "nothing was taken in: {counts:?}");
        let page = PageRequest::default();
        let events = region.app.events(&admin(), &page, None).await.unwrap().items;
        let failed: Vec<_> = events.iter().filter(|it| it.1.kind == "ENLIST_FAILED").collect();
        assert_eq!(failed.len(), 1, "said once");
        assert_eq!(failed[0].1.message.len(), 1_000);
        region.pass(Duration::from_hours(25));
        region.app.sweep().await.unwrap();
    }
}

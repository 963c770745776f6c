//! What an agent that anybody can boot may bring into the region, and what not.

use ironherd_app::{
    AgentEnlist, BmcCredentialSet, BmcFound, Machine, MachineCreate, NicHardware, PageRequest,
    PowerInput, Secret, SettingsUpdate, System,
};
use ironherd_domain::{AgentNext, MachineId, MachineState, PowerProtocol};

use crate::agent::{UUID, enlist, enlisting};
use crate::harness::{CARD, Region, admin, code, found, regions};

const OTHER: &str = "52:54:00:77:00:99";

fn bmc(protocol: PowerProtocol, address: &str) -> BmcFound {
    BmcFound { protocol, address: address.into(), username: None, password: None }
}

async fn set_default(region: &Region, protocol: PowerProtocol) {
    let input = BmcCredentialSet {
        protocol,
        username: "root".into(),
        password: Secret::new("default-secret"),
    };
    let view = region.app.bmc_credential_set(&admin(), input.clone()).await.unwrap();
    assert_eq!((view.protocol, view.username.as_str()), (protocol, "root"));
    let manual = BmcCredentialSet { protocol: PowerProtocol::Manual, ..input };
    assert_eq!(code(region.app.bmc_credential_set(&admin(), manual).await), "PROTOCOL_MANUAL");
}

async fn by_card(region: &Region, card: &str) -> Machine {
    let all = region.app.machines(&admin(), &PageRequest::default(), &Default::default()).await;
    let card = card.parse().unwrap();
    let mut all = all.unwrap().items.into_iter().map(|(_, it)| it);
    all.find(|it| it.macs.contains(&card)).unwrap()
}

async fn message(region: &Region, id: MachineId, kind: &str) -> Option<String> {
    let events = region.app.events(&admin(), &PageRequest::default(), Some(id)).await.unwrap();
    events.items.into_iter().map(|(_, it)| it).find(|it| it.kind == kind).map(|it| it.message)
}

async fn password(region: &Region, id: MachineId) -> String {
    let target = region.app.power_target(id).await.unwrap().unwrap();
    target.password.expose().to_owned()
}

#[tokio::test]
async fn a_bmc_in_a_subnet_gets_the_default_password() {
    use PowerProtocol::{Ipmi, Redfish};
    let rows = [(Redfish, "https://10.20.0.201:443"), (Ipmi, "10.20.0.201:623")];
    for (protocol, address) in rows {
        for region in regions().await {
            region.furnish().await;
            set_default(&region, protocol).await;
            let input = AgentEnlist { bmc: Some(bmc(protocol, address)), ..found(CARD) };
            enlist(&region, 1, input).await;
            let it = by_card(&region, CARD).await;
            let target = region.app.power_target(it.id).await.unwrap().unwrap();
            let got = (target.address.as_str(), target.username.as_str());
            assert_eq!(got, (address, "root"));
            assert_eq!(target.password.expose(), "default-secret");
            assert!(message(&region, it.id, "BMC_CREDENTIALS_DEFAULT").await.is_some());
        }
    }
}

#[tokio::test]
async fn over_plain_http_only_a_site_that_allows_it_gives_its_password() {
    for region in regions().await {
        region.furnish().await;
        set_default(&region, PowerProtocol::Redfish).await;
        for (nonce, (card, allowed)) in (1..).zip([(CARD, false), ("52:54:00:77:00:11", true)]) {
            let bmc_defaults_over_http = Some(allowed);
            let input = SettingsUpdate { bmc_defaults_over_http, ..SettingsUpdate::default() };
            region.app.settings_update(&admin(), input).await.unwrap();
            let bmc = Some(bmc(PowerProtocol::Redfish, "http://10.20.0.201:80"));
            enlist(&region, nonce, AgentEnlist { bmc, ..found(card) }).await;
            let it = by_card(&region, card).await;
            let given = message(&region, it.id, "BMC_CREDENTIALS_DEFAULT").await;
            assert_eq!(given.is_some(), allowed, "{}", region.engine);
            let missing = message(&region, it.id, "BMC_CREDENTIALS_MISSING").await;
            assert_eq!(missing.is_some_and(|it| it.contains("bmcDefaultsOverHttp")), !allowed);
        }
    }
}

#[tokio::test]
async fn a_bmc_elsewhere_does_not_get_the_default_password() {
    let rows = [
        ("http://attacker", "http://attacker", "no IPv4 address"),
        ("https://169.254.3.254", "https://169.254.3.254", "in no subnet"),
        ("https://10.20.1.7", "https://10.20.1.7", "in no subnet"),
        ("https://10.20.0.7#insecure", "https://10.20.0.7", "trust"),
    ];
    for region in regions().await {
        region.furnish().await;
        set_default(&region, PowerProtocol::Redfish).await;
        for (number, (reported, kept, why)) in (1_u8..).zip(rows) {
            let card = format!("52:54:00:77:01:0{number}");
            let bmc = Some(bmc(PowerProtocol::Redfish, reported));
            enlist(&region, number, AgentEnlist { bmc, ..found(&card) }).await;
            let it = by_card(&region, &card).await;
            assert_eq!(it.power_address.as_deref(), Some(kept));
            assert_eq!((&it.power_username, &it.power_password), (&None, &None), "{reported}");
            let text = message(&region, it.id, "BMC_CREDENTIALS_MISSING").await.unwrap();
            assert!(text.contains(why) && text.contains("machineUpdate"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_shared_uuid_makes_two_machines() {
    for region in regions().await {
        region.furnish().await;
        enlist(&region, 1, enlisting(CARD, UUID)).await;
        enlist(&region, 2, enlisting(OTHER, UUID)).await;
        let (first, second) = (by_card(&region, CARD).await, by_card(&region, OTHER).await);
        assert_ne!(first.id, second.id, "{}", region.engine);
        assert_eq!((first.macs.len(), second.macs.len()), (1, 1));
        let text = message(&region, second.id, "DUPLICATE_UUID").await.unwrap();
        assert!(text.contains(&first.hostname), "{text}");
        assert_eq!(message(&region, first.id, "DUPLICATE_UUID").await, None);
    }
}

#[tokio::test]
async fn a_machine_past_new_is_not_rewritten() {
    for region in regions().await {
        region.furnish().await;
        let input = MachineCreate { mac_addresses: vec![CARD.into()], ..Default::default() };
        let it = region.app.machine_create(&admin(), input).await.unwrap();
        // While it is NEW, a report makes it better known.
        let mut report = enlisting(CARD, UUID);
        report.bmc = None;
        enlist(&region, 1, report).await;
        let new = region.load(it.id).await;
        assert_eq!((new.state, new.smbios_uuid.as_deref()), (MachineState::New, Some(UUID)));
        region.app.machine_commission(&admin(), it.id, None).await.unwrap();
        let agent = region.agent(it.id, 2).await;
        region.app.agent_commissioned(&agent, found(CARD)).await.unwrap();
        let before = region.load(it.id).await;
        let mut report = enlisting(CARD, "4c4c4544-0035-4c10-8058-b7c04f4e9999");
        report.hardware.cpu_threads = Some(1);
        let nic = NicHardware { mac_address: OTHER.into(), ..NicHardware::default() };
        report.hardware.nics.push(nic);
        assert_eq!(enlist(&region, 3, report).await, AgentNext::PowerOff);
        let after = region.load(it.id).await;
        assert_eq!(after.state, MachineState::Ready);
        assert_eq!(after.generation, before.generation, "{}", region.engine);
        assert_eq!((&after.macs, &after.hardware), (&before.macs, &before.hardware));
        assert_eq!((after.smbios_uuid, after.power_address), (before.smbios_uuid, None));
        let text = message(&region, it.id, "ENLIST_IGNORED").await.unwrap();
        assert!(text.contains("READY"), "{text}");
    }
}

#[tokio::test]
async fn cards_of_two_machines_are_refused_by_name() {
    for region in regions().await {
        region.furnish().await;
        let one = region.machine(CARD).await;
        let two = region.machine(OTHER).await;
        let mut report = found(CARD);
        report.hardware.system = System { uuid: Some(UUID.into()), ..System::default() };
        let nic = NicHardware { mac_address: OTHER.into(), ..NicHardware::default() };
        report.hardware.nics.push(nic);
        let welcome = region.hello(&region.enlist_token(1)).await.unwrap();
        let agent = region.app.actor(welcome.session_token.expose()).await.unwrap();
        let error = region.app.agent_enlist(&agent, report).await.unwrap_err();
        assert_eq!(error.code(), Some("CARDS_OF_TWO_MACHINES"));
        let text = error.to_string();
        for part in [CARD, OTHER, &one.hostname, &two.hostname] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(region.load(one.id).await.smbios_uuid, None, "nothing was stored");
    }
}

fn reset(card: &str, address: &str, username: &str) -> AgentEnlist {
    let mut it = enlisting(card, UUID);
    it.bmc = Some(BmcFound {
        protocol: PowerProtocol::Ipmi,
        address: address.into(),
        username: Some(username.into()),
        password: Some(Secret::new("set-anew")),
    });
    it
}

#[tokio::test]
async fn a_bmc_password_that_the_agent_has_reset_is_taken_in_any_state() {
    for region in regions().await {
        region.furnish().await;
        let power = PowerInput {
            protocol: PowerProtocol::Ipmi,
            address: Some("10.20.0.200".into()),
            username: Some("ironherd".into()),
            password: Some(Secret::new("old")),
        };
        for (number, state) in [(1, MachineState::New), (5, MachineState::Commissioning)] {
            let card = format!("52:54:00:77:02:0{number}");
            let second = format!("52:54:00:77:03:0{number}");
            let input = MachineCreate {
                mac_addresses: vec![card.clone(), second.clone()],
                power: Some(power.clone()),
                commission: state != MachineState::New,
                ..MachineCreate::default()
            };
            let it = region.app.machine_create(&admin(), input).await.unwrap();
            assert_eq!(it.state, state);
            let both = |address, username| {
                let mut report = reset(&card, address, username);
                let nic = NicHardware { mac_address: second.clone(), ..Default::default() };
                report.hardware.nics.push(nic);
                report
            };
            enlist(&region, number, both("10.20.0.66", "ironherd")).await;
            enlist(&region, number + 1, both("10.20.0.200", "root")).await;
            if state != MachineState::New {
                enlist(&region, number + 2, reset(&card, "10.20.0.200", "ironherd")).await;
            }
            assert_eq!(password(&region, it.id).await, "old", "other BMC, user or cards");
            let text = message(&region, it.id, "BMC_IGNORED").await.unwrap();
            assert!(text.contains("machineUpdate"), "{text}");
            enlist(&region, number + 3, both("10.20.0.200", "ironherd")).await;
            assert_eq!(password(&region, it.id).await, "set-anew", "{}", region.engine);
            assert_eq!(region.load(it.id).await.power_address, power.address);
            assert!(message(&region, it.id, "BMC_PASSWORD_RENEWED").await.is_some());
        }
    }
}

//! The snapshot of racks as it grows from one change to the next.

use std::net::Ipv4Addr;
use std::sync::Arc;

use ironherd_app::{
    ClientClassCreate, ClientClassUpdate, CommandError, DhcpOptionSet, FabricCreate, MachineUpdate,
    PageRequest, RangeCreate, RangeUpdate, Reservation6Create, ReservationCreate,
    ReservationUpdate, SettingsUpdate, Subnet6Create, Subnet6Update, SubnetCreate, SubnetUpdate,
    VlanCreate, VlanUpdate,
};
use ironherd_domain::dhcp::{KeyWords, KeyWords6};
use ironherd_domain::{DhcpMode, IpFamily, ScopeId};
use ironherd_snapshot::Snapshot;

use crate::harness::{CARD, Region, admin, open, regions};

/// Reproducible choices (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        if list.is_empty() { None } else { Some(list[self.below(list.len())]) }
    }
}

/// What there is to change.
#[derive(Debug, Default)]
struct There {
    scopes: Vec<ScopeId>,
}

macro_rules! ids {
    ($name:ident, $variant:ident, $id:ty) => {
        fn $name(&self) -> Vec<$id> {
            let id = |it: &ScopeId| if let ScopeId::$variant(id) = it { Some(*id) } else { None };
            self.scopes.iter().filter_map(id).collect()
        }
    };
}

impl There {
    ids!(subnets, Subnet, ironherd_domain::SubnetId);
    ids!(subnets6, Subnet6, ironherd_domain::Subnet6Id);
    ids!(ranges, Range, ironherd_domain::RangeId);
    ids!(reservations, Reservation, ironherd_domain::ReservationId);
    ids!(reservations6, Reservation6, ironherd_domain::Reservation6Id);
    ids!(machines, Machine, ironherd_domain::MachineId);
    ids!(classes, Class, ironherd_domain::ClassId);
    ids!(fabrics, Fabric, ironherd_domain::FabricId);
    ids!(vlans, Vlan, ironherd_domain::VlanId);

    async fn now(region: &Region) -> Self {
        let (app, page) = (&region.app, PageRequest::default());
        let mut scopes = vec![ScopeId::Global];
        for (_, it) in app.subnets(&admin(), &page).await.unwrap().items {
            scopes.push(ScopeId::Subnet(it.id));
            scopes.extend(it.ranges.iter().map(|it| ScopeId::Range(it.id)));
            scopes.extend(it.reservations.iter().map(|it| ScopeId::Reservation(it.id)));
        }
        for (_, it) in app.subnets6(&admin(), &page).await.unwrap().items {
            scopes.push(ScopeId::Subnet6(it.id));
            scopes.extend(it.reservations.iter().map(|it| ScopeId::Reservation6(it.id)));
        }
        let machines = app.machines(&admin(), &page, &Default::default()).await.unwrap().items;
        scopes.extend(machines.iter().map(|(_, it)| ScopeId::Machine(it.id)));
        let classes = app.client_classes(&admin()).await.unwrap();
        scopes.extend(classes.iter().map(|it| ScopeId::Class(it.id)));
        let fabrics = app.fabrics(&admin(), &page).await.unwrap().items;
        scopes.extend(fabrics.iter().map(|(_, it)| ScopeId::Fabric(it.id)));
        let vlans = app.vlans(&admin(), &page).await.unwrap().items;
        scopes.extend(vlans.iter().map(|(_, it)| ScopeId::Vlan(it.id)));
        Self { scopes }
    }
}

/// One command, chosen by chance; `None` if there is nothing that it could change.
async fn act(region: &Region, chance: &mut Chance, step: usize) -> Option<bool> {
    let there = There::now(region).await;
    match chance.below(6) {
        0 => machines(region, chance, &there, step).await,
        1 => subnets(region, chance, &there, step).await,
        2 => ranges(region, chance, &there, step).await,
        3 => reservations(region, chance, &there, step).await,
        4 => scopes(region, chance, &there, step).await,
        _ => six(region, chance, &there, step).await,
    }
}

async fn machines(
    region: &Region,
    chance: &mut Chance,
    there: &There,
    step: usize,
) -> Option<bool> {
    let (app, who) = (&region.app, admin());
    let input = match chance.below(6) {
        0 | 1 => {
            let input = machine(chance.below(8));
            return Some(ok(app.machine_create(&who, input).await));
        }
        2 => {
            let id = chance.of(&there.machines())?;
            return Some(ok(app.machine_commission(&who, id, None).await));
        }
        3 => {
            let id = chance.of(&there.machines())?;
            return Some(ok(app.machine_delete(&who, id, true).await));
        }
        4 => MachineUpdate { hostname: Some(format!("renamed-{step}")), ..Default::default() },
        _ => MachineUpdate { boot_file: Some(Some(format!("{step}.efi"))), ..Default::default() },
    };
    Some(ok(app.machine_update(&who, chance.of(&there.machines())?, input).await))
}

async fn subnets(region: &Region, chance: &mut Chance, there: &There, step: usize) -> Option<bool> {
    let (app, who) = (&region.app, admin());
    Some(match chance.below(5) {
        0 | 1 => {
            let cidr = format!("10.{}.0.0/24", chance.below(6));
            ok(app.subnet_create(&who, SubnetCreate { cidr, ..SubnetCreate::default() }).await)
        }
        2 | 3 => {
            let mtu = Some(Some(1_400 + i64::try_from(step).unwrap()));
            let vlan_id = chance.of(&there.vlans());
            let input = SubnetUpdate { mtu, vlan_id, ..SubnetUpdate::default() };
            ok(app.subnet_update(&who, chance.of(&there.subnets())?, input).await)
        }
        _ => ok(app.subnet_delete(&who, chance.of(&there.subnets())?).await),
    })
}

async fn ranges(region: &Region, chance: &mut Chance, there: &There, step: usize) -> Option<bool> {
    let (app, who) = (&region.app, admin());
    Some(match chance.below(4) {
        0 | 1 => {
            let subnet_id = chance.of(&there.subnets())?;
            let it = app.subnet(&who, subnet_id).await.unwrap().unwrap();
            let first = u32::from(it.cidr.network()) + u32::try_from(chance.below(200)).unwrap();
            let end = |last: u32| Ipv4Addr::from(last).to_string();
            let class_id = chance.of(&there.classes()).filter(|_| step.is_multiple_of(2));
            let input =
                RangeCreate { subnet_id, first: end(first), last: end(first + 5), class_id };
            ok(app.range_create(&who, input).await)
        }
        2 => {
            let class_id = Some(chance.of(&there.classes()));
            let input = RangeUpdate { class_id, ..RangeUpdate::default() };
            ok(app.range_update(&who, chance.of(&there.ranges())?, input).await)
        }
        _ => ok(app.range_delete(&who, chance.of(&there.ranges())?).await),
    })
}

async fn reservations(
    region: &Region,
    chance: &mut Chance,
    there: &There,
    step: usize,
) -> Option<bool> {
    let (app, who) = (&region.app, admin());
    Some(match chance.below(4) {
        0 | 1 => {
            // Some of them are cards of machines, whose names and ends they share.
            let mac_address = Some(format!("02:00:00:01:00:{:02x}", chance.below(12)));
            let client = KeyWords { mac_address, ..KeyWords::default() };
            let (subnet_id, hostname) = (chance.of(&there.subnets())?, Some(format!("h{step}")));
            let input = ReservationCreate { subnet_id, client, address: None, hostname };
            ok(app.reservation_create(&who, input).await)
        }
        2 => {
            let id = chance.of(&there.reservations())?;
            let snapshot = app.snapshot();
            let held = snapshot.subnets.iter().flat_map(|it| &it.reservations).next()?;
            let beside = u32::from(held.address) + u32::try_from(chance.below(9)).unwrap();
            let address = Some(Ipv4Addr::from(beside).to_string());
            let input = ReservationUpdate { address, hostname: Some(None) };
            ok(app.reservation_update(&who, id, input).await)
        }
        _ => ok(app.reservation_delete(&who, chance.of(&there.reservations())?).await),
    })
}

async fn scopes(region: &Region, chance: &mut Chance, there: &There, step: usize) -> Option<bool> {
    let (app, who) = (&region.app, admin());
    let even = step.is_multiple_of(2);
    Some(match chance.below(10) {
        0..=2 => {
            let on = chance.of(&there.scopes)?;
            let family = [IpFamily::V4, IpFamily::V6].into_iter().find(|it| on.takes(*it))?;
            let option = if family == IpFamily::V4 { "26" } else { "7" };
            ok(app.dhcp_option_set(&who, option_set(on, family, option, step + 70)).await)
        }
        3 => {
            let on = chance.of(&there.scopes)?;
            ok(app.dhcp_option_unset(&who, on, IpFamily::V4, "26".into()).await)
        }
        4 => {
            let input = ClientClassCreate { name: format!("class {step}"), ..Default::default() };
            ok(app.client_class_create(&who, input).await)
        }
        5 => {
            let boot_file = Some(Some(format!("class-{step}.efi")));
            let input = ClientClassUpdate { boot_file, ..ClientClassUpdate::default() };
            ok(app.client_class_update(&who, chance.of(&there.classes())?, input).await)
        }
        6 => ok(app.client_class_delete(&who, chance.of(&there.classes())?).await),
        7 => {
            ok(app.fabric_create(&who, FabricCreate { name: format!("f{step}") }).await);
            let (vid, mode) = (i64::try_from(step).unwrap(), Some(DhcpMode::Auto));
            let fabric_id = chance.of(&there.fabrics());
            ok(app.vlan_create(&who, VlanCreate { fabric_id, vid, name: None, mode }).await)
        }
        8 => {
            let mode = Some(if even { DhcpMode::Proxy } else { DhcpMode::Full });
            let input = VlanUpdate { mode, ..VlanUpdate::default() };
            ok(app.vlan_update(&who, chance.of(&there.vlans())?, input).await)
        }
        _ => {
            let input = SettingsUpdate { conflict_probes: Some(even), ..Default::default() };
            ok(app.settings_update(&who, input).await)
        }
    })
}

async fn six(region: &Region, chance: &mut Chance, there: &There, step: usize) -> Option<bool> {
    let (app, who) = (&region.app, admin());
    let valid_seconds = Some(7_200 + i64::try_from(step).unwrap());
    Some(match chance.below(5) {
        0 => {
            let cidr = format!("2001:db8:{}::/64", chance.below(9));
            ok(app.subnet6_create(&who, Subnet6Create { cidr, ..Default::default() }).await)
        }
        1 => {
            let input = Subnet6Update { valid_seconds, ..Subnet6Update::default() };
            ok(app.subnet6_update(&who, chance.of(&there.subnets6())?, input).await)
        }
        2 => {
            let subnet6_id = chance.of(&there.subnets6())?;
            let it = app.subnet6(&who, subnet6_id).await.unwrap().unwrap();
            let mac_address = Some(format!("02:00:00:00:06:{:02x}", step % 256));
            let address = Some(format!("{}{step:x}", it.cidr.network()));
            let client = KeyWords6 { mac_address, duid: None };
            let (prefix, hostname) = (None, None);
            let input = Reservation6Create { subnet6_id, client, address, prefix, hostname };
            ok(app.reservation6_create(&who, input).await)
        }
        3 => ok(app.reservation6_delete(&who, chance.of(&there.reservations6())?).await),
        _ => ok(app.subnet6_delete(&who, chance.of(&there.subnets6())?).await),
    })
}

fn machine(card: usize) -> ironherd_app::MachineCreate {
    let mac = |nic: usize| format!("02:00:00:{nic:02x}:00:{card:02x}");
    ironherd_app::MachineCreate {
        mac_addresses: vec![mac(1), mac(2)],
        ..ironherd_app::MachineCreate::default()
    }
}

fn option_set(on: ScopeId, family: IpFamily, option: &str, value: usize) -> DhcpOptionSet {
    let (option, value) = (option.to_owned(), Some(value.to_string()));
    DhcpOptionSet { on, family, option, value, force: false, suppress: false }
}

/// Whether a command was carried out. A refusal is an answer, too; a fault is none.
#[track_caller]
fn ok<T: std::fmt::Debug>(answer: Result<T, CommandError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(CommandError::Refused(_)) => false,
        Err(fault) => panic!("{fault:?}"),
    }
}

/// The snapshot of the running region, once it has that generation.
async fn caught_up(region: &Region, generation: u64) -> Arc<Snapshot> {
    let mut changes = region.app.snapshot_changes();
    changes.wait_for(|it| generation <= *it).await.unwrap();
    region.app.snapshot()
}

#[tokio::test]
async fn grown_by_changes_it_is_what_a_fresh_start_reads() {
    for seed in 1..=3 {
        for region in regions().await {
            region.furnish().await;
            let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ seed);
            let mut done = 0;
            for step in 1..=240 {
                done += usize::from(act(&region, &mut chance, step).await == Some(true));
                if step % 20 == 0 {
                    let fresh = open(&region.folder, &region.database, &region.clock).await;
                    let want = fresh.snapshot();
                    let got = caught_up(&region, want.generation).await;
                    assert_eq!(got, want, "{} seed {seed} step {step}", region.engine);
                    fresh.close().await;
                }
            }
            assert!(80 < done, "{done} of 240 commands did something");
        }
    }
}

#[tokio::test]
async fn a_change_of_one_machine_leaves_the_others_in_memory() {
    for region in regions().await {
        region.furnish().await;
        let (one, two) = (region.machine(CARD).await, region.machine("02:00:00:00:00:02").await);
        let generation = || async {
            let fresh = open(&region.folder, &region.database, &region.clock).await;
            fresh.snapshot().generation
        };
        let before = caught_up(&region, generation().await).await;
        let input = MachineUpdate { kernel_args: Some("quiet".into()), ..MachineUpdate::default() };
        region.app.machine_update(&admin(), one.id, input).await.unwrap();
        let after = caught_up(&region, before.generation + 1).await;
        let of = |it: &Arc<Snapshot>, id: &str| {
            it.machines.iter().find(|it| it.id == id).unwrap().clone()
        };
        assert!(of(&before, &two.id.to_text()).is_same(&of(&after, &two.id.to_text())));
        assert_eq!(of(&after, &one.id.to_text()).kernel_args, "quiet");
        assert!(before.subnets[0].is_same(&after.subnets[0]), "{}", region.engine);
    }
}

//! What does not change: the service root, the collections, manager and chassis.

use axum::Json;
use axum::extract::State;
use redfish_codegen::models;
use redfish_codegen::models::chassis::v1_23_0 as chassis_model;
use redfish_codegen::models::chassis_collection::ChassisCollection;
use redfish_codegen::models::computer_system_collection::ComputerSystemCollection;
use redfish_codegen::models::manager::v1_18_0 as manager_model;
use redfish_codegen::models::manager_collection::ManagerCollection;
use redfish_codegen::models::odata_v4::ServiceDocument;
use redfish_codegen::models::odata_v4::{Context, Count, Id as ODataId, IdRef, Service};
use redfish_codegen::models::resource::{Health, Id, Name, State as ResourceState, Status};
use redfish_codegen::models::service_root::v1_16_0::{Links, ServiceRoot};
use redfish_codegen::models::session_service::v1_1_8::SessionService;
use serde_json::{Value, json};

use super::{Bmc, ROOT, SESSIONS, SYSTEM};
use super::{access, system};

/// The protocol version (DSP0266) we follow.
const REDFISH_VERSION: &str = "1.15.0";
pub(super) const MANAGER: &str = "/redfish/v1/Managers/1";
pub(super) const CHASSIS: &str = "/redfish/v1/Chassis/1";

pub(super) fn link(path: &str) -> IdRef {
    IdRef { odata_id: Some(ODataId(path.to_owned())) }
}

pub(super) fn name(text: &str) -> Name {
    Name(text.to_owned())
}

pub(super) fn healthy() -> Status {
    Status { health: Some(Health::OK), state: Some(ResourceState::Enabled), ..Status::default() }
}

pub(super) async fn versions() -> Json<Value> {
    Json(json!({ "v1": format!("{ROOT}/") }))
}

pub(super) async fn service_root(State(bmc): State<Bmc>) -> Json<ServiceRoot> {
    Json(ServiceRoot {
        odata_id: ODataId(format!("{ROOT}/")),
        id: Id("RootService".to_owned()),
        name: name("Root Service"),
        redfish_version: Some(REDFISH_VERSION.to_owned()),
        uuid: Some(bmc.machine.config().uuid.clone()),
        vendor: Some("Ironherd".to_owned()),
        product: Some("Lab BMC".to_owned()),
        systems: Some(link(&format!("{ROOT}/Systems"))),
        managers: Some(link(&format!("{ROOT}/Managers"))),
        chassis: Some(link(&format!("{ROOT}/Chassis"))),
        session_service: Some(link(&format!("{ROOT}/SessionService"))),
        links: Links { sessions: link(SESSIONS), ..Links::default() },
        ..ServiceRoot::default()
    })
}

pub(super) async fn odata() -> Json<ServiceDocument> {
    let service = |(name, url): (&str, &str)| Service {
        name: name.to_owned(),
        url: format!("{ROOT}{url}"),
        ..Service::default()
    };
    let services = [
        ("Service", "/"),
        ("Systems", "/Systems"),
        ("Managers", "/Managers"),
        ("Chassis", "/Chassis"),
    ];
    Json(ServiceDocument {
        odata_context: Context(format!("{ROOT}/$metadata")),
        value: services.into_iter().map(service).collect(),
    })
}

pub(super) async fn session_service() -> Json<SessionService> {
    Json(SessionService {
        odata_id: ODataId(format!("{ROOT}/SessionService")),
        id: Id("SessionService".to_owned()),
        name: name("Session Service"),
        service_enabled: Some(true),
        session_timeout: i64::try_from(access::SESSION_IDLE_MAX.as_secs()).ok(),
        sessions: Some(link(SESSIONS)),
        status: Some(healthy()),
        ..SessionService::default()
    })
}

pub(super) async fn systems() -> Json<ComputerSystemCollection> {
    Json(ComputerSystemCollection {
        odata_id: ODataId(format!("{ROOT}/Systems")),
        name: name("Systems"),
        members: vec![link(SYSTEM)],
        members_odata_count: Count(1),
        ..ComputerSystemCollection::default()
    })
}

pub(super) async fn managers() -> Json<ManagerCollection> {
    Json(ManagerCollection {
        odata_id: ODataId(format!("{ROOT}/Managers")),
        name: name("Managers"),
        members: vec![link(MANAGER)],
        members_odata_count: Count(1),
        ..ManagerCollection::default()
    })
}

pub(super) async fn manager() -> Json<manager_model::Manager> {
    Json(manager_model::Manager {
        odata_id: ODataId(MANAGER.to_owned()),
        id: Id("1".to_owned()),
        name: name("Manager"),
        manager_type: Some(manager_model::ManagerType::BMC),
        manufacturer: Some("Ironherd".to_owned()),
        model: Some("Lab BMC".to_owned()),
        firmware_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        power_state: Some(models::resource::PowerState::On), // It answers, so it has power.
        status: Some(healthy()),
        links: Some(manager_model::Links {
            manager_for_servers: Some(vec![link(SYSTEM)]),
            manager_for_chassis: Some(vec![link(CHASSIS)]),
            ..manager_model::Links::default()
        }),
        ..manager_model::Manager::default()
    })
}

pub(super) async fn chassis_collection() -> Json<ChassisCollection> {
    Json(ChassisCollection {
        odata_id: ODataId(format!("{ROOT}/Chassis")),
        name: name("Chassis"),
        members: vec![link(CHASSIS)],
        members_odata_count: Count(1),
        ..ChassisCollection::default()
    })
}

pub(super) async fn chassis(State(bmc): State<Bmc>) -> Json<chassis_model::Chassis> {
    Json(chassis_model::Chassis {
        odata_id: ODataId(CHASSIS.to_owned()),
        id: Id("1".to_owned()),
        name: name("Chassis"),
        chassis_type: chassis_model::ChassisType::RackMount,
        manufacturer: Some("Ironherd".to_owned()),
        serial_number: Some(bmc.machine.config().serial.clone()),
        power_state: Some(system::power_state(&bmc.machine)),
        status: Some(healthy()),
        links: Some(chassis_model::Links {
            computer_systems: Some(vec![link(SYSTEM)]),
            managed_by: Some(vec![link(MANAGER)]),
            ..chassis_model::Links::default()
        }),
        ..chassis_model::Chassis::default()
    })
}

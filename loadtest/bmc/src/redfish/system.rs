//! The one system: what it is, what it boots next, and its reset.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use redfish_codegen::models::computer_system::BootSource;
use redfish_codegen::models::computer_system::v1_20_1::{
    Actions, Boot, BootSourceOverrideEnabled, BootSourceOverrideMode, ComputerSystem, Links,
    MemorySummary, ProcessorSummary, Reset, ResetRequestBody, SystemType,
};
use redfish_codegen::models::odata_v4::{Etag, Id as ODataId};
use redfish_codegen::models::resource::{self, Id, ResetType, UUID};
use redfish_codegen::registries::base::v1_16_0::Base;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::refusal::Refusal;
use super::resources::{CHASSIS, MANAGER, healthy, link, name};
use super::{Bmc, SYSTEM};
use crate::{BootEnabled, BootOverride, BootTarget, Firmware, Machine, MachineError, PowerState};

const RESETS: [&str; 7] = [
    "On",
    "ForceOn",
    "ForceOff",
    "GracefulShutdown",
    "ForceRestart",
    "PowerCycle",
    "PushPowerButton",
];

pub(super) async fn show(State(bmc): State<Bmc>) -> Result<Response, Refusal> {
    respond(&bmc)
}

pub(super) async fn change(
    State(bmc): State<Bmc>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let _changing = bmc.change.lock().await;
    let current = bmc.machine.boot_override()?;
    if let Some(wanted) = headers.get(header::IF_MATCH) {
        let wanted = wanted.to_str().unwrap_or_default();
        let fits = |it: &str| it.trim() == "*" || it.trim() == etag(&current);
        if !wanted.split(',').any(fits) {
            return Err(Refusal::precondition_failed());
        }
    }
    let patch: Value = serde_json::from_slice(&body)
        .map_err(|_error| Refusal::bad_request(Base::MalformedJSON))?;
    let wanted = apply(&patch, current, bmc.machine.config().firmware)?;
    let machine = bmc.machine.clone();
    blocking(move || machine.set_boot_override(&wanted)).await?;
    respond(&bmc)
}

pub(super) async fn reset(State(bmc): State<Bmc>, body: Bytes) -> Result<StatusCode, Refusal> {
    let body: Value = match body.is_empty() {
        true => json!({}), // DSP0268: without a ResetType the service does what it can do: On.
        false => serde_json::from_slice(&body)
            .map_err(|_error| Refusal::bad_request(Base::MalformedJSON))?,
    };
    let asked = body.get("ResetType").map(word).unwrap_or_default();
    let unsupported = || {
        Refusal::bad_request(Base::ActionParameterValueNotInList(
            asked.clone(),
            "ResetType".to_owned(),
            "ComputerSystem.Reset".to_owned(),
        ))
    };
    let request: ResetRequestBody = serde_json::from_value(body).map_err(|_error| unsupported())?;
    let action: fn(&Machine) -> Result<(), MachineError> =
        match request.reset_type.unwrap_or(ResetType::On) {
            ResetType::On | ResetType::ForceOn => Machine::power_on,
            ResetType::ForceOff => Machine::power_off,
            ResetType::GracefulShutdown => Machine::shutdown,
            ResetType::ForceRestart => Machine::reset,
            ResetType::PowerCycle => Machine::power_cycle,
            ResetType::PushPowerButton => push_button,
            _ => return Err(unsupported()),
        };
    let machine = bmc.machine.clone();
    blocking(move || action(&machine)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn push_button(machine: &Machine) -> Result<(), MachineError> {
    match machine.power() {
        PowerState::On => machine.shutdown(),
        PowerState::Off => machine.power_on(),
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<(), MachineError> + Send + 'static,
) -> Result<(), Refusal> {
    match spawn_blocking(work).await {
        Ok(result) => result.map_err(Refusal::from),
        Err(_panic) => Err(Refusal::fault()),
    }
}

/// Takes the boot override out of a PATCH body. Everything else in the system is read-only.
fn apply(
    patch: &Value,
    current: BootOverride,
    firmware: Firmware,
) -> Result<BootOverride, Refusal> {
    let malformed = || Refusal::bad_request(Base::MalformedJSON);
    for (property, _) in patch.as_object().ok_or_else(malformed)? {
        if property != "Boot" {
            return Err(read_only(property));
        }
    }
    let mut next = current;
    let boot = patch.get("Boot").unwrap_or(&Value::Null);
    for (property, value) in boot.as_object().ok_or_else(malformed)? {
        match property.as_str() {
            "BootSourceOverrideEnabled" => {
                next.enabled = match choose(property, value)? {
                    BootSourceOverrideEnabled::Disabled => BootEnabled::Disabled,
                    BootSourceOverrideEnabled::Once => BootEnabled::Once,
                    BootSourceOverrideEnabled::Continuous => BootEnabled::Continuous,
                }
            }
            "BootSourceOverrideTarget" => {
                let target = match choose(property, value)? {
                    BootSource::None => Some(BootTarget::None),
                    BootSource::Pxe => Some(BootTarget::Pxe),
                    BootSource::Hdd => Some(BootTarget::Hdd),
                    BootSource::UefiHttp => Some(BootTarget::UefiHttp),
                    _ => None,
                };
                let allowed = BootTarget::allowed(firmware);
                next.target = target
                    .filter(|it| allowed.contains(it))
                    .ok_or_else(|| not_in_list(property, value))?;
            }
            "BootSourceOverrideMode" => {
                let asked: BootSourceOverrideMode = choose(property, value)?;
                // The firmware of a lab machine is what it is; naming the other one is an error.
                let uefi = matches!(asked, BootSourceOverrideMode::UEFI);
                if uefi == (firmware == Firmware::Bios) {
                    return Err(not_in_list(property, value));
                }
            }
            _ => return Err(read_only(property)),
        }
    }
    Ok(next)
}

fn choose<T: DeserializeOwned>(property: &str, value: &Value) -> Result<T, Refusal> {
    serde_json::from_value(value.clone()).map_err(|_error| not_in_list(property, value))
}

fn not_in_list(property: &str, value: &Value) -> Refusal {
    Refusal::bad_request(Base::PropertyValueNotInList(word(value), property.to_owned()))
        .of_property(format!("#/Boot/{property}"))
}

/// A value as a message names it: strings without their quotes.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn read_only(property: &str) -> Refusal {
    Refusal::bad_request(Base::PropertyNotWritable(property.to_owned()))
}

fn respond(bmc: &Bmc) -> Result<Response, Refusal> {
    let boot = bmc.machine.boot_override()?;
    let system = describe(&bmc.machine, &boot);
    let mut body = serde_json::to_value(system).map_err(|_error| Refusal::fault())?;
    // The models have no annotations: what may be chosen is added by hand.
    let allowed = BootTarget::allowed(bmc.machine.config().firmware);
    let allowed: Vec<_> = allowed.iter().map(|it| source(*it)).collect();
    body["Boot"]["BootSourceOverrideTarget@Redfish.AllowableValues"] = json!(allowed);
    body["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"] = json!(RESETS);
    Ok(([(header::ETAG, etag(&boot))], Json(body)).into_response())
}

/// Names what a PATCH can change; power comes and goes by itself and is no part of it.
fn etag(boot: &BootOverride) -> String {
    let digest = Sha256::digest(format!("{boot:?}"));
    format!("\"{}\"", hex::encode(&digest[..8]))
}

pub(super) fn power_state(machine: &Machine) -> resource::PowerState {
    match machine.power() {
        PowerState::On => resource::PowerState::On,
        PowerState::Off => resource::PowerState::Off,
    }
}

fn source(target: BootTarget) -> BootSource {
    match target {
        BootTarget::None => BootSource::None,
        BootTarget::Pxe => BootSource::Pxe,
        BootTarget::Hdd => BootSource::Hdd,
        BootTarget::UefiHttp => BootSource::UefiHttp,
    }
}

fn describe(machine: &Machine, boot: &BootOverride) -> ComputerSystem {
    let config = machine.config();
    ComputerSystem {
        odata_id: ODataId(SYSTEM.to_owned()),
        odata_etag: Some(Etag(etag(boot))),
        id: Id("1".to_owned()),
        name: name(&config.name),
        host_name: Some(config.name.clone()),
        system_type: Some(SystemType::Physical),
        manufacturer: Some("Ironherd".to_owned()),
        model: Some("Lab Machine".to_owned()),
        serial_number: Some(config.serial.clone()),
        uuid: Some(UUID(config.uuid.clone())),
        power_state: Some(power_state(machine)),
        status: Some(healthy()),
        boot: Some(describe_boot(config.firmware, boot)),
        memory_summary: Some(MemorySummary {
            total_system_memory_gi_b: Some(f64::from(config.memory_mib) / 1024.0),
            ..MemorySummary::default()
        }),
        processor_summary: Some(ProcessorSummary { count: Some(1), ..ProcessorSummary::default() }),
        links: Some(Links {
            chassis: Some(vec![link(CHASSIS)]),
            managed_by: Some(vec![link(MANAGER)]),
            ..Links::default()
        }),
        actions: Some(Actions {
            computer_system_reset: Some(Reset {
                target: Some(format!("{SYSTEM}/Actions/ComputerSystem.Reset")),
                ..Reset::default()
            }),
            ..Actions::default()
        }),
        ..ComputerSystem::default()
    }
}

fn describe_boot(firmware: Firmware, boot: &BootOverride) -> Boot {
    Boot {
        boot_source_override_enabled: Some(match boot.enabled {
            BootEnabled::Disabled => BootSourceOverrideEnabled::Disabled,
            BootEnabled::Once => BootSourceOverrideEnabled::Once,
            BootEnabled::Continuous => BootSourceOverrideEnabled::Continuous,
        }),
        boot_source_override_target: Some(source(boot.target)),
        boot_source_override_mode: Some(match firmware {
            Firmware::Bios => BootSourceOverrideMode::Legacy,
            Firmware::Uefi | Firmware::UefiHttp | Firmware::Arm64 => BootSourceOverrideMode::UEFI,
        }),
        ..Boot::default()
    }
}

//! A Redfish BMC for one machine: real HTTP, real sessions, and a reset that resets a real QEMU.
//!
//! It behaves like the middle of the field: sessions and basic authentication, ETags on what can
//! be changed, Base-registry messages in every refusal, no tasks and no events.

mod access;
mod refusal;
mod resources;
mod system;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use redfish_codegen::registries::base::v1_16_0::Base;
use tokio::net::TcpListener;

use crate::Machine;
use access::Sessions;
use refusal::Refusal;

pub(crate) const ROOT: &str = "/redfish/v1";
pub(crate) const SYSTEM: &str = "/redfish/v1/Systems/1";
pub(crate) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// What the handlers share.
#[derive(Clone, Debug)]
struct Bmc {
    machine: Machine,
    sessions: Arc<Sessions>,
    /// Held from reading an ETag until what it guards is written.
    change: Arc<tokio::sync::Mutex<()>>,
}

/// Listens on the machine's BMC address and serves until the process ends.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(machine: Machine) -> io::Result<()> {
    let address = SocketAddr::from((machine.config().bmc.address, machine.config().bmc.port));
    let listener = TcpListener::bind(address).await?;
    tracing::info!(%address, machine = machine.config().name, "Redfish BMC listens");
    axum::serve(listener, router(machine)).await
}

/// The whole service, for a listener of the caller's.
pub fn router(machine: Machine) -> Router {
    let bmc = Bmc { machine, sessions: Arc::default(), change: Arc::default() };
    let routes: Vec<(String, MethodRouter<Bmc>)> = vec![
        ("/redfish".to_owned(), get(resources::versions)),
        (ROOT.to_owned(), get(resources::service_root)),
        (format!("{ROOT}/odata"), get(resources::odata)),
        (format!("{ROOT}/SessionService"), get(resources::session_service)),
        (SESSIONS.to_owned(), get(access::list).post(access::create)),
        (format!("{SESSIONS}/{{id}}"), get(access::show).delete(access::delete)),
        (format!("{ROOT}/Systems"), get(resources::systems)),
        (SYSTEM.to_owned(), get(system::show).patch(system::change)),
        (format!("{SYSTEM}/Actions/ComputerSystem.Reset"), post(system::reset)),
        (format!("{ROOT}/Managers"), get(resources::managers)),
        (format!("{ROOT}/Managers/1"), get(resources::manager)),
        (format!("{ROOT}/Chassis"), get(resources::chassis_collection)),
        (format!("{ROOT}/Chassis/1"), get(resources::chassis)),
    ];
    let mut router = Router::new();
    for (path, handlers) in routes {
        // Clients differ on the trailing slash, and the root is officially written with one.
        router = router.route(&format!("{path}/"), handlers.clone()).route(&path, handlers);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(bmc.clone(), access::require))
        .layer(map_response(common_headers))
        .with_state(bmc)
}

async fn not_found(uri: Uri) -> Refusal {
    Refusal::not_found(Base::ResourceMissingAtURI(uri.path().to_owned()))
}

async fn not_allowed() -> Refusal {
    Refusal::not_allowed(Base::OperationNotAllowed)
}

/// DSP0266 §6.5.4: every response says which OData it speaks, and none is to be cached.
async fn common_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("odata-version"), HeaderValue::from_static("4.0"));
    headers.insert(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-cache"));
    response
}

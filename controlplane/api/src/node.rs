//! Relay's `node`: any object by its global id.

use async_graphql::{Context, ID, Interface, Object, Result};

use crate::answer::app;
use crate::dhcp::ClientClass;
use crate::event::Event;
use crate::fabric::{Fabric, Vlan};
use crate::id::{self, Kind};
use crate::image::Image;
use crate::machine::Machine;
use crate::operation::Operation;
use crate::rack::Rack;
use crate::subnet::Subnet;
use crate::subnet6::Subnet6;
use crate::{access, answer};

/// An object with a global id.
#[derive(Interface, Clone, Debug)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id."))]
#[expect(clippy::large_enum_variant, reason = "made one at a time and answered at once")]
pub(crate) enum Node {
    Machine(Machine),
    Fabric(Fabric),
    Vlan(Vlan),
    Subnet(Subnet),
    Subnet6(Subnet6),
    ClientClass(ClientClass),
    Image(Image),
    Rack(Rack),
    Event(Event),
    Operation(Operation),
}

#[derive(Debug, Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its global id; null if there is no such object.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> Result<Option<Node>> {
        let actor = access::user(ctx)?;
        let app = app(ctx);
        let Some((kind, key)) = id::decode(&id) else { return Ok(None) };
        // A key that is none of its kind names nothing.
        macro_rules! find {
            ($look_up:ident, $node:ident) => {{
                let Ok(key) = key.parse() else { return Ok(None) };
                answer::query(app.$look_up(actor, key).await)?.map(|it| Node::$node($node(it)))
            }};
        }
        Ok(match kind {
            Kind::Machine => find!(machine, Machine),
            Kind::Fabric => find!(fabric, Fabric),
            Kind::Vlan => find!(vlan, Vlan),
            Kind::Subnet => find!(subnet, Subnet),
            Kind::Subnet6 => find!(subnet6, Subnet6),
            Kind::ClientClass => find!(client_class, ClientClass),
            Kind::Image => find!(image, Image),
            Kind::Rack => find!(rack, Rack),
            Kind::Event => find!(event, Event),
            Kind::Operation => find!(operation, Operation),
            Kind::Range | Kind::Reservation | Kind::Reservation6 | Kind::UserToken => None,
        })
    }
}

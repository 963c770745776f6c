//! What agents and installed systems send.

use async_graphql::InputObject;
use ironherd_app as app;

use crate::machine::hardware::Hardware;
use crate::machine::state::PowerProtocol;
use crate::scalar::Long;

/// An agent has started and introduces itself.
#[derive(InputObject)]
pub(crate) struct AgentHelloInput {
    /// The one-time token from the kernel's command line.
    #[graphql(secret)]
    pub(crate) boot_token: String,
    /// The agent's version.
    pub(crate) agent_version: String,
}

/// What an agent found.
#[derive(InputObject, Debug)]
pub(crate) struct AgentEnlistInput {
    /// The machine's hardware.
    pub(crate) hardware: Hardware,
    /// The machine's management controller, where it has one.
    pub(crate) bmc: Option<BmcFoundInput>,
}

/// A management controller as found from inside the machine.
#[derive(InputObject)]
pub(crate) struct BmcFoundInput {
    /// The protocol it speaks.
    pub(crate) protocol: PowerProtocol,
    /// Redfish: the full URL. IPMI: host, or host:port.
    pub(crate) address: String,
    /// The user that the agent made, if it made one.
    pub(crate) username: Option<String>,
    /// The password of that user.
    #[graphql(secret)]
    pub(crate) password: Option<String>,
}

impl std::fmt::Debug for BmcFoundInput {
    /// Leaves the password out, since inputs end up in logs.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("BmcFoundInput");
        out.field("protocol", &self.protocol).field("address", &self.address);
        out.finish_non_exhaustive()
    }
}

/// How far the agent has come. Also the sign that it is alive.
#[derive(InputObject, Debug)]
pub(crate) struct AgentProgressInput {
    /// What it is doing, in a word or two.
    pub(crate) step: String,
    /// How much of the step is done, 0 to 100.
    pub(crate) percent: Option<i32>,
    /// Bytes done of this step.
    pub(crate) bytes_done: Option<Long>,
    /// Bytes that this step has in all.
    pub(crate) bytes_total: Option<Long>,
    /// A sentence for a person.
    pub(crate) message: Option<String>,
}

/// The agent's work is over.
#[derive(InputObject, Debug)]
pub(crate) struct AgentFinishedInput {
    /// Whether all of it was done.
    pub(crate) success: bool,
    /// Why not, as a sentence for a person.
    pub(crate) message: Option<String>,
}

/// An installed system has started.
#[derive(InputObject)]
pub(crate) struct SystemReadyInput {
    /// The one-time token that it was installed with.
    #[graphql(secret)]
    pub(crate) token: String,
}

impl From<AgentHelloInput> for app::AgentHello {
    fn from(it: AgentHelloInput) -> Self {
        Self { boot_token: it.boot_token.into(), agent_version: it.agent_version }
    }
}

impl From<AgentEnlistInput> for app::AgentEnlist {
    fn from(it: AgentEnlistInput) -> Self {
        let bmc = it.bmc.map(|it| app::BmcFound {
            protocol: it.protocol.into(),
            address: it.address,
            username: it.username,
            password: it.password.map(Into::into),
        });
        Self { hardware: it.hardware.into(), bmc }
    }
}

impl From<AgentProgressInput> for app::AgentProgress {
    fn from(it: AgentProgressInput) -> Self {
        // Progress is for people to watch: a number beyond its bounds is left out, not refused.
        let percent = it.percent.and_then(|it| u8::try_from(it).ok()).filter(|it| *it <= 100);
        Self {
            step: it.step,
            percent,
            bytes_done: it.bytes_done.and_then(Long::count),
            bytes_total: it.bytes_total.and_then(Long::count),
            message: it.message,
        }
    }
}

impl From<AgentFinishedInput> for app::AgentFinished {
    fn from(it: AgentFinishedInput) -> Self {
        Self { success: it.success, message: it.message }
    }
}

use ironherd_domain::{AgentTaskKind, MachineId, TokenId};

use crate::CommandError;

/// Who gives a command. Made by [`App::actor`](crate::App::actor) from a bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// May do everything that people do.
    User { token: TokenId, name: String },
    /// May fetch the snapshot and images, and report.
    Rack { token: TokenId, name: String },
    /// May report on its own machine, in its own boot attempt.
    Agent(AgentSession),
    /// Ourselves: a worker, or the command line on the region's own machine.
    System(&'static str),
}

/// What an agent's session token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSession {
    pub token: TokenId,
    /// `None` while a machine that is not known yet enlists.
    pub machine: Option<MachineId>,
    pub attempt: u64,
    pub task: AgentTaskKind,
}

impl Actor {
    /// How events name the actor.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::User { name, .. } => name.clone(),
            Self::Rack { name, .. } => format!("rack {name}"),
            Self::Agent(_) => "agent".to_owned(),
            Self::System(name) => (*name).to_owned(),
        }
    }

    /// # Errors
    /// [`CommandError::Forbidden`] unless a user, or ourselves, ask.
    pub fn must_be_user(&self) -> Result<(), CommandError> {
        match self {
            Self::User { .. } | Self::System(_) => Ok(()),
            Self::Rack { .. } | Self::Agent(_) => Err(CommandError::Forbidden),
        }
    }

    /// # Errors
    /// [`CommandError::Forbidden`] unless a rack, or ourselves, ask.
    pub fn must_be_rack(&self) -> Result<(), CommandError> {
        match self {
            Self::Rack { .. } | Self::System(_) => Ok(()),
            Self::User { .. } | Self::Agent(_) => Err(CommandError::Forbidden),
        }
    }

    /// # Errors
    /// [`CommandError::Forbidden`] unless an agent asks.
    pub fn must_be_agent(&self) -> Result<&AgentSession, CommandError> {
        match self {
            Self::Agent(session) => Ok(session),
            _ => Err(CommandError::Forbidden),
        }
    }
}

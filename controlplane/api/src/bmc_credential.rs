//! Credentials for management controllers that are found without any.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use crate::answer::app;
use crate::machine::state::PowerProtocol;
use crate::user_error::payload;
use crate::{access, answer};

/// A user name, and a password that is never shown, for every controller of one protocol.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct BmcCredential {
    /// The protocol it is tried with.
    protocol: PowerProtocol,
    /// The user to log in as.
    username: String,
}

/// A credential to try.
#[derive(InputObject)]
pub(crate) struct BmcCredentialSetInput {
    /// The protocol to try it with. Replaces the credential of the same protocol.
    protocol: PowerProtocol,
    /// The user to log in as.
    username: String,
    /// The user's password. Kept encrypted, and never shown again.
    #[graphql(secret)]
    password: String,
}

payload! { "bmcCredentialSet" => BmcCredentialPayload {
        /// The credential as it is known now.
        bmc_credential: BmcCredential,
    }
    BmcCredentialSetUserError BmcCredentialSetErrorCode {
        /// A machine that is switched by hand has no credential.
        ProtocolManual,
        /// The user name is empty.
        UsernameMissing,
    }
}

#[derive(Debug, Default)]
pub(crate) struct BmcCredentialMutation;

#[Object]
impl BmcCredentialMutation {
    /// Sets the credential that is tried with controllers which were found without one.
    async fn bmc_credential_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The credential.")] input: BmcCredentialSetInput,
    ) -> Result<BmcCredentialPayload> {
        let actor = access::user(ctx)?;
        let input = ironherd_app::BmcCredentialSet {
            protocol: input.protocol.into(),
            username: input.username,
            password: input.password.into(),
        };
        let credential = app(ctx).bmc_credential_set(actor, input).await;
        let done = |it: ironherd_app::BmcCredentialView| BmcCredential {
            protocol: it.protocol.into(),
            username: it.username,
        };
        answer::mutation(credential, |it| BmcCredentialPayload::done(done(it)))
    }
}

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use ironherd_app as app;

use super::ClientClass;
use super::class::ClassConditionInput;
use crate::answer::app;
use crate::id::{self, Kind};
use crate::user_error::payload;
use crate::{access, answer};

/// A kind of client.
#[derive(InputObject, Debug)]
pub(crate) struct ClientClassCreateInput {
    /// Its name.
    name: String,
    /// The conditions: all must hold. Without any, every client is a member.
    conditions: Vec<ClassConditionInput>,
    /// A TFTP name or a URL for its members, instead of what the boot table says.
    boot_file: Option<String>,
}

/// What to change. What is absent stays.
#[derive(InputObject, Debug)]
pub(crate) struct ClientClassUpdateInput {
    /// Its new name.
    name: Option<String>,
    /// The conditions, all of them.
    conditions: Option<Vec<ClassConditionInput>>,
    /// A TFTP name or a URL; null: what the boot table says.
    boot_file: MaybeUndefined<String>,
}

payload! { "clientClassCreate" => ClientClassCreatePayload {
        /// The new class.
        client_class: ClientClass,
    }
    ClientClassCreateUserError ClientClassCreateErrorCode {
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
        /// A condition cannot be read.
        ConditionInvalid,
        /// The boot file is neither a TFTP name nor a URL.
        BootFileInvalid,
        /// There are too many classes.
        ClassesTooMany,
    }
}
payload! { "clientClassUpdate" => ClientClassUpdatePayload {
        /// The class as it is now.
        client_class: ClientClass,
    }
    ClientClassUpdateUserError ClientClassUpdateErrorCode {
        /// There is no such class.
        NotFound,
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
        /// A condition cannot be read.
        ConditionInvalid,
        /// The boot file is neither a TFTP name nor a URL.
        BootFileInvalid,
    }
}
payload! { "clientClassDelete" => ClientClassDeletePayload {
        /// The class that is gone.
        client_class_id: ID,
    }
    ClientClassDeleteUserError ClientClassDeleteErrorCode {
        /// There is no such class.
        NotFound,
        /// A range is for its members alone.
        ClassInUse,
    }
}
payload! { "clientClassReorder" => ClientClassReorderPayload {
        /// The classes in their new order.
        client_classes: Vec<ClientClass>,
    }
    ClientClassReorderUserError ClientClassReorderErrorCode {
        /// A class is missing, unknown, or named twice.
        OrderInvalid,
    }
}

#[derive(Debug, Default)]
pub(crate) struct ClientClassMutation;

#[Object]
impl ClientClassMutation {
    /// Makes a kind of client known, behind the others in order.
    async fn client_class_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class.")] input: ClientClassCreateInput,
    ) -> Result<ClientClassCreatePayload> {
        let actor = access::user(ctx)?;
        let input = app::ClientClassCreate {
            name: input.name,
            conditions: input.conditions.into_iter().map(Into::into).collect(),
            boot_file: input.boot_file,
        };
        let class = app(ctx).client_class_create(actor, input).await;
        answer::mutation(class, |it| ClientClassCreatePayload::done(ClientClass(it)))
    }

    /// Changes a class.
    async fn client_class_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class's id.")] id: ID,
        #[graphql(desc = "What to change.")] input: ClientClassUpdateInput,
    ) -> Result<ClientClassUpdatePayload> {
        let actor = access::user(ctx)?;
        let read = |it: Vec<ClassConditionInput>| it.into_iter().map(Into::into).collect();
        let input = app::ClientClassUpdate {
            name: input.name,
            conditions: input.conditions.map(read),
            boot_file: input.boot_file.into(),
        };
        let answer = async {
            let id = id::argument(Kind::ClientClass, &id)?;
            app(ctx).client_class_update(actor, id, input).await
        };
        answer::mutation(answer.await, |it| ClientClassUpdatePayload::done(ClientClass(it)))
    }

    /// Forgets a class with its options.
    async fn client_class_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class's id.")] id: ID,
    ) -> Result<ClientClassDeletePayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let id = id::argument(Kind::ClientClass, &id)?;
            app(ctx).client_class_delete(actor, id).await
        };
        let done = |id: ironherd_domain::ClassId| id::encode(Kind::ClientClass, &id.to_text());
        answer::mutation(answer.await, |id| ClientClassDeletePayload::done(done(id)))
    }

    /// Puts the classes into a new order: the first that names a boot file wins, and its options
    /// win over those of later ones.
    async fn client_class_reorder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids of all classes, in the new order.")] ids: Vec<ID>,
    ) -> Result<ClientClassReorderPayload> {
        let actor = access::user(ctx)?;
        let answer = async {
            let read = |id: &ID| id::input(Kind::ClientClass, id, "ORDER_INVALID", &["ids"]);
            let ids = ids.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            app(ctx).client_class_reorder(actor, ids).await
        };
        let done = |it: Vec<app::ClientClass>| it.into_iter().map(ClientClass).collect::<Vec<_>>();
        answer::mutation(answer.await, |it| ClientClassReorderPayload::done(done(it)))
    }
}

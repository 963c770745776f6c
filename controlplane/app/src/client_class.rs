use ironherd_domain::{ClassCondition, ClassId, Refusal, dhcp};
use ironherd_store::{ClientClass, SnapshotChange, client_class, range};

use crate::work::{Halt, Inner, Work, not_found, transact};
use crate::{Actor, Answer, App, ClientClassCreate, ClientClassUpdate};

/// Every client is held against every class.
pub(crate) const CLASSES_MAX: u32 = 256;
const CONDITIONS_MAX: usize = 16;

impl App {
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless a user asks.
    pub async fn client_class(&self, actor: &Actor, id: ClassId) -> Answer<Option<ClientClass>> {
        actor.must_be_user()?;
        Ok(client_class::by_id(&mut self.read().await?, id).await?)
    }

    /// All classes, in the order in which they are tried: there are at most 256.
    ///
    /// # Errors
    /// See [`App::client_class`].
    pub async fn client_classes(&self, actor: &Actor) -> Answer<Vec<ClientClass>> {
        actor.must_be_user()?;
        Ok(client_class::all(&mut self.read().await?, CLASSES_MAX).await?)
    }

    /// Adds a class behind the others.
    ///
    /// # Errors
    /// Refusals: `NAME_INVALID`, `NAME_TAKEN`, `CONDITION_INVALID`, `BOOT_FILE_INVALID`,
    /// `CLASSES_TOO_MANY`.
    pub async fn client_class_create(
        &self,
        actor: &Actor,
        input: ClientClassCreate,
    ) -> Answer<ClientClass> {
        actor.must_be_user()?;
        dhcp::check_name(&input.name, &["input", "name"])?;
        let conditions = read_conditions(&input.conditions)?;
        if let Some(file) = &input.boot_file {
            dhcp::check_boot_file(file, &["input", "bootFile"])?;
        }
        transact!(self, actor, |work| {
            let others = client_class::all(&mut work.tx, CLASSES_MAX).await?;
            if u32::try_from(others.len()).is_ok_and(|it| CLASSES_MAX <= it) {
                let why = format!("There are {CLASSES_MAX} classes already; delete one first.");
                return Err(Refusal::new("CLASSES_TOO_MANY", &["input"], why).into());
            }
            let it = ClientClass {
                id: ClassId::new(),
                generation: 1,
                name: input.name.clone(),
                position: others.last().map_or(1, |it| it.position + 1),
                conditions: conditions.clone(),
                boot_file: input.boot_file.clone(),
            };
            let added = client_class::insert(&mut work.tx, &it).await;
            added.map_err(|error| taken(error.into(), &it.name))?;
            work.event(None, "CLIENT_CLASS_CREATED", it.name.clone());
            work.touch(SnapshotChange::Networks);
            Ok(it)
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`, `NAME_INVALID`, `NAME_TAKEN`, `CONDITION_INVALID`,
    /// `BOOT_FILE_INVALID`.
    pub async fn client_class_update(
        &self,
        actor: &Actor,
        id: ClassId,
        input: ClientClassUpdate,
    ) -> Answer<ClientClass> {
        actor.must_be_user()?;
        if let Some(name) = &input.name {
            dhcp::check_name(name, &["input", "name"])?;
        }
        let conditions = input.conditions.as_deref().map(read_conditions).transpose()?;
        if let Some(Some(file)) = &input.boot_file {
            dhcp::check_boot_file(file, &["input", "bootFile"])?;
        }
        transact!(self, actor, |work| {
            let mut it = load(&mut work, id, "NOT_FOUND", "id").await?;
            if let Some(name) = &input.name {
                it.name.clone_from(name);
            }
            if let Some(conditions) = &conditions {
                it.conditions.clone_from(conditions);
            }
            if let Some(file) = &input.boot_file {
                it.boot_file.clone_from(file);
            }
            let changed = client_class::update(&mut work.tx, &it).await;
            changed.map_err(|error| taken(error.into(), &it.name))?;
            work.event(None, "CLIENT_CLASS_UPDATED", it.name.clone());
            work.touch(SnapshotChange::Networks);
            load(&mut work, id, "NOT_FOUND", "id").await
        })
    }

    /// # Errors
    /// Refusals: `NOT_FOUND`; `CLASS_IN_USE` if a range is for its members alone.
    pub async fn client_class_delete(&self, actor: &Actor, id: ClassId) -> Answer<ClassId> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let it = load(&mut work, id, "NOT_FOUND", "id").await?;
            if let Some(range) = range::a_range_for(&mut work.tx, id).await? {
                let why = format!(
                    "The range {}–{} is for its members alone. Change or delete that first.",
                    range.first, range.last
                );
                return Err(Refusal::new("CLASS_IN_USE", &["id"], why).into());
            }
            client_class::delete(&mut work.tx, id).await?;
            work.event(None, "CLIENT_CLASS_DELETED", it.name);
            work.touch(SnapshotChange::Networks);
            Ok(id)
        })
    }

    /// Puts the classes into a new order.
    ///
    /// # Errors
    /// Refusals: `ORDER_INVALID` unless every class is named exactly once.
    pub async fn client_class_reorder(
        &self,
        actor: &Actor,
        ids: Vec<ClassId>,
    ) -> Answer<Vec<ClientClass>> {
        actor.must_be_user()?;
        transact!(self, actor, |work| {
            let mut classes = client_class::all(&mut work.tx, CLASSES_MAX).await?;
            let place = |id: ClassId| ids.iter().position(|it| *it == id);
            let each = classes.iter().all(|it| place(it.id).is_some());
            if !each || ids.len() != classes.len() {
                let why = "Name every class exactly once, in the order in which they are tried.";
                return Err(Refusal::new("ORDER_INVALID", &["ids"], why).into());
            }
            classes.sort_by_key(|it| place(it.id));
            for (position, it) in (1..).zip(&mut classes) {
                if it.position != position {
                    it.position = position;
                    client_class::update(&mut work.tx, it).await?;
                    it.generation += 1;
                }
            }
            let names: Vec<_> = classes.iter().map(|it| it.name.as_str()).collect();
            work.event(None, "CLIENT_CLASSES_REORDERED", names.join(", "));
            work.touch(SnapshotChange::Networks);
            Ok(classes)
        })
    }
}

/// Loads a class.
pub(crate) async fn load(
    work: &mut Work,
    id: ClassId,
    code: &'static str,
    field: &str,
) -> Inner<ClientClass> {
    let found = client_class::by_id(&mut work.tx, id).await?;
    found.ok_or_else(|| Refusal { code, ..not_found("client class", field) }.into())
}

fn read_conditions(words: &[dhcp::ConditionWords]) -> Result<Vec<ClassCondition>, Refusal> {
    let field = ["input", "conditions"];
    if CONDITIONS_MAX < words.len() {
        let why = format!("A class has at most {CONDITIONS_MAX} conditions.");
        return Err(Refusal::new("CONDITION_INVALID", &field, why));
    }
    let read = |(at, it): (usize, &dhcp::ConditionWords)| {
        dhcp::condition(it, &["input", "conditions", &at.to_string()])
    };
    words.iter().enumerate().map(read).collect()
}

fn taken(halt: Halt, name: &str) -> Halt {
    halt.taken(|_| {
        let why = format!("There is a class named `{name}` already.");
        Refusal::new("NAME_TAKEN", &["input", "name"], why)
    })
}

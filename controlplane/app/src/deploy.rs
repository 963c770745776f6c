use ironherd_domain::{AgentTaskKind, Refusal, TokenId};
use ironherd_store::{Image, Machine, Token, TokenKind, image, token};

use crate::agent::is_current;
use crate::seal::{fresh_token, token_digest};
use crate::work::{Inner, Work, transact};
use crate::{Actor, AgentDeploy, AgentTask, Answer, App};

/// Reports in from the installed system; the agent leaves itself and its settings on the disk.
const VENDOR_DATA: &str = "#!/bin/sh\nexec /usr/lib/ironherd/ironherd-agent phone-home\n";
const USER_DATA_DEFAULT: &str = "#cloud-config\n{}\n";

impl App {
    /// What the agent shall do. For a deployment each call makes a new phone-home token: the last
    /// one counts.
    ///
    /// # Errors
    /// [`CommandError::Forbidden`](crate::CommandError::Forbidden) unless an agent asks. Refusals:
    /// `TASK_STALE`, `IMAGE_NOT_FOUND`.
    pub async fn agent_task(&self, actor: &Actor) -> Answer<AgentTask> {
        let session = actor.must_be_agent()?;
        let Some(id) = session.machine.filter(|_| session.task != AgentTaskKind::Enlist) else {
            return Ok(AgentTask { kind: session.task, deploy: None });
        };
        transact!(self, actor, |work| {
            let it = work.machine(id).await?;
            if !is_current(session, &it) {
                let why = format!("The machine is {}: this session's task is over.", it.state);
                return Err(Refusal::new("TASK_STALE", &[], why).into());
            }
            let deploy = match session.task {
                AgentTaskKind::Deploy => Some(deployment(&mut work, &it).await?),
                _ => None,
            };
            Ok(AgentTask { kind: session.task, deploy })
        })
    }
}

async fn deployment(work: &mut Work, it: &Machine) -> Inner<AgentDeploy> {
    let image = match it.image_id {
        Some(id) => image::by_id(&mut work.tx, id).await?,
        None => None,
    };
    let Some(image) = image else {
        let why = "The image of this deployment is gone.";
        return Err(Refusal::new("IMAGE_NOT_FOUND", &[], why).into());
    };
    let phone_home_token = fresh_token("ihp_");
    token::delete_of_machine(&mut work.tx, it.id, TokenKind::PhoneHome).await?;
    let row = Token {
        id: TokenId::new(),
        kind: TokenKind::PhoneHome,
        name: it.hostname.clone(),
        sha256: token_digest(phone_home_token.expose()),
        machine_id: Some(it.id),
        attempt: Some(it.attempt),
        task: None,
        finished: None,
        created: work.now,
        expires: None,
        used: None,
    };
    token::insert(&mut work.tx, &row).await?;
    let Image { sha256, size_bytes, kind, disk_bytes, .. } = image;
    Ok(AgentDeploy {
        image_path: format!("/images/{sha256}"),
        sha256,
        size_bytes,
        format: kind,
        disk_bytes,
        meta_data: meta_data(it),
        user_data: it.user_data.clone().unwrap_or_else(|| USER_DATA_DEFAULT.to_owned()),
        vendor_data: VENDOR_DATA.to_owned(),
        network_config: network_config(it),
        phone_home_token,
    })
}

/// `NoCloud` meta-data. The instance id changes with each deployment, so that cloud-init does its
/// first-boot work again after a redeployment.
fn meta_data(it: &Machine) -> String {
    let (id, attempt) = (it.id, it.attempt);
    let name = quoted(&it.hostname);
    let mut text = format!("instance-id: \"{id}-{attempt}\"\nlocal-hostname: {name}\n");
    let keys: Vec<&str> = it.ssh_keys.as_deref().map_or_else(Vec::new, |it| it.lines().collect());
    if !keys.is_empty() {
        text.push_str("public-keys:\n");
        for key in keys {
            text.push_str(&format!("  - {}\n", quoted(key)));
        }
    }
    text
}

/// Network configuration, version 2: the boot card by its MAC, since its name may change between
/// the RAM system and the installed one.
fn network_config(it: &Machine) -> String {
    let mut text = String::from("version: 2\nethernets:\n");
    let Some(mac) = it.macs.first() else { return "version: 2\n".to_owned() };
    text.push_str("  boot:\n    match:\n");
    text.push_str(&format!("      macaddress: \"{mac}\"\n    dhcp4: true\n"));
    text
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

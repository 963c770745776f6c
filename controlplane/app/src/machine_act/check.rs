//! What is looked at before a machine is set to work.

use ironherd_domain::{ImageState, Refusal};
use ironherd_store::{Machine, image};

use crate::MachineDeploy;
use crate::work::{Inner, Work, not_found};

const USER_DATA_BYTES_MAX: usize = 256 * 1024;
const SSH_KEYS_MAX: usize = 64;

/// What an owner wrote must not reach the next one.
pub(super) fn must_be_clean(it: &Machine) -> Result<(), Refusal> {
    if !it.disk_dirty {
        return Ok(());
    }
    let why = "The machine's disks still hold its last owner's data. Release it with \
               erasing instead; then it is READY.";
    Err(Refusal::new("DISK_DIRTY", &["id"], why))
}

pub(super) async fn check_image(work: &mut Work, it: &Machine, input: &MachineDeploy) -> Inner<()> {
    let field = ["input", "imageId"];
    let Some(image) = image::by_id(&mut work.tx, input.image_id).await? else {
        return Err(
            Refusal { code: "IMAGE_NOT_FOUND", ..not_found("image", "input.imageId") }.into()
        );
    };
    if !image.kind.is_disk() {
        let why = format!("`{}` is a {}; only disk images are deployed.", image.name, image.kind);
        return Err(Refusal::new("IMAGE_KIND_WRONG", &field, why).into());
    }
    if image.state != ImageState::Ready {
        let path = format!("/images/{}", image.sha256);
        let why = format!("`{}` has not arrived yet: PUT its bytes to {path}.", image.name);
        return Err(Refusal::new("IMAGE_NOT_READY", &field, why).into());
    }
    match (&image.architecture, &it.architecture) {
        (Some(image_for), Some(machine)) if image_for != machine => {
            let why = format!("`{}` is for {image_for}, the machine is {machine}.", image.name);
            Err(Refusal::new("ARCHITECTURE_MISMATCH", &field, why).into())
        }
        _ => Ok(()),
    }
}

pub(super) fn check_deploy(input: &MachineDeploy) -> Result<(), Refusal> {
    for (at, key) in input.ssh_keys.iter().enumerate() {
        let place = at.to_string();
        let path = ["input", "sshKeys", &place];
        let one_line = !key.chars().any(char::is_control) && key.len() <= 16 * 1024;
        let kinds = ["ssh-", "ecdsa-", "sk-"];
        if SSH_KEYS_MAX <= at || !one_line || !kinds.iter().any(|it| key.starts_with(it)) {
            let why = "This is no public SSH key; write it in one line as in authorized_keys.";
            return Err(Refusal::new("SSH_KEY_INVALID", &path, why));
        }
    }
    let bytes = input.user_data.as_ref().map_or(0, String::len);
    if USER_DATA_BYTES_MAX < bytes {
        let why = format!("User data has {bytes} bytes; at most {USER_DATA_BYTES_MAX} are kept.");
        return Err(Refusal::new("USER_DATA_TOO_LARGE", &["input", "userData"], why));
    }
    Ok(())
}

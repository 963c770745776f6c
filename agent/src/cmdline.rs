//! The kernel command line: who the agent reports to and which card it booted from.

/// What the boot script put on the kernel command line for the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Base URL of the agent gateway, without a trailing slash.
    pub(crate) gateway: String,
    /// Base URL of the boot HTTP server that serves images, without a trailing slash.
    pub(crate) boot: String,
    /// One-time token that proves which boot attempt this is.
    pub(crate) token: String,
    /// Hardware address of the card that was booted from, `aa:bb:cc:dd:ee:ff`.
    pub(crate) boot_mac: Option<String>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CmdlineError {
    #[error("the kernel command line has no {0}=…")]
    Missing(&'static str),
    #[error("{name} on the kernel command line is not an http:// address: {value}")]
    NotHttp { name: &'static str, value: String },
}

/// Parses the text of `/proc/cmdline`. Of a repeated argument the last one counts, as in the
/// kernel.
pub(crate) fn parse(text: &str) -> Result<Arguments, CmdlineError> {
    Ok(Arguments {
        gateway: base_url(text, "ironherd.gateway")?,
        boot: base_url(text, "ironherd.boot")?,
        token: value(text, "ironherd.token").ok_or(CmdlineError::Missing("ironherd.token"))?,
        boot_mac: value(text, "BOOTIF").as_deref().and_then(boot_mac),
    })
}

fn base_url(text: &str, name: &'static str) -> Result<String, CmdlineError> {
    let value = value(text, name).ok_or(CmdlineError::Missing(name))?;
    if value.starts_with("http://") {
        Ok(value.trim_end_matches('/').to_owned())
    } else {
        Err(CmdlineError::NotHttp { name, value })
    }
}

fn value(text: &str, name: &str) -> Option<String> {
    let found = text.split_whitespace().rev().find_map(|word| {
        let (key, value) = word.split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    })?;
    Some(found.trim_matches('"').to_owned())
}

/// `01-52-54-00-77-00-10` (PXELINUX form, 01 is the hardware type) or a plain address.
fn boot_mac(value: &str) -> Option<String> {
    let octets: Vec<&str> = value.split(['-', ':']).collect();
    let octets = match octets.as_slice() {
        [_hardware_type, rest @ ..] if rest.len() == 6 => rest,
        all if all.len() == 6 => all,
        _ => return None,
    };
    let plausible = octets.iter().all(|it| it.len() == 2 && u8::from_str_radix(it, 16).is_ok());
    plausible.then(|| octets.join(":").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_boot_script_wrote() {
        let text = "console=ttyS0 quiet ironherd.gateway=http://10.77.0.1:5249/ \
            ironherd.boot=http://10.77.0.1:5248 ironherd.token=enlist.0.aa.bb \
            BOOTIF=01-52-54-00-77-00-1A initrd=initrd.img\n";
        let got = parse(text).unwrap();
        assert_eq!(got.gateway, "http://10.77.0.1:5249");
        assert_eq!(got.boot, "http://10.77.0.1:5248");
        assert_eq!(got.token, "enlist.0.aa.bb");
        assert_eq!(got.boot_mac.as_deref(), Some("52:54:00:77:00:1a"));
    }

    #[test]
    fn names_what_is_missing_or_wrong() {
        let rows = [
            ("quiet", CmdlineError::Missing("ironherd.gateway")),
            ("ironherd.gateway=http://a", CmdlineError::Missing("ironherd.boot")),
            (
                "ironherd.gateway=http://a ironherd.boot=http://b ironherd.token=",
                CmdlineError::Missing("ironherd.token"),
            ),
            (
                "ironherd.gateway=ftp://a",
                CmdlineError::NotHttp { name: "ironherd.gateway", value: "ftp://a".to_owned() },
            ),
        ];
        for (text, want) in rows {
            assert_eq!(parse(text), Err(want), "{text}");
        }
    }

    #[test]
    fn boot_card_forms() {
        let rows = [
            ("01-52-54-00-77-00-10", Some("52:54:00:77:00:10")),
            ("52:54:00:77:00:10", Some("52:54:00:77:00:10")),
            ("01-52-54-00-77", None),
            ("01-52-54-00-77-00-zz", None),
            ("eth0", None),
        ];
        for (value, want) in rows {
            assert_eq!(boot_mac(value).as_deref(), want, "{value}");
        }
    }
}

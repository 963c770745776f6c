//! File names as clients write them, made into the one form that names are looked up in.

/// Longest name that is looked up, in bytes, after cleaning.
pub const NAME_BYTES_MAX: usize = 255;

/// A clean name: printable, separated by single `/`, none at its start, no `.` or `..` part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    len: usize, // Invariant: bytes[..len] is UTF-8.
}

impl Name {
    /// Cleans what a client asked for; `None` if it cannot name a file of ours.
    ///
    /// Firmware writes a leading `/`, `\` for `/`, `//` for `/`, and pads with 0xFF or NUL.
    #[must_use]
    pub fn clean(asked: &[u8]) -> Option<Self> {
        let mut name = Self { bytes: [0; NAME_BYTES_MAX], len: 0 };
        for part in trim_padding(asked).split(|byte| matches!(byte, b'/' | b'\\')) {
            match part {
                b"" | b"." => {}
                b".." => return None,
                part => name.push_part(part)?,
            }
        }
        let text = std::str::from_utf8(name.bytes.get(..name.len)?).ok()?;
        let printable = !text.is_empty() && !text.chars().any(char::is_control);
        printable.then_some(name)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default()
    }

    fn push_part(&mut self, part: &[u8]) -> Option<()> {
        if self.len != 0 {
            *self.bytes.get_mut(self.len)? = b'/';
            self.len += 1;
        }
        let end = self.len + part.len();
        self.bytes.get_mut(self.len..end)?.copy_from_slice(part);
        self.len = end;
        Some(())
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Name({:?})", self.as_str())
    }
}

fn trim_padding(mut asked: &[u8]) -> &[u8] {
    while let [rest @ .., 0x00 | 0xff] = asked {
        asked = rest;
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_or_refused() {
        let long = [b'a'; NAME_BYTES_MAX];
        let too_long = [b'a'; NAME_BYTES_MAX + 1];
        let rows: [(&[u8], Option<&str>); 17] = [
            (b"snponly.efi", Some("snponly.efi")),
            (b"/snponly.efi", Some("snponly.efi")),
            (b"//grubx64.efi", Some("grubx64.efi")),
            (b"\\boot\\x64\\wdsnbp.com", Some("boot/x64/wdsnbp.com")),
            (b"grub//x86_64-efi///crypto.lst", Some("grub/x86_64-efi/crypto.lst")),
            (b"./pxelinux.0", Some("pxelinux.0")),
            (b"pxelinux.cfg/", Some("pxelinux.cfg")),
            (b"undionly.kpxe\xff", Some("undionly.kpxe")),
            (b"undionly.kpxe\xff\x00\xff", Some("undionly.kpxe")),
            (b"\xff", None),
            (b"", None),
            (b"/", None),
            (b"../etc/passwd", None),
            (b"a/..\\b", None),
            (b"a\x01b", None),
            (b"a\xfe\x80b", None),
            (&too_long, None),
        ];
        for (asked, want) in rows {
            check_clean(asked, want);
        }
        check_clean(&long, std::str::from_utf8(&long).ok());
    }

    #[track_caller]
    fn check_clean(asked: &[u8], want: Option<&str>) {
        let got = Name::clean(asked);
        assert_eq!(got.as_ref().map(Name::as_str), want, "{:?}", asked.escape_ascii().to_string());
    }
}

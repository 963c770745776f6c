//! The name of this server to its clients: made once, then kept for as long as the data folder.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::error::RackError;
use crate::shard::nonce;

/// DUID-UUID (RFC 6355): it names no card, so a new card changes nothing.
const DUID_UUID: [u8; 2] = [0, 4];
const DUID_BYTES: usize = 18;

/// Reads the DUID, or makes one and has it on disk before anybody hears it.
///
/// # Errors
/// [`RackError`] if the file is not what we wrote: to take another name would leave every client
/// with a server it believes gone.
pub(super) fn load(path: &Path) -> Result<Vec<u8>, RackError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(text.trim()).ok_or_else(|| {
            let text = "it holds no DUID; restore the file, or remove it to get a new one";
            RackError::file(path)(io::Error::new(io::ErrorKind::InvalidData, text))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut uuid = nonce();
            uuid[6] = uuid[6] & 0x0f | 0x40; // Version 4, and the usual variant.
            uuid[8] = uuid[8] & 0x3f | 0x80;
            let duid = [&DUID_UUID[..], &uuid].concat();
            save(path, &duid).map_err(RackError::file(path))?;
            Ok(duid)
        }
        Err(error) => Err(RackError::file(path)(error)),
    }
}

fn save(path: &Path, duid: &[u8]) -> io::Result<()> {
    let text: String = duid.iter().map(|it| format!("{it:02x}")).collect();
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The name is on disk only once its folder is.
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn parse(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = pairs.map(byte).collect::<Option<_>>()?;
    (bytes.len() == DUID_BYTES && bytes.starts_with(&DUID_UUID)).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_name_and_trusts_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("duid");
        let first = load(&path).unwrap();
        assert_eq!((first.len(), &first[..2]), (18, &DUID_UUID[..]));
        assert_eq!(load(&path).unwrap(), first);
        assert_ne!(load(&folder.path().join("other")).unwrap(), first);
        for damaged in ["", "0004", "zz", "000300010203040506"] {
            fs::write(&path, damaged).unwrap();
            assert!(load(&path).is_err(), "{damaged}");
        }
    }
}

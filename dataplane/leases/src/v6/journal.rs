//! The IPv6 journal: records of fixed length, each with its own checksum and number.
//!
//! # Layout of a record
//! 208 bytes, little-endian but for addresses: CRC32C of the rest (4), version (1), kind (1), flags
//! (1), length of the DUID (1), sequence number (8), address (16), network (16), prefix length
//! (1), zero (1), MAC (6), IAID (4), when it was written in Unix seconds (4), expiry in Unix
//! seconds (8), DUID (130), zero (6).

use ironherd_snapshot::Mac;

use super::record::{Association, Block, DUID_BYTES_MAX, Kind, Record};
use crate::crc32c::crc32c;
use crate::{Position, Recovery, State};

pub(crate) const RECORD_BYTES: usize = 208;
const VERSION: u8 = 1;
const FLAG_RESERVED: u8 = 1;
const FLAG_PREFIX: u8 = 2;
const FLAG_MAC: u8 = 4;
const DUID_AT: usize = 72;

pub(crate) fn encode(out: &mut Vec<u8>, record: &Record, sequence: u64, now: u64) {
    let mut bytes = [0; RECORD_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let kind = match record.state {
        State::Bound => 1,
        State::Free | State::Offered => 2,
        State::Quarantined => 3,
    };
    let flag = |is, flag| if is { flag } else { 0 };
    let flags = flag(record.reserved, FLAG_RESERVED)
        | flag(record.holder.kind == Kind::Prefix, FLAG_PREFIX)
        | flag(record.mac.is_some(), FLAG_MAC);
    // The table takes in no longer one.
    let duid = record.holder.duid.get(..DUID_BYTES_MAX).unwrap_or(&record.holder.duid);
    put(4, &[VERSION, kind, flags, u8::try_from(duid.len()).unwrap_or_default()]);
    put(8, &sequence.to_le_bytes());
    put(16, &record.block.address.octets());
    put(32, &record.network.to_be_bytes());
    put(48, &[record.block.len]);
    put(50, &record.mac.unwrap_or_default().0);
    put(56, &record.holder.iaid.to_le_bytes());
    // What does not fit is left out: a wrong time would move the leases at each start.
    put(60, &u32::try_from(now).unwrap_or_default().to_le_bytes());
    put(64, &record.expires.to_le_bytes());
    put(DUID_AT, duid);
    let crc = crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&bytes);
}

/// The bytes of one record, if its checksum says that they are what was written.
fn intact(bytes: &[u8]) -> Option<&[u8; RECORD_BYTES]> {
    let bytes: &[u8; RECORD_BYTES] = bytes.try_into().ok()?;
    (bytes[..4] == crc32c(&bytes[4..]).to_le_bytes()).then_some(bytes)
}

fn decode(bytes: &[u8; RECORD_BYTES]) -> Option<Record> {
    let duid_len = Some(usize::from(bytes[7])).filter(|it| *it <= DUID_BYTES_MAX)?;
    let duid = bytes.get(DUID_AT..DUID_AT + duid_len)?;
    let state = match bytes[5] {
        1 => State::Bound,
        2 => State::Free,
        3 => State::Quarantined,
        _ => return None,
    };
    let kind = if bytes[6] & FLAG_PREFIX == 0 { Kind::Address } else { Kind::Prefix };
    let mac = Mac(array(bytes, 50)?);
    Some(Record {
        block: Block { address: array::<16>(bytes, 16)?.into(), len: bytes[48] },
        holder: Association {
            duid: duid.into(),
            iaid: u32::from_le_bytes(array(bytes, 56)?),
            kind,
        },
        network: u128::from_be_bytes(array(bytes, 32)?),
        mac: (bytes[6] & FLAG_MAC != 0).then_some(mac),
        state,
        reserved: bytes[6] & FLAG_RESERVED != 0,
        listed: false,
        expires: u64::from_le_bytes(array(bytes, 64)?),
        position: u64::from_le_bytes(array(bytes, 8)?),
        filed: 0,
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Reads a journal and shows each good record to `take` in the order written; the second result
/// is the number of the last. Damage is treated as in the IPv4 journal: a record in the middle is
/// stepped over, and numbers must rise.
pub(crate) fn replay(bytes: &[u8], mut take: impl FnMut(Record)) -> (Recovery, u64) {
    let mut recovery = Recovery::default();
    let mut sequence = 0;
    let mut places = 0;
    for place in bytes.chunks(RECORD_BYTES) {
        places += 1;
        let Some(bytes) = intact(place) else { continue };
        if bytes[4] != VERSION {
            recovery.foreign_version = recovery.foreign_version.or(Some(bytes[4]));
            continue;
        }
        let Some(record) = decode(bytes).filter(|it| sequence < it.position) else { continue };
        sequence = record.position;
        recovery.last = Position(sequence);
        recovery.written = array(bytes, 60).map_or(0, |it| u32::from_le_bytes(it).into());
        recovery.records += 1;
        recovery.valid_bytes = places * RECORD_BYTES;
        recovery.damaged = places - recovery.records;
        take(record);
    }
    // Zeros are room that was allocated ahead, not a torn write.
    recovery.torn = bytes[recovery.valid_bytes..].iter().any(|it| *it != 0);
    (recovery, sequence)
}

//! A standing session: messages in and out under its keys, with sequence numbers both ways.

use ipmi_rs_core::connection::Message;

use super::login::equal;
use super::packet::{self, PacketError, PayloadType, Reply};
use super::suite::Keys;

/// One logged-in session. It owns no socket and no clock.
#[derive(Debug)]
pub struct Session {
    keys: Keys,
    console_id: u32,
    bmc_id: u32,
    sequence: u32, // Of the last packet sent; 0 is never used in a session.
    request: u8,   // Number of the request in flight, 0 to 63.
    window: Window,
}

impl Session {
    pub(super) fn new(keys: Keys, console_id: u32, bmc_id: u32) -> Self {
        Self { keys, console_id, bmc_id, sequence: 0, request: 0, window: Window::default() }
    }

    #[must_use]
    pub fn suite(&self) -> super::suite::Suite {
        self.keys.suite
    }

    /// The BMC's name for this session, which Close Session wants.
    #[must_use]
    pub fn bmc_id(&self) -> u32 {
        self.bmc_id
    }

    /// Starts a new request: answers to earlier ones are ignored from now on.
    pub fn begin(&mut self) {
        self.request = (self.request + 1) & 0x3f;
    }

    /// Seals `message` as the request begun last. Repeats need a fresh packet too, since the
    /// BMC drops a session sequence number that it has seen.
    #[must_use]
    pub fn seal(&mut self, message: &Message, iv: [u8; 16]) -> Vec<u8> {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let payload = self.keys.encrypt(&packet::encode_request(message, self.request), iv);
        let (id, sequence) = (self.bmc_id, self.sequence);
        packet::encode_sealed(id, sequence, &payload, |covered| self.keys.sign(covered))
    }

    /// Opens a datagram that may answer `message`.
    ///
    /// # Errors
    /// [`PacketError`] says why it does not; the caller waits on.
    pub fn open(&mut self, message: &Message, datagram: &[u8]) -> Result<Reply, PacketError> {
        let packet = packet::decode(datagram, self.keys.suite.code_bytes())?;
        if packet.session_id != self.console_id {
            return Err(PacketError::OtherSession);
        }
        if !packet.authenticated || !packet.encrypted || packet.payload_type != PayloadType::Ipmi {
            return Err(PacketError::Type);
        }
        if !equal(packet.code, &self.keys.sign(packet.covered)) {
            return Err(PacketError::Integrity);
        }
        if !self.window.accept(packet.sequence) {
            return Err(PacketError::Replayed);
        }
        let reply = packet::decode_reply(&self.keys.decrypt(packet.payload)?)?;
        let answers = (reply.netfn, reply.command, reply.request)
            == (message.netfn().response_value(), message.cmd(), self.request);
        if answers { Ok(reply) } else { Err(PacketError::OtherRequest) }
    }
}

/// Which of the last sequence numbers were seen (IPMI §6.12.13: at least 15 back).
#[derive(Debug, Default)]
struct Window {
    last: u32,
    seen: u32, // Bit n stands for `last - n`.
}

impl Window {
    fn accept(&mut self, sequence: u32) -> bool {
        if self.seen == 0 || self.last < sequence {
            let ahead = sequence.wrapping_sub(self.last);
            self.seen =
                if self.seen == 0 { 1 } else { self.seen.checked_shl(ahead).unwrap_or(0) | 1 };
            self.last = sequence;
            return true;
        }
        let behind = self.last - sequence;
        let bit = 1u32.checked_shl(behind).unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_takes_each_number_once() {
        let rows = [
            // Sequence, whether it is taken.
            (5, true),
            (5, false),
            (7, true),
            (6, true),
            (6, false),
            (4, true),
            (40, true),
            (39, true),
            (7, false),  // 33 back: beyond the window.
            (500, true), // A jump clears it.
            (499, true),
        ];
        let mut window = Window::default();
        for (sequence, want) in rows {
            assert_eq!(window.accept(sequence), want, "{sequence}");
        }
    }
}

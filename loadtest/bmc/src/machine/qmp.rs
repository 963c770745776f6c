//! QEMU's machine protocol: one command on one connection, events passed over.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

/// QEMU answers from its main loop; only a stuck one takes this long.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Events may come between a command and its answer, but not without end.
const LINES_MAX: usize = 256;

/// A conversation with one QEMU.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Qmp {
    /// Takes over a fresh connection: reads the greeting and leaves negotiation mode.
    pub(crate) fn begin(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        let lines = BufReader::new(stream.try_clone()?);
        let mut qmp = Self { stream, lines };
        let greeting = qmp.read_message()?;
        if greeting.get("QMP").is_none() {
            return Err(io::Error::other("the peer is not QEMU"));
        }
        qmp.execute("qmp_capabilities", Value::Null)?;
        Ok(qmp)
    }

    /// Runs one command. An error that QEMU answers becomes an [`io::Error`] with its words.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        let mut request = json!({ "execute": command });
        if !arguments.is_null() {
            request["arguments"] = arguments;
        }
        self.stream.write_all(format!("{request}\n").as_bytes())?;
        for _ in 0..LINES_MAX {
            let mut message = self.read_message()?;
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = message.get("error") {
                let words = error["desc"].as_str().unwrap_or("no description");
                return Err(io::Error::other(format!("QEMU refused {command}: {words}")));
            }
        }
        Err(io::Error::other(format!("QEMU did not answer {command}")))
    }

    fn read_message(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}

//! `ironherd-agent phone-home`: the installed system says that it is up.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::console::say;
use crate::gateway::{CallError, Gateway, SYSTEM_READY};
use crate::protocol::{SystemReadyInput, SystemReadyPayload};

/// Where the deploying agent leaves [`PhoneHome`] in the installed system.
pub(crate) const FILE: &str = "/etc/ironherd/phone-home.json";

/// The service that runs this retries after an hour without an answer.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PhoneHome {
    pub(crate) gateway: String,
    pub(crate) token: String,
}

/// Reports in and removes the file. Without the file there is nothing left to do.
pub(crate) fn phone_home(file: &Path) -> ExitCode {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return ExitCode::SUCCESS,
        Err(error) => return complain(&format!("{}: {error}", file.display())),
    };
    let home: PhoneHome = match serde_json::from_str(&text) {
        Ok(home) => home,
        Err(error) => return complain(&format!("{}: {error}", file.display())),
    };
    // "Deployed" is a promise: what the first boot made (host keys above all) must outlast a power
    // cut that follows at once.
    rustix::fs::sync();
    match report(&home, PATIENCE) {
        Ok(()) => say("the region knows that this system is up"),
        Err(CallError::Away(reason)) => return complain(&reason),
        // The token is spent or withdrawn: another try would get the same answer.
        Err(error) => say(&format!("the region did not want this report: {error}")),
    }
    match std::fs::remove_file(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("cannot remove {}: {error}", file.display())),
    }
}

fn report(home: &PhoneHome, patience: Duration) -> Result<(), CallError> {
    let input = SystemReadyInput { token: &home.token };
    let payload: SystemReadyPayload =
        Gateway::new(&home.gateway).call(SYSTEM_READY, &input, patience)?;
    match payload.user_errors.first() {
        None => Ok(()),
        Some(error) => Err(CallError::Broken(format!("{}: {}", error.code, error.message))),
    }
}

fn complain(reason: &str) -> ExitCode {
    say(&format!("phone-home: {reason}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `body` and gives back what was asked.
    fn serve_once(body: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut buffer = [0; 4096];
            while !asked.ends_with(b"}}") {
                let n = stream.read(&mut buffer).unwrap();
                assert!(n != 0, "the request was cut: {}", String::from_utf8_lossy(&asked));
                asked.extend_from_slice(&buffer[..n]);
            }
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            String::from_utf8_lossy(&asked).into_owned()
        });
        (base, server)
    }

    #[test]
    fn reports_once_and_removes_the_file() {
        let (gateway, server) = serve_once(r#"{"data":{"systemReady":{"userErrors":[]}}}"#);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("phone-home.json");
        let home = PhoneHome { gateway, token: "secret-token".to_owned() };
        std::fs::write(&file, serde_json::to_string(&home).unwrap()).unwrap();
        assert_eq!(phone_home(&file), ExitCode::SUCCESS);
        let asked = server.join().unwrap();
        assert!(asked.starts_with("POST /graphql ") && asked.contains("secret-token"), "{asked}");
        assert!(!file.exists());
        assert_eq!(phone_home(&file), ExitCode::SUCCESS, "nothing left to report");
    }

    #[test]
    fn a_spent_token_is_not_tried_for_ever() {
        let (gateway, server) = serve_once(
            r#"{"data":{"systemReady":{"userErrors":[{"code":"TOKEN_INVALID","message":"x"}]}}}"#,
        );
        let home = PhoneHome { gateway, token: "old".to_owned() };
        assert!(matches!(report(&home, Duration::ZERO), Err(CallError::Broken(_))));
        server.join().unwrap();
    }
}

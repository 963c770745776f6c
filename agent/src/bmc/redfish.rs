//! The Redfish service that SMBIOS type 42 names: only its address is known, not a password.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::protocol::{BmcFound, BmcProtocol};
use crate::smbios::RedfishService;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn found(service: RedfishService, plain_http: bool) -> BmcFound {
    let scheme = match service.port {
        443 => "https",
        80 => "http",
        _ if plain_http => "http",
        _ => "https",
    };
    let host = match service.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    BmcFound {
        protocol: BmcProtocol::Redfish,
        address: format!("{scheme}://{host}:{}", service.port),
        username: None,
        password: None,
    }
}

/// Asks for the service root without TLS. The record in the firmware has no field for the scheme.
pub(super) fn answers_plain_http(service: RedfishService) -> bool {
    let ask = || -> std::io::Result<String> {
        let address = SocketAddr::new(service.address, service.port);
        let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        stream.write_all(b"GET /redfish/v1/ HTTP/1.0\r\nHost: bmc\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    // A TLS server may also answer in plain HTTP, but only to complain (400).
    ask().is_ok_and(|it| it.starts_with("HTTP/1.") && it.contains("RedfishVersion"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn scheme_follows_port_and_probe() {
        let rows = [
            ("10.0.0.1", 443, false, "https://10.0.0.1:443"),
            ("10.0.0.1", 80, false, "http://10.0.0.1:80"),
            ("10.0.0.1", 8443, false, "https://10.0.0.1:8443"),
            ("10.0.0.1", 8000, true, "http://10.0.0.1:8000"),
            ("fe80::1", 443, false, "https://[fe80::1]:443"),
        ];
        for (address, port, plain, want) in rows {
            let service = RedfishService { address: address.parse().unwrap(), port };
            assert_eq!(found(service, plain).address, want);
        }
    }

    #[test]
    fn probe_tells_http_from_a_tls_complaint() {
        let rows = [
            ("HTTP/1.1 200 OK\r\n\r\n{\"RedfishVersion\":\"1.6.0\"}", true),
            ("HTTP/1.1 400 Bad Request\r\n\r\nplain HTTP sent to HTTPS port", false),
            ("\u{15}\u{3}\u{1}", false),
        ];
        for (answer, want) in rows {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 256];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let service = RedfishService { address: address.ip(), port: address.port() };
            assert_eq!(answers_plain_http(service), want, "{answer}");
            server.join().unwrap();
        }
    }
}

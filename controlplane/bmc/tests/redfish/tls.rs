//! Which certificates are believed. Method: a TLS listener with a certificate of its own making,
//! in front of the small service.

use std::net::SocketAddr;
use std::sync::Arc;

use ironherd_bmc::{BmcError, Credentials, PowerState, Target};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::service::{Behaviour, PASSWORD, Service};

#[tokio::test]
async fn a_certificate_is_believed_as_the_address_says() {
    let service = Service::start(Behaviour::default()).await;
    let (address, certificate) = front(service.address).await;
    let digest: String =
        Sha256::digest(&certificate).iter().map(|it| format!("{it:02x}")).collect();
    let rows = [
        ("#insecure".to_owned(), true),
        (format!("#sha256={digest}"), true),
        (format!("#sha256={}", "ab".repeat(32)), false),
        (String::new(), false), // No authority of this host has signed it.
    ];
    for (trust, want) in rows {
        let text = format!("https://{address}/{trust}");
        let target = Target::redfish(&text, Credentials::new("admin", PASSWORD)).unwrap();
        let got = crate::pool().status(&target).await;
        if want {
            assert_eq!(got, Ok(PowerState::Off), "{text}");
        } else {
            assert!(matches!(got, Err(BmcError::CertificateRefused { .. })), "{text}: {got:?}");
        }
    }
    let target = format!("https://{address}/#sha256={}", "ab".repeat(32));
    let target = Target::redfish(&target, Credentials::new("admin", PASSWORD)).unwrap();
    let error = crate::pool().status(&target).await.unwrap_err().to_string();
    assert!(error.contains(&digest), "the operator can copy the fingerprint from: {error}");
}

/// A TLS listener that hands everything on to `service`, and its certificate.
async fn front(service: SocketAddr) -> (SocketAddr, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["bmc".to_owned()]).unwrap();
    let certificate = made.cert.der().to_vec();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.clone())], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that distrusts us goes away in the middle of the handshake.
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(service).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (address, certificate)
}

//! Which certificates are believed: the host's authorities, one fingerprint, or any.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use sha2::{Digest, Sha256};

use crate::{BmcError, TlsTrust};

/// How long a request may take in all, and the connection as a part of it.
#[derive(Clone, Copy, Debug)]
pub struct RedfishConfig {
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
}

impl Default for RedfishConfig {
    /// Some services think for ten seconds about a PATCH.
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(5), request_timeout: Duration::from_secs(20) }
    }
}

/// A client that believes as `trust` says. Its connections stay open between requests.
pub(super) fn client(trust: &TlsTrust, config: RedfishConfig) -> Result<reqwest::Client, BmcError> {
    let refused = |detail: String| BmcError::CertificateRefused { detail };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(error.to_string()))?;
    let pin = match trust {
        TlsTrust::System => None,
        TlsTrust::Insecure => Some(None),
        TlsTrust::Pinned(pin) => Some(Some(*pin)),
    };
    let builder = match pin {
        None => builder.with_platform_verifier().map_err(|error| refused(error.to_string()))?,
        Some(pin) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { pin, provider })),
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(builder.with_no_client_auth())
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .pool_max_idle_per_host(1)
        .pool_idle_timeout(Duration::from_secs(10))
        // A BMC that sends us elsewhere would get our password there.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| refused(error.to_string()))
}

/// Believes one certificate, or any, whoever signed it. That the service holds the
/// certificate's key is always checked, or a pin would protect nothing.
#[derive(Debug)]
struct Verifier {
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown: [u8; 32] = Sha256::digest(end_entity).into();
        match self.pin {
            Some(pin) if pin != shown => {
                let hex: String = shown.iter().map(|it| format!("{it:02x}")).collect();
                let text = format!("its certificate is sha256={hex}, not the pinned one");
                Err(CertificateError::Other(rustls::OtherError(Arc::new(Mismatch(text)))).into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Mismatch(String);

//! TLS of a server, and of the client that checks its health.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme, server, version,
};
use serde::Deserialize;

use crate::reloaded::Reloaded;

/// ALPN protocol names (RFC 7301).
pub(crate) const HTTP_1: &[u8] = b"http/1.1";
pub(crate) const HTTP_2: &[u8] = b"h2";

/// TLS settings, as a service's `tls` block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the server's certificate, followed by its intermediate certificates.
    certificate: PathBuf,
    /// A PEM file: the certificate's private key, not encrypted.
    key: PathBuf,
}

impl Tls {
    /// TLS 1.2 and 1.3, HTTP/1.1 only. Changed files are used from the next connection on.
    pub(crate) fn server(&self) -> anyhow::Result<Reloaded<ServerConfig>> {
        let tls = self.clone();
        Reloaded::new(vec![self.certificate.clone(), self.key.clone()], move || tls.server_now())
    }

    fn server_now(&self) -> anyhow::Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .context("tls")?
            .with_no_client_auth()
            .with_single_cert(
                pem::certificates("tls.certificate", &self.certificate)?,
                pem::private_key("tls.key", &self.key)?,
            )
            .context("tls.certificate and tls.key")?;
        config.alpn_protocols = vec![HTTP_1.to_vec()];
        without_resumption(&mut config);
        Ok(config)
    }

    /// See [`pinned_client`].
    pub(crate) fn pinned_client(&self) -> anyhow::Result<ClientConfig> {
        pinned_client("tls.certificate", &self.certificate, HTTP_1)
    }
}

/// Turns session resumption off. A ticket would resume a session without checking the certificate again, and clients
/// that connect a few times a day gain nothing from it.
pub(crate) fn without_resumption(config: &mut ServerConfig) {
    config.session_storage = Arc::new(server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

/// A client that accepts one server only: the one with the configured certificate. It checks neither names nor dates,
/// because it connects to its own machine by address.
pub(crate) fn pinned_client(setting: &str, certificate: &Path, protocol: &[u8]) -> anyhow::Result<ClientConfig> {
    let certificate = pem::certificates(setting, certificate)?.swap_remove(0);
    let verifier = PinnedCertificate { certificate, provider: provider() };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])
        .context("tls")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// Reads PEM files; errors name the setting.
pub(crate) mod pem {
    use super::{CertificateDer, Context, Path, PemObject, PrivateKeyDer, ensure};

    /// At least one certificate.
    pub(crate) fn certificates(setting: &str, path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let read = || format!("{setting}: read certificates from {}", path.display());
        let pems = CertificateDer::pem_file_iter(path).with_context(read)?;
        let chain = pems.collect::<Result<Vec<_>, _>>().with_context(read)?;
        ensure!(!chain.is_empty(), "{setting}: no certificate in {}", path.display());
        Ok(chain)
    }

    pub(crate) fn private_key(setting: &str, path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_file(path)
            .with_context(|| format!("{setting}: read a private key from {}", path.display()))
    }
}

/// The provider is named here, so that the process needs no default, and features of other crates cannot choose one.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Accepts one certificate, no matter who has signed it.
#[derive(Debug)]
struct PinnedCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

//! TLS of a server, and the client side that a health check of it needs.

use std::path::PathBuf;
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

/// TLS settings, as a service's `tls` block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the server's certificate, then those that link it to its authority.
    certificate: PathBuf,
    /// A PEM file: the certificate's private key, not encrypted.
    key: PathBuf,
}

impl Tls {
    /// TLS 1.2 and 1.3, HTTP/1.1 only. The files are read once, here.
    pub(crate) fn server(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let chain = self.certificates()?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .with_context(|| format!("tls.key: read a private key from {}", self.key.display()))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .context("tls")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("tls.certificate and tls.key")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A ticket resumes a session without its certificate; phones that come a few times a day gain nothing.
        config.session_storage = Arc::new(server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// A client that talks to one server only: the holder of the configured certificate. Names and dates do
    /// not matter to it, because it asks its own machine by address.
    pub(crate) fn own_client(&self) -> anyhow::Result<Arc<ClientConfig>> {
        let certificate = self.certificates()?.swap_remove(0);
        let verifier = OwnCertificate { certificate, provider: provider() };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13])
            .context("tls")?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// At least one.
    fn certificates(&self) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let read = || format!("tls.certificate: read certificates from {}", self.certificate.display());
        let pems = CertificateDer::pem_file_iter(&self.certificate).with_context(read)?;
        let chain = pems.collect::<Result<Vec<_>, _>>().with_context(read)?;
        ensure!(!chain.is_empty(), "tls.certificate: no certificate in {}", self.certificate.display());
        Ok(chain)
    }
}

/// Named, so that the process needs no default and no other crate's features choose for it.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Accepts one certificate, whoever has signed it.
#[derive(Debug)]
struct OwnCertificate {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OwnCertificate {
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

//! Mutual TLS between the services, and who may call what.
//!
//! Each service has a certificate of the mesh's authority with its name, such as `data-svc`, as a DNS name. A caller
//! accepts only the name of the service that it calls, at any address. A service lets in the callers that an RPC's
//! `.proto` names (`epro.callers`).

mod authorization;
mod connector;
mod incoming;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use serde::Deserialize;

use crate::reloaded::Reloaded;
use crate::tls::{self, pem};

pub(crate) use authorization::AuthorizationLayer;
pub(crate) use connector::Connector;
pub(crate) use incoming::{Caller, incoming};

/// The `mesh:` block: this service's identity, and the authorities that it trusts. PEM files; a changed file is used
/// from the next connection on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The authorities that sign the services' certificates; several while they are being replaced.
    ca: PathBuf,
    /// This service's certificate, followed by its intermediate certificates.
    certificate: PathBuf,
    /// The certificate's private key, not encrypted.
    key: PathBuf,
}

/// A service's identity in the mesh, if there is a mesh.
#[derive(Debug, Clone)]
pub struct Mesh(Option<Arc<Identity>>);

#[derive(Debug)]
struct Identity {
    server: Reloaded<ServerConfig>,
    client: Arc<Reloaded<ClientConfig>>,
}

impl Mesh {
    /// Without settings, calls are in cleartext, and any process may call.
    ///
    /// # Errors
    /// When a file cannot be used; the message names the setting.
    pub fn open(config: Option<&Config>) -> anyhow::Result<Self> {
        let Some(config) = config else {
            telemetry::warn!("calls between services are not encrypted and anybody may call: there is no mesh block");
            return Ok(Self(None));
        };
        let files = vec![config.ca.clone(), config.certificate.clone(), config.key.clone()];
        let (for_server, for_client) = (config.clone(), config.clone());
        let server = Reloaded::new(files.clone(), move || for_server.server())?;
        let client = Arc::new(Reloaded::new(files, move || for_client.client())?);
        Ok(Self(Some(Arc::new(Identity { server, client }))))
    }

    /// Opens connections to the service of this name. `None` without a mesh.
    pub(crate) fn connector(&self, name: &'static str) -> anyhow::Result<Option<Connector>> {
        let Some(identity) = &self.0 else { return Ok(None) };
        Connector::new(Arc::clone(&identity.client), name).map(Some)
    }
}

impl Config {
    /// TLS 1.3. The handshake also accepts a caller without a certificate, so that the caller can be told that it needs
    /// one.
    fn server(&self) -> anyhow::Result<ServerConfig> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), tls::provider())
            .allow_unauthenticated()
            .build()
            .context("mesh.ca")?;
        let mut config = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&version::TLS13])
            .context("mesh")?
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                pem::certificates("mesh.certificate", &self.certificate)?,
                pem::private_key("mesh.key", &self.key)?,
            )
            .context("mesh.certificate and mesh.key")?;
        config.alpn_protocols = vec![tls::HTTP_2.to_vec()];
        tls::without_resumption(&mut config);
        Ok(config)
    }

    fn client(&self) -> anyhow::Result<ClientConfig> {
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&version::TLS13])
            .context("mesh")?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(
                pem::certificates("mesh.certificate", &self.certificate)?,
                pem::private_key("mesh.key", &self.key)?,
            )
            .context("mesh.certificate and mesh.key")?;
        config.alpn_protocols = vec![tls::HTTP_2.to_vec()];
        Ok(config)
    }

    /// Connects to this service itself, for its health check. It accepts only this service's own certificate.
    pub(crate) fn pinned_connector(&self) -> anyhow::Result<Connector> {
        let certificate = self.certificate.clone();
        let make = move || tls::pinned_client("mesh.certificate", &certificate, tls::HTTP_2);
        Connector::new(Arc::new(Reloaded::new(vec![self.certificate.clone()], make)?), "localhost")
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::certificates("mesh.ca", &self.ca)? {
            roots.add(certificate).context("mesh.ca")?;
        }
        Ok(roots)
    }
}

#[cfg(test)]
mod tests;

//! The certificates of a stack's services.

use anyhow::Context;
use certificates::Files;
use tempfile::TempDir;

use super::Service;

/// The stack's own certificate authority, and a certificate for each service.
#[derive(Debug)]
pub(super) struct Mesh(TempDir);

impl Mesh {
    pub(super) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("epro-mesh-").tempdir().context("a folder for certificates")?;
        let mesh = Self(folder);
        mesh.certify()?;
        Ok(mesh)
    }

    pub(super) fn certify(&self) -> anyhow::Result<()> {
        certificates::issue(self.0.path(), &Service::ALL.map(Service::name), &[])
    }

    /// The certificate of the authority that the services trust, in PEM.
    pub(super) fn ca(&self) -> anyhow::Result<Vec<u8>> {
        let file = Files::of(self.0.path(), Service::Gateway.name()).ca;
        std::fs::read(&file).with_context(|| format!("read {}", file.display()))
    }

    /// The settings with the paths of a service's files.
    pub(super) fn environment(&self, service: Service) -> [(String, String); 3] {
        let Files { ca, certificate, key } = Files::of(self.0.path(), service.name());
        [("CA", ca), ("CERTIFICATE", certificate), ("KEY", key)]
            .map(|(name, path)| (format!("EPRO_MESH__{name}"), path.display().to_string()))
    }
}

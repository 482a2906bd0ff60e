//! Makes a certificate authority for the services of one machine, and a certificate for each. In production, use
//! cert-manager, Vault or another PKI instead.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// How long the certificates are valid. Long, because nothing monitors their expiry in a demonstration.
pub const VALIDITY: Duration = Duration::days(730);
/// The clocks of verifying peers may be behind by this much.
const SKEW: Duration = Duration::hours(1);

/// The paths of one holder's files, for the settings of a `mesh` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Files {
    /// The paths that [`issue`] writes to: a folder with the holder's name.
    pub fn of(folder: &Path, name: &str) -> Self {
        let file = |file: &str| folder.join(name).join(file);
        Self { ca: file("ca.pem"), certificate: file("certificate.pem"), key: file("key.pem") }
    }
}

/// Makes a certificate authority and a certificate for each name. The authority's key is never written. The
/// certificates are valid for servers and clients, and for `addresses` in addition to the name. Holders also trust
/// their previous authority, so that connections to peers with old certificates keep working during a renewal.
///
/// # Errors
/// When a file cannot be written.
pub fn issue(folder: &Path, names: &[&str], addresses: &[&str]) -> anyhow::Result<()> {
    let (authority, key) = authority()?;
    let own = authority.self_signed(&key)?.pem();
    let issuer = Issuer::new(authority, key);
    for name in names {
        let files = Files::of(folder, name);
        fs::create_dir_all(folder.join(name)).with_context(|| format!("create {}", folder.join(name).display()))?;
        let earlier = fs::read_to_string(&files.ca).unwrap_or_default();
        replace(&files.ca, &(own.clone() + first(&earlier)))?;
    }
    for name in names {
        let files = Files::of(folder, name);
        let key = KeyPair::generate()?;
        let certificate = leaf(name, addresses)?.signed_by(&key, &issuer)?;
        replace(&files.key, &key.serialize_pem())?;
        replace(&files.certificate, &certificate.pem())?;
    }
    Ok(())
}

fn authority() -> anyhow::Result<(CertificateParams, KeyPair)> {
    let mut params = params(Vec::new(), "epro")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok((params, KeyPair::generate()?))
}

fn leaf(name: &str, addresses: &[&str]) -> anyhow::Result<CertificateParams> {
    let names = [name].iter().chain(addresses).map(|name| (*name).to_owned()).collect();
    let mut params = params(names, name)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// The first certificate of a PEM file, which is the newest.
fn first(pem: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----\n";
    pem.find(END).map_or("", |end| &pem[..end + END.len()])
}

fn params(names: Vec<String>, common_name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - SKEW, now + VALIDITY);
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

/// Replaces a file atomically, so that readers see either the old content or the new one.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let written = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().with_context(|| format!("write {}", path.display()))
}

//! The mail server, from the settings.

use std::borrow::Cow;
use std::ffi::CStr;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context, anyhow, bail, ensure};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::ExposeSecret;
use telemetry::smtp::Server;

use super::Config;

/// How to connect to the server of the settings.
///
/// # Errors
/// When the settings are invalid. No error quotes the URL, because it may contain a password.
pub(super) fn server(config: &Config) -> anyhow::Result<Server> {
    let url: Url = config.url.expose_secret().parse().map_err(|_| anyhow!("smtp.url is no URL"))?;
    let host = url.host_str().context("smtp.url names no host")?.trim_matches(['[', ']']).to_owned();
    let wanted = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value);
    let parameters = || TlsParameters::new(host.clone()).context("smtp.url: make TLS settings");
    // RFC 5321, RFC 6409, RFC 8314.
    let (tls, port) = match (url.scheme(), wanted.as_deref()) {
        ("smtp", None) => (Tls::None, 25),
        ("smtp", Some("required")) => (Tls::Required(parameters()?), 587),
        ("smtp", Some("opportunistic")) => (Tls::Opportunistic(parameters()?), 587),
        ("smtps", _) => (Tls::Wrapper(parameters()?), 465),
        _ => bail!("smtp.url is neither smtp://, with ?tls=required or without, nor smtps://"),
    };
    Ok(Server {
        credentials: credentials(&url)?,
        port: url.port().unwrap_or(port),
        host,
        tls,
        hello_name: hello_name(&config.hello_name, rustix::system::uname().nodename())?,
        timeout: config.timeout,
        answer_timeout: config.answer_timeout,
    })
}

fn credentials(url: &Url) -> anyhow::Result<Option<Credentials>> {
    let Some(password) = url.password() else { return Ok(None) };
    let decoded = |text| percent_decode_str(text).decode_utf8().map(Cow::into_owned);
    match (decoded(url.username()), decoded(password)) {
        (Ok(user), Ok(password)) => Ok(Some(Credentials::new(user, password))),
        _ => bail!("smtp.url: user and password are not UTF-8"),
    }
}

/// Our name in EHLO (RFC 5321, section 4.1.1.1): a domain, or an address in brackets.
fn hello_name(setting: &str, machine: &CStr) -> anyhow::Result<ClientId> {
    if !setting.is_empty() {
        return client_id(setting).context("smtp.hello_name is neither a host's name nor an address in brackets");
    }
    client_id(&machine.to_string_lossy()).context("the machine's name is none of a host: set smtp.hello_name")
}

fn client_id(name: &str) -> anyhow::Result<ClientId> {
    if let Some(literal) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return match literal.strip_prefix("IPv6:") {
            Some(address) => Ok(ClientId::Ipv6(address.parse::<Ipv6Addr>()?)),
            None => Ok(ClientId::Ipv4(literal.parse::<Ipv4Addr>()?)),
        };
    }
    let is_label = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    ensure!(name.len() <= 255 && name.split('.').all(is_label), "no name of a host");
    Ok(ClientId::Domain(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;

    fn of(url: &str) -> anyhow::Result<Server> {
        server(&Config {
            url: url.into(),
            from: String::new(),
            hello_name: "notify".to_owned(),
            timeout: Duration::ZERO,
            answer_timeout: Duration::ZERO,
            concurrency: NonZeroUsize::MIN,
        })
    }

    #[test]
    fn a_url_says_host_port_and_tls() {
        for (url, host, port, tls) in [
            ("smtp://mail.example.org", "mail.example.org", 25, "None"),
            ("smtp://mail.example.org?tls=required", "mail.example.org", 587, "Required"),
            ("smtp://mail.example.org?tls=opportunistic", "mail.example.org", 587, "Opportunistic"),
            ("smtps://mail.example.org", "mail.example.org", 465, "Wrapper"),
            ("smtp://mail.example.org:1025?tls=required", "mail.example.org", 1025, "Required"),
            ("smtp://[::1]:1025", "::1", 1025, "None"),
        ] {
            let server = of(url).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{url}");
            assert!(format!("{:?}", server.tls).starts_with(tls), "{url}: {:?}", server.tls);
        }
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_quoted() {
        for url in ["mail.s3cret", "http://u:s3cret@mail", "smtp://u:s3cret@mail?tls=maybe", "smtp://u:s3cret%FF@mail"]
        {
            let error = of(url).unwrap_err();
            assert!(!format!("{error:#}").contains("s3cret"), "{error:#}");
        }
    }

    #[test]
    fn user_and_password_may_have_any_characters() {
        let server = of("smtp://epro%40example.org:p%40ss%2Fword@mail").unwrap();
        let expected = Credentials::new("epro@example.org".to_owned(), "p@ss/word".to_owned());
        assert!(server.credentials == Some(expected));
    }

    #[test]
    fn we_call_ourselves_by_the_name_that_is_set_or_the_machines() {
        let name = |setting| hello_name(setting, c"machine.example.org").map(|name| name.to_string());
        for set in ["notify.example.org", "notify", "[192.0.2.1]"] {
            assert_eq!(name(set).unwrap(), set);
        }
        assert_eq!(name("").unwrap(), "machine.example.org");
        assert!(hello_name("", c"my_laptop").is_err());
        for none in ["notify_svc", "a b", "-a.example.org", "a..b", "[notify]", "x\r\nMAIL FROM:<>"] {
            assert!(name(none).is_err(), "{none}");
        }
    }
}

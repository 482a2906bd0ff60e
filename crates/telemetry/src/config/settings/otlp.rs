use std::path::PathBuf;

use ::http::{HeaderName, HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};

use super::super::{Batcher, Compression, Tls};
use super::{Builder, Otlp, Protocol, Signal};

/// The variables of exporters over OTLP.
impl<F: Fn(&str) -> Option<String>> Builder<'_, F> {
    pub(super) fn otlp(&self, signal: Signal) -> Otlp {
        let (variables, config) = (&self.variables, self.config);
        let words = [("grpc", Protocol::Grpc), ("http/protobuf", Protocol::HttpProtobuf)];
        let protocol = signal.own_or_general("PROTOCOL", |name| variables.choice(name, &words));
        let configured = if config.batcher == Batcher::OtlpHttp { Protocol::HttpProtobuf } else { Protocol::Grpc };
        let protocol = protocol.unwrap_or(configured);
        let words = [("gzip", true), ("none", false)];
        let gzip = signal.own_or_general("COMPRESSION", |name| variables.choice(name, &words));
        let timeout = signal.own_or_general("TIMEOUT", |name| variables.milliseconds(name));
        let file = |what| signal.own_or_general(what, |name| variables.text(name)).map(PathBuf::from);
        let tls = config.tls.clone();
        Otlp {
            protocol,
            endpoint: self.endpoint(signal, protocol),
            headers: self.headers(signal),
            gzip: gzip.unwrap_or(config.compression == Compression::Gzip),
            timeout: Some(timeout.unwrap_or(config.timeout)).filter(|timeout| !timeout.is_zero()),
            tls: Tls {
                ca: file("CERTIFICATE").or(tls.ca),
                certificate: file("CLIENT_CERTIFICATE").or(tls.certificate),
                key: file("CLIENT_KEY").or(tls.key),
            },
        }
    }

    /// A signal's own address is used unchanged. To the common address OTLP over HTTP appends the signal's path.
    fn endpoint(&self, signal: Signal, protocol: Protocol) -> Uri {
        let insecure = signal.own_or_general("INSECURE", |name| self.variables.boolean(name)).unwrap_or(false);
        let uri = |text: &str| {
            let scheme = if insecure { "http" } else { "https" };
            let text = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
            text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")))
        };
        let with_path = |text: &str| match protocol {
            Protocol::Grpc => uri(text),
            Protocol::HttpProtobuf => uri(&format!("{}/{}", text.trim_end_matches('/'), signal.path)),
        };
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.name);
        let own = self.variables.parsed(&own, "an http or https URL", uri);
        let general = || self.variables.parsed("OTEL_EXPORTER_OTLP_ENDPOINT", "an http or https URL", with_path);
        let configured = || {
            let text = self.config.endpoint.as_ref()?;
            let uri = with_path(text);
            if uri.is_none() {
                self.variables.warn(format!("telemetry.endpoint is ignored: {text:?} is not an http or https URL"));
            }
            uri
        };
        let default = || match protocol {
            Protocol::Grpc => Uri::from_static("http://localhost:4317"),
            Protocol::HttpProtobuf => with_path("http://localhost:4318").unwrap_or_default(),
        };
        own.or_else(general).or_else(configured).unwrap_or_else(default)
    }

    fn headers(&self, signal: Signal) -> Vec<(HeaderName, HeaderValue)> {
        let set = signal.own_or_general("HEADERS", |name| {
            let pairs = self.variables.pairs(name);
            (!pairs.is_empty()).then_some(pairs)
        });
        let secret = |(key, value): (&String, &SecretString)| (key.clone(), value.expose_secret().to_owned());
        let configured = self.config.headers.iter().map(secret);
        let mut headers = Vec::<(HeaderName, HeaderValue)>::new();
        for (key, value) in configured.chain(set.unwrap_or_default()) {
            let (Ok(name), Ok(mut value)) = (HeaderName::try_from(&*key), HeaderValue::try_from(value)) else {
                self.variables.warn(format!("the header {key:?} of exports is ignored: it is not one of HTTP"));
                continue;
            };
            value.set_sensitive(true);
            headers.retain(|(other, _)| *other != name);
            headers.push((name, value));
        }
        headers
    }
}

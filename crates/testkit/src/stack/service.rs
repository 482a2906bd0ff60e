//! The five services and their settings.

use std::collections::BTreeMap;
use std::fmt;

use super::Sinks;

/// A service of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    DataSvc,
    UserSvc,
    NotifySvc,
    EproSvc,
    Gateway,
}

impl Service {
    /// In the order of their start: callees first.
    pub const ALL: [Self; 5] = [Self::DataSvc, Self::UserSvc, Self::NotifySvc, Self::EproSvc, Self::Gateway];

    /// The name of its binary, and of the service in its spans.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataSvc => "data-svc",
            Self::UserSvc => "user-svc",
            Self::NotifySvc => "notify-svc",
            Self::EproSvc => "epro-svc",
            Self::Gateway => "gateway",
        }
    }

    /// The services it calls, each with the setting for that address.
    pub(crate) fn callees(self) -> &'static [(Self, &'static str)] {
        const DATA: (Service, &str) = (Service::DataSvc, "EPRO_DATA_SVC__URL");
        const USER: (Service, &str) = (Service::UserSvc, "EPRO_USER_SVC__URL");
        const NOTIFY: (Service, &str) = (Service::NotifySvc, "EPRO_NOTIFY_SVC__URL");
        const EPRO: (Service, &str) = (Service::EproSvc, "EPRO_EPRO_SVC__URL");
        match self {
            Self::DataSvc | Self::UserSvc => &[],
            Self::NotifySvc => &[DATA, USER],
            Self::EproSvc => &[DATA, NOTIFY],
            Self::Gateway => &[USER, EPRO, DATA],
        }
    }

    /// Everything it connects to, each with the setting for that address.
    pub(crate) fn connections(self) -> Vec<(Peer, &'static str)> {
        let mut connections = vec![(Peer::Otlp, "EPRO_TELEMETRY__ENDPOINT")];
        connections.extend(self.callees().iter().map(|(callee, setting)| (Peer::Service(*callee), *setting)));
        match self {
            Self::DataSvc | Self::UserSvc => connections.push((Peer::Postgres, "EPRO_DATABASE__URL")),
            Self::NotifySvc => connections.extend([(Peer::Sms, "EPRO_SMS__URL"), (Peer::Smtp, "EPRO_SMTP__URL")]),
            Self::EproSvc | Self::Gateway => {}
        }
        connections
    }

    /// Its settings, apart from its port and its callees.
    pub(super) fn settings(self, sinks: &Sinks) -> BTreeMap<String, String> {
        let mut settings = vec![
            ("EPRO_TELEMETRY__ENDPOINT", sinks.otlp.endpoint()),
            ("EPRO_TELEMETRY__ENVIRONMENT", "test".to_owned()),
            // A short delay, so that tests do not have to wait for spans.
            ("OTEL_BSP_SCHEDULE_DELAY", "200".to_owned()),
        ];
        match self {
            Self::DataSvc => settings.push(("EPRO_DATABASE__URL", sinks.database.url("data_svc"))),
            Self::UserSvc => settings.push(("EPRO_DATABASE__URL", sinks.database.url("user_svc"))),
            Self::NotifySvc => settings.extend([
                ("EPRO_SMS__URL", sinks.sms.url()),
                ("EPRO_SMS__ACCOUNT", "AC00000000000000000000000000000000".to_owned()),
                ("EPRO_SMS__TOKEN", "sink".to_owned()),
                ("EPRO_SMS__FROM", "+15555550100".to_owned()),
                ("EPRO_SMTP__URL", sinks.smtp.url()),
                ("EPRO_SMTP__FROM", "study@example.org".to_owned()),
                ("EPRO_SMTP__HELLO_NAME", "notify-svc.example.org".to_owned()),
                ("EPRO_REPORT_URL", "https://study.example.org/reports/".to_owned()),
                ("EPRO_STUDY_URL", "https://study.example.org/studies/".to_owned()),
            ]),
            Self::Gateway => settings.extend([
                ("EPRO_WEB__JAEGER_URL", sinks.otlp.http_endpoint()),
                // No client here has to move to another copy before the shutdown, so do not wait for that.
                ("EPRO_CONNECTIONS__FAREWELL", "0s".to_owned()),
            ]),
            Self::EproSvc => {}
        }
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something that a service connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Service(Service),
    Postgres,
    Otlp,
    Sms,
    Smtp,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(f, "{service}"),
            Self::Postgres => f.write_str("Postgres"),
            Self::Otlp => f.write_str("the OTLP receiver"),
            Self::Sms => f.write_str("the SMS provider"),
            Self::Smtp => f.write_str("the mail server"),
        }
    }
}

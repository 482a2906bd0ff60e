//! Names of the attributes that this application defines. All others are OpenTelemetry's.

/// The limit that a connection was closed for: `all`, `address`, `memory` or `mesh`.
pub const CONNECTION_LIMIT: &str = "epro.connection.limit";
/// The number of the delivery attempt, from 1.
pub const DELIVERY_ATTEMPT: &str = "epro.delivery.attempt";
/// `sms` or `email`.
pub const DELIVERY_CHANNEL: &str = "epro.delivery.channel";
/// The class of an attempt's outcome, such as `delivered` or `throttled`.
pub const DELIVERY_OUTCOME: &str = "epro.delivery.outcome";
/// The table, or part of a table, that housekeeping has deleted from.
pub const HOUSEKEEPING_TABLE: &str = "epro.housekeeping.table";
/// `true` if an alert of the report is urgent.
pub const REPORT_URGENT: &str = "epro.report.urgent";
/// The id of a rule that a report breaks, such as `answers.range`.
pub const RULE_ID: &str = "epro.rule.id";

//! Names of attributes that are this application's own. All others are OpenTelemetry's.

/// What a connection was closed for: `all`, `address` or `memory`.
pub const CONNECTION_LIMIT: &str = "epro.connection.limit";
/// A number: how often a notification was tried to be delivered, this time included.
pub const DELIVERY_ATTEMPT: &str = "epro.delivery.attempt";
/// `sms` or `email`.
pub const DELIVERY_CHANNEL: &str = "epro.delivery.channel";
/// The class of what an attempt came to, such as `delivered` or `throttled`.
pub const DELIVERY_OUTCOME: &str = "epro.delivery.outcome";
/// What housekeeping has deleted from: a table's name, or a part of one.
pub const HOUSEKEEPING_TABLE: &str = "epro.housekeeping.table";
/// `true` if an alert of the report asks for somebody at once.
pub const REPORT_URGENT: &str = "epro.report.urgent";
/// The id of a rule that a report breaks, such as `answers.range`.
pub const RULE_ID: &str = "epro.rule.id";

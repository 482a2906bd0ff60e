use jiff::tz::db;
use sqlx::PgConnection;

/// The name that the time zone database has for an unknown zone.
const UNKNOWN: &str = "Etc/Unknown";

/// Adds the names of the time zones that the services know; sites and enrolments refer to them. Existing names stay,
/// because rows may refer to them, and IANA's database never drops a name.
pub(crate) async fn store(connection: &mut PgConnection) -> sqlx::Result<()> {
    let names: Vec<_> = db().available().map(|name| name.to_string()).filter(|name| name != UNKNOWN).collect();
    sqlx::query("INSERT INTO clinical.time_zone (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING")
        .bind(names)
        .execute(connection)
        .await
        .map(drop)
}

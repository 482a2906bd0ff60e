use sqlx::{Connection, PgConnection};

use super::*;

async fn nurses(url: &str) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(url).await?;
    let count = sqlx::query_scalar("SELECT count(*) FROM identity.contact").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

#[tokio::test]
async fn a_private_server_keeps_its_data_over_stop_and_crash_and_leaves_nothing_behind() -> anyhow::Result<()> {
    let since = Instant::now();
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    let started = since.elapsed();
    postgres.cluster().create_template().await?;
    let migrated = since.elapsed();
    let database = postgres.cluster().create_database().await?;
    eprintln!("started {started:?}, with a template {migrated:?}, with a database {:?}", since.elapsed());

    assert_eq!(nurses(&database.url("user_svc")).await?, 4);
    let wrong_password = Cluster::parse(&database.url("user_svc").replace(&postgres.password, "wrong"))?;
    assert!(nurses(&wrong_password.url("user_svc", &database.name)).await.is_err(), "passwords are checked");

    postgres.stop().await?;
    assert!(nurses(&database.url("user_svc")).await.is_err());
    postgres.start_again().await?;
    postgres.crash().await?;
    postgres.start_again().await?;
    assert_eq!(nurses(&database.url("user_svc")).await?, 4);
    database.drop().await?;

    let (folder, url) = (postgres.folder.path().to_owned(), postgres.cluster().admin_url("postgres"));
    drop(postgres);
    assert!(!folder.exists());
    assert!(PgConnection::connect(&url).await.is_err());
    Ok(())
}

#[tokio::test]
async fn two_servers_do_not_get_in_each_other_s_way() -> anyhow::Result<()> {
    let (one, two) =
        tokio::try_join!(Postgres::builder().fsync(false).start(), Postgres::builder().fsync(false).start())?;
    assert_ne!(one.port, two.port);
    for postgres in [one, two] {
        PgConnection::connect(&postgres.cluster().admin_url("postgres")).await?.close().await?;
    }
    Ok(())
}

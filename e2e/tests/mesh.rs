//! Which services accept which callers, and over which connections.

use e2e::{DEADLINE, PATIENT};
use testkit::postgres::Postgres;
use testkit::stack::{Service, Stack};
use testkit::stranger;

#[tokio::test]
async fn postgres_is_reached_over_tls_where_its_url_demands_it() -> anyhow::Result<()> {
    let postgres = Postgres::builder().fsync(false).tls().start().await?;
    let cluster = postgres.cluster();
    cluster.create_template().await?;
    let stack = Stack::builder().cluster(cluster).start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;

    let query = "SELECT usename::text, bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                 WHERE datname = current_database() AND usename LIKE '%svc' GROUP BY usename ORDER BY usename";
    let roles: Vec<(String, bool)> = sqlx::query_as(query).fetch_all(&mut stack.database.connect().await?).await?;
    assert_eq!(roles, [("data_svc".to_owned(), true), ("user_svc".to_owned(), true)]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_log_says_why_postgres_cannot_be_reached_over_tls() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let url = format!("{}?sslmode=require", stack.database.url("data_svc"));
    let mut copy = stack.replicate(Service::DataSvc, &[("EPRO_DATABASE__URL", url)]).await?;
    let line = copy.wait_for_log(DEADLINE, |line| line["message"] == "not ready").await?;
    let error = line["error"].as_str().unwrap_or_default();
    assert!(error.starts_with("the database cannot be reached over TLS: "), "{error}");
    copy.terminate().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_stranger_on_the_network_is_unauthenticated_everywhere() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let ca = stack.ca()?;
    for (service, rpc) in [
        (Service::UserSvc, "/epro.user.v1.UserService/ListSiteContacts"),
        (Service::EproSvc, "/epro.report.v1.ReportService/SubmitReport"),
        (Service::DataSvc, "/epro.data.v1.DataService/ListReports"),
        (Service::NotifySvc, "/epro.notify.v1.NotifyService/Notify"),
    ] {
        let code = stranger::call(stack.address(service), &ca, service.name(), rpc).await?;
        assert_eq!(format!("{code:?}"), "Unauthenticated", "{service}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn certificates_are_renewed_while_the_stack_runs() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.renew_certificates()?;
    // Every restarted service presents its new certificate. Its callers trust it without a restart of their own.
    for service in Service::ALL.into_iter().filter(|service| *service != Service::Gateway) {
        stack.restart(service).await?;
    }
    stack.wait_until_ready().await?;
    client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    stack.stop().await?;
    Ok(())
}

//! Protections at the HTTP level: limits for heads and connections, headers of every answer, TLS.

use std::net::Ipv4Addr;
use std::time::Duration;

use e2e::{DEADLINE, PATIENT, problem, submitted};
use flate2::read::GzDecoder;
use testkit::client::Client;
use testkit::poll;
use testkit::stack::{Service, Stack};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::test]
async fn every_answer_has_the_security_headers() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for (path, status, policy) in [
        ("/livez", 204, "default-src 'none'; frame-ancestors 'none'"),
        ("/readyz", 200, "default-src 'none'; frame-ancestors 'none'"),
        ("/openapi.json", 200, "default-src 'none'; frame-ancestors 'none'"),
        ("/docs/", 200, "default-src 'none'; script-src 'self'; "),
        ("/docsx", 404, "default-src 'none'; frame-ancestors 'none'"),
        ("/v1/reports", 401, "default-src 'none'; frame-ancestors 'none'"),
        ("/v1/sessions", 405, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        let answer = client.get(path, None).await?.expect_status(status)?;
        let header = |name| answer.header(name).unwrap_or_default();
        assert!(header("content-security-policy").starts_with(policy), "{path}: {:?}", answer.headers);
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(header("permissions-policy"), "camera=(), geolocation=(), microphone=()", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        for absent in ["server", "strict-transport-security", "x-powered-by"] {
            assert_eq!(answer.header(absent), None, "{path}");
        }
        let repeated = answer.headers.keys().find(|name| answer.headers.get_all(*name).iter().count() > 1);
        assert_eq!(repeated, None, "{path}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_page_of_the_api_needs_nothing_that_its_policy_forbids() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let page = client.get("/docs/", None).await?.expect_status(200)?;
    let page = std::io::read_to_string(GzDecoder::new(page.body.as_slice()))?;
    let mut loaded = 0;
    for tag in page.split('<').filter(|tag| tag.starts_with("script") || tag.starts_with("link")) {
        let (tag, content) = tag.split_once('>').unwrap_or_default();
        assert_eq!(content.trim(), "", "no script in the page itself");
        let source = tag.split([' ', '=']).skip_while(|word| !matches!(*word, "src" | "href")).nth(1);
        let file = source.unwrap_or_default().trim_matches('"').trim_start_matches("./");
        assert!(!file.is_empty() && !file.contains([':', '/']), "from elsewhere: {tag}");
        client.get(&format!("/docs/{file}"), None).await?.expect_status(200)?;
        loaded += 1;
    }
    assert!(loaded >= 4, "{page}");
    let handlers = ["<style", "style=", "onload=", "onclick="];
    assert!(!handlers.iter().any(|inline| page.contains(inline)), "{page}");
    let start = String::from_utf8(client.get("/docs/swagger-initializer.js", None).await?.body)?;
    assert!(start.contains(r#""url": "/openapi.json""#) && !start.contains("//petstore"), "{start}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn json_is_sent_to_whoever_does_not_exclude_it() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for (path, accept, status, name) in [
        ("/v1/me/assignments", "*/*, application/json;q=0", 406, "not-acceptable"),
        ("/v1/nothing", "application/xml", 406, "not-acceptable"),
        ("/v1/me/assignments", "text/html, */*;q=0.1", 401, "unauthenticated"),
        ("/nothing", "text/html;q=0.1, application/json", 404, "not-found"),
    ] {
        problem(&client.raw("GET", path, &[("accept", accept)], "").await?, status, name)?;
    }
    client.raw("GET", "/livez", &[("accept", "image/png")], "").await?.expect_status(204)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_problem_type_is_a_page_for_a_person_and_json_for_a_program() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let page = client.raw("GET", "/problems/report-invalid", &browser, "").await?.expect_status(200)?;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = String::from_utf8_lossy(&page.body);
    assert!(text.contains("<h1>Report invalid</h1>") && text.contains("report-invalid</code>"), "{text}");

    let answer = client.get("/problems/report-invalid", None).await?.expect_status(200)?;
    assert_eq!(answer.json()["title"], "Report invalid");
    assert_eq!(answer.header("vary"), Some("accept"));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_head_that_is_too_large_or_none_gets_a_problem() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes()
    };
    let many = |count| "X: x\r\n".repeat(count);
    let long = |length| format!("/nothing?{}", "x".repeat(length));
    for request in [get("/nothing", &format!("X: {}\r\n", "x".repeat(33 * 1024))), get("/nothing", &many(101))] {
        problem(&client.wire(&request).await?, 431, "head-too-large")?;
    }
    client.wire(&get("/nothing", &format!("X: {}\r\n", "x".repeat(31 * 1024)))).await?.expect_status(404)?;
    client.wire(&get(&long(31 * 1024), &many(90))).await?.expect_status(404)?;
    problem(&client.wire(&get(&long(33 * 1024), "")).await?, 414, "uri-too-long")?;
    // Longer than the server reads at all.
    problem(&client.wire(&get(&long(70 * 1024), "")).await?, 414, "uri-too-long")?;
    problem(&client.wire(&get("/nothing", &many(300))).await?, 431, "head-too-large")?;
    problem(
        &client.wire(&get("/nothing", &format!("X: {}\r\n", "x".repeat(200 * 1024)))).await?,
        431,
        "head-too-large",
    )?;
    problem(&client.wire(b"\x16\x03\x01 is no HTTP\r\n\r\n").await?, 400, "bad-request")?;
    problem(&client.wire(b"GET / HTTP/1.0\r\nhost\r\n\r\n").await?, 400, "bad-request")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_request_names_its_host_once() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let get = |path: &str, version: &str, hosts: &str| {
        format!("GET {path} HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n").into_bytes()
    };
    for hosts in ["", "Host: x\r\nHost: x\r\n", "Host: x\r\nHost: y\r\n", "Host: a b\r\n", "Host: user@x\r\n"] {
        problem(&client.wire(&get("/v1/reports", "1.1", hosts)).await?, 400, "bad-request")?;
    }
    problem(&client.wire(&get("http://x/v1/reports", "1.1", "")).await?, 400, "bad-request")?;
    client.wire(&get("/livez", "1.1", "")).await?.expect_status(400)?;
    client.wire(&get("/livez", "1.1", "Host: x\r\n")).await?.expect_status(204)?;
    client.wire(&get("/livez", "1.0", "")).await?.expect_status(204)?;
    stack.stop().await?;
    Ok(())
}

/// Opens connections that each send a large part of a head and then wait. Returns those that were not closed.
async fn unfinished_heads(stack: &Stack, number: usize) -> anyhow::Result<Vec<TcpStream>> {
    let head = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(120 * 1024));
    let mut sent = Vec::new();
    for _ in 0..number {
        let mut connection = TcpStream::connect(stack.address(Service::Gateway)).await?;
        // The server may close the connection before everything is written.
        let _ = connection.write_all(head.as_bytes()).await;
        sent.push(connection);
    }
    let mut open = Vec::new();
    for connection in sent {
        let closed = timeout(Duration::from_millis(200), connection.peek(&mut [0])).await.is_ok();
        if !closed {
            open.push(connection);
        }
    }
    Ok(open)
}

#[tokio::test]
async fn unfinished_heads_take_up_so_much_memory_and_keep_nobody_else_out() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::Gateway, "EPRO_CONNECTIONS__UNANSWERED", "8388608").start().await?;
    let open = unfinished_heads(&stack, 60).await?;
    // One address may use 1,024 KiB. Each connection takes 104 KiB of that, because 16 KiB of its 120 are free.
    assert!((1..=9).contains(&open.len()), "{} of 60", open.len());
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_keeps_no_other_out() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::Gateway, "EPRO_CONNECTIONS__MOST_OF_ADDRESS", "5").start().await?;
    let open = async || {
        let held = unfinished_heads(&stack, 10).await?;
        Ok(held)
    };
    // The connection of the readiness check may still be open and use one.
    let held = poll::until(DEADLINE, open, |held| held.len() == 5).await?;
    assert_eq!(held.len(), 5);
    assert!(stack.client().get("/livez", None).await.is_err());
    let other = Client::from_address(stack.url(Service::Gateway), Ipv4Addr::new(127, 0, 0, 2).into())?;
    other.get("/livez", None).await?.expect_status(204)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up_with_408() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let mut connection = TcpStream::connect(stack.address(Service::Gateway)).await?;
    let head = "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{";
    connection.write_all(head.as_bytes()).await?;
    let mut line = String::new();
    timeout(DEADLINE, BufReader::new(connection).read_line(&mut line)).await??;
    assert_eq!(line, "HTTP/1.1 408 Request Timeout\r\n");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_asks_for_much_and_reads_nothing_loses_the_connection() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::Gateway, "EPRO_CONNECTIONS__MOST", "1").start().await?;
    // More than the buffers of the connection hold.
    let requests = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let mut greedy = None;
    let connect = async || {
        let mut connection = TcpStream::connect(stack.address(Service::Gateway)).await?;
        connection.write_all(requests.as_bytes()).await?;
        let served = connection.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0);
        greedy = served.then_some(connection);
        Ok(served)
    };
    // The connection of the readiness check may still be open and use the only one.
    assert!(poll::until(DEADLINE, connect, |served| *served).await?);

    let client = stack.client();
    let served = async || Ok(client.get("/livez", None).await.is_ok());
    assert!(!served().await?, "there is a slot for one only");
    assert!(poll::until(DEADLINE, served, |served| *served).await?, "the slot is never given up");
    drop(greedy);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_never_finished_does_not_hold_up_the_end() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let mut connection = TcpStream::connect(stack.address(Service::Gateway)).await?;
    connection.write_all(b"GET /livez HTTP/1.1\r\nHo").await?;
    assert!(stack.terminate(Service::Gateway).await?.success());
    Ok(())
}

#[tokio::test]
async fn the_gateway_speaks_tls_if_it_has_a_certificate() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let builder = |key: &str| {
        let builder = Stack::builder().env(Service::Gateway, "EPRO_TLS__CERTIFICATE", &certificate);
        builder.env(Service::Gateway, "EPRO_TLS__KEY", key)
    };
    let mut stack = builder(&key).start().await?;

    let client = Client::trusting(stack.url(Service::Gateway), made.cert.pem().as_bytes())?;
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let answer = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    assert!(stack.client().get("/livez", None).await.is_err(), "a client that does not know the certificate");
    let plain = Client::new(format!("http://{}", stack.address(Service::Gateway)));
    assert!(plain.get("/livez", None).await.is_err(), "no plain HTTP beside it");

    let healthy = stack.command(Service::Gateway, &["healthcheck"]).await?;
    assert!(healthy.status.success(), "{}", String::from_utf8_lossy(&healthy.stderr));
    stack.terminate(Service::Gateway).await?;
    assert!(!stack.command(Service::Gateway, &["healthcheck"]).await?.status.success());
    stack.stop().await?;

    let error = builder("/nowhere.pem").start().await.map(drop).unwrap_err();
    assert!(format!("{error:#}").contains("tls.key: read a private key from /nowhere.pem"), "{error:#}");
    Ok(())
}

//! Searches and their pages.

use super::*;

/// The ids of a bundle's entries, in order.
fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned)).collect()
}

fn next(bundle: &Value) -> Option<String> {
    let mut links = bundle["link"].as_array()?.iter();
    links.find(|link| link["relation"] == "next")?["url"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    let mut expected = vec![];
    for _ in 0..5 {
        expected.push(stored(&client, &patient, &diary(PATIENT.id, PATIENT.assignment)).await?);
    }
    let theirs = stored(&client, &neighbour, &diary(NEIGHBOUR.id, NEIGHBOUR.assignment)).await?;
    expected.reverse();

    let address = stack.url(Service::Gateway);
    let mut url = Some(format!("{address}{RESPONSES}?_count=2"));
    let mut pages = vec![];
    while let Some(page) = url {
        let path = page.strip_prefix(&address).context("another host")?.to_owned();
        let bundle = seen(&client, &patient, &path).await?;
        assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")));
        assert_eq!(bundle["link"][0], json!({"relation": "self", "url": page}));
        url = next(&bundle);
        pages.push(ids(&bundle));
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), expected);

    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let hers = seen(&client, &nurse, RESPONSES).await?;
    assert_eq!(ids(&hers), [vec![theirs], expected].concat(), "all of her site");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_search_finds_what_was_filled_in_and_when() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let stored_at = async |mut resource: Value, authored: &str| {
        resource["authored"] = json!(authored);
        stored(&client, &patient, &resource).await
    };
    let march = stored_at(diary(PATIENT.id, PATIENT.assignment), "2026-03-01T00:30:00+01:00").await?;
    let april = stored_at(phq9(PATIENT.id, PATIENT.phq9, [0; 9]), "2026-04-01T08:00:00Z").await?;
    let may = stored_at(diary(PATIENT.id, PATIENT.assignment), "2026-05-01T08:00:00-05:00").await?;
    let (diary, phq9) =
        ("https://example.org/questionnaires/daily-symptom-diary", "https://example.org/questionnaires/phq-9");
    for (query, found) in [
        (String::new(), vec![&may, &april, &march]),
        (format!("?questionnaire={diary}"), vec![&may, &march]),
        (format!("?questionnaire={phq9}%7C1.0"), vec![&april]),
        (format!("?questionnaire={phq9}%7C1.1"), vec![]),
        ("?questionnaire=https://example.org/questionnaires".to_owned(), vec![]),
        ("?authored=ge2026-04".to_owned(), vec![&may, &april]),
        ("?authored=2026-02-28".to_owned(), vec![&march]),
        ("?authored=ge2026-03-01&authored=le2026-04-30".to_owned(), vec![&april]),
        ("?authored=lt2026-05-01T13:00:00Z".to_owned(), vec![&april, &march]),
        ("?authored=le2026-05-01T08:00:00-05:00".to_owned(), vec![&may, &april, &march]),
        (format!("?questionnaire={diary}&authored=gt2026-03"), vec![&may]),
    ] {
        for token in [&patient, &nurse] {
            let bundle = seen(&client, token, &format!("{RESPONSES}{query}")).await?;
            assert_eq!(ids(&bundle), found.iter().map(ToString::to_string).collect::<Vec<_>>(), "{query}");
        }
    }
    // Each report in its newest revision, as a read returns it.
    let amended =
        client.amend(&patient, &may, "\"1\"", &e2e::amendment()).await?.expect_status(201)?.text("report_id")?;
    let bundle = seen(&client, &nurse, RESPONSES).await?;
    assert_eq!(ids(&bundle), [amended.clone(), april, march]);
    assert_eq!(bundle["entry"][0]["resource"], seen(&client, &nurse, &format!("{RESPONSES}/{amended}")).await?);
    stack.stop().await?;
    Ok(())
}

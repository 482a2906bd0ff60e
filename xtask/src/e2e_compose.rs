//! Tests the compose stack as a stranger would use it: from the image build to the exit codes.

mod containers;
mod journals;
pub(crate) mod verdict;

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use migrations::demo::{NURSES, Nurse, PATIENTS};
use testkit::client::{Client, Token, report};
use testkit::compose::Compose;
use testkit::contract;
use testkit::jaeger::Jaeger;
use testkit::poll;
use testkit::trace::Trace;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use containers::{judge_containers, judge_log_lines};
use journals::{Mailpit, Sms, SmsProvider};
use verdict::Verdict;

/// The most time from a submission until Jaeger has its last span and every nurse has her mail and SMS.
const DELIVERY: Duration = Duration::from_secs(20);

/// The compose project. A stack that is already running under another name is not touched.
const PROJECT: &str = "epro-e2e";

/// Additional submissions that are not checked one by one.
const MORE: usize = 20;

/// The five services. Compose stops callers before the services that they call.
pub(crate) const SERVICES: [&str; 5] = ["gateway", "user-svc", "epro-svc", "data-svc", "notify-svc"];

#[derive(Args)]
pub(crate) struct Options {
    /// Leave the stack running, with its volumes; the next run removes them.
    #[arg(long)]
    keep: bool,
}

/// Builds and starts the stack under its own project name and ports, uses it, checks the results, and removes it.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let stack = Compose::new(PROJECT).await?;
    let judged = tokio::select! {
        judged = judge(&stack) => judged,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    if !judged.as_ref().is_ok_and(Verdict::is_good) {
        stack.show_state().await;
    }
    // The services were stopped for the check of their exit codes.
    let removed = if options.keep { stack.up().await } else { stack.remove().await };
    if options.keep {
        println!("\nkept: {}", stack.hint());
    }
    // The first error is the important one.
    let verdict = judged?;
    removed?;
    verdict.pronounce()
}

/// Waits for Ctrl-C, or for the signal with which CI ends a job.
pub(crate) async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn judge(stack: &Compose) -> anyhow::Result<Verdict> {
    let start = Instant::now();
    stack.remove().await?;
    stack.build().await?;
    let built = Instant::now();
    stack.up().await?;
    let (building, starting) = ((built - start).as_secs_f64(), built.elapsed().as_secs_f64());
    println!("the images took {building:.1} s, and from there until everything was ready {starting:.1} s\n");

    let mut verdict = Verdict::default();
    let visit = Visit::begin(stack).await?;
    let first = visit.submit().await?;
    let trace = visit.jaeger.wait_for(&first.trace_id, DELIVERY, is_whole).await?;
    println!("{trace}");
    verdict.all("the trace is the contract's", &contract::check_submission(&trace, nurses().count()));
    visit.judge_messages(&mut verdict, &first.report_id, 1).await?;
    for command in [&["data-svc", "audit", "verify"][..], &["data-svc", "reconcile"]] {
        let said = stack.exec("data-svc", command).await;
        let name = format!("{} finds nothing wrong", command.join(" "));
        verdict.check(&name, said.is_ok(), || format!("{said:?}"));
    }

    judge_stranger(stack, &mut verdict).await?;

    for _ in 0..MORE {
        visit.submit().await?;
    }
    // Nothing waits for this submission, so the stopping services must finish it.
    let last = visit.submit().await?;
    let stopping = Instant::now();
    stack.stop(&SERVICES).await?;
    println!("the five services stopped within {:.1} s", stopping.elapsed().as_secs_f64());
    let trace = visit.jaeger.wait_for(&last.trace_id, DELIVERY, is_whole).await?;
    verdict.all(
        "a submission at the last moment has its whole trace",
        &contract::check_submission(&trace, nurses().count()),
    );
    visit.judge_messages(&mut verdict, &last.report_id, 2 + MORE).await?;

    judge_containers(stack, &mut verdict).await?;
    judge_log_lines(stack, &mut verdict, &[&first.trace_id, &last.trace_id]).await?;
    visit.judge_privacy(stack, &mut verdict).await?;
    let (traces, warnings) = visit.jaeger.warnings_of("gateway").await?;
    verdict.all(&format!("Jaeger warns of nothing in {traces} traces"), &warnings);
    println!("\n{:.1} s altogether", start.elapsed().as_secs_f64());
    Ok(verdict)
}

/// A stored report.
struct Submitted {
    trace_id: String,
    report_id: String,
}

/// The first patient's requests, and where their effects can be seen.
struct Visit {
    client: Client,
    token: Token,
    jaeger: Jaeger,
    mailpit: Mailpit,
    sms_provider: SmsProvider,
    /// A word that occurs only in the reports.
    marker: String,
}

impl Visit {
    async fn begin(stack: &Compose) -> anyhow::Result<Self> {
        let client = Client::new(&stack.gateway);
        let token = client.login(PATIENTS[0].login, PATIENTS[0].pin).await?;
        Ok(Self {
            client,
            token,
            jaeger: Jaeger::new(&stack.jaeger),
            mailpit: Mailpit::new(&stack.mailpit),
            sms_provider: SmsProvider::new(&stack.sms_provider),
            marker: format!("marker-{}", Uuid::new_v4().simple()),
        })
    }

    /// Submits a report.
    async fn submit(&self) -> anyhow::Result<Submitted> {
        let mut body = report(PATIENTS[0].assignment);
        body["answers"]["note"] = self.marker.clone().into();
        let key = Uuid::new_v4().to_string();
        let answer = self.client.submit(&self.token, &key, &body).await?.expect_status(201)?;
        println!("POST /v1/reports -> 201 {}\n", String::from_utf8_lossy(&answer.body));
        let trace_id = answer.trace_id().context("the answer has no traceresponse header")?;
        Ok(Submitted { trace_id, report_id: answer.text("report_id")? })
    }

    /// Checks that every nurse of the site has one SMS about this report, and one mail for each report so far.
    async fn judge_messages(&self, verdict: &mut Verdict, report_id: &str, reports: usize) -> anyhow::Result<()> {
        let expected = nurses().count();
        let messages = poll::until(
            DELIVERY,
            async || self.sms_provider.about(report_id).await,
            |messages| messages.len() >= expected,
        )
        .await?;
        let unlike = sorted(messages.iter().map(|sms| sms.to.clone())) != sorted(nurses().map(|nurse| nurse.phone));
        verdict.check(&format!("one SMS to each nurse ({})", messages.len()), !unlike, || format!("{messages:#?}"));
        let unaccepted: Vec<&Sms> = messages.iter().filter(|sms| sms.status != 201 || !sms.has_key).collect();
        verdict.check("accepted, each with an idempotency key", unaccepted.is_empty(), || format!("{unaccepted:#?}"));

        let mails =
            poll::until(DELIVERY, async || self.mailpit.all().await, |mails| mails.len() >= reports * expected).await?;
        let wanted = nurses().flat_map(|nurse| std::iter::repeat_n(nurse.email, reports));
        let right = sorted(mails.iter().map(|mail| mail.to.join(","))) == sorted(wanted);
        let name = format!("one mail to each nurse for each report ({})", mails.len());
        verdict.check(&name, right, || format!("{mails:#?}"));
        Ok(())
    }

    /// Checks that spans, logs, mails and SMS have no data of the patient, and the first two none of a nurse.
    async fn judge_privacy(&self, stack: &Compose, verdict: &mut Verdict) -> anyhow::Result<()> {
        let patient = &PATIENTS[0];
        let mut words = vec![self.marker.as_str(), patient.subject_code, patient.login, patient.pin, &self.token.0];
        let mails: String = self.mailpit.all().await?.into_iter().map(|mail| mail.everything).collect();
        verdict.absent("no patient word in a mail", &words, &mails);
        verdict.absent("no patient word in an SMS", &words, &self.sms_provider.everything().await?);
        verdict.absent("no patient word in any container's log", &words, &stack.logs(&[]).await?);
        for nurse in nurses() {
            words.extend([nurse.phone, nurse.email, nurse.login]);
        }
        verdict.absent("no person's word in the services' logs", &words, &stack.logs(&SERVICES).await?);
        for service in SERVICES {
            let spans = self.jaeger.everything_of(service).await?;
            verdict.absent(&format!("no person's word in {service}'s traces"), &words, &spans);
        }
        Ok(())
    }
}

/// Checks that a container without a certificate of the mesh gets UNAUTHENTICATED, which is 16.
async fn judge_stranger(stack: &Compose, verdict: &mut Verdict) -> anyhow::Result<()> {
    const RPC: &str = "https://data-svc:50053/epro.data.v1.DataService/ListReports";
    let call = ["curl", "-sSk", "--http2", "-D", "-", "-H", "content-type: application/grpc", "-H", "te: trailers"];
    let answer = stack.exec("sms-provider", &[&call, &["--data-binary", "", RPC][..]].concat()).await?;
    let is_refused = answer.lines().any(|line| line.trim_end() == "grpc-status: 16");
    verdict.check("a stranger on the network is unauthenticated", is_refused, || answer);
    Ok(())
}

/// The nurses of the first patient's site.
fn nurses() -> impl Iterator<Item = &'static Nurse> + Clone {
    NURSES.iter().filter(|nurse| nurse.site == PATIENTS[0].site)
}

fn is_whole(trace: &Trace) -> bool {
    trace.has_shape(&contract::submit_report(nurses().count()))
}

fn sorted<T: Into<String>>(texts: impl Iterator<Item = T>) -> Vec<String> {
    let mut texts: Vec<String> = texts.map(Into::into).collect();
    texts.sort();
    texts
}

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use proto::notify::notify_service_client::NotifyServiceClient;
use proto::notify::notify_service_server::{NotifyService, NotifyServiceServer};
use proto::notify::{NotifyRequest, NotifyResponse};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;
use crate::deadline;
use crate::fault::Faults;
use crate::grpc::{Upstream, serve};
use crate::health::Readiness;
use crate::mesh::Mesh;
use crate::shutdown::Shutdown;

/// Longer than anything here takes when it works.
const DEADLINE: Duration = Duration::from_secs(20);

/// How many calls a copy answers at once.
const PERMITS: u32 = 1000;

/// The addresses that a lookup of the service's name finds.
type Name = Arc<Mutex<Vec<SocketAddr>>>;

fn caller(name: &Name, timeout: Duration) -> NotifyServiceClient<deadline::Client> {
    let name = Arc::clone(name);
    let lookup = move || {
        let found = name.lock().unwrap().clone();
        async move { Ok(found) }
    };
    let copies = LoadBalancer::over(Uri::from_static("http://notify-svc"), lookup, Connector::cleartext());
    NotifyServiceClient::new(deadline::Client::new(copies, timeout))
}

/// A copy of a service with its own address. It answers a call when `may_answer` has a permit, and refuses it when that
/// is closed.
struct Copy {
    address: SocketAddr,
    shutdown: Shutdown,
    calls: Arc<AtomicUsize>,
    may_answer: Arc<Semaphore>,
    server: AbortOnDropHandle<()>,
}

struct Counting(Arc<AtomicUsize>, Arc<Semaphore>);

#[tonic::async_trait]
impl NotifyService for Counting {
    async fn notify(&self, _: tonic::Request<NotifyRequest>) -> Result<tonic::Response<NotifyResponse>, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let _permit = self.1.acquire().await.map_err(|_| Status::unavailable("closed"))?;
        Ok(tonic::Response::new(NotifyResponse::default()))
    }
}

#[expect(clippy::disallowed_methods, reason = "a server for the test")]
async fn copy_on(address: SocketAddr) -> Copy {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, calls, may_answer) = (Shutdown::new(), Arc::default(), Arc::new(Semaphore::new(PERMITS as usize)));
    let service = NotifyServiceServer::new(Counting(Arc::clone(&calls), Arc::clone(&may_answer)));
    let (mesh, faults) = (Mesh::open(None).unwrap(), Faults::new(false, "notify-svc"));
    let serving = serve(listener, mesh, service, Readiness::Always, faults, shutdown.clone());
    let server = AbortOnDropHandle::new(tokio::spawn(async { serving.await.unwrap() }));
    Copy { address, shutdown, calls, may_answer, server }
}

async fn copy() -> Copy {
    copy_on((Ipv4Addr::LOCALHOST, 0).into()).await
}

fn name<'c>(copies: impl IntoIterator<Item = &'c Copy>) -> Name {
    Arc::new(Mutex::new(copies.into_iter().map(|copy| copy.address).collect()))
}

async fn notify(client: &NotifyServiceClient<deadline::Client>) -> Result<(), Code> {
    client.clone().notify(NotifyRequest::default()).await.map(drop).map_err(|status| status.code())
}

/// Makes calls until each of the copies has got one.
async fn until_all_are_called(client: &NotifyServiceClient<deadline::Client>, copies: &[Copy]) {
    let counts = || copies.iter().map(|copy| copy.calls.load(Ordering::Relaxed)).collect::<Vec<_>>();
    let before = counts();
    let calling = async {
        while counts().iter().zip(&before).any(|(now, before)| now == before) {
            notify(client).await.unwrap();
        }
    };
    timeout(DEADLINE, calling).await.unwrap();
}

#[tokio::test]
async fn calls_one_after_the_other_are_spread_evenly() {
    let copies = [copy().await, copy().await, copy().await];
    let client = caller(&name(&copies), DEADLINE);
    until_all_are_called(&client, &copies).await;
    let before = copies.each_ref().map(|copy| copy.calls.load(Ordering::Relaxed));
    for _ in 0..30 {
        notify(&client).await.unwrap();
    }
    for (copy, before) in copies.iter().zip(before) {
        assert_eq!(copy.calls.load(Ordering::Relaxed) - before, 10);
    }
}

#[tokio::test]
async fn hosts_with_commas_between_are_copies_of_one_service() {
    let copies = [copy().await, copy().await, copy().await];
    let url = format!("http://{}, {},{}", copies[0].address, copies[1].address, copies[2].address);
    let channel = Upstream { url, timeout: DEADLINE }.channel("notify-svc", &Mesh::open(None).unwrap()).unwrap();
    let client = NotifyServiceClient::new(channel);
    let calling = async {
        while copies.iter().any(|copy| copy.calls.load(Ordering::Relaxed) == 0) {
            client.clone().notify(NotifyRequest::default()).await.unwrap();
        }
    };
    timeout(DEADLINE, calling).await.unwrap();
}

#[tokio::test]
async fn a_copy_that_does_not_get_on_with_its_work_gets_no_more_of_it() {
    let copies = [copy().await, copy().await];
    let client = caller(&name(&copies), DEADLINE);
    until_all_are_called(&client, &copies).await;
    let [quick, stuck] = &copies;
    let held = stuck.may_answer.acquire_many(PERMITS).await.unwrap();
    let waiting = async {
        let mut first: FuturesUnordered<_> = (0..20).map(|_| notify(&client)).collect();
        for _ in 0..10 {
            first.next().await.unwrap().unwrap();
        }
        let before = stuck.calls.load(Ordering::Relaxed);
        for _ in 0..50 {
            notify(&client).await.unwrap();
        }
        assert_eq!(stuck.calls.load(Ordering::Relaxed), before);
        drop(held);
        while let Some(answer) = first.next().await {
            answer.unwrap();
        }
    };
    timeout(DEADLINE, waiting).await.unwrap();
    assert!(quick.calls.load(Ordering::Relaxed) > 50);
}

#[tokio::test]
async fn a_copy_that_refuses_calls_is_avoided_as_long_as_another_one_answers() {
    let copies = [copy().await, copy().await];
    let client = caller(&name(&copies), DEADLINE);
    until_all_are_called(&client, &copies).await;
    copies[1].may_answer.close();
    let refused = async || {
        let answers = join_all((0..20).map(|_| notify(&client))).await;
        answers.into_iter().filter(|answer| *answer == Err(Code::Unavailable)).count()
    };
    assert!(refused().await > 0);
    assert_eq!(refused().await, 0);

    copies[0].may_answer.close();
    assert_eq!(refused().await, 20, "when all refuse, it is they who say so");
}

#[tokio::test]
async fn a_copy_that_comes_is_called_and_one_that_goes_is_not() {
    let (first, second) = (copy().await, copy().await);
    let name = name([&first]);
    let client = caller(&name, DEADLINE);
    notify(&client).await.unwrap();
    let copies = [first, second];
    *name.lock().unwrap() = copies.iter().map(|copy| copy.address).collect();
    until_all_are_called(&client, &copies).await;

    *name.lock().unwrap() = vec![copies[1].address];
    let is_left_alone = async || {
        let before = copies[0].calls.load(Ordering::Relaxed);
        for _ in 0..10 {
            notify(&client).await.unwrap();
        }
        copies[0].calls.load(Ordering::Relaxed) == before
    };
    timeout(DEADLINE, async { while !is_left_alone().await {} }).await.unwrap();
}

#[tokio::test]
async fn no_call_fails_while_copies_are_restarted_one_after_the_other() {
    let mut copies = vec![copy().await, copy().await, copy().await];
    let client = caller(&name(&copies), DEADLINE);
    until_all_are_called(&client, &copies).await;
    let stop = CancellationToken::new();
    let caller = async || {
        let mut ends = BTreeMap::new();
        while !stop.is_cancelled() {
            *ends.entry(notify(&client).await.map_err(|code| code as i32)).or_insert(0) += 1;
        }
        ends
    };
    let load = join_all((0..16).map(|_| caller()));
    let restarts = async {
        for at in 0..copies.len() {
            copies[at].shutdown.cancel();
            let address = copies[at].address;
            (&mut copies[at].server).await.unwrap();
            copies[at] = copy_on(address).await;
            until_all_are_called(&client, &copies[at..=at]).await;
        }
        stop.cancel();
    };
    let (ends, ()) = timeout(DEADLINE, async { tokio::join!(load, restarts) }).await.unwrap();
    let failed: Vec<_> = ends.iter().flat_map(BTreeMap::keys).filter(|end| end.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn nobody_waits_for_a_service_that_is_not_there_and_it_is_called_as_soon_as_it_is() {
    let gone = copy().await;
    gone.shutdown.cancel();
    gone.server.await.unwrap();
    let client = caller(&Arc::new(Mutex::new(vec![gone.address])), DEADLINE);
    for _ in 0..10 {
        let started = Instant::now();
        assert_eq!(notify(&client).await, Err(Code::Unavailable));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    }
    let _back = copy_on(gone.address).await;
    notify(&client).await.unwrap();
}

#[tokio::test]
async fn a_name_without_an_address_is_unavailable() {
    let client = caller(&Name::default(), Duration::from_secs(1));
    assert_eq!(notify(&client).await, Err(Code::Unavailable));
}

//! Docker Compose, in a project of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

const PROJECT: &str = "epro-e2e";

/// For a build from scratch on a small machine with a slow network.
const BUILD: Duration = Duration::from_mins(30);
/// For containers to become healthy once they exist.
const START: Duration = Duration::from_mins(3);
/// For anything else; more than every container's grace period.
const SHORT: Duration = Duration::from_mins(2);

const ERASE_LINE: &str = "\u{1b}[2K";

/// The stack under test. Nothing is started by making one.
pub(super) struct Compose {
    pub(super) gateway: String,
    pub(super) jaeger: String,
    pub(super) mailpit: String,
    pub(super) sms_provider: String,
    /// Each variable that names a port, and the port.
    ports: Vec<(&'static str, u16)>,
}

/// A container of ours, running or not.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) service: String,
    pub(super) status: String,
    pub(super) exit_code: i64,
    pub(super) restarts: u64,
    /// Its image's id.
    image: String,
}

impl Compose {
    /// # Errors
    /// When there is no Docker with Compose v2, or no port is free.
    pub(super) async fn new() -> anyhow::Result<Self> {
        let server = run(docker(&["version", "--format", "{{.Server.Version}}"]), SHORT).await;
        let server = server.context("this needs a running Docker Engine, 20.10 or newer")?;
        let compose = run(docker(&["compose", "version", "--short"]), SHORT).await;
        let compose = compose.context("this needs Docker Compose v2")?;
        println!("Docker {}, Compose {}", server.trim(), compose.trim());

        let names = ["GATEWAY_PORT", "JAEGER_PORT", "MAILPIT_PORT", "WIREMOCK_PORT"];
        let ports: Vec<_> = names.into_iter().zip(free_ports::<4>()?).collect();
        let url = |index: usize| format!("http://127.0.0.1:{}", ports[index].1);
        Ok(Self { gateway: url(0), jaeger: url(1), mailpit: url(2), sms_provider: url(3), ports })
    }

    /// Builds the images.
    pub(super) async fn build(&self) -> anyhow::Result<()> {
        self.show(&["build"], BUILD).await.context("build the images")
    }

    /// Starts everything and waits until it is ready.
    pub(super) async fn up(&self) -> anyhow::Result<()> {
        self.show(&["up", "--wait"], START).await.context("start the stack")
    }

    /// Stops services in their own time and leaves their containers.
    pub(super) async fn stop(&self, services: &[&str]) -> anyhow::Result<()> {
        self.show(&[&["stop"], services].concat(), SHORT).await
    }

    /// Removes containers, network, volumes and images. The build's cache stays.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        self.show(&["down", "--volumes", "--remove-orphans", "--rmi", "local"], SHORT).await.context("remove the stack")
    }

    /// Runs a command in a service's container; gives what it said.
    ///
    /// # Errors
    /// When it does not exit with 0.
    pub(super) async fn exec(&self, service: &str, command: &[&str]) -> anyhow::Result<String> {
        run(self.compose(&[&["exec", "-T", service], command].concat()), SHORT).await
    }

    /// The log lines of these services, of all when none is named.
    pub(super) async fn logs(&self, services: &[&str]) -> anyhow::Result<String> {
        let text = run(self.compose(&[&["logs", "--no-color", "--no-log-prefix"], services].concat()), SHORT).await?;
        // Some releases of Compose start every line with it, terminal or not.
        Ok(text.replace(ERASE_LINE, ""))
    }

    pub(super) async fn containers(&self) -> anyhow::Result<Vec<Container>> {
        const FORMAT: &str = r#"{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{.Image}}"#;
        let ids = run(self.compose(&["ps", "--all", "--quiet"]), SHORT).await?;
        let mut inspect = docker(&["inspect", "--format", FORMAT]);
        inspect.args(ids.split_whitespace());
        run(inspect, SHORT).await?.lines().map(parse).collect()
    }

    /// Bytes that a container's image has, unpacked.
    pub(super) async fn image_size(&self, container: &Container) -> anyhow::Result<u64> {
        let inspect = docker(&["image", "inspect", "--format", "{{.Size}}", &container.image]);
        run(inspect, SHORT).await?.trim().parse().context("read an image's size")
    }

    /// Prints what runs and the last log lines.
    pub(super) async fn show_state(&self) {
        for arguments in [["ps", "--all"].as_slice(), &["logs", "--no-color", "--tail", "20"]] {
            // There is an error already, which this one must not hide.
            let _ = self.show(arguments, SHORT).await;
        }
    }

    /// How to look at the stack when it is kept.
    pub(super) fn hint(&self) -> String {
        let ports: Vec<String> = self.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        format!("{} docker compose --project-name {PROJECT} ps", ports.join(" "))
    }

    /// Runs a command whose output is for the reader.
    async fn show(&self, arguments: &[&str], deadline: Duration) -> anyhow::Result<()> {
        let mut command = self.compose(arguments);
        let status = timeout(deadline, command.status()).await;
        let status = status.with_context(|| format!("docker compose {} took too long", arguments[0]))??;
        ensure!(status.success(), "docker compose {} ended with {status}", arguments[0]);
        Ok(())
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = docker(&["compose", "--project-name", PROJECT]);
        command.args(arguments);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        command.envs(self.ports.iter().map(|(name, port)| (name, port.to_string())));
        // A sampler of the user's own would lose the traces that are to be judged.
        command.env("EPRO_TELEMETRY__SAMPLER", "1.0");
        command
    }
}

/// In a process group of its own, so that Ctrl-C leaves it time to be cleaned up.
fn docker(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(arguments).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// Runs a command whose output is wanted.
async fn run(mut command: Command, deadline: Duration) -> anyhow::Result<String> {
    let output: Output = timeout(deadline, command.output()).await.context("docker took too long")??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse(line: &str) -> anyhow::Result<Container> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [service, status, exit_code, restarts, image] = fields[..] else { anyhow::bail!("no container: {line}") };
    Ok(Container {
        service: service.to_owned(),
        status: status.to_owned(),
        exit_code: exit_code.parse()?,
        restarts: restarts.parse()?,
        image: image.to_owned(),
    })
}

/// Ports that nothing listens on. All are held until all are found, so that they differ.
fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

//! The compose stack, under a project name and on ports of its own.

mod command;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::poll;
pub use command::free_range;
use command::{docker, free_ports, parse, repository, run};

/// For a build from scratch on a small machine with a slow network.
const BUILD: Duration = Duration::from_mins(30);
/// For containers to become healthy once they exist.
const START: Duration = Duration::from_mins(3);
/// For anything else; more than every container's grace period.
const SHORT: Duration = Duration::from_mins(2);

const ERASE_LINE: &str = "\u{1b}[2K";

/// The stack under test. Nothing is started by making one.
#[derive(Debug)]
pub struct Compose {
    project: &'static str,
    /// Where services publish what, as base URLs.
    pub gateway: String,
    pub jaeger: String,
    pub mailpit: String,
    pub sms_provider: String,
    /// Files above `docker-compose.yml`.
    overlays: Vec<PathBuf>,
    /// Each variable that names a port, and the port.
    ports: Vec<(&'static str, u16)>,
    /// Other variables of the compose files.
    variables: Vec<(&'static str, String)>,
    /// Variables that services have been given besides, by service.
    environment: BTreeMap<String, BTreeMap<String, String>>,
    /// Has the overlay with them.
    folder: tempfile::TempDir,
}

/// A container of ours, running or not.
#[derive(Debug)]
pub struct Container {
    pub service: String,
    pub status: String,
    pub exit_code: i64,
    pub restarts: u64,
    /// Its image's id.
    image: String,
}

impl Compose {
    /// # Errors
    /// When there is no Docker with Compose v2, or no port is free.
    pub async fn new(project: &'static str) -> anyhow::Result<Self> {
        let server = run(docker(&["version", "--format", "{{.Server.Version}}"]), SHORT).await;
        let server = server.context("this needs a running Docker Engine, 20.10 or newer")?;
        let compose = run(docker(&["compose", "version", "--short"]), SHORT).await;
        let compose = compose.context("this needs Docker Compose v2")?;
        println!("Docker {}, Compose {}", server.trim(), compose.trim());

        let names = ["GATEWAY_PORT", "JAEGER_PORT", "MAILPIT_PORT", "WIREMOCK_PORT"];
        let ports: Vec<_> = names.into_iter().zip(free_ports::<4>()?).collect();
        let url = |index: usize| format!("http://127.0.0.1:{}", ports[index].1);
        Ok(Self {
            project,
            gateway: url(0),
            jaeger: url(1),
            mailpit: url(2),
            sms_provider: url(3),
            overlays: Vec::new(),
            ports,
            variables: Vec::new(),
            environment: BTreeMap::new(),
            folder: tempfile::tempdir()?,
        })
    }

    /// With a file above `docker-compose.yml`, and free ports for its variables; gives the ports.
    ///
    /// # Errors
    /// When no port is free.
    pub fn overlay<const N: usize>(&mut self, file: &str, ports: [&'static str; N]) -> anyhow::Result<[u16; N]> {
        let free = free_ports::<N>()?;
        self.overlays.push(repository().join(file));
        self.ports.extend(ports.into_iter().zip(free));
        Ok(free)
    }

    /// Sets a variable of the compose files.
    pub fn set(&mut self, variable: &'static str, value: String) {
        self.variables.push((variable, value));
    }

    /// Builds the images.
    ///
    /// # Errors
    /// When one cannot be built.
    pub async fn build(&self) -> anyhow::Result<()> {
        self.show(&["build"], BUILD).await.context("build the images")
    }

    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When something does not become ready.
    pub async fn up(&self) -> anyhow::Result<()> {
        self.show(&["up", "--wait"], START).await.context("start the stack")
    }

    /// Stops services in their own time and leaves their containers.
    ///
    /// # Errors
    /// When they do not stop.
    pub async fn stop(&self, services: &[&str]) -> anyhow::Result<()> {
        self.show(&[&["stop"], services].concat(), SHORT).await
    }

    /// Does something to a service's container: `kill`, `pause` or `unpause`.
    ///
    /// # Errors
    /// When that cannot be done.
    pub async fn control(&self, verb: &str, service: &str) -> anyhow::Result<()> {
        run(self.compose(&[verb, service])?, SHORT).await.map(drop)
    }

    /// Starts a service that does not run, or one whose variables have changed, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_again(&self, service: &str) -> anyhow::Result<()> {
        run(self.compose(&["up", "--no-deps", "--wait", service])?, START).await.map(drop)
    }

    /// Gives a service another value of a variable, or takes it away, and starts it anew.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart_with(&mut self, service: &str, variable: &str, value: Option<&str>) -> anyhow::Result<()> {
        let environment = self.environment.entry(service.to_owned()).or_default();
        match value {
            Some(value) => environment.insert(variable.to_owned(), value.to_owned()),
            None => environment.remove(variable),
        };
        self.start_again(service).await
    }

    /// Removes containers, network, volumes and images. The build's cache stays.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn remove(&self) -> anyhow::Result<()> {
        self.show(&["down", "--volumes", "--remove-orphans", "--rmi", "local"], SHORT).await.context("remove the stack")
    }

    /// Runs a command in a service's container; gives what it said.
    ///
    /// # Errors
    /// When it does not exit with 0.
    pub async fn exec(&self, service: &str, command: &[&str]) -> anyhow::Result<String> {
        run(self.exec_command(service, command)?, SHORT).await
    }

    /// A command that runs another one in a service's container, with its standard streams, for as long as it is wanted.
    ///
    /// # Errors
    /// When the overlay cannot be written.
    pub fn exec_command(&self, service: &str, command: &[&str]) -> anyhow::Result<Command> {
        self.compose(&[&["exec", "-T", service], command].concat())
    }

    /// The log lines of these services, of all when none is named.
    ///
    /// # Errors
    /// When Docker cannot say.
    pub async fn logs(&self, services: &[&str]) -> anyhow::Result<String> {
        let text = run(self.compose(&[&["logs", "--no-color", "--no-log-prefix"], services].concat())?, SHORT).await?;
        // Some releases of Compose start every line with it, terminal or not.
        Ok(text.replace(ERASE_LINE, ""))
    }

    /// All containers of the project.
    ///
    /// # Errors
    /// When Docker cannot say.
    pub async fn containers(&self) -> anyhow::Result<Vec<Container>> {
        const FORMAT: &str = r#"{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{.Image}}"#;
        let ids = run(self.compose(&["ps", "--all", "--quiet"])?, SHORT).await?;
        let mut inspect = docker(&["inspect", "--format", FORMAT]);
        inspect.args(ids.split_whitespace());
        run(inspect, SHORT).await?.lines().map(parse).collect()
    }

    /// The ids of a service's containers.
    ///
    /// # Errors
    /// When Docker cannot say.
    pub async fn copies(&self, service: &str) -> anyhow::Result<Vec<String>> {
        let ids = run(self.compose(&["ps", "--quiet", service])?, SHORT).await?;
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }

    /// Stops one container in its own time, starts it again and waits until it is ready.
    ///
    /// # Errors
    /// When it does not end well, does not start or is not ready in time.
    pub async fn roll(&self, id: &str) -> anyhow::Result<()> {
        run(docker(&["stop", id]), SHORT).await?;
        let code = run(docker(&["inspect", "--format", "{{.State.ExitCode}}", id]), SHORT).await?;
        ensure!(code.trim() == "0", "container {id} ended with {}", code.trim());
        run(docker(&["start", id]), SHORT).await?;
        let health = async || run(docker(&["inspect", "--format", "{{.State.Health.Status}}", id]), SHORT).await;
        let found = poll::until(START, health, |status| status.trim() == "healthy").await?;
        ensure!(found.trim() == "healthy", "container {id} is {}", found.trim());
        Ok(())
    }

    /// Bytes that a container's image has, unpacked.
    ///
    /// # Errors
    /// When Docker cannot say.
    pub async fn image_size(&self, container: &Container) -> anyhow::Result<u64> {
        let inspect = docker(&["image", "inspect", "--format", "{{.Size}}", &container.image]);
        run(inspect, SHORT).await?.trim().parse().context("read an image's size")
    }

    /// Prints what runs and the last log lines.
    pub async fn show_state(&self) {
        for arguments in [["ps", "--all"].as_slice(), &["logs", "--no-color", "--tail", "20"]] {
            // There is an error already, which this one must not hide.
            let _ = self.show(arguments, SHORT).await;
        }
    }

    /// How to look at the stack when it is kept.
    pub fn hint(&self) -> String {
        let ports: Vec<String> = self.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        format!("{} docker compose --project-name {} ps", ports.join(" "), self.project)
    }

    /// Runs a command whose output is for the reader.
    async fn show(&self, arguments: &[&str], deadline: Duration) -> anyhow::Result<()> {
        let mut command = self.compose(arguments)?;
        let status = timeout(deadline, command.status()).await;
        let status = status.with_context(|| format!("docker compose {} took too long", arguments[0]))??;
        ensure!(status.success(), "docker compose {} ended with {status}", arguments[0]);
        Ok(())
    }

    fn compose(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = docker(&["compose", "--project-name", self.project, "--file", "docker-compose.yml"]);
        for overlay in &self.overlays {
            command.arg("--file").arg(overlay);
        }
        if self.environment.values().any(|variables| !variables.is_empty()) {
            command.arg("--file").arg(self.write_environment()?);
        }
        command.args(arguments);
        command.current_dir(repository());
        command.envs(self.ports.iter().map(|(name, port)| (name, port.to_string())));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        // A sampler of the user's own would lose the traces that are to be judged.
        command.env("EPRO_TELEMETRY__SAMPLER", "1.0");
        Ok(command)
    }

    /// An overlay with the variables that services have been given. JSON is YAML.
    fn write_environment(&self) -> anyhow::Result<PathBuf> {
        let file = self.folder.path().join("environment.yml");
        let services: BTreeMap<_, _> =
            self.environment.iter().map(|(service, variables)| (service, json!({"environment": variables}))).collect();
        std::fs::write(&file, json!({"services": services}).to_string()).context("write an overlay")?;
        Ok(file)
    }
}

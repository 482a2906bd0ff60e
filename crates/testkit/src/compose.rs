//! The compose stack with its own project name and ports.

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

/// Enough for a build from scratch on a small machine with a slow network.
const BUILD: Duration = Duration::from_mins(30);
/// The most time for created containers to become healthy.
const START: Duration = Duration::from_mins(3);
/// The most time for other commands: longer than every container's grace period.
const SHORT: Duration = Duration::from_mins(2);

const ERASE_LINE: &str = "\u{1b}[2K";

/// The stack under test. Making this value starts nothing.
#[derive(Debug)]
pub struct Compose {
    project: &'static str,
    /// The base URLs of the published ports.
    pub gateway: String,
    pub jaeger: String,
    pub mailpit: String,
    pub sms_provider: String,
    /// Compose files in addition to `docker-compose.yml`.
    overlays: Vec<PathBuf>,
    /// The variables for ports, with their values.
    ports: Vec<(&'static str, u16)>,
    /// Other variables of the compose files.
    variables: Vec<(&'static str, String)>,
    /// Additional environment variables, by service.
    environment: BTreeMap<String, BTreeMap<String, String>>,
    /// The folder of the overlay with these variables.
    folder: tempfile::TempDir,
}

/// A container of the project, running or stopped.
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

    /// Adds a compose file, and free ports for its variables. Returns the ports.
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

    /// Stops services gracefully and keeps their containers.
    ///
    /// # Errors
    /// When they do not stop.
    pub async fn stop(&self, services: &[&str]) -> anyhow::Result<()> {
        self.show(&[&["stop"], services].concat(), SHORT).await
    }

    /// Runs `kill`, `pause` or `unpause` on a service's container.
    ///
    /// # Errors
    /// When that is not possible.
    pub async fn control(&self, verb: &str, service: &str) -> anyhow::Result<()> {
        run(self.compose(&[verb, service])?, SHORT).await.map(drop)
    }

    /// Starts a service that is stopped, or whose variables have changed, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_again(&self, service: &str) -> anyhow::Result<()> {
        run(self.compose(&["up", "--no-deps", "--wait", service])?, START).await.map(drop)
    }

    /// Sets or removes an environment variable of a service, and restarts the service.
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

    /// Removes containers, network, volumes and images. Keeps the build cache.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn remove(&self) -> anyhow::Result<()> {
        self.show(&["down", "--volumes", "--remove-orphans", "--rmi", "local"], SHORT).await.context("remove the stack")
    }

    /// Runs a command in a service's container. Returns its output.
    ///
    /// # Errors
    /// When it does not exit with 0.
    pub async fn exec(&self, service: &str, command: &[&str]) -> anyhow::Result<String> {
        run(self.exec_command(service, command)?, SHORT).await
    }

    /// A command that runs another one in a service's container and connects its standard streams.
    ///
    /// # Errors
    /// When the overlay cannot be written.
    pub fn exec_command(&self, service: &str, command: &[&str]) -> anyhow::Result<Command> {
        self.compose(&[&["exec", "-T", service], command].concat())
    }

    /// The log lines of these services, or of all if the list is empty.
    ///
    /// # Errors
    /// When Docker fails.
    pub async fn logs(&self, services: &[&str]) -> anyhow::Result<String> {
        let text = run(self.compose(&[&["logs", "--no-color", "--no-log-prefix"], services].concat())?, SHORT).await?;
        // Some releases of Compose begin every line with this, even without a terminal.
        Ok(text.replace(ERASE_LINE, ""))
    }

    /// All containers of the project.
    ///
    /// # Errors
    /// When Docker fails.
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
    /// When Docker fails.
    pub async fn copies(&self, service: &str) -> anyhow::Result<Vec<String>> {
        let ids = run(self.compose(&["ps", "--quiet", service])?, SHORT).await?;
        Ok(ids.split_whitespace().map(str::to_owned).collect())
    }

    /// Stops one container gracefully, starts it again and waits until it is ready.
    ///
    /// # Errors
    /// When it does not exit with 0, does not start or is not ready in time.
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

    /// The unpacked size of a container's image, in bytes.
    ///
    /// # Errors
    /// When Docker fails.
    pub async fn image_size(&self, container: &Container) -> anyhow::Result<u64> {
        let inspect = docker(&["image", "inspect", "--format", "{{.Size}}", &container.image]);
        run(inspect, SHORT).await?.trim().parse().context("read an image's size")
    }

    /// Prints the state of the containers and the last log lines.
    pub async fn show_state(&self) {
        for arguments in [["ps", "--all"].as_slice(), &["logs", "--no-color", "--tail", "20"]] {
            // This error must not hide the one that is being reported.
            let _ = self.show(arguments, SHORT).await;
        }
    }

    /// Tells how to inspect a stack that is kept.
    pub fn hint(&self) -> String {
        let ports: Vec<String> = self.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        format!("{} docker compose --project-name {} ps", ports.join(" "), self.project)
    }

    /// Runs a command and shows its output.
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
        // The user's own sampler could drop traces that are needed here.
        command.env("EPRO_TELEMETRY__SAMPLER", "1.0");
        Ok(command)
    }

    /// Writes an overlay with the additional variables. JSON is valid YAML.
    fn write_environment(&self) -> anyhow::Result<PathBuf> {
        let file = self.folder.path().join("environment.yml");
        let services: BTreeMap<_, _> =
            self.environment.iter().map(|(service, variables)| (service, json!({"environment": variables}))).collect();
        std::fs::write(&file, json!({"services": services}).to_string()).context("write an overlay")?;
        Ok(file)
    }
}

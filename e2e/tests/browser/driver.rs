//! A headless Chromium, driven through its `ChromeDriver`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use e2e::DEADLINE;
use flate2::read::GzDecoder;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use testkit::poll;
use thirtyfour::extensions::query::ElementQueryable;
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// When this is set, a missing browser fails the tests.
const REQUIRED: &str = "EPRO_TEST_BROWSER";

/// Finds barriers for people who use a screen reader or a keyboard, or have weak eyes:
/// <https://github.com/dequelabs/axe-core>.
const AXE: &[u8] = include_bytes!("axe-4.14.1.min.js.gz");

/// Runs every rule of WCAG 2.2 up to level AA, and the best practices. Returns the violations.
const RUN: &str = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})\
            .then(found => JSON.stringify(found.violations.map(({id, nodes}) => \
            [id, nodes.map(({html, failureSummary}) => [html, failureSummary])])))";

/// The size of a phone and of a desktop screen.
pub(super) const SIZES: [(&str, u32, u32); 2] = [("phone", 390, 844), ("desk", 1280, 900)];

/// A browser window and its processes, which are killed when this is dropped.
pub(super) struct Browser {
    pub(super) page: WebDriver,
    base_url: String,
    driver: Child,
    _profile: tempfile::TempDir,
}

/// Opens a browser for the gateway's pages at `base_url`. None if the machine has no `ChromeDriver`.
pub(super) async fn open(base_url: String) -> anyhow::Result<Option<Browser>> {
    let Some(program) = find("chromedriver") else {
        ensure!(std::env::var_os(REQUIRED).is_none(), "there is no chromedriver, although {REQUIRED} is set");
        eprintln!("not tested: there is no chromedriver on the PATH");
        return Ok(None);
    };
    let mut command = Command::new(program);
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).kill_on_drop(true);
    let mut driver = command.spawn().context("start chromedriver")?;
    let port = port(&mut driver).await?;
    let profile = tempfile::tempdir()?;
    let mut chrome = DesiredCapabilities::chrome();
    for argument in
        ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en"]
    {
        chrome.add_arg(argument)?;
    }
    chrome.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
    let page = WebDriver::new(format!("http://127.0.0.1:{port}"), chrome).await.context("start the browser")?;
    Ok(Some(Browser { page, base_url, driver, _profile: profile }))
}

fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The port that `ChromeDriver` prints.
async fn port(driver: &mut Child) -> anyhow::Result<u16> {
    let mut lines = BufReader::new(driver.stdout.take().context("its output")?).lines();
    let read = async {
        while let Some(line) = lines.next_line().await? {
            let port = line.rsplit_once("on port ").and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
            if line.contains("started successfully")
                && let Some(port) = port
            {
                return Ok(port);
            }
        }
        anyhow::bail!("chromedriver has ended")
    };
    tokio::time::timeout(DEADLINE, read).await.context("chromedriver says no port")?
}

impl Browser {
    pub(super) async fn go(&self, path: &str) -> anyhow::Result<()> {
        Ok(self.page.goto(format!("{}{path}", self.base_url)).await?)
    }

    pub(super) async fn path(&self) -> anyhow::Result<String> {
        Ok(self.page.current_url().await?.path().to_owned())
    }

    /// Waits for the first visible element.
    pub(super) async fn find(&self, selector: &str) -> anyhow::Result<WebElement> {
        let query = self.page.query(By::Css(selector)).wait(DEADLINE, Duration::from_millis(50)).and_displayed();
        query.first().await.with_context(|| format!("no {selector} is shown"))
    }

    pub(super) async fn text(&self, selector: &str) -> anyhow::Result<String> {
        Ok(self.find(selector).await?.text().await?)
    }

    /// Waits until an element shows a text.
    pub(super) async fn wait_for_text(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let shown = poll::until(DEADLINE, async || self.text(selector).await, |shown| shown.contains(text)).await?;
        ensure!(shown.contains(text), "{selector} shows {shown:?} instead of {text:?}");
        Ok(())
    }

    pub(super) async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let element = self.find(selector).await?;
        element.scroll_into_view().await?;
        Ok(element.click().await?)
    }

    /// Chooses a radio button or a check box. They are clicked by a script, because their visible part is another
    /// element.
    pub(super) async fn choose(&self, selector: &str) -> anyhow::Result<()> {
        let element = self.page.query(By::Css(selector)).wait(DEADLINE, Duration::from_millis(50)).first().await?;
        self.page.execute("arguments[0].click()", vec![element.to_json()?]).await?;
        Ok(())
    }

    pub(super) async fn fill(&self, selector: &str, text: &str) -> anyhow::Result<()> {
        let element = self.find(selector).await?;
        element.clear().await?;
        Ok(element.send_keys(text).await?)
    }

    /// Signs in as a person of the demo study.
    pub(super) async fn sign_in(&self, login: &str, pin: &str) -> anyhow::Result<()> {
        self.go("/sign-in").await?;
        self.fill("#login", login).await?;
        self.fill("#pin", pin).await?;
        self.click("form.card button").await?;
        self.find("header nav").await.map(drop)
    }

    /// The result of a script in the page.
    pub(super) async fn script(&self, script: &str) -> anyhow::Result<Value> {
        Ok(self.page.execute(script, Vec::new()).await?.json().clone())
    }

    /// Disconnects the network or connects it again.
    pub(super) async fn be_offline(&self, offline: bool) -> anyhow::Result<()> {
        let cdp = self.page.cdp();
        cdp.send_raw("Network.enable", json!({})).await?;
        let conditions = json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        cdp.send_raw("Network.emulateNetworkConditions", conditions).await?;
        Ok(())
    }

    async fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.page.cdp().send_raw("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(())
    }

    async fn colour(&self, scheme: &str) -> anyhow::Result<()> {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.page.cdp().send_raw("Emulation.setEmulatedMedia", features).await?;
        Ok(())
    }

    /// Checks the page at every size, in light and dark: it must be accessible and not wider than the screen. If
    /// `folder` is given, saves a picture of each.
    pub(super) async fn inspect(&self, name: &str, folder: Option<&Path>) -> anyhow::Result<()> {
        for (at, (size, width, height)) in SIZES.into_iter().enumerate() {
            self.resize(width, height).await?;
            for (scheme, is_looked_at) in [("light", at == 0), ("dark", at == 1)] {
                // Colours do not depend on the size, nor the layout on the colours, so not every combination is
                // checked.
                if !is_looked_at && folder.is_none() {
                    continue;
                }
                self.colour(scheme).await?;
                self.accessible(&format!("{name}, {size}, {scheme}")).await?;
                let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
                let overflow = self.script(overflow).await?;
                ensure!(overflow == json!(0), "{name}, {size}: {overflow} pixels wider than the screen");
                if let Some(folder) = folder {
                    self.photograph(&folder.join(format!("{name}-{size}-{scheme}.png")), width, height).await?;
                }
            }
        }
        self.colour("light").await
    }

    async fn photograph(&self, file: &Path, width: u32, height: u32) -> anyhow::Result<()> {
        let tall = self.script("return document.documentElement.scrollHeight").await?.as_u64().unwrap_or_default();
        let tall = u32::try_from(tall)?.clamp(height, 2400);
        self.resize(width, tall).await?;
        self.page.screenshot(file).await?;
        self.resize(width, height).await
    }

    /// Checks that no rule of WCAG 2.2 at level AA is broken, as far as a program can tell.
    async fn accessible(&self, what: &str) -> anyhow::Result<()> {
        if self.script("return typeof axe").await? == json!("undefined") {
            let mut axe = String::new();
            GzDecoder::new(AXE).read_to_string(&mut axe)?;
            // Not with a script tag, because the page's content security policy forbids it.
            self.page.cdp().send_raw("Runtime.evaluate", json!({"expression": axe})).await?;
        }
        let run = json!({"expression": RUN, "awaitPromise": true, "returnByValue": true});
        let found = self.page.cdp().send_raw("Runtime.evaluate", run).await?;
        let found = found["result"]["value"].as_str().with_context(|| format!("axe: {found}"))?;
        let violations: Value = serde_json::from_str(found)?;
        ensure!(violations == json!([]), "{what}: {violations:#}");
        Ok(())
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.page.clone().quit().await?;
        Ok(())
    }
}

/// Chromium is in the driver's process group and not a child of this process, so the whole group is killed.
impl Drop for Browser {
    fn drop(&mut self) {
        // Without this, dropping the page would wait for the driver's answer to its quit command.
        let _ = self.page.clone().leak();
        if let Some(group) = self.driver.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

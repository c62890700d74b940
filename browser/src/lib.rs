//! A real browser for tests: headless Chromium, driven through ChromeDriver.
//!
//! A test opens pages and says what a person would see and do. Whatever the browser's console reports as an error fails
//! the test, so a page cannot break its own Content-Security-Policy unnoticed. Each test has a browser of its own, with an
//! empty profile, which goes with it.

mod chromedriver;
mod look;

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::error::WebDriverResult;
use thirtyfour::prelude::{By, WebElement};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use chromedriver::{ChromeDriver, unpacked};
pub use look::Look;

/// The tabulator, for [`Browser::press`].
pub const TAB: &str = "\u{e004}";
/// Longest wait for something to be seen.
const PATIENCE: Duration = Duration::from_mins(1);
/// Most presses of the tabulator on the way to something.
const LONGEST_WAY: u32 = 200;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// What Chromium is started with: without a screen, and without calls to its maker, which fail on a closed network and
/// fill the console.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
];

/// A browser with one page open.
pub struct Browser {
    /// Never dropped: that would wait for ChromeDriver on the thread that talks to it. Whoever ends ChromeDriver ends the
    /// browser.
    page: ManuallyDrop<WebDriver>,
    base: String,
    // In this order: the profile goes when nobody uses it any more.
    _driver: ChromeDriver,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser for the site at `address`, a host and a port.
    pub async fn start(address: &str) -> Self {
        let profile = tempfile::tempdir().expect("there is room for a profile");
        let driver = ChromeDriver::start().await;
        let mut wishes = DesiredCapabilities::chrome();
        let mut equip = || {
            match unpacked("chromium") {
                // A shell without a window of its own: it cannot fork its helpers, and opens no page in a given profile.
                Some(shell) => {
                    wishes.set_binary(&shell.to_string_lossy())?;
                    wishes.add_arg("--no-zygote")?;
                }
                None => wishes.add_arg(&format!("--user-data-dir={}", profile.path().display()))?,
            }
            ARGUMENTS.into_iter().try_for_each(|one| wishes.add_arg(one))?;
            wishes.set_browser_log_level(LoggingPrefsLogLevel::All)
        };
        equip().expect("wishes are JSON");
        let page = WebDriver::new(driver.url(), wishes).await.expect("Chromium starts");
        let page = ManuallyDrop::new(page);
        Self { page, base: format!("http://{address}"), _driver: driver, _profile: profile }
    }

    /// Opens a page by its path.
    pub async fn open(&self, path: &str) {
        let opened = self.page.goto(format!("{}{path}", self.base)).await;
        opened.unwrap_or_else(|error| panic!("{path} cannot be opened: {error}"));
    }

    /// The path of the page that is open, with its query.
    pub async fn path(&self) -> String {
        let address = self.page.current_url().await.expect("a page is open");
        address.as_str().trim_start_matches(&self.base).to_owned()
    }

    /// All text that is shown.
    pub async fn text(&self) -> String {
        self.ask("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text is shown.
    pub async fn sees(&self, text: &str) {
        self.until(&format!("`{text}` is shown"), async || self.text().await.contains(text)).await;
    }

    /// Waits until the text is not shown, or not any more.
    pub async fn no_longer_sees(&self, text: &str) {
        self.until(&format!("`{text}` is not shown"), async || !self.text().await.contains(text)).await;
    }

    /// Waits until an element that a CSS selector finds shows exactly this text.
    pub async fn sees_at(&self, selector: &str, text: &str) {
        let question = format!(
            "return [...document.querySelectorAll({})].some((e) => e.innerText.trim() === {})",
            json!(selector),
            json!(text)
        );
        let what = format!("`{selector}` shows `{text}`");
        self.until(&what, async || self.ask(&question).await == true).await;
    }

    /// Clicks on the link or button with that text.
    pub async fn click(&self, text: &str) {
        let quoted = json!(text);
        let path = format!("//*[self::a or self::button or self::summary][normalize-space()={quoted}]");
        let element = self.find(By::XPath(path.as_str()), text).await;
        element.click().await.unwrap_or_else(|error| panic!("`{text}` cannot be clicked: {error}"));
    }

    /// Presses keys where the focus is.
    pub async fn press(&self, keys: &str) {
        let pressed = async { self.page.active_element().await?.send_keys(keys).await };
        pressed.await.unwrap_or_else(|error| panic!("nobody can press {keys:?}: {error}"));
    }

    /// Moves the focus on with the tabulator until it is at what a CSS selector finds.
    pub async fn tab_to(&self, selector: &str) {
        let question = format!("return document.activeElement.matches({})", json!(selector));
        for _ in 0..LONGEST_WAY {
            if self.ask(&question).await == true {
                return;
            }
            self.press(TAB).await;
        }
        panic!("the tabulator does not lead to `{selector}`\n{}", self.text().await);
    }

    /// Types into the input with that label, in the place of what it holds.
    pub async fn fill(&self, label: &str, value: &str) {
        let quoted = json!(label);
        let path = format!(
            "//*[self::input or self::textarea][@aria-label={quoted} or @id=//label[normalize-space()={quoted}]/@for \
             or ancestor::label[contains(normalize-space(), {quoted})]]"
        );
        let input = self.find(By::XPath(path.as_str()), label).await;
        let typed = async {
            input.clear().await?;
            input.send_keys(value).await
        };
        typed.await.unwrap_or_else(|error| panic!("nobody can type into `{label}`: {error}"));
    }

    /// Waits for an element.
    async fn find(&self, by: By, what: &str) -> WebElement {
        let began = Instant::now();
        loop {
            match self.page.find(by.clone()).await {
                Ok(element) => return element,
                Err(_) if began.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Err(error) => panic!("there is no `{what}`: {error}\n{}", self.text().await),
            }
        }
    }

    /// What a script returns.
    pub async fn ask(&self, script: &str) -> Value {
        let answer = self.page.execute(script, Vec::new()).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// Runs a script in every page that is opened from now on, before those of the page itself.
    pub async fn ask_first(&self, script: &str) {
        let source = json!({"source": script});
        let told = self.page.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", source).await;
        told.unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// Waits until something is the case.
    pub async fn until(&self, what: &str, is: impl AsyncFn() -> bool) {
        let began = Instant::now();
        while !is().await {
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain until {what}; the page shows:\n{}",
                self.text().await
            );
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Errors the console has reported since the last question.
    pub async fn errors(&self) -> Vec<String> {
        let log = self.page.browser_log().await.expect("the console can be read");
        log.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message).collect()
    }

    /// Takes pictures of the whole page, one in each [`Look`], as `NAME-LOOK.png` below `$SCREENSHOT_DIR`, else
    /// `target/screenshots`. A page that is wider than the window fails.
    pub async fn shot(&self, name: &str) {
        for look in Look::ALL {
            let taken = self.shot_in(look, name).await;
            taken.unwrap_or_else(|error| panic!("no picture of {name}, {look}: {error}"));
        }
        self.look(Look::Light).await.expect("what was possible is possible again");
    }

    /// One picture.
    async fn shot_in(&self, look: Look, name: &str) -> WebDriverResult<()> {
        self.look(look).await?;
        let (width, height) = (self.extent("scrollWidth").await, self.extent("scrollHeight").await);
        assert!(width <= look.width(), "{name} is {width} wide in a window of {}", look.width());
        self.resize(look, height).await?;
        self.page.screenshot(&screenshots().join(format!("{name}-{look}.png"))).await
    }

    /// How large the page is, in pixels.
    async fn extent(&self, of: &str) -> u64 {
        let extent = self.ask(&format!("return document.documentElement.{of}")).await;
        extent.as_u64().expect("a size is a number")
    }

    /// Ends the browser. No error may have been reported.
    pub async fn close(self) {
        let errors = self.errors().await;
        assert!(errors.is_empty(), "the console reports: {errors:#?}");
    }
}

/// Where pictures go.
fn screenshots() -> PathBuf {
    let wished = std::env::vars_os().find(|(name, _)| name == "SCREENSHOT_DIR").map(|(_, path)| path.into());
    let target = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    let directory: PathBuf = wished.unwrap_or_else(target);
    std::fs::create_dir_all(&directory).expect("there is room for pictures");
    directory
}

//! How a page is looked at.

use std::fmt;

use serde_json::json;
use thirtyfour::error::WebDriverResult;

use crate::Browser;

/// A way to look at a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A window on a desk, light.
    Light,
    /// The same, dark.
    Dark,
    /// A telephone, light.
    Narrow,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Narrow];

    /// Width of the window, in pixels.
    pub(crate) fn width(self) -> u64 {
        match self {
            Self::Light | Self::Dark => 1280,
            Self::Narrow => 380,
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Narrow => "narrow",
        })
    }
}

impl Browser {
    /// Looks at pages that way from now on.
    ///
    /// # Errors
    /// When the browser is gone.
    pub async fn look(&self, look: Look) -> WebDriverResult<()> {
        let scheme = if look == Look::Dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.page.cdp().send_raw("Emulation.setEmulatedMedia", media).await?;
        self.resize(look, 900).await
    }

    /// Makes the window that high.
    pub(crate) async fn resize(&self, look: Look, height: u64) -> WebDriverResult<()> {
        let size = json!({"width": look.width(), "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.page.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await?;
        Ok(())
    }
}

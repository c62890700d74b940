//! Signing in and out.

use super::Stage;

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn people_sign_in_with_the_password_and_out_again() {
    let stage = Stage::start_with(3, 1, |setup| setup.with_password(PASSWORD)).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.sees("Password").await;
    browser.shot("login").await;
    browser.fill("Password", "something else").await;
    browser.click("Sign in").await;
    browser.sees("This is not the password").await;
    browser.shot("login-refused").await;
    browser.errors().await;
    browser.fill("Password", PASSWORD).await;
    browser.click("Sign in").await;
    browser.sees("Overview").await;
    assert_eq!(browser.path().await, "/");
    browser.click("Sign out").await;
    browser.sees("Password").await;
    browser.open("/").await;
    browser.sees("Password").await;
    stage.end().await;
}

#[tokio::test]
async fn a_page_says_when_somebody_has_signed_out_elsewhere() {
    let stage = Stage::start_with(3, 1, |setup| setup.with_password(PASSWORD)).await;
    let browser = &stage.browser;
    browser.open("/").await;
    browser.fill("Password", PASSWORD).await;
    browser.click("Sign in").await;
    browser.sees("Overview").await;
    stage.test.execute("DELETE FROM dashboard_sessions").await;
    browser.sees("You are signed out; load the page again to sign in.").await;
    browser.sees("Overview").await;
    let errors = browser.errors().await;
    assert!(errors.iter().all(|error| error.contains("Authentication failed")), "{errors:#?}");
    stage.end().await;
}

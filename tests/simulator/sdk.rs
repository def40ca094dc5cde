//! The official TypeScript SDK against the simulated API, where node and the SDK are installed
//! (`npm install` in `tests/sdk`); elsewhere it says that it was skipped.

use std::path::Path;
use std::process::Command;

use crate::HOUR_MS;
use crate::api::{Simulated, TOKEN};

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test must say so")]
fn the_official_sdk_works_against_the_simulated_api() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    if !sdk
        .join("node_modules/@hathora/cloud-sdk-typescript")
        .is_dir()
    {
        eprintln!("skipped: run `npm install` in {} first", sdk.display());
        return;
    }
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: node is not installed");
        return;
    }
    let api = Simulated::start(5, 200);
    api.clock.advance_millis(HOUR_MS);
    let output = Command::new("node")
        .arg(sdk.join("check.mjs"))
        .arg(api.server.base_url())
        .arg(api.server.app_id())
        .env("HATHORA_TOKEN", TOKEN)
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
}

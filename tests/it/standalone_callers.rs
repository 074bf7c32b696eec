//! Who may call standalone mode, and how they reach it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use hookwright_testbed::Folder;
use rcgen::{CertifiedKey, KeyPair};
use serde_json::json;

use crate::support::{self, Standalone};

const ONE: &str = "0123456789abcdef0123456789abcdef";
const TWO: &str = "fedcba9876543210fedcba9876543210";

/// A file of tokens, and the folder it is in.
fn token_file(text: &str) -> (Arc<Folder>, String) {
    let folder = Folder::temporary().unwrap();
    let path = folder.path().join("tokens");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What publishing is answered to whoever has this token.
async fn publishing(standalone: &Standalone, token: &str) -> StatusCode {
    let request = support::client(token).post(format!("{}/v1/events", standalone.url()));
    request.json(&json!({ "type": "a.b", "data": {} })).send().await.unwrap().status()
}

#[tokio::test]
async fn who_has_a_token_of_the_file_may_call_as_long_as_it_is_there() {
    let (_folder, file) = token_file(&format!("ci: {ONE}\n"));
    let mut standalone =
        Standalone::start(&[], &["--token-file", &file, "--log-level", "info,audit=debug"]).await;
    assert_eq!(publishing(&standalone, ONE).await, StatusCode::ACCEPTED);
    standalone.prints("user=ci").await;
    assert_eq!(publishing(&standalone, TWO).await, StatusCode::UNAUTHORIZED);
    let events = format!("{}/v1/event-types", standalone.url());
    let stranger = reqwest::get(&events).await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.headers()[header::WWW_AUTHENTICATE], "Bearer");
    assert_eq!(standalone.ready().await, StatusCode::OK);

    fs::write(&file, "ci: too-short\n").unwrap();
    standalone.prints("failed to use what files hold now").await;
    assert_eq!(
        publishing(&standalone, ONE).await,
        StatusCode::ACCEPTED,
        "a file that makes no sense counted"
    );
    fs::write(&file, format!("ci: {TWO}\n")).unwrap();
    support::eventually("the new token", async || {
        let status = publishing(&standalone, TWO).await;
        if status == StatusCode::ACCEPTED { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(publishing(&standalone, ONE).await, StatusCode::UNAUTHORIZED);
    let (_, printed) = standalone.stop().await;
    assert!(!printed.contains(ONE) && !printed.contains(TWO) && !printed.contains("too-short"), "{printed}");
}

#[tokio::test]
async fn a_page_whose_name_resolves_to_this_machine_cannot_call() {
    let standalone = Standalone::start(&[], &[]).await;
    let list = async |host: &str| {
        let request = reqwest::Client::new().get(format!("{}/v1/webhooks", standalone.url()));
        request.header(header::HOST, host).send().await.unwrap().status()
    };
    assert_eq!(list("localhost:8787").await, StatusCode::OK);
    assert_eq!(list("evil.example:8787").await, StatusCode::FORBIDDEN);
}

/// Writes a version of a mounted Secret, and makes it the current one.
fn mount(folder: &Path, version: &str, certificate: &str, key: &str) {
    fs::create_dir(folder.join(version)).unwrap();
    fs::write(folder.join(version).join("tls.crt"), certificate).unwrap();
    fs::write(folder.join(version).join("tls.key"), key).unwrap();
    symlink(version, folder.join("..new")).unwrap();
    fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
}

fn localhost() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap()
}

/// Whether somebody who trusts this certificate only is served.
async fn is_served(standalone: &Standalone, certificate: &str) -> Result<(), String> {
    let trusted = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let answer = client.get(format!("{}/v1/event-types", standalone.url())).send().await;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    assert_eq!(answer.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn the_api_is_served_with_the_certificate_that_is_mounted_now() {
    let folder = Folder::temporary().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (one, two) = (localhost(), localhost());
    mount(folder.path(), "1", &one.cert.pem(), &one.signing_key.serialize_pem());
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    let arguments = ["--tls-cert", &path("tls.crt"), "--tls-key", &path("tls.key")];
    let mut standalone = Standalone::start(&[], &arguments).await;
    assert!(standalone.url().starts_with("https://127.0.0.1:"), "{}", standalone.url());
    is_served(&standalone, &one.cert.pem()).await.unwrap();
    is_served(&standalone, &two.cert.pem()).await.unwrap_err();

    mount(folder.path(), "2", &two.cert.pem(), &two.signing_key.serialize_pem());
    support::eventually("the new certificate", async || is_served(&standalone, &two.cert.pem()).await).await;

    mount(folder.path(), "3", &one.cert.pem(), &two.signing_key.serialize_pem());
    standalone.prints("they cannot be used together").await;
    is_served(&standalone, &two.cert.pem()).await.unwrap();
    let (status, printed) = standalone.stop().await;
    assert!(status.success() && !printed.contains("PRIVATE KEY"), "{printed}");
}

//! A copy of the queue, taken from an operator at work and put back after the loss of it.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{self, Operator, Receiver, webhook};

fn hookwright(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwright"));
    command.args(arguments).arg("--data").arg(data).output().unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_before_a_backup_is_delivered_after_its_restoration() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("backup").await;
    let (receiver, well) = Receiver::well_or(StatusCode::SERVICE_UNAVAILABLE).await;
    let mut operator = Operator::start(cluster, &ns, &["--egress-allow", "127.0.0.0/8"]).await;
    ns.apply(&webhook(
        "orders",
        &receiver,
        json!({ "retry": { "maxAttempts": 20, "intervalsSeconds": [1] } }),
    ))
    .await;
    ns.kubectl(&["wait", "whk/orders", "--for=condition=Ready", "--timeout=60s"]).await.success();
    let publish = async |operator: &Operator, id: String| {
        let (status, answer) =
            operator.publish(&ns, &json!({ "id": id, "type": "user.login", "data": {} })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    };
    for number in 0..40 {
        publish(&operator, format!("before_{number}")).await;
    }

    let data = operator.database().parent().unwrap().to_owned();
    let copying = data.clone();
    let copied = tokio::task::spawn_blocking(move || hookwright(&["backup", "-"], &copying));
    for number in 0..40 {
        publish(&operator, format!("during_{number}")).await;
    }
    let copied = copied.await.unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));

    let file = data.join("copy.db");
    std::fs::write(&file, &copied.stdout).unwrap();
    let restore = ["restore", "--replace", file.to_str().unwrap()];
    let refused = hookwright(&restore, &data);
    assert_eq!(refused.status.code(), Some(1), "while the operator uses it");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another process uses"), "{refused:?}");
    operator.kill().await;
    std::fs::remove_file(operator.database()).unwrap();
    let restored = hookwright(&restore, &data);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));

    well.store(true, Ordering::Relaxed);
    let failed = receiver.received().len();
    operator.restart().await;
    support::eventually("all that the backup has to arrive", async || {
        let arrived: HashSet<_> =
            receiver.received()[failed..].iter().map(support::Request::event_id).collect();
        let missing: Vec<_> =
            (0..40).map(|n| format!("before_{n}")).filter(|id| !arrived.contains(id)).collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    })
    .await;
}

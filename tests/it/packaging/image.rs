//! The image: what is in it, how it is described, and that the operator works in it, as a user without rights on a root
//! folder that cannot be written to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hookwright_testbed::{Folder, Output, Process, Signal};
use serde_json::{Value, json};

use super::{binary, script, success};
use crate::support::{DEADLINE, Receiver, webhook};

/// Enters the root folder as a container's runtime would, as its user, and becomes what is asked for.
const RUNTIME: &str = r#"
root=$1 volume=$2
mount --bind "$root" "$root"
mount --bind "$volume" "$root/var/lib/hookwright"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec env --ignore-environment PATH=/usr/local/bin HOOKWRIGHT_LOG_LEVEL=info "$(command -v unshare)" --user \
  --map-user=65532 --map-group=65532 --root="$root" --wd=/ -- "${@:3}"
"#;

/// What requests are signed with.
const KEY: &str = "{apiVersion: v1, kind: Secret, metadata: {name: key}, stringData: {secret: s3cr3t}}";

/// The image's root folder, and a volume.
struct Image {
    folder: Arc<Folder>,
}

impl Image {
    fn make() -> Self {
        let folder = Folder::temporary().unwrap();
        let sbom = folder.path().join("sbom.json");
        fs::write(&sbom, "{}").unwrap();
        let roots = hookwright_testbed::project().join("bin/ca-certificates/cacert.pem");
        let image = Self { folder };
        success(script("image-root", &[binary(), roots, sbom, image.root()]));
        image
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn volume(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    /// Adds what containers get from their runtime; and, if the binary is not the released one, the libraries it needs.
    fn complete(&self, hosts: &str) {
        fs::create_dir(self.volume()).unwrap();
        fs::create_dir(self.root().join("dev")).unwrap();
        fs::write(self.root().join("etc/hosts"), hosts).unwrap();
        fs::write(self.root().join("etc/resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
        let libraries = Command::new("ldd").arg(binary()).output().unwrap();
        let libraries = String::from_utf8(libraries.stdout).unwrap();
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            let inside = self.root().join(library.trim_start_matches('/'));
            fs::create_dir_all(inside.parent().unwrap()).unwrap();
            fs::copy(library, inside).unwrap();
        }
    }

    /// A program in it.
    fn command(&self, program: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "bash", "-euc", RUNTIME, "runtime"]);
        command.arg(self.root()).arg(self.volume()).args(program);
        command
    }
}

/// Everything below a folder.
fn tree(folder: &Path) -> BTreeSet<String> {
    let mut find = Command::new("find");
    find.arg(folder).args(["-mindepth", "1", "-printf", "%m %P\n"]);
    success(find).lines().map(str::to_owned).collect()
}

#[test]
fn the_image_has_the_operator_and_what_it_trusts_and_nothing_else() {
    let image = Image::make();
    let expected = [
        "1777 tmp",
        "644 etc/ssl/certs/ca-certificates.crt",
        "644 usr/share/doc/hookwright/LICENSE",
        "644 usr/share/doc/hookwright/sbom.cdx.json",
        "755 etc",
        "755 etc/ssl",
        "755 etc/ssl/certs",
        "755 usr",
        "755 usr/local",
        "755 usr/local/bin",
        "755 usr/local/bin/hookwright",
        "755 usr/share",
        "755 usr/share/doc",
        "755 usr/share/doc/hookwright",
        "755 var",
        "755 var/lib",
        "755 var/lib/hookwright",
    ];
    assert_eq!(tree(&image.root()), expected.map(str::to_owned).into());
}

#[tokio::test]
async fn the_operator_works_in_the_image() {
    let receiver = Receiver::start().await;
    let image = Image::make();
    image.complete("127.0.0.1 localhost\n");
    let manifests = image.volume().join("manifests");
    fs::create_dir(&manifests).unwrap();
    let signing = json!({ "signing": { "secretRef": { "name": "key" } } });
    fs::write(manifests.join("orders.yaml"), webhook("orders", &receiver, signing)).unwrap();
    fs::write(manifests.join("key.yaml"), KEY).unwrap();
    let event = json!({ "type": "order.paid", "data": {} });
    fs::write(image.volume().join("event.json"), event.to_string()).unwrap();
    let standalone =
        ["hookwright", "standalone", "/var/lib/hookwright/manifests", "--data", "/var/lib/hookwright"];
    let command = image.command(&[&standalone[..], &["--listen", "127.0.0.1:0"]].concat());
    let mut process = Process::start(&image.folder, "image", &command, Output::Log).unwrap();
    let port = |process: &Process| {
        let log = process.log();
        let (_, rest) = log.split_once("listening on http://127.0.0.1:")?;
        Some(rest.split_once('\n')?.0.to_owned())
    };
    let listens = process.until("listening", DEADLINE, async |process| port(process).is_some()).await;
    listens.unwrap_or_else(|error| panic!("{error}"));

    // By a name, so that a static binary has to look it up.
    let server = format!("http://localhost:{}", port(&process).unwrap());
    let send = ["hookwright", "send", "/var/lib/hookwright/event.json", "--server", &server];
    let answer = tokio::process::Command::from(image.command(&send)).output().await.unwrap();
    assert!(answer.status.success(), "{}{}", String::from_utf8_lossy(&answer.stderr), process.log());
    assert_eq!(receiver.requests(1).await.len(), 1);

    let backup = ["hookwright", "backup", "-"];
    let copy = tokio::process::Command::from(image.command(&backup)).output().await.unwrap();
    assert!(copy.stdout.starts_with(b"SQLite format 3\0"), "{}", String::from_utf8_lossy(&copy.stderr));
    process.signal(Signal::Terminate).unwrap();
    assert!(process.ended(DEADLINE).await.unwrap().success(), "{}", process.log());
}

/// What a line of the Dockerfile says after a keyword.
fn says<'a>(dockerfile: &'a str, keyword: &str) -> Vec<&'a str> {
    dockerfile.lines().filter_map(|line| line.strip_prefix(keyword)?.strip_prefix(' ')).collect()
}

/// Reads JSON from a layout.
fn read(layout: &Path, path: &str) -> Value {
    serde_json::from_slice(&fs::read(layout.join(path)).unwrap()).unwrap()
}

/// Where a layout has what a descriptor refers to, whose size and digest must be right.
fn blob(layout: &Path, descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let path = format!("blobs/sha256/{digest}");
    assert_eq!(fs::metadata(layout.join(&path)).unwrap().len(), descriptor["size"]);
    assert_eq!(sha256(&format!("cat {}", layout.join(&path).display())), digest);
    path
}

/// The digest of what a shell command prints.
fn sha256(printing: &str) -> String {
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &format!("{printing} | sha256sum")]);
    success(shell).split_whitespace().next().unwrap().to_owned()
}

#[test]
fn the_packed_image_is_that_of_the_dockerfile() {
    let image = Image::make();
    // What it does is not asked for here.
    fs::write(image.root().join("usr/local/bin/hookwright"), "").unwrap();
    let (tar, layout) = (image.folder.path().join("image.tar"), image.folder.path().join("layout"));
    success(script("image", &[image.root().as_os_str(), "arm64".as_ref(), tar.as_os_str()]));
    fs::create_dir(&layout).unwrap();
    let mut unpack = Command::new("tar");
    unpack.arg("--extract").arg("--file").arg(&tar).arg("--directory").arg(&layout);
    success(unpack);
    assert_eq!(read(&layout, "oci-layout")["imageLayoutVersion"], "1.0.0");
    let index = read(&layout, "index.json");
    let listed = &index["manifests"][0];
    assert_eq!(listed["platform"], json!({ "architecture": "arm64", "os": "linux" }));
    let manifest = read(&layout, &blob(&layout, listed));
    let config = read(&layout, &blob(&layout, &manifest["config"]));
    let layer = layout.join(blob(&layout, &manifest["layers"][0]));
    let layer = layer.display();
    assert_eq!(
        config["rootfs"]["diff_ids"][0],
        format!("sha256:{}", sha256(&format!("gzip --decompress --stdout {layer}")))
    );
    let mut list = Command::new("bash");
    let owners =
        format!("tar --list --verbose --numeric-owner --gzip --file {layer} | awk '{{ print $2, $6 }}'");
    list.args(["-c", &owners]);
    let owners = success(list);
    let of_user: Vec<_> = owners.lines().filter(|line| !line.starts_with("0/0 ")).collect();
    assert_eq!(of_user, ["65532/65532 ./var/lib/hookwright/"]);

    let project = hookwright_testbed::project();
    let dockerfile = fs::read_to_string(project.join("Dockerfile")).unwrap();
    let listed = |keyword| serde_json::from_str::<Value>(says(&dockerfile, keyword)[0]).unwrap();
    let described = &config["config"];
    assert_eq!(config["architecture"], "arm64");
    assert_eq!(described["User"], says(&dockerfile, "USER")[0]);
    assert_eq!(described["Env"], json!(says(&dockerfile, "ENV")));
    assert_eq!(described["Entrypoint"], listed("ENTRYPOINT"));
    assert_eq!(described["Cmd"], listed("CMD"));
    assert_eq!(described["ExposedPorts"], json!({ says(&dockerfile, "EXPOSE")[0]: {} }));
    let labels = says(&dockerfile, "LABEL").into_iter().map(|label| label.split_once('=').unwrap());
    let labels = labels
        .map(|(name, value)| (name, value.trim_matches('"').replace("$VERSION", env!("CARGO_PKG_VERSION"))));
    assert_eq!(described["Labels"], labels.collect::<Value>());
}

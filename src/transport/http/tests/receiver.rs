//! A receiver at the level of bytes: shows what came over the wire, and answers whatever a test wants.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Captured>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Captured {
    /// The request line and the headers.
    pub(super) head: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Captured {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub(super) struct Connection {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) stream: TcpStream,
    captured: mpsc::UnboundedSender<Captured>,
    head: Vec<String>,
}

impl Receiver {
    /// Gives the same answer to every request, and keeps its connections open.
    pub(super) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::serving(move |mut connection: Connection| {
            let answer = Arc::clone(&answer);
            async move {
                while connection.request().await? {
                    connection.stream.write_all(&answer).await?;
                }
                Ok(())
            }
        })
        .await
    }

    /// Serves every connection as the test says.
    pub(super) async fn serving<F, S>(serve: F) -> Self
    where
        F: Fn(Connection) -> S + Send + 'static,
        S: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (captured, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, mut tasks) = (Arc::clone(&connections), JoinSet::new());
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let serving = serve(Connection { number, stream, captured: captured.clone(), head: vec![] });
                // A client that hangs up is what some tests are about.
                served.spawn(async move { serving.await.unwrap_or_default() });
            }
        });
        Self { address, requests, connections, _tasks: tasks }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next request, once it has come.
    pub(super) async fn request(&mut self) -> Captured {
        self.requests.recv().await.unwrap()
    }

    /// How many requests have come that were not looked at yet.
    pub(super) fn waiting(&self) -> usize {
        self.requests.len()
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Connection {
    /// Reads one request whole; false when the client has hung up instead.
    pub(super) async fn request(&mut self) -> io::Result<bool> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => bytes.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        let head: Vec<_> =
            String::from_utf8(bytes).unwrap().trim_end().split("\r\n").map(str::to_owned).collect();
        let mut captured = Captured { head, body: Vec::new() };
        let length = captured.header("content-length").map_or(0, |length| length.parse().unwrap());
        captured.body.resize(length, 0);
        self.stream.read_exact(&mut captured.body).await?;
        self.head.clone_from(&captured.head);
        self.captured.send(captured).unwrap();
        Ok(true)
    }

    /// The request line and the headers of the request read last.
    pub(super) fn head(&self) -> &[String] {
        &self.head
    }

    /// Waits until the client has hung up.
    pub(super) async fn closed(&mut self) {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}

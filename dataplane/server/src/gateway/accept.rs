//! Accepts agents' connections within bounds: one machine that hangs, or a stranger that opens
//! thousands, must not keep the others out.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error_body;
use crate::metrics::{Metrics, add};

/// How much one peer, and all of them, may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// All connections; more wait in the kernel's backlog.
    pub(crate) connections: usize,
    /// Connections of one address; more are closed.
    pub(crate) per_peer: u32,
    /// From one request to the headers of the next.
    pub(crate) headers: Duration,
    /// From a request's headers to the answer, the region's time included.
    pub(crate) request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            per_peer: 32,
            headers: Duration::from_secs(15),
            request: Duration::from_secs(60),
        }
    }
}

/// After an error of `accept` that is not the peer's: most often, no file descriptor is free.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
const BACKLOG: i32 = 4096;

/// Listens for IPv6 and IPv4 with one socket; for IPv4 alone where the host has no IPv6.
///
/// # Errors
/// Those of the kernel: a taken port above all.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    match listen_on((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            listen_on((Ipv4Addr::UNSPECIFIED, port).into())
        }
        done => done,
    }
}

pub(crate) fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?; // Connections of the last run may linger.
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves for as long as the future is polled.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
) {
    let router = router.layer(from_fn(move |request, next| in_time(limits.request, request, next)));
    let room = Arc::new(Semaphore::new(limits.connections));
    let peers = Peers::default();
    // Tasks end with the future: a stopped rack answers nobody.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(id = "rack.gateway.accept", %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        match peers.enter(peer.ip().to_canonical(), limits.per_peer) {
            Some(guest) => {
                let seat = Seat { _permit: permit, _guest: guest };
                connections.spawn(converse(stream, router.clone(), limits.headers, seat));
            }
            None => add(&metrics.gateway_refused, 1),
        }
    }
}

async fn converse(stream: TcpStream, router: Router, headers: Duration, _seat: Seat) {
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(headers);
    // How a connection ends is the peer's business: whatever was asked has been answered or not.
    let _ = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

/// Answers 408 to a request whose body, or answer, does not come in time.
async fn in_time(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the request did not end in time; send it again";
            (StatusCode::REQUEST_TIMEOUT, error_body("TIMEOUT", message)).into_response()
        }
    }
}

/// What a connection holds while it lives.
struct Seat {
    _permit: OwnedSemaphorePermit,
    _guest: Guest,
}

/// Connections of each address. Bounded by the connections that there may be.
#[derive(Clone, Debug, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, u32>>>);

/// One connection of one address; it is counted until this is dropped.
struct Guest {
    peers: Peers,
    address: IpAddr,
}

impl Peers {
    fn enter(&self, address: IpAddr, most: u32) -> Option<Guest> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if most <= *count {
            return None;
        }
        *count += 1;
        Some(Guest { peers: self.clone(), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(60);
    const REQUEST: &[u8] = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n";

    async fn start(limits: Limits) -> SocketAddr {
        let router = Router::new().route("/echo", post(|body: String| async move { body }));
        let listener = listen(0).unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, router, limits, Arc::new(Metrics::new())));
        (Ipv4Addr::LOCALHOST, port).into()
    }

    async fn say(stream: &mut TcpStream, bytes: &[u8]) {
        stream.write_all(bytes).await.unwrap();
    }

    /// Reads to the end of the connection; a reset is an end, too.
    async fn all(stream: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }

    async fn is_served(address: SocketAddr) -> bool {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A connection that is not wanted may end before this is written.
        let _ = stream.write_all(&[REQUEST, b"hi"].concat()).await;
        let mut bytes = [0; 12];
        stream.read_exact(&mut bytes).await.is_ok() && bytes == *b"HTTP/1.1 200"
    }

    #[tokio::test]
    async fn who_sends_no_whole_headers_is_let_go() {
        let address = start(Limits { headers: SHORT, ..Limits::default() }).await;
        for begin in [&b""[..], b"POST /echo HT", b"POST /echo HTTP/1.1\r\nhost: x\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            say(&mut stream, begin).await;
            all(&mut stream).await; // It ends, or this test does not.
        }
    }

    #[tokio::test]
    async fn who_sends_no_whole_body_is_told() {
        let address = start(Limits { request: SHORT, ..Limits::default() }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        say(&mut stream, REQUEST).await;
        say(&mut stream, b"h").await;
        let answer = all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }

    #[tokio::test]
    async fn one_peer_has_so_many_connections_and_no_more() {
        let address = start(Limits { per_peer: 1, headers: LONG, ..Limits::default() }).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        say(&mut first, &[REQUEST, b"hi"].concat()).await;
        first.read_exact(&mut [0; 12]).await.unwrap(); // It is in for certain.
        assert!(!is_served(address).await, "a second one");
        drop(first);
        while !is_served(address).await {
            tokio::task::yield_now().await; // Its end is on its way.
        }
    }
}

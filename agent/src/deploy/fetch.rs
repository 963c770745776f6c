//! The image as a stream over HTTP that survives cut connections.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::console::say;
use crate::gateway::Backoff;
use crate::progress::Progress;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const HEADER_BYTES_MAX: u64 = 16 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
/// How long the stream waits for one more byte. The rack may still be fetching the image itself.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Where the image is and how long it must be.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// `http://host:port`
    pub(super) base: String,
    pub(super) path: String,
    pub(super) size_bytes: u64,
}

/// Reads as the whole image, however often the connection breaks: a new one asks for the bytes
/// from where the old one ended, so what decodes the stream never notices.
#[derive(Debug)]
pub(super) struct Download {
    source: Source,
    progress: Progress,
    position: u64,
    connection: Option<BufReader<TcpStream>>,
    backoff: Backoff,
    patience: Duration,
    last_byte: Instant,
}

impl Download {
    pub(super) fn new(source: Source, progress: Progress) -> Self {
        Self {
            source,
            progress,
            position: 0,
            connection: None,
            backoff: Backoff::default(),
            patience: PATIENCE,
            last_byte: Instant::now(),
        }
    }

    fn read_once(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.source, self.position)?);
        }
        let left = self.source.size_bytes - self.position;
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(connection) = &mut self.connection else { return Ok(0) };
        match connection.read(&mut buffer[..limit])? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was cut")),
            n => Ok(n),
        }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position == self.source.size_bytes {
            return Ok(0);
        }
        loop {
            self.progress.check().map_err(io::Error::other)?;
            let error = match self.read_once(buffer) {
                Ok(n) => {
                    self.position += n as u64;
                    self.last_byte = Instant::now();
                    self.backoff = Backoff::default();
                    self.progress.bytes(self.position, self.source.size_bytes);
                    return Ok(n);
                }
                Err(error) => error,
            };
            self.connection = None;
            let delay = self.backoff.next_delay();
            // A size that differs is another image: waiting cannot make it right.
            if error.kind() == io::ErrorKind::InvalidData
                || self.patience < self.last_byte.elapsed() + delay
            {
                let at = self.position;
                return Err(io::Error::other(format!("the download ended at byte {at}: {error}")));
            }
            say(&format!(
                "image: {error}; going on from byte {} in {} s",
                self.position,
                delay.as_secs()
            ));
            std::thread::sleep(delay);
        }
    }
}

/// Opens a connection whose next body byte is byte `position` of the image.
fn connect(source: &Source, position: u64) -> io::Result<BufReader<TcpStream>> {
    let host = source.base.strip_prefix("http://").unwrap_or(&source.base);
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = with_port
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::Error::other(format!("{host} has no address")))?;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.set_write_timeout(Some(READ_TIMEOUT))?;
    let range = if position == 0 { String::new() } else { format!("Range: bytes={position}-\r\n") };
    write!(
        stream,
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ironherd-agent\r\n\
         Connection: close\r\n{range}\r\n",
        source.path
    )?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, stream);
    let head = read_head(&mut reader)?;
    let skip = body_skip(&head, position, source.size_bytes)?;
    let skipped = io::copy(&mut (&mut reader).take(skip), &mut io::sink())?;
    if skipped < skip {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was cut"));
    }
    Ok(reader)
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    content_length: Option<u64>,
    range_start: Option<u64>,
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let mut text = Vec::new();
    let mut limited = reader.take(HEADER_BYTES_MAX);
    while !text.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut text)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no HTTP header came"));
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&text).map_err(io::Error::other)?;
    let value = |name: &str| {
        let header = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    Ok(Head {
        status: response.code.unwrap_or(0),
        content_length: value("content-length").and_then(|it| it.trim().parse().ok()),
        range_start: value("content-range")
            .and_then(|it| it.trim().strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()),
    })
}

/// How many bytes of the body come before `position`. `InvalidData` means never to try again.
fn body_skip(head: &Head, position: u64, size_bytes: u64) -> io::Result<u64> {
    let (start, want) = match head.status {
        200 => (0, size_bytes),
        206 => (head.range_start.unwrap_or(position), size_bytes - position),
        status => return Err(io::Error::other(format!("the boot server says HTTP {status}"))),
    };
    if head.content_length.is_some_and(|it| it != want) {
        let got = head.content_length.unwrap_or(0);
        let reason = format!("the boot server offers {got} bytes where {want} were ordered");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    position
        .checked_sub(start)
        .ok_or_else(|| io::Error::other("the boot server starts behind the byte asked for"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Serves `image` over as many connections as `cuts`, each ending after that many body bytes.
    fn serve(
        image: Vec<u8>,
        cuts: Vec<usize>,
        ranges: bool,
    ) -> (String, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for cut in cuts {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream);
                let mut start = 0;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(range) = line.strip_prefix("Range: bytes=") {
                        start = range.trim().trim_end_matches('-').parse().unwrap();
                    }
                    if line == "\r\n" {
                        break;
                    }
                }
                let start = if ranges { start } else { 0 };
                let body = &image[start..];
                let status = if start == 0 { "200 OK" } else { "206 Partial Content" };
                let stream = reader.get_mut();
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len()).unwrap();
                if start != 0 {
                    let (end, all) = (image.len() - 1, image.len());
                    write!(stream, "Content-Range: bytes {start}-{end}/{all}\r\n").unwrap();
                }
                stream.write_all(b"\r\n").unwrap();
                stream.write_all(&body[..cut.min(body.len())]).unwrap();
            }
        });
        (base, server)
    }

    fn check_download(cuts: &[usize], ranges: bool) {
        let image: Vec<u8> = (0..100_000_u32).flat_map(|it| it.to_le_bytes()).collect();
        let (base, server) = serve(image.clone(), cuts.to_vec(), ranges);
        let path = "/images/x".to_owned();
        let source = Source { base, path, size_bytes: image.len() as u64 };
        let mut download = Download::new(source, Progress::default());
        let mut got = Vec::new();
        download.read_to_end(&mut got).unwrap();
        assert!(got == image, "cuts {cuts:?}, ranges {ranges}");
        server.join().unwrap();
    }

    #[test]
    fn whole_image_in_one_connection() {
        check_download(&[usize::MAX], true);
    }

    #[test]
    fn a_cut_connection_goes_on_where_it_ended() {
        check_download(&[150_000, usize::MAX], true);
    }

    #[test]
    fn a_server_without_ranges_costs_only_time() {
        check_download(&[150_000, usize::MAX], false);
    }

    #[test]
    fn a_wrong_size_is_final() {
        let (base, server) = serve(vec![1; 10], vec![usize::MAX], true);
        let source = Source { base, path: "/x".to_owned(), size_bytes: 11 };
        let error = Download::new(source, Progress::default()).read(&mut [0; 8]).unwrap_err();
        assert!(error.to_string().contains("10 bytes where 11"), "{error}");
        server.join().unwrap();
    }

    #[test]
    fn patience_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let source = Source { base, path: "/x".to_owned(), size_bytes: 11 };
        let mut download = Download::new(source, Progress::default());
        download.patience = Duration::ZERO;
        let error = download.read(&mut [0; 8]).unwrap_err();
        assert!(error.to_string().contains("ended at byte 0"), "{error}");
    }
}

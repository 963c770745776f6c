use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ironherd_uring::socket::coalesce;
use ironherd_wire::tftp::{ErrorCode, Granted, push_ack, push_error, push_read_request};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::report::Measures;
use crate::{Answer, Client, Downloads, Plan, Progress, Report, TftpLoadError, Wants};

/// The kernel hands over at most so much at once.
const RECEIVE_BYTES: usize = 65_536;
const EVENTS_MAX: usize = 512;
/// How often clients are asked whether they have waited too long.
const TICK: Duration = Duration::from_millis(20);

/// One client and its socket.
struct Seat {
    client: Client,
    socket: UdpSocket,
    /// Whether the server's answering port is known, and the socket bound to it.
    connected: bool,
    left: u32, // Downloads that are yet to begin.
}

struct Load<'a> {
    plan: &'a Plan,
    epoll: OwnedFd,
    seats: Vec<Option<Seat>>,
    measures: Measures,
    running: usize,
    out: Vec<u8>,
}

/// Plays a plan to its end, on the calling thread. `tell` hears of the progress and may break off.
///
/// # Errors
/// [`TftpLoadError`] if the plan or the network does not hold.
pub fn run(
    plan: &Plan,
    mut tell: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, TftpLoadError> {
    plan.check()?;
    raise_files();
    let start = Instant::now();
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from);
    let epoll = epoll.map_err(TftpLoadError::io("epoll"))?;
    let seats = Vec::with_capacity(plan.clients as usize);
    let measures = Measures::default();
    let mut load = Load { plan, epoll, seats, measures, running: 0, out: Vec::new() };
    let downloads = if let Downloads::Each(count) = plan.downloads { count } else { u32::MAX };
    for seat in 0..plan.clients {
        load.seats.push(None);
        load.begin(seat, downloads, start.elapsed())?;
    }
    load.play(start, &mut tell)?;
    let end = start.elapsed();
    Ok(load.measures.report(match plan.downloads {
        Downloads::For(span) => span.min(end),
        Downloads::Each(_) => end,
    }))
}

impl Load<'_> {
    fn play(
        &mut self,
        start: Instant,
        tell: &mut impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<(), TftpLoadError> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        let mut input = vec![0; RECEIVE_BYTES];
        let mut tick = TICK;
        let wait = Timespec::try_from(TICK).unwrap_or_default();
        while 0 < self.running {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(TftpLoadError::io("epoll")(error.into())),
            }
            let now = start.elapsed();
            if matches!(self.plan.downloads, Downloads::For(span) if span <= now) {
                self.break_off();
                return Ok(());
            }
            for event in &events {
                let seat = u32::try_from(event.data.u64()).unwrap_or(u32::MAX);
                self.receive(seat, &mut input, now)?;
            }
            if tick <= now {
                tick = now + TICK;
                for seat in 0..self.plan.clients {
                    self.look_at_time(seat, now)?;
                }
                if tell(self.measures.progress()).is_break() {
                    self.break_off();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Lets one client begin, from a port of its own.
    fn begin(&mut self, seat: u32, left: u32, now: Duration) -> Result<(), TftpLoadError> {
        let any = match self.plan.server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let open = || {
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            coalesce(&socket)?;
            let data = epoll::EventData::new_u64(seat.into());
            epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN)?;
            Ok(socket)
        };
        let socket = open().map_err(TftpLoadError::io("socket"))?;
        let left = left.saturating_sub(1);
        let client = Client::new(now);
        self.seats[seat as usize] = Some(Seat { client, socket, connected: false, left });
        self.running += 1;
        self.act(seat, Answer::Ask, now)
    }

    /// Takes what the kernel hands over at once: what is left it tells of again.
    fn receive(&mut self, seat: u32, input: &mut [u8], now: Duration) -> Result<(), TftpLoadError> {
        let Some(Some(it)) = self.seats.get_mut(seat as usize) else { return Ok(()) };
        let received = if it.connected {
            it.socket.recv(input)
        } else {
            it.socket.recv_from(input).and_then(|(len, from)| {
                it.socket.connect(from)?;
                it.connected = true;
                Ok(len)
            })
        };
        // A server that is full may say so by an ICMP message: the client asks again.
        let Ok(len) = received else { return Ok(()) };
        let mut datagrams = input.get(..len).unwrap_or_default();
        let wants = wants(self.plan);
        loop {
            let Some(Some(it)) = self.seats.get_mut(seat as usize) else { return Ok(()) };
            let cut = it.client.segment_bytes().min(datagrams.len());
            let (datagram, rest) = datagrams.split_at(cut);
            let answer = it.client.handle(wants, datagram, &mut self.measures.tally, now);
            self.act(seat, answer, now)?;
            if rest.is_empty() || matches!(answer, Answer::Done(_) | Answer::Failed(_)) {
                return Ok(());
            }
            datagrams = rest;
        }
    }

    fn look_at_time(&mut self, seat: u32, now: Duration) -> Result<(), TftpLoadError> {
        let Some(Some(it)) = self.seats.get_mut(seat as usize) else { return Ok(()) };
        let answer = it.client.handle_time(wants(self.plan), &mut self.measures.tally, now);
        self.act(seat, answer, now)
    }

    fn act(&mut self, seat: u32, answer: Answer, now: Duration) -> Result<(), TftpLoadError> {
        let Some(Some(it)) = self.seats.get_mut(seat as usize) else { return Ok(()) };
        self.out.clear();
        match answer {
            Answer::Nothing => return Ok(()),
            Answer::Ask => {
                push_read_request(&mut self.out, &self.plan.name, &asked(self.plan));
                // What does not go out is asked again after a while.
                let _ = it.socket.send_to(&self.out, self.plan.server);
                return Ok(());
            }
            Answer::Ack(block) | Answer::Done(block) => push_ack(&mut self.out, block),
            Answer::Failed(_) => push_error(&mut self.out, ErrorCode::Undefined, "given up"),
        }
        let _ = it.socket.send(&self.out); // As above.
        match answer {
            Answer::Done(_) => self.measures.complete(now.saturating_sub(it.client.began())),
            Answer::Failed(why) => self.measures.fail(why),
            _ => return Ok(()),
        }
        let left = it.left;
        self.seats[seat as usize] = None; // Closes the socket: each download has a port of its own.
        self.running -= 1;
        if 0 < left { self.begin(seat, left, now) } else { Ok(()) }
    }

    /// Tells the server that nobody listens any more.
    fn break_off(&mut self) {
        for seat in self.seats.drain(..).flatten().filter(|it| it.connected) {
            self.out.clear();
            push_error(&mut self.out, ErrorCode::Undefined, "the load is over");
            let _ = seat.socket.send(&self.out);
        }
    }
}

fn wants(plan: &Plan) -> Wants<'_> {
    Wants { patience: plan.patience, expect: plan.expect.as_deref() }
}

fn asked(plan: &Plan) -> Granted {
    Granted {
        block_bytes: Some(plan.block_bytes),
        timeout_seconds: None,
        transfer_bytes: Some(0),
        window_blocks: Some(plan.window_blocks).filter(|it| 1 < *it),
    }
}

/// Each client has a socket. Where the limit stays too low, opening one says so.
fn raise_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

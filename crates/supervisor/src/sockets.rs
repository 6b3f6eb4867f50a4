//! Listening sockets: bound once by the engine, handed to every replica, never closed while
//! anything serves on them.

use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
};

/// Connections the kernel keeps for a replica that is busy or still starting.
const BACKLOG: i32 = 1024;
/// Where a replica finds the socket it shares (`LISTEN_FDS` begins there); the next is its own.
pub const SHARED_FD: i32 = 3;

/// Listens on 127.0.0.1:`port`. `beside_ours` says that replicas of an engine that was killed may
/// still listen there; without it a port that anyone listens on is refused, because sharing it
/// would silently split the traffic between two programs.
///
/// # Errors
/// The operating system's refusal, `AddrInUse` above all.
pub fn listen(port: u16, beside_ours: bool) -> io::Result<TcpListener> {
    if !beside_ours {
        // A listener without SO_REUSEPORT cannot join others: it finds out whether there are any.
        drop(open(port, false)?);
    }
    Ok(open(port, true)?.into())
}

fn open(port: u16, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&SockAddr::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// A socket for the probes of one replica, on a port the kernel chooses.
///
/// # Errors
/// The operating system's refusal.
pub fn listen_for_probes() -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))
}

/// Takes the very socket that a process of a killed engine listens on, so that connections
/// waiting in it are served by its successor. `None` where the kernel forbids it (ptrace rules)
/// or the process holds something else: then a second socket is bound beside it.
pub fn take_over(pid: u32, port: u16) -> Option<TcpListener> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let taken = pidfd_getfd(process, SHARED_FD, PidfdGetfdFlags::empty()).ok()?;
    let socket = Socket::from(taken);
    let at_port = socket.local_addr().ok()?.as_socket_ipv4()? == SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    (at_port && socket.is_listener().ok()?).then(|| socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_foreign_listener_is_never_joined() {
        let foreign = listen_for_probes().unwrap();
        let port = foreign.local_addr().unwrap().port();
        assert_eq!(listen(port, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(foreign);
        let ours = listen(port, false).unwrap();
        // Not even one of another engine, which would allow it.
        assert_eq!(listen(port, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let beside = listen(port, true).unwrap();
        assert_eq!(ours.local_addr().unwrap(), beside.local_addr().unwrap());
    }

    #[test]
    fn only_the_right_socket_is_taken_over() {
        let other = listen_for_probes().unwrap();
        let port = other.local_addr().unwrap().port();
        // Descriptor 3 of this test process is whatever the harness opened, not that listener.
        if let Some(taken) = take_over(std::process::id(), port) {
            assert_eq!(taken.local_addr().unwrap().port(), port);
        }
        assert!(take_over(u32::MAX, port).is_none());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}

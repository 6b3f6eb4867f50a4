//! Rate limit: the generic cell rate algorithm (ITU-T I.371, annex A, as virtual scheduling).
//!
//! One number for each key or address: the theoretical arrival time (TAT) of its next request. No
//! timers, no windows, no background work. The crate `governor` has the same algorithm; its keyed
//! limiter grows with every address that asks, which strangers decide.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Addresses that are remembered at once, in all parts together.
const MOST_ADDRESSES: usize = 10_000;
/// Parts with a lock each, so that threads seldom meet.
const PARTS: usize = 16;

/// How often, and how many at once.
#[derive(Debug)]
pub struct RateLimit {
    begun: Instant,
    /// Between requests, in nanoseconds.
    interval: u64,
    /// How far the theoretical arrival may be ahead, in nanoseconds.
    tolerance: u64,
    hasher: RandomState,
    parts: [Mutex<HashMap<IpAddr, u64>>; PARTS],
}

/// The theoretical arrival time of one API key, in nanoseconds after the limit began.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

/// Too early: try again after this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooEarly(pub Duration);

impl RateLimit {
    /// `per_s` requests a second in the long run, `burst` at once (by default those of a second).
    pub fn new(per_s: f64, burst: Option<u32>) -> Self {
        let burst = burst.map_or_else(|| per_s.max(1.0), f64::from);
        let interval = 1e9 / per_s;
        RateLimit {
            begun: Instant::now(),
            interval: interval as u64,
            tolerance: (interval * (burst - 1.0)) as u64,
            hasher: RandomState::new(),
            parts: Default::default(),
        }
    }

    /// Takes one request of an API key, without a lock.
    ///
    /// # Errors
    /// When it comes too early.
    pub fn take_key(&self, meter: &Meter, now: Instant) -> Result<(), TooEarly> {
        let now = self.nanoseconds(now);
        let mut tat = meter.0.load(Relaxed);
        loop {
            let next = self.next(tat, now)?;
            match meter.0.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(newer) => tat = newer,
            }
        }
    }

    /// Takes one request of an address; those of one IPv6 /64 are one client.
    ///
    /// # Errors
    /// When it comes too early.
    pub fn take_address(&self, address: IpAddr, now: Instant) -> Result<(), TooEarly> {
        let address = subscriber(address);
        let now = self.nanoseconds(now);
        let part = self.hasher.hash_one(address) as usize % PARTS;
        let mut part = self.parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tat) = part.get_mut(&address) {
            *tat = self.next(*tat, now)?;
            return Ok(());
        }
        if part.len() >= MOST_ADDRESSES / PARTS {
            make_room(&mut part, now);
        }
        part.insert(address, self.next(0, now)?);
        Ok(())
    }

    /// The theoretical arrival after this request.
    fn next(&self, tat: u64, now: u64) -> Result<u64, TooEarly> {
        let tat = tat.max(now);
        match (tat - now).checked_sub(self.tolerance) {
            None | Some(0) => Ok(tat + self.interval),
            Some(early) => Err(TooEarly(Duration::from_nanos(early))),
        }
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_nanos() as u64
    }
}

/// Forgets whoever has nothing left to wait for, else the one that would be forgotten next.
fn make_room(part: &mut HashMap<IpAddr, u64>, now: u64) {
    let before = part.len();
    part.retain(|_, tat| *tat > now);
    if part.len() == before
        && let Some(oldest) = part
            .iter()
            .min_by_key(|(_, tat)| **tat)
            .map(|(address, _)| *address)
    {
        part.remove(&oldest);
    }
}

/// What one subscriber has: an IPv4 address, or 64 bits of network.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let limit = RateLimit::new(10.0, Some(3));
        let meter = Meter::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let at = |ms: u64| limit.begun + Duration::from_millis(ms);
        for (ms, taken) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(TooEarly(Duration::from_millis(100)))),
            (40, Err(TooEarly(Duration::from_millis(60)))),
            (100, Ok(())),
            (100, Err(TooEarly(Duration::from_millis(100)))),
            (1000, Ok(())),
            (1000, Ok(())),
            (1000, Ok(())),
            (1000, Err(TooEarly(Duration::from_millis(100)))),
        ] {
            assert_eq!(limit.take_key(&meter, at(ms)), taken, "{ms}");
            assert_eq!(limit.take_address(address, at(ms)), taken, "{ms}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_are_remembered() {
        let limit = RateLimit::new(1.0, Some(100));
        let now = limit.begun;
        let busy: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..100 {
            limit.take_address(busy, now).unwrap();
        }
        for i in 0..50_000_u32 {
            limit
                .take_address(std::net::Ipv4Addr::from_bits(i).into(), now)
                .unwrap();
        }
        let remembered: usize = limit.parts.iter().map(|part| part.lock().unwrap().len()).sum();
        assert!(remembered <= MOST_ADDRESSES, "{remembered}");
        assert!(limit.take_address(busy, now).is_err(), "it was forgotten");
    }

    #[test]
    fn a_network_is_one_client() {
        let limit = RateLimit::new(1.0, None);
        let take = |text: &str| limit.take_address(text.parse().unwrap(), limit.begun).is_ok();
        assert!(take("2001:db8::1") && !take("2001:db8::ffff:1") && take("2001:db8:0:1::1"));
        assert!(take("::ffff:192.0.2.7") && !take("192.0.2.7"));
    }

    #[test]
    fn threads_together_get_what_one_would() {
        let limit = RateLimit::new(0.001, Some(1000));
        let meter = Meter::default();
        let taken = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let ok = limit.take_key(&meter, limit.begun).is_ok();
                        taken.fetch_add(u64::from(ok), Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 1000);
    }
}

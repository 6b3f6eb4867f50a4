//! Load shedding: some requests are refused at once, so that the others are answered in time.
//!
//! What is measured is how long a request that has arrived waits until somebody looks at it (the
//! probe, [`measure`]). Refusing by in-flight count does not see this: predictions never wait once
//! they are begun, so under overload the queue is in the sockets and the runtime.
//!
//! As CoDel does (RFC 8289), only a delay that stays above its target for a whole interval counts:
//! bursts are what queues are for. As PIE does (RFC 8033), a share of the arrivals is refused then,
//! whichever they are, for we know the delay and not each request's own age.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{net::UnixStream, time::sleep_until};

/// The delay must stay above its target this long (CoDel's INTERVAL).
const INTERVAL: Duration = Duration::from_millis(100);
/// From refusing nobody to refusing nearly all.
const RISE: Duration = Duration::from_millis(400);
/// The share is halved in this time once the delay is below its target.
const HALVED: Duration = Duration::from_millis(300);
/// Between measurements.
const PERIOD: Duration = Duration::from_millis(10);
/// Shares are counted in this many parts.
const WHOLE: u32 = 1 << 16;
/// The largest share: somebody is always let in, or nothing would be known about the load.
const LARGEST: f64 = 0.99;

/// What share of requests is refused now.
#[derive(Debug, Default)]
pub struct Shedder {
    target: Duration,
    share: AtomicU32,
    turn: AtomicU32,
    delay_us: AtomicU64,
}

impl Shedder {
    /// Refuses some while the delay stays above `target`; zero is never.
    pub fn new(target: Duration) -> Self {
        Shedder {
            target,
            ..Shedder::default()
        }
    }

    /// Whether this request is one of those that are refused. They are spread evenly.
    pub fn refuses(&self) -> bool {
        let share = self.share.load(Relaxed);
        if share == 0 {
            return false;
        }
        let before = self.turn.fetch_add(share, Relaxed) % WHOLE;
        before + share >= WHOLE
    }

    /// The delay measured last.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Relaxed))
    }
}

/// Measures for ever, through the same way that a request goes: bytes in a socket, the kernel's
/// event, the runtime's queue.
///
/// # Errors
/// When there are no sockets to be had.
pub async fn measure(shedder: Arc<Shedder>) -> io::Result<()> {
    let (near, far) = UnixStream::pair()?;
    let mut control = Control::new(shedder.target, Instant::now());
    // Larger than what is in it: a short read is what tells the runtime to wait for the next event.
    let mut buffer = [0; 8];
    loop {
        let due = Instant::now() + PERIOD;
        sleep_until(due.into()).await;
        let sent = Instant::now();
        near.try_write(&[0])?;
        while far.readable().await.is_ok() {
            match far.try_read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => {
                    other?;
                    break;
                }
            }
        }
        let now = Instant::now();
        // A busy runtime looks for events seldom, and wakes this task only then: what it was late by
        // counts, or the bytes would be sent just when they are read at once.
        let delay = (now - sent).max(sent.saturating_duration_since(due));
        shedder.delay_us.store(delay.as_micros() as u64, Relaxed);
        if shedder.target.is_zero() {
            continue;
        }
        let (before, share) = (control.share, control.observe(now, delay));
        shedder.share.store((share * f64::from(WHOLE)) as u32, Relaxed);
        if before == 0.0 && share > 0.0 {
            tracing::warn!(
                event = "shedding",
                delay_ms = delay.as_secs_f64() * 1e3,
                "requests wait too long to be begun: some are refused"
            );
        }
    }
}

/// From delays to a share; no clock of its own.
#[derive(Debug)]
struct Control {
    target: Duration,
    share: f64,
    last: Instant,
    /// Since when every delay was above the target.
    above: Option<Instant>,
    /// The latest three: one that was lucky or unlucky says nothing.
    latest: [Duration; 3],
}

impl Control {
    fn new(target: Duration, now: Instant) -> Self {
        Control {
            target,
            share: 0.0,
            last: now,
            above: None,
            latest: [Duration::ZERO; 3],
        }
    }

    /// The share after one more measurement.
    fn observe(&mut self, now: Instant, delay: Duration) -> f64 {
        let elapsed = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        self.latest.rotate_left(1);
        self.latest[2] = delay;
        let mut sorted = self.latest;
        sorted.sort_unstable();
        if sorted[1] > self.target {
            let above = *self.above.get_or_insert(now);
            if now - above >= INTERVAL {
                self.share = (self.share + elapsed / RISE.as_secs_f64()).min(LARGEST);
            }
        } else {
            self.above = None;
            self.share *= 0.5_f64.powf(elapsed / HALVED.as_secs_f64());
            if self.share < 0.01 {
                self.share = 0.0;
            }
        }
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_spread_evenly() {
        let shedder = Shedder::new(Duration::from_millis(1));
        assert!(!(0..1000).any(|_| shedder.refuses()));
        shedder.share.store(WHOLE / 4, Relaxed);
        let refused: Vec<usize> = (0..1000).filter(|_| shedder.refuses()).collect();
        assert_eq!(refused.len(), 250);
        assert!(refused.windows(2).all(|pair| pair[1] - pair[0] == 4));
    }

    /// A queue in numbers: `load` times what can be done arrives, a refusal costs a tenth.
    /// Gives the delays after each step of 10 ms, and the share at the end.
    fn queue(load: f64, seconds: f64, control: &mut Control, begun: Instant) -> (Vec<f64>, f64) {
        let (mut work_ms, mut delays, mut share) = (0.0_f64, Vec::new(), 0.0);
        for step in 1..(seconds * 100.0) as u32 {
            let arrived = 10.0 * load;
            work_ms = (work_ms + arrived * (1.0 - share) + arrived * share * 0.1 - 10.0).max(0.0);
            let now = begun + step * PERIOD;
            share = control.observe(now, Duration::from_secs_f64(work_ms / 1e3));
            delays.push(work_ms);
        }
        (delays, share)
    }

    #[test]
    fn a_burst_is_not_shed_and_an_overload_is() {
        let (begun, target) = (Instant::now(), Duration::from_millis(20));
        let mut control = Control::new(target, begun);
        for step in 1..9 {
            assert_eq!(
                control.observe(begun + step * PERIOD, Duration::from_secs(1)),
                0.0
            );
        }
        for load in [1.2, 2.0, 4.0, 5.0] {
            let mut control = Control::new(target, begun);
            let (delays, share) = queue(load, 20.0, &mut control, begun);
            let settled = &delays[500..];
            let mean = settled.iter().sum::<f64>() / settled.len() as f64;
            println!(
                "load {load}: delay {mean:.0} ms, at most {:.0} ms, share {share:.2}",
                settled.iter().copied().fold(0.0, f64::max)
            );
            assert!(mean < 60.0, "load {load}: {mean} ms");
            assert!(share > 0.0, "load {load}");
        }
        // And it ends with the overload.
        let (_, share) = queue(0.5, 10.0, &mut control, begun + Duration::from_secs(60));
        assert_eq!(share, 0.0);
    }
}

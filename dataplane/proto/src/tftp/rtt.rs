use std::time::Duration;

/// Before the first measure.
const INITIAL: Duration = Duration::from_secs(1);
/// Far above the time one turn takes while 2,000 clients start at once.
const FLOOR: Duration = Duration::from_millis(200);
/// Below the 4 s after which EDK2 asks again.
const CEILING: Duration = Duration::from_secs(4);

/// One client's round-trip time, smoothed as in RFC 6298. Eight bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rtt {
    smoothed_us: u32, // Zero: not measured yet.
    varies_us: u32,
}

impl Rtt {
    /// Takes the time from a block's only sending to its ACK (Karn: a resent block says nothing).
    pub(super) fn measure(&mut self, took: Duration) {
        // A minute is far beyond the ceiling already and leaves room to multiply in `u32`.
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).clamp(1, 60_000_000);
        if self.smoothed_us == 0 {
            *self = Self { smoothed_us: took_us, varies_us: took_us / 2 };
        } else {
            let error_us = self.smoothed_us.abs_diff(took_us);
            self.varies_us = self.varies_us / 4 * 3 + error_us / 4;
            self.smoothed_us = (self.smoothed_us / 8 * 7 + took_us / 8).max(1);
        }
    }

    /// How long to wait for an ACK after `repeats` waits in vain.
    pub(super) fn patience(self, repeats: u8) -> Duration {
        let measured =
            Duration::from_micros(u64::from(self.smoothed_us) + 4 * u64::from(self.varies_us));
        let first = if self.smoothed_us == 0 { INITIAL } else { measured.clamp(FLOOR, CEILING) };
        (first * 2_u32.pow(u32::from(repeats.min(5)))).min(CEILING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_the_round_trip_within_bounds() {
        let rows: [(&[u64], u8, u64); 7] = [
            // Measures in ms, waits in vain, patience in ms.
            (&[], 0, 1_000),
            (&[], 1, 2_000),
            (&[], 5, 4_000),
            (&[1], 0, 200),
            (&[1, 1, 1], 2, 800),
            (&[400], 0, 1_200),
            (&[90_000], 0, 4_000),
        ];
        for (measures, repeats, want) in rows {
            let mut rtt = Rtt::default();
            measures.iter().for_each(|ms| rtt.measure(Duration::from_millis(*ms)));
            assert_eq!(rtt.patience(repeats), Duration::from_millis(want), "{measures:?}");
        }
    }
}

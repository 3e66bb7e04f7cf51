//! The seeded generator behind every random number of a run: ChaCha8 with numbered streams, and draws made only of
//! exact arithmetic and libm's own functions, so that one seed gives the same bits on every machine.
//! Knows nothing of what the numbers are for beyond the table of streams.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// Streams of one seed. Draws from one never shift the draws of another: adding a lane leaves the data, and the
/// other lanes' initial values, as they were.
pub mod stream {
    /// Frozen base weights.
    pub const BASE: u64 = 1;
    /// True changes and domain means.
    pub const TEACHER: u64 = 2;
    /// Training inputs, noise and order.
    pub const DATA: u64 = 3;
    /// The fixed batch that is only looked at.
    pub const PROBE: u64 = 4;
    /// Split into training and held-out examples.
    pub const SPLIT: u64 = 5;
    /// Fixed transforms of a domain.
    pub const TRANSFORM: u64 = 6;
    /// Order of the examples that a base network is pretrained on.
    pub const PRETRAINING: u64 = 7;

    /// What a broken sensor tells of image `image`.
    pub fn noise(image: usize) -> u64 {
        100_000 + image as u64
    }

    /// Initial values of lane `lane`.
    pub fn lane(lane: usize) -> u64 {
        1_000 + lane as u64
    }

    /// Rows that lane `lane` gains when its rank grows for the `change`-th time.
    pub fn resize(lane: usize, change: usize) -> u64 {
        (1 << 32) + ((change as u64) << 16) + lane as u64
    }
}

/// A generator for one stream of one seed.
#[derive(Clone, Debug)]
pub struct Rng {
    core: ChaCha8Rng,
    /// Box–Muller makes two values at a time.
    spare: Option<f64>,
}

impl Rng {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut core = ChaCha8Rng::seed_from_u64(seed);
        core.set_stream(stream);
        Self { core, spare: None }
    }

    /// Uniform in `[0, 1)`, 53 bits.
    fn unit(&mut self) -> f64 {
        (self.core.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        // 1 − u lies in (0, 1], where the logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        let angle = std::f64::consts::TAU * self.unit();
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    /// Uniform in `0..n`, without bias; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        // Values from the last, incomplete run of n are drawn again.
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let value = self.core.next_u64();
            if value < limit {
                return (value % n) as usize;
            }
        }
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// A random order of `0..n`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_independent_and_repeatable() {
        let draw = |seed, stream| {
            let mut rng = Rng::new(seed, stream);
            (0..8).map(|_| rng.normal()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, stream::DATA), draw(1, stream::DATA));
        assert_ne!(draw(1, stream::DATA), draw(1, stream::BASE));
        assert_ne!(draw(1, stream::DATA), draw(2, stream::DATA));
        assert_ne!(draw(1, stream::lane(0)), draw(1, stream::lane(1)));
    }

    /// A link shared today must start the same run with every later build, on every machine.
    #[test]
    fn values_never_change() {
        let mut rng = Rng::new(1, stream::DATA);
        let bits = [rng.uniform(-1.0, 1.0), rng.normal(), rng.normal(), rng.below(1_000) as f64].map(f64::to_bits);
        assert_eq!(bits, [4594084073917645184, 4602344955121370706, 4609064694175346875, 4617315517961601024]);
        assert_eq!(rng.permutation(6), [0, 2, 4, 5, 3, 1]);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::new(3, 9);
        let n = 200_000;
        let normal: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = normal.iter().sum::<f64>() / n as f64;
        let square = normal.iter().map(|v| v * v).sum::<f64>() / n as f64;
        let fourth = normal.iter().map(|v| v.powi(4)).sum::<f64>() / n as f64;
        // Five standard errors.
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "{mean}");
        assert!((square - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{square}");
        assert!((fourth - 3.0).abs() < 5.0 * (96.0 / n as f64).sqrt(), "{fourth}");
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        assert!(counts.iter().all(|&c| (c as f64 - 1e4).abs() < 500.0), "{counts:?}");
    }

    #[test]
    fn permutation_holds_every_index_once() {
        let mut order = Rng::new(1, 1).permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}

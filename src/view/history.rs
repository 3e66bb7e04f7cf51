//! What a run leaves behind, in fixed memory: a series of vectors over steps, averaged into buckets whose width
//! doubles when they run out. Knows nothing of what is recorded.

/// Vectors of `width` values over training steps, in at most `capacity` buckets of equal width in steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    width: usize,
    capacity: usize,
    stride: usize,
    sums: Vec<f64>,
    counts: Vec<u32>,
    next: usize,
}

impl Series {
    /// An empty series; `capacity` is rounded up to an even number.
    pub fn new(width: usize, capacity: usize) -> Self {
        Self {
            width,
            capacity: capacity.max(2).next_multiple_of(2),
            stride: 1,
            sums: Vec::new(),
            counts: Vec::new(),
            next: 0,
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Buckets so far, empty ones included.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Steps per bucket.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The step after the last one recorded.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Records the values at a step. A step already recorded means that the run went back, so all from it on is
    /// forgotten first. Values that are not numbers are left out.
    ///
    /// # Panics
    /// When `values` has not the series' width.
    pub fn push(&mut self, step: usize, values: &[f32]) {
        assert_eq!(values.len(), self.width, "a series has one width");
        if step < self.next {
            self.truncate(step);
        }
        while step / self.stride >= self.capacity {
            self.halve();
        }
        self.next = step + 1;
        if values.iter().any(|v| !v.is_finite()) {
            return;
        }
        let bucket = step / self.stride;
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
            self.sums.resize((bucket + 1) * self.width, 0.0);
        }
        self.counts[bucket] += 1;
        for (sum, value) in self.sums[bucket * self.width..].iter_mut().zip(values) {
            *sum += f64::from(*value);
        }
    }

    /// Forgets every bucket that holds `step` or later ones.
    fn truncate(&mut self, step: usize) {
        let keep = (step / self.stride).min(self.counts.len());
        self.counts.truncate(keep);
        self.sums.truncate(keep * self.width);
        self.next = step;
    }

    fn halve(&mut self) {
        let (width, old) = (self.width, self.counts.len());
        let new = old.div_ceil(2);
        for bucket in 0..new {
            let pair = [2 * bucket, 2 * bucket + 1];
            self.counts[bucket] = pair.iter().filter_map(|&i| self.counts.get(i)).sum();
            for k in 0..width {
                self.sums[bucket * width + k] = pair.iter().filter_map(|&i| self.sums.get(i * width + k)).sum();
            }
        }
        self.counts.truncate(new);
        self.sums.truncate(new * width);
        self.stride *= 2;
    }

    /// Mean of component `k` in a bucket; `None` if nothing was recorded there.
    pub fn mean(&self, bucket: usize, k: usize) -> Option<f64> {
        let count = *self.counts.get(bucket)?;
        (count > 0).then(|| self.sums[bucket * self.width + k] / f64::from(count))
    }

    /// Mean of component `k` in the bucket of a step.
    pub fn at(&self, step: usize, k: usize) -> Option<f64> {
        self.mean(step / self.stride, k)
    }

    /// (middle step of the bucket, mean of component `k`) of every bucket that has something.
    pub fn points(&self, k: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        (0..self.len()).filter_map(move |bucket| {
            let mean = self.mean(bucket, k)?;
            let first = bucket * self.stride;
            let last = (first + self.stride).min(self.next.max(first + 1)) - 1;
            Some(((first + last) as f64 / 2.0, mean))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_flat_and_means_are_kept() {
        let mut series = Series::new(1, 512);
        for step in 0..20_000 {
            series.push(step, &[step as f32]);
        }
        assert!(series.len() <= 512, "{} buckets", series.len());
        assert!(series.sums.capacity() <= 1024);
        assert_eq!(series.stride(), 64);
        for (step, mean) in series.points(0) {
            assert!((step - mean).abs() < 1e-9, "{step} {mean}");
        }
    }

    #[test]
    fn going_back_forgets_what_came_later() {
        let mut series = Series::new(2, 8);
        for step in 0..6 {
            series.push(step, &[step as f32, 0.0]);
        }
        series.push(3, &[30.0, 1.0]);
        assert_eq!(series.next(), 4);
        assert_eq!(series.points(0).last(), Some((3.0, 30.0)));
        assert_eq!(series.at(2, 0), Some(2.0));
        assert_eq!(series.at(5, 0), None);
    }

    #[test]
    fn what_is_not_a_number_is_left_out() {
        let mut series = Series::new(1, 8);
        series.push(0, &[1.0]);
        series.push(1, &[f32::NAN]);
        series.push(2, &[3.0]);
        assert_eq!(series.points(0).collect::<Vec<_>>(), [(0.0, 1.0), (2.0, 3.0)]);
    }
}

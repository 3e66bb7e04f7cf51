//! Stands in for the variants where they are left out, as in the page's first download: a `Lab` refuses lanes that need them
//! before anything here is asked.

use super::factors::Factors;
use super::mor1e::{Gates, Mixed, Source};
use super::{Adapted, Place};
use crate::config::{Form, Options, Weights};
use crate::kernel::recording::{Arena, Pass};

pub fn record(_: Form, _: usize, _: &Options, _: f64, _: &Place, _: &mut Arena) -> Option<Adapted> {
    None
}

pub fn quantised(_: Factors, _: Weights, _: (usize, usize), _: &Place, _: &mut Arena) -> Option<(Factors, Pass)> {
    None
}

pub fn apart(_: usize, _: &Factors, _: f64) -> Option<Pass> {
    None
}

pub fn prototype(_: &Gates, _: &Place, _: &mut Arena) -> Option<Source> {
    None
}

pub fn shared(_: usize, _: &Gates, _: f64, _: &Place, _: &mut Arena) -> Option<Mixed> {
    None
}

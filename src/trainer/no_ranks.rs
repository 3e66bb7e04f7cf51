//! Stands in for ranks that are not one fixed number where they are left out, as in the page's first download: no lane has a
//! budget to wait for.

use crate::lab::Lab;

pub fn settled(_: &Lab) -> bool {
    true
}

pub fn settling(_: &Lab, most: usize) -> usize {
    most
}

//! What a case computes on: the GPU where there is one that is worth it, the processor otherwise, with why. Knows no case.

use crate::error::Error;
use crate::exec::gpu::Device;
use crate::lang::tr;

/// The device, and its name; without one, nothing or why not. `asked` is what a person chose, where they did: a GPU that is
/// software is taken only then.
pub async fn choose(asked: Option<bool>) -> (Option<Device>, String) {
    if asked == Some(false) {
        return (None, String::new());
    }
    match Device::open().await {
        Ok(device) if asked.is_none() && device.is_software() => {
            (None, tr!("The GPU here ({}) is software, which is slower", device.name))
        }
        Ok(device) => (Some(device.clone()), device.name),
        Err(Error::Backend { reason, .. }) => (None, tr!("WebGPU cannot be used here: {reason}", reason)),
        Err(error) => (None, error.to_string()),
    }
}

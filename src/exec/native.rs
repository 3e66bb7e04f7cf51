//! What a browser would keep from wgpu, and Vulkan does not: see `browser.rs`, of the same shape.

/// The adapter by another way than wgpu's, of which there is no need here.
pub struct Own;

impl Own {
    pub fn can_be_asked() -> bool {
        true
    }

    /// Drives what is asked of the device beside the caller; natively it has been answered by then.
    pub fn beside(answer: impl Future<Output = ()> + 'static) {
        pollster::block_on(answer);
    }

    pub async fn find() -> Self {
        Self
    }

    /// What an adapter is missing for, where wgpu found none.
    pub fn missing() -> String {
        "no Vulkan driver was found; install one, such as Mesa's (mesa-vulkan-drivers)".into()
    }

    pub fn name(&self, info: &wgpu::AdapterInfo) -> String {
        info.name.clone()
    }

    /// A device, with subgroups where `adapter` has them, of use or not, so that kernels for every target can be tested on
    /// it; and whether it has.
    pub async fn open(
        self,
        adapter: &wgpu::Adapter,
        descriptor: wgpu::DeviceDescriptor<'_>,
        _useful: bool,
    ) -> Result<(wgpu::Device, wgpu::Queue, bool), wgpu::RequestDeviceError> {
        let required_features = adapter.features() & wgpu::Features::SUBGROUP;
        let (device, queue) =
            adapter.request_device(&wgpu::DeviceDescriptor { required_features, ..descriptor }).await?;
        Ok((device, queue, !required_features.is_empty()))
    }
}

//! What wgpu does not pass on in a browser: the GPU's name, of which browsers leave the description empty by default while
//! vendor and architecture ("nvidia ada-lovelace") are always given; and subgroups, which wgpu has natively but does not
//! ask a browser for (gfx-rs/wgpu#5555). Both are had from an adapter of our own, the one that wgpu has over again.

use crate::lang::tr;
use js_sys::{Array, Function, Object, Promise, Reflect, Set};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;

const FEATURE: &str = "subgroups";
const REQUEST: &str = "requestDevice";

/// The adapter that the browser prefers for speed; `undefined` where it gives none.
pub struct Own(JsValue);

impl Own {
    /// Whether there is WebGPU to ask: wgpu panics outside of pages and workers.
    pub fn can_be_asked() -> bool {
        let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).unwrap_or_default();
        // There is no looking into `undefined`.
        Reflect::get(&navigator, &"gpu".into()).is_ok_and(|gpu| gpu.is_object())
    }

    /// Drives what is asked of the device beside the caller.
    pub fn beside(answer: impl Future<Output = ()> + 'static) {
        wasm_bindgen_futures::spawn_local(answer);
    }

    pub async fn find() -> Self {
        let asked = async {
            let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
            let gpu = Reflect::get(&navigator, &"gpu".into())?;
            let request: Function = Reflect::get(&gpu, &"requestAdapter".into())?.dyn_into()?;
            let options = Object::new();
            Reflect::set(&options, &"powerPreference".into(), &"high-performance".into())?;
            let promise: Promise = request.call1(&gpu, &options)?.dyn_into()?;
            JsFuture::from(promise).await
        };
        Self(asked.await.unwrap_or_default())
    }

    /// What an adapter is missing for, where wgpu found none.
    pub fn missing() -> String {
        let global = js_sys::global();
        let get = |of: &JsValue, key: &str| Reflect::get(of, &key.into()).unwrap_or_default();
        let secure = get(&global, "isSecureContext");
        if secure.is_undefined() {
            return tr!("there is no WebGPU outside of browsers");
        }
        match (Self::can_be_asked(), secure.is_falsy()) {
            (true, _) => {
                tr!(
                    "this browser knows WebGPU but has no GPU for it; switch hardware acceleration on in its settings, or update the GPU's driver"
                )
            }
            (false, true) => tr!("browsers offer WebGPU only to pages that come by https; open this one so"),
            (false, false) => {
                tr!("this browser does not know WebGPU; update it, or take another, such as Chrome or Edge")
            }
        }
    }

    pub fn name(&self, info: &wgpu::AdapterInfo) -> String {
        let own = Reflect::get(&self.0, &"info".into()).unwrap_or_default();
        let part = |key: &str| Reflect::get(&own, &key.into()).ok().and_then(|v| v.as_string()).unwrap_or_default();
        let names = [part("description"), format!("{} {}", part("vendor"), part("architecture")).trim().to_owned()];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| info.name.clone())
    }

    /// A device, with subgroups where they are of use and the adapter has them, and whether it has.
    pub async fn open(
        self,
        adapter: &wgpu::Adapter,
        descriptor: wgpu::DeviceDescriptor<'_>,
        useful: bool,
    ) -> Result<(wgpu::Device, wgpu::Queue, bool), wgpu::RequestDeviceError> {
        let request = || adapter.request_device(&descriptor);
        if useful
            && has_subgroups(&self.0)
            && let Ok(asked) = self.instead(request)
            && let Ok((device, queue)) = asked.await
        {
            let subgroups = device.as_webgpu().is_some_and(|device| has_subgroups(device));
            return Ok((device, queue, subgroups));
        }
        let (device, queue) = request().await?;
        Ok((device, queue, false))
    }

    /// Runs `ask`, in which wgpu asks its adapter for a device, so that this adapter is asked for one with subgroups. The
    /// browser's method is another's for as long as `ask` runs and nothing else can.
    fn instead<T>(&self, ask: impl FnOnce() -> T) -> Result<T, JsValue> {
        let prototype: JsValue = Object::get_prototype_of(&self.0).into();
        let method: Function = Reflect::get(&prototype, &REQUEST.into())?.dyn_into()?;
        let (adapter, request) = (self.0.clone(), method.clone());
        let asked = Closure::<dyn FnMut(JsValue) -> Result<JsValue, JsValue>>::new(move |descriptor: JsValue| {
            let features: Array = Reflect::get(&descriptor, &"requiredFeatures".into())?.dyn_into()?;
            features.push(&FEATURE.into());
            request.call1(&adapter, &descriptor)
        });
        Reflect::set(&prototype, &REQUEST.into(), asked.as_ref())?;
        let out = ask();
        Reflect::set(&prototype, &REQUEST.into(), &method)?;
        Ok(out)
    }
}

/// Whether an adapter, or a device, has subgroups.
fn has_subgroups(of: &JsValue) -> bool {
    let features = Reflect::get(of, &"features".into()).unwrap_or_default();
    // A GPUSupportedFeatures is like a set, whose methods look for nothing but those of one.
    features.is_object() && features.unchecked_ref::<Set>().has(&FEATURE.into())
}

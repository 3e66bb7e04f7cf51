//! A lane's parameters in the form of docs/FILES.md, written and read again; and a lane's files of either form read onto the model
//! that they are of, as any reader would. Knows nothing of where files lie.

use std::collections::BTreeMap;

use super::Lab;
use super::tensors::TensorInfo;
use crate::config::Config;
use crate::error::Result;
use crate::exec::gpu::Device;
use crate::files::write::{Planned, Writer};
use crate::files::{Checkpoint, Dtype, Memory, Source, broken};
use crate::lang::tr;
use crate::method::Lane;
use crate::method::modifier::quantised::{Packed, packed, unpacked};
use crate::peft::Adapter;
use crate::peft::module::Factors;
use crate::task::text::{Model, Passages, on_passages};

/// Version of the form in docs/FILES.md.
const VERSION: &str = "1";
const FORMAT: &str = "lora-playground";
/// Behind the name of a tensor of few values: its scales.
const SCALES: &str = ".scales";
const ADAPTER: &str = "adapter_model.safetensors";
const CONFIG: &str = "adapter_config.json";

/// A lane's parameters, whatever its method, as one safetensors file in the form of docs/FILES.md. In F32 they are as they are
/// trained; in fewer bits they are for use, and those that are read as few values are packed as these.
///
/// # Errors
/// `Error::Missing` if there is no such lane.
pub async fn parameters(lab: &Lab, lane: usize, dtype: Dtype) -> Result<Vec<u8>> {
    lab.check_lane(lane)?;
    let lane_now = lab.lane(lane);
    let own = Config { lanes: vec![lane_now.clone()], ..lab.config.clone() };
    let metadata = BTreeMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("version".to_owned(), VERSION.to_owned()),
        ("config".to_owned(), own.to_json()),
        ("step".to_owned(), lab.step().to_string()),
    ]);
    let (mut plan, mut contents) = (Vec::new(), Vec::new());
    let mut put = |name: String, dtype, shape, bytes| {
        plan.push(Planned { name, dtype, shape });
        contents.push(bytes);
    };
    for (at, site) in lab.task.network.sites().iter().enumerate().filter(|(_, site)| lane_now.adapts(site)) {
        let settings = lane_now.settings_at(site.layer);
        for TensorInfo { name, shape } in lab.held(lane, at) {
            let values = lab.tensor(lane, &name).await?;
            match packed(&settings, key(&name, &site.name), &values).filter(|_| dtype != Dtype::F32) {
                None => put(name, dtype, shape, dtype.encode(&values)),
                Some(Packed { digits, scales }) => {
                    put(format!("{name}{SCALES}"), Dtype::F32, vec![scales.len()], Dtype::F32.encode(&scales));
                    put(name, Dtype::Other("U8", 8), vec![digits.len()], digits);
                }
            }
        }
    }
    for (_, TensorInfo { name, shape }) in lab.saved(lane) {
        let values = lab.tensor(lane, &name).await?;
        put(name, dtype, shape, dtype.encode(&values));
    }
    let mut bytes = Vec::new();
    let mut writer = Writer::begin(&mut bytes, &plan, &metadata).await?;
    for content in &contents {
        writer.bytes(content).await?;
    }
    writer.end()?;
    Ok(bytes)
}

/// A tensor's name at its layer: "lora_A" for "layers.0.lora_A".
fn key<'a>(name: &'a str, site: &str) -> &'a str {
    name.strip_prefix(site).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
}

/// A run of one lane, or of a base alone, that reads and does not train.
pub struct Reader {
    lab: Lab,
    lane: Option<usize>,
}

impl Reader {
    /// Bits per token of whole passages.
    ///
    /// # Errors
    /// As [`Lab::score`].
    pub async fn bits(&mut self, passages: &Passages) -> Result<f64> {
        self.lab.bits(self.lane, passages).await
    }
}

/// The files of a lane, by name, read onto the model that they are of. PEFT's are added to the model's weights by what their own
/// configuration says; a lane's parameters are put into a lane that their metadata describe.
///
/// # Errors
/// `Error::File` where the files are not those of an adapter of this model.
pub async fn reread(
    files: &[(String, Vec<u8>)],
    (mut model, weights): (Model, &Checkpoint<Memory>),
    (batch, sequence): (usize, usize),
    device: Option<Device>,
) -> Result<Reader> {
    let find = |name: &str| files.iter().find(|(own, _)| own == name).map(|(_, bytes)| bytes);
    let nothing = Passages { x: vec![0; batch * sequence], y: vec![0; batch * sequence] };
    let begin = |model, config| {
        let task = on_passages(model, (batch, sequence), (nothing, vec![0; batch * sequence]), None)?;
        Lab::new(config, task, device)
    };
    if let Some(config) = find(CONFIG) {
        let adapter = find(ADAPTER).ok_or_else(|| broken(ADAPTER, tr!("is missing beside adapter_config.json")))?;
        add(&mut model, Memory::new(ADAPTER, adapter.clone()), config, weights).await?;
        let config = Config { lanes: Vec::new(), ..Config::default() };
        return Ok(Reader { lab: begin(model, config)?, lane: None });
    }
    let (name, bytes) = files.first().ok_or_else(|| broken(&tr!("the adapter"), tr!("has no file")))?;
    let file = Checkpoint::open(vec![Memory::new(name, bytes.clone())]).await?;
    let metadata = &file.shards[0].header.metadata;
    let config = metadata.get("config").filter(|_| metadata.get("format").is_some_and(|format| format == FORMAT));
    let config = config.ok_or_else(|| broken(name, tr!("says of no run that it is of")))?;
    let config = Config::from_json(config)?;
    let lane = config.lanes.first().cloned().ok_or_else(|| broken(name, tr!("is of no lane")))?;
    let mut lab = begin(model, config)?;
    fill(&mut lab, &lane, &file).await?;
    Ok(Reader { lab, lane: Some(0) })
}

/// Adds what an adapter changes to a model's weights, which its file `weights` has too.
async fn add(model: &mut Model, adapter: Memory, config: &[u8], weights: &Checkpoint<Memory>) -> Result<()> {
    let mut adapter = Adapter::open(adapter, Some(config)).await?;
    adapter.take_shapes(weights);
    adapter.check_shapes()?;
    for module in &adapter.modules {
        let own = model.network.sites().iter().position(|site| site.name == module.name);
        let base = own.and_then(|at| model.base.get_mut(at));
        let base = base.ok_or_else(|| broken(ADAPTER, tr!("adapts {}, which the model has not", module.name)))?;
        let Factors { a, b, bias, magnitude } = adapter.factors(module).await?;
        if module.transposed || bias.is_some() || magnitude.is_some() {
            return Err(broken(ADAPTER, tr!("holds more of {} than two factors; open it in Adapters", module.name)));
        }
        let (rank, inputs) = (module.rank, module.inputs);
        if base.weight.len() != module.outputs * inputs || a.len() != rank * inputs || b.len() != module.outputs * rank
        {
            return Err(broken(ADAPTER, tr!("does not fit the model's {}", module.name)));
        }
        for (weight, b) in base.weight.to_mut().chunks_exact_mut(inputs).zip(b.chunks_exact(rank)) {
            for (a, &b) in a.chunks_exact(inputs).zip(b) {
                let b = module.scaling * f64::from(b);
                weight.iter_mut().zip(a).for_each(|(weight, &a)| *weight += (b * f64::from(a)) as f32);
            }
        }
    }
    Ok(())
}

/// Puts a file's tensors into the first lane.
async fn fill(lab: &mut Lab, lane: &Lane, file: &Checkpoint<Memory>) -> Result<()> {
    let sites = lab.task.network.sites().to_vec();
    for (at, site) in sites.iter().enumerate().filter(|(_, site)| lane.adapts(site)) {
        let settings = lane.settings_at(site.layer);
        let tensors: Vec<TensorInfo> = lab.held(0, at).collect();
        for TensorInfo { name, shape } in tensors {
            let info = file.find(&name).ok_or_else(|| broken(&file.file(), tr!("has no tensor {}", name)))?;
            let values = match info.dtype.is_float() {
                true => file.read(&name).await?.values,
                false => {
                    let source = &file.shards[0].source;
                    let bytes = source.read(info.start, (info.end - info.start) as usize).await?;
                    let scales = file.read(&format!("{name}{SCALES}")).await?.values;
                    let packed = Packed { digits: bytes, scales };
                    unpacked(&settings, key(&name, &site.name), &packed, shape.iter().product())
                        .ok_or_else(|| broken(&file.file(), tr!("holds too little for {}", name)))?
                }
            };
            lab.set_tensor(0, &name, &values).await?;
        }
    }
    Ok(())
}

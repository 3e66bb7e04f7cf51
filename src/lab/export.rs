//! What a lane has trained, as files: LoRA as PEFT stores it, any method in the form of docs/FILES.md, and a mixture's
//! merges as plain LoRA. Knows nothing of where the files go.

use ndarray::{Array1, Array2, Axis};

use super::Lab;
use super::change::Change;
use super::forward::Forward;
pub use super::saved::parameters;
use super::tensors::TensorInfo;
use crate::args::{Named, SavedModule};
use crate::error::{Error, Result};
use crate::files::Dtype;
use crate::files::write::{Planned, Writer, pytorch};
use crate::fixed::Fixed;
use crate::graph::PARAMS;
use crate::inspect::merge::{Experts, Merged, Observed};
use crate::lang::tr;
use crate::method::description::Widths;
use crate::peft::plain::{Files, Plain, Stored, store, write};
use crate::protocol::MergeMode;
use crate::task::network::LinearSite;
use crate::tensor::{svd, to_nalgebra};

/// Bytes that a header takes, at most nearly always.
const ROOM: usize = 1 << 16;

/// A lane's adapter as PEFT's two files, in F32. Modules are named as the lab's linear layers are: "layers.0", and those of a language
/// model as transformers has them, so that PEFT loads the files on `LlamaForCausalLM`.
///
/// # Errors
/// `Error::Missing` if there is no such lane; `Error::Data` where PEFT has no such adapter.
pub async fn peft(lab: &Lab, lane: usize) -> Result<Files> {
    peft_as(lab, lane, Dtype::F32).await
}

async fn peft_as(lab: &Lab, lane: usize, dtype: Dtype) -> Result<Files> {
    lab.check_lane(lane)?;
    let own = lab.lane(lane);
    let Some(peft) = own.peft() else {
        return Err(Error::Data {
            what: tr!("lane {}", lane),
            expected: tr!("a method that PEFT has; mixtures are saved in a form of their own, or merged"),
            got: own.title(),
        });
    };
    let (mut modules, mut shared, mut targets) = (Vec::new(), Vec::<Stored>::new(), Vec::new());
    for (_, spec) in adapted(lab, lane) {
        let widths = Widths { inputs: spec.inputs, outputs: spec.outputs };
        let declared = (own.method.parameters)(&own.settings_at(spec.layer), widths);
        let module = spec.name.clone();
        let read = async |name: &str, stored: String| -> Result<Stored> {
            let shape = declared.iter().find(|p| p.name == name).map_or(vec![], |p| p.shape(widths));
            Ok(Stored { name: stored, shape, values: lab.tensor(lane, &format!("{module}.{name}")).await? })
        };
        for (name, ending) in peft.tensors {
            modules.push(read(name, format!("{module}.{ending}")).await?);
        }
        for (name, stored) in peft.shared {
            keep_largest(&mut shared, read(name, (*stored).to_owned()).await?)?;
        }
        targets.push(module);
    }
    if targets.is_empty() {
        let (expected, got) = (tr!("at least one adapted layer"), tr!("none"));
        return Err(Error::Data { what: tr!("adapter"), expected, got });
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let mut config = (peft.config)(&own.settings);
    if !own.modules_to_save.is_empty() {
        config["modules_to_save"] = own.modules_to_save.iter().map(|module| module.name()).collect();
    }
    for (module, weight) in whole(lab, lane).await? {
        modules.push(Stored { name: format!("{}.weight", module.module()), ..weight });
    }
    store(&modules, &shared, (peft.kind, config), &targets, dtype).await
}

/// Weights that a lane trained whole, as they are now: the base's with its change. A head that the base ties to its embedding is
/// a weight of its own from then on.
async fn whole(lab: &Lab, lane: usize) -> Result<Vec<(SavedModule, Stored)>> {
    let mut all = Vec::new();
    for (module, TensorInfo { name, shape }) in lab.saved(lane) {
        let mut values = lab.tensor(lane, &name).await?;
        let base = lab.task.table(module);
        values.iter_mut().zip(base).for_each(|(value, base)| *value += base);
        all.push((module, Stored { name, shape, values }));
    }
    Ok(all)
}

/// A lane as files by name, its numbers stored as `dtype`: PEFT's two, or, of a method that PEFT has not, its parameters in the
/// form of docs/FILES.md.
///
/// # Errors
/// As [`peft`] and [`parameters`].
pub async fn files(lab: &Lab, lane: usize, dtype: Dtype) -> Result<Vec<(String, Vec<u8>)>> {
    lab.check_lane(lane)?;
    let own = lab.lane(lane);
    if own.peft().is_none() {
        return Ok(vec![(format!("{}.safetensors", own.method.name), parameters(lab, lane, dtype).await?)]);
    }
    let files = peft_as(lab, lane, dtype).await?;
    Ok(vec![
        ("adapter_model.safetensors".into(), files.adapter),
        ("adapter_config.json".into(), files.config.into_bytes()),
    ])
}

/// Takes in a tensor that all modules share. Of two the larger is kept, where the other is its first rows and columns.
fn keep_largest(shared: &mut Vec<Stored>, tensor: Stored) -> Result<()> {
    let Some(held) = shared.iter_mut().find(|held| held.name == tensor.name) else {
        shared.push(tensor);
        return Ok(());
    };
    let (small, large) = if tensor.values.len() <= held.values.len() { (&tensor, &*held) } else { (&*held, &tensor) };
    let width = |tensor: &Stored| tensor.shape.last().copied().unwrap_or(1).max(1);
    let rows = |tensor: &Stored| tensor.values.len() / width(tensor);
    let same = width(small) <= width(large)
        && rows(small) <= rows(large)
        && small
            .values
            .chunks_exact(width(small))
            .zip(large.values.chunks_exact(width(large)))
            .all(|(small, large)| large[..small.len()] == *small);
    if !same {
        let expected = tr!("the same values for every layer, as PEFT keeps them once");
        return Err(Error::Data { what: tensor.name, expected, got: tr!("others") });
    }
    if tensor.values.len() > held.values.len() {
        *held = tensor;
    }
    Ok(())
}

fn planned(TensorInfo { name, shape }: TensorInfo) -> Planned {
    Planned { name, dtype: Dtype::F32, shape }
}

/// A language model with a lane merged into its weights, as one `model.safetensors` in F32 under transformers' names. Where the
/// lane trained one of two tied tables, or both, the head is in it too, and config.json has to say that they are not tied.
///
/// # Errors
/// `Error::Missing` if there is no such lane; `Error::Data` of another task, or where the lane has no exact merge.
pub async fn merged_model(lab: &Lab, lane: usize) -> Result<Vec<u8>> {
    lab.check_lane(lane)?;
    let (own, task) = (lab.lane(lane), &lab.task);
    let refused = |what: String, expected: String, got: String| Err(Error::Data { what, expected, got });
    if task.spare == 0 {
        return refused(
            tr!("task"),
            tr!("\"text\", whose model can be saved"),
            format!("\"{}\"", lab.config.task.kind()),
        );
    }
    let params = lab.read_one(lane, PARAMS).await?;
    let mut forward = Forward::new(task, vec![0.0; task.sequence], task.sequence);
    forward.set_lane(0, own, &lab.config.optimizer);
    forward.run(0, &params);
    // Changes are added while they are written, one at a time: beside the file that is made, the model is in memory once.
    let change = |at: usize| Change::new(task, own, &forward, (0, at), &params);
    let mut tensors: Vec<(String, Vec<usize>, Values)> = Vec::new();
    for (site, (at, frozen)) in task.network.sites().iter().zip(task.base.iter().enumerate()) {
        let adapted = own.adapts(site);
        if adapted && !change(at).is_some_and(|change| change.is_exact()) {
            return refused(tr!("lane"), tr!("one that has an exact merge"), own.title());
        }
        let weight = Values::Frozen(frozen.weight.clone(), adapted.then_some(at));
        tensors.push((format!("{}.weight", site.name), vec![site.outputs, site.inputs], weight));
        // A model without biases has zeros for them here.
        if frozen.bias.iter().any(|&bias| bias != 0.0) {
            tensors.push((format!("{}.bias", site.name), vec![site.outputs], Values::Own(frozen.bias.clone())));
        }
    }
    let whole = whole(lab, lane).await?;
    for (tensor, values) in task.network.tensors().iter().zip(&task.tensors) {
        let own = |(module, _): &&(SavedModule, _)| tensor.name == format!("{}.weight", module.module());
        let values = match whole.iter().find(own) {
            Some((_, weight)) => Values::Own(weight.values.clone()),
            None => Values::Frozen(values.clone(), None),
        };
        let shape = match tensor.rows {
            1 => vec![tensor.cols],
            rows => vec![rows, tensor.cols],
        };
        // Tables that are computed have no file's name.
        if tensor.name.ends_with(".weight") {
            tensors.push((tensor.name.clone(), shape, values));
        }
    }
    let head = format!("{}.weight", SavedModule::Head.module());
    if !whole.is_empty() && tensors.iter().all(|(name, ..)| *name != head) {
        let (rows, trained) = (task.network.outputs(), whole.iter().find(|(module, _)| *module == SavedModule::Head));
        let values =
            trained.map_or_else(|| task.table(SavedModule::Head).to_vec(), |(_, weight)| weight.values.clone());
        tensors.push((head, vec![rows, values.len() / rows], Values::Own(values)));
    }
    let info = |(name, shape, _): &(String, Vec<usize>, _)| TensorInfo { name: name.clone(), shape: shape.clone() };
    let plan: Vec<Planned> = tensors.iter().map(info).map(planned).collect();
    let size: usize = plan.iter().map(|tensor| 4 * tensor.shape.iter().product::<usize>()).sum();
    let mut bytes = Vec::with_capacity(size + ROOM);
    let mut writer = Writer::begin(&mut bytes, &plan, &pytorch()).await?;
    for (_, _, values) in &tensors {
        match values {
            Values::Own(values) => writer.values(Dtype::F32, values).await?,
            Values::Frozen(frozen, at) => match at.and_then(change).and_then(|change| change.dense()) {
                None => writer.values(Dtype::F32, frozen).await?,
                Some(change) => {
                    let sum = |(&w, &d): (&f32, &f64)| (f64::from(w) + d) as f32;
                    writer.values(Dtype::F32, &frozen.iter().zip(&change).map(sum).collect::<Vec<_>>()).await?;
                }
            },
        }
    }
    writer.end()?;
    Ok(bytes)
}

/// What a tensor of a merged model holds: values, or the base's, with a lane's change at that site.
enum Values {
    Own(Vec<f32>),
    Frozen(Fixed, Option<usize>),
}

fn adapted(lab: &Lab, lane: usize) -> impl Iterator<Item = (usize, &LinearSite)> {
    let own = lab.lane(lane);
    lab.task.network.sites().iter().enumerate().filter(move |(_, site)| own.adapts(site))
}

/// A mixture on one layer, and what it did on some tokens.
#[derive(Clone, Copy, Debug)]
pub struct Mixture<'a> {
    /// Name of the layer: "layers.0".
    pub site: &'a str,
    pub experts: &'a Experts,
    pub observed: Observed<'a>,
}

/// A merge of a mixture as plain LoRAs of rank N·R and scaling 1: one, or one for each domain. All but least squares are
/// the experts side by side, times their gates.
///
/// # Errors
/// `Error::Data` for a merge per input, which holds for one token only, and as `Experts::merge`.
pub async fn merged(mixtures: &[Mixture<'_>], mode: MergeMode) -> Result<Vec<Files>> {
    let mut domains: Vec<Vec<Plain>> = Vec::new();
    let mut rank = 0;
    for mixture in mixtures {
        let parts = factors(mixture, mode)?;
        domains.resize_with(parts.len(), Vec::new);
        for (modules, (a, b)) in domains.iter_mut().zip(parts) {
            rank = a.nrows();
            let flat = |m: &Array2<f64>| m.iter().map(|&v| v as f32).collect();
            let (inputs, outputs) = (a.ncols(), b.nrows());
            modules.push(Plain { name: mixture.site.to_owned(), inputs, outputs, a: flat(&a), b: flat(&b) });
        }
    }
    let mut out = Vec::new();
    for modules in &domains {
        out.push(write(modules, rank, rank as f64, false).await?);
    }
    Ok(out)
}

/// `a [N·R, inputs]` and `b [outputs, N·R]`, for all tokens or for each domain.
pub(super) fn factors(mixture: &Mixture, mode: MergeMode) -> Result<Vec<(Array2<f64>, Array2<f64>)>> {
    let Mixture { experts, observed, .. } = *mixture;
    // Checks what was observed, too.
    let merged = experts.merge(mode, observed, 0)?;
    let gate = |of: &dyn Fn(usize) -> bool| {
        let picked: Vec<usize> = (0..observed.gates.nrows()).filter(|&t| of(t)).collect();
        observed.gates.select(Axis(0), &picked).sum_axis(Axis(0)) / picked.len().max(1) as f64
    };
    let domain = |d: usize| gate(&|t| usize::from(observed.row_domains[t]) == d);
    let gates: Vec<Array1<f64>> = match mode {
        MergeMode::PerInput => {
            let expected = tr!("a merge that holds for more than one token");
            return Err(Error::Data { what: tr!("merge"), expected, got: tr!("per input") });
        }
        MergeMode::MeanGate => vec![gate(&|_| true)],
        MergeMode::MeanGatePerDomain => (0..observed.domains).map(domain).collect(),
        MergeMode::TopExpertPerDomain => (0..observed.domains).map(|d| experts.alone(domain(d).view())).collect(),
        MergeMode::LeastSquares => {
            let (Merged::One(change) | Merged::Ridge { change, .. }) = merged else {
                return Ok(Vec::new());
            };
            let wide = experts.factors(Array1::zeros(observed.gates.ncols()).view()).0.nrows();
            return Ok(vec![decomposed(&change, wide)]);
        }
    };
    Ok(gates.iter().map(|gate| experts.factors(gate.view())).collect())
}

/// A change of at most this rank through its decomposition, each singular value shared by both factors.
fn decomposed(change: &Array2<f64>, rank: usize) -> (Array2<f64>, Array2<f64>) {
    let (mut a, mut b) = (Array2::zeros((rank, change.ncols())), Array2::zeros((change.nrows(), rank)));
    let Some((u, values, v)) = svd(to_nalgebra(change)) else { return (a, b) };
    for (r, &value) in values.iter().enumerate().take(rank) {
        let root = libm::sqrt(value);
        a.row_mut(r).iter_mut().zip(v.column(r).iter()).for_each(|(a, v)| *a = v * root);
        b.column_mut(r).iter_mut().zip(u.column(r).iter()).for_each(|(b, u)| *b = u * root);
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::config::Config;
    use crate::files::{Checkpoint, Memory};
    use crate::lab::open;
    use crate::peft::{Adapter, Loaded};
    use crate::task::domains;

    /// Three methods and a variant, ten steps on.
    fn trained() -> Lab {
        let text = r#"{"version":1,"backend":"cpu","task":{"kind":"domains","dim":24,"batch":8},
            "lanes":[{"method":"lora","rank":4,"alpha":8,"rslora":true},
                     {"method":"molora","experts":4,"rank":2,"alpha":4},{"method":"mor1e","experts":4,"alpha":2},
                     {"method":"mor1e","experts":4,"alpha":2,"gate":"prototype","flex":2}],
            "schedule":{"warmup":2,"total":20}}"#;
        let config = Config::from_json(text).unwrap();
        let crate::config::Task::Domains(task) = &config.task else { panic!("domains") };
        let data = domains(task, 1).unwrap();
        block_on(async {
            let mut lab = Lab::new(config.clone(), data, open(config.backend).await.unwrap().0).unwrap();
            lab.train(10).await.unwrap();
            lab
        })
    }

    #[test]
    fn every_lane_has_files() {
        let lab = trained();
        let names = |lane| -> Vec<String> {
            block_on(files(&lab, lane, Dtype::F32)).unwrap().into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(0), ["adapter_model.safetensors", "adapter_config.json"]);
        assert_eq!([names(1), names(2)], [["molora.safetensors"], ["mor1e.safetensors"]]);
        assert!(block_on(files(&lab, 9, Dtype::F32)).is_err());
    }

    fn change(files: &Files) -> Vec<f64> {
        let source = Memory::new("adapter_model.safetensors", files.adapter.clone());
        let adapter = block_on(Adapter::open(source, Some(files.config.as_bytes()))).unwrap();
        assert_eq!((adapter.not_understood.len(), adapter.modules[0].name.as_str()), (0, "layers.0"));
        let loaded: Loaded<_, Memory> = block_on(Loaded::module(&adapter, &adapter.modules[0], None)).unwrap();
        block_on(loaded.change_rows(0..loaded.rows)).unwrap().unwrap()
    }

    fn assert_near(got: &[f64], expected: &Array2<f64>, what: &str) {
        let size = expected.iter().fold(0.0f64, |most, v| v.abs().max(most));
        let gap = got.iter().zip(expected).fold(0.0f64, |most, (a, b)| (a - b).abs().max(most));
        assert!(got.len() == expected.len() && size > 1e-4 && gap < 1e-5 * size, "{what}: {gap} of {size}");
    }

    #[test]
    fn a_lora_is_the_one_that_was_trained() {
        let lab = trained();
        let [a, b] = ["lora_A", "lora_B"].map(|part| block_on(lab.tensor(0, &format!("layers.0.{part}"))).unwrap());
        let experts = Experts::new((1, 4), (24, 24), &a, &b, 8.0 / 2.0).unwrap();
        let expected = experts.weighted(Array1::ones(1).view());
        assert_near(&change(&block_on(peft(&lab, 0)).unwrap()), &expected, "lora");
        let message = block_on(peft(&lab, 1)).unwrap_err().to_string();
        assert!(message.contains("lane 1: expected a method that PEFT has") && message.contains("MoLoRA"), "{message}");
    }

    #[test]
    fn every_method_is_read_again() {
        let lab = trained();
        for lane in 0..4 {
            let bytes = block_on(parameters(&lab, lane, Dtype::F32)).unwrap();
            let file = block_on(Checkpoint::open(vec![Memory::new("lane", bytes)])).unwrap();
            let metadata = &file.shards[0].header.metadata;
            let config = Config::from_json(&metadata["config"]).unwrap();
            assert_eq!((&config.lanes[0], metadata["step"].as_str()), (lab.lane(lane), "10"));
            let mut count = 0;
            for info in file.tensors() {
                let values = block_on(file.read(&info.name)).unwrap().values;
                assert_eq!(values, block_on(lab.tensor(lane, &info.name)).unwrap(), "{}", info.name);
                count += values.len();
            }
            // Prototypes are not trained, and an adapter is nothing without them.
            assert_eq!(count, lab.parameter_count(lane) + if lane == 3 { 4 * 24 } else { 0 });
        }
    }

    #[test]
    fn merges_are_those_that_were_measured() {
        let lab = trained();
        let read = |name: &str| block_on(lab.tensor(1, name)).unwrap();
        let experts = Experts::new((4, 2), (24, 24), &read("layers.0.lora_A"), &read("layers.0.lora_B"), 2.0).unwrap();
        let gates = read("layers.0.gate");
        let rows = gates.len() / 4;
        let gates = crate::tensor::widened(&gates, (rows, 4));
        let x = crate::tensor::widened(&lab.task.x[..rows * 24], (rows, 24));
        let domains = lab.task.domain_names.len();
        let observed = Observed { x: &x, gates: &gates, row_domains: &lab.task.row_domains[..rows], domains };
        let mixture = [Mixture { site: "layers.0", experts: &experts, observed }];
        for (mode, count) in [
            (MergeMode::MeanGate, 1),
            (MergeMode::MeanGatePerDomain, domains),
            (MergeMode::TopExpertPerDomain, domains),
            (MergeMode::LeastSquares, 1),
        ] {
            let files = block_on(merged(&mixture, mode)).unwrap();
            assert_eq!(files.len(), count);
            let expected = experts.merge(mode, observed, 0).unwrap();
            for (domain, files) in files.iter().enumerate() {
                assert!(files.config.contains("\"r\": 8"));
                let expected = expected.of(domain).unwrap();
                if lab.task.row_domains[..rows].contains(&(domain as u8)) {
                    assert_near(&change(files), expected, &format!("{mode:?} {domain}"));
                } else {
                    assert!(change(files).iter().all(|&v| v == 0.0));
                }
            }
        }
        assert!(block_on(merged(&mixture, MergeMode::PerInput)).is_err());
    }
}

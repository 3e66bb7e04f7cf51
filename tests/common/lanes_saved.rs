//! Trained lanes of every method that PEFT has a form for, saved as it stores them, with the change of weight that each of
//! their layers makes.

use lora_playground::config::{Config, Task};
use lora_playground::experiments::runs::read;
use lora_playground::files::Dtype;
use lora_playground::files::write::{Planned, Writer};
use lora_playground::lab::{Lab, export, open};
use lora_playground::peft::plain::Files;
use lora_playground::task::domains;
use pollster::block_on;

const LANES: &str = r#"[{"method":"lora","rank":4,"alpha":8},{"method":"lora","rank":4,"alpha":8,"rslora":true},
    {"method":"vera","rank":6,"d_initial":0.25}]"#;

pub struct Saved {
    pub name: &'static str,
    pub files: Files,
    /// Of each layer, `[outputs, inputs]`: the product of the factors that the layer read, times the scaling.
    pub changes: Vec<Vec<f64>>,
    /// The frozen network, as a file.
    pub base: Vec<u8>,
}

/// Ten steps on.
pub fn saved() -> Vec<Saved> {
    let text = format!(
        r#"{{"version":1,"backend":"cpu","task":{{"kind":"domains","dim":24,"depth":2,"batch":8}},"lanes":{LANES},
            "optimizer":{{"lr":0.05}},"schedule":{{"warmup":2,"total":20}}}}"#
    );
    let config = Config::from_json(&text).unwrap();
    let Task::Domains(task) = &config.task else { panic!("domains") };
    let data = domains(task, 1).unwrap();
    let device = block_on(open(config.backend)).unwrap().0;
    let mut lab = Lab::new(config.clone(), data, device).unwrap();
    block_on(lab.train(10)).unwrap();
    let base = base(&lab);
    let of = |(lane, name)| {
        let files = block_on(export::peft(&lab, lane)).unwrap();
        let changes = (0..lab.task.network.sites().len()).map(|layer| change(&lab, lane, layer)).collect();
        Saved { name, files, changes, base: base.clone() }
    };
    ["lora", "rslora", "vera"].into_iter().enumerate().map(of).collect()
}

fn change(lab: &Lab, lane: usize, layer: usize) -> Vec<f64> {
    let read = |factor: &str| block_on(read(lab, lane, &format!("layers.{layer}.{factor}"))).unwrap();
    let (a, b) = (read("lora_A"), read("lora_B"));
    let own = lab.lane(lane);
    let (rank, scaling) = (own.settings.whole("rank"), (own.method.scaling)(&own.settings));
    let (inputs, outputs) = (a.len() / rank, b.len() / rank);
    let entry = |at: usize| {
        let (o, i) = (at / inputs, at % inputs);
        (0..rank).map(|k| f64::from(b[o * rank + k]) * f64::from(a[k * inputs + i])).sum::<f64>() * scaling
    };
    (0..inputs * outputs).map(entry).collect()
}

fn base(lab: &Lab) -> Vec<u8> {
    let layers = || lab.task.network.sites().iter().zip(&lab.task.base);
    let weight = |name: &str| format!("{name}.weight");
    let plan: Vec<Planned> = layers()
        .map(|(site, _)| Planned {
            name: weight(&site.name),
            dtype: Dtype::F32,
            shape: vec![site.outputs, site.inputs],
        })
        .collect();
    let mut bytes = Vec::new();
    block_on(async {
        let mut writer = Writer::begin(&mut bytes, &plan, &Default::default()).await.unwrap();
        for (_, base) in layers() {
            writer.values(Dtype::F32, &base.weight).await.unwrap();
        }
        writer.end().unwrap();
    });
    bytes
}

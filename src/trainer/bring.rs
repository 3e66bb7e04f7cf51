//! What a visitor brings, taken in: models, texts, and adapters that lanes begin from. Knows nothing of how a run goes on.

use super::fitting::Fitting;
use super::{Trainer, Transport};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::{Source, broken, folder};
use crate::lab::Lab;
use crate::lab::begun::Begun;
use crate::lab::prepare::Source as Given;
use crate::lang::{marked, tr};
use crate::order::grouped;
use crate::protocol::Event;
use crate::protocol::text::Bring;
use crate::task::table::{Table, is_table};
use crate::task::text::own::{AboutAdapter, is_adapter};

/// Opened adapters, by name.
#[derive(Default)]
pub struct Adapters(Vec<Begun>);

impl Adapters {
    /// Whether every lane that begins from an adapter can.
    ///
    /// # Errors
    /// `Error::Missing` for one that is not open; as [`Begun::check`].
    pub fn check(&self, config: &Config, source: &Given) -> Result<()> {
        for lane in &config.lanes {
            if let (Some(begin), Given::Custom(task)) = (&lane.begin, source) {
                self.find(begin)?.check(lane, &task.network)?;
            }
        }
        Ok(())
    }

    /// Gives lanes the adapters that they begin from.
    pub async fn begin(&self, lab: &mut Lab) -> Result<()> {
        for lane in 0..lab.lane_count() {
            if let Some(begin) = lab.lane(lane).begin.clone() {
                lab.begin_from(lane, self.find(&begin)?).await?;
            }
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<&Begun> {
        self.0.iter().find(|begun| begun.name == name).ok_or_else(|| Error::Missing {
            what: marked!("adapter"),
            name: name.to_owned(),
            hint: tr!("this run begins from a person's own adapter, which no link carries: open it in the menu Task"),
        })
    }

    fn about(&self, layers: Option<usize>) -> Vec<AboutAdapter> {
        let about = |own: &Begun| AboutAdapter {
            name: own.name.clone(),
            lane: layers.map_or_else(|| own.lane.clone(), |layers| own.on(layers)),
            parameters: own.parameters,
        };
        self.0.iter().map(about).collect()
    }

    /// A name that no other adapter has, of characters that stand for themselves in links: of its folder.
    fn name(&self, of: &str) -> String {
        let last = of.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let name: String = if last.is_empty() { "adapter".into() } else { last.chars().map(plain).collect() };
        let taken = |name: &str| self.0.iter().any(|own| own.name == name);
        let numbered = |n: usize| if n == 1 { name.clone() } else { format!("{name}-{n}") };
        (1..).map(numbered).find(|name| !taken(name)).unwrap_or_default()
    }
}

impl<F: Source> Trainer<F> {
    pub(super) async fn bring(&mut self, what: Bring, transport: &mut impl Transport<File = F>) {
        let problems = match what {
            Bring::Open(paths) => match transport.files(&paths) {
                Ok(files) => self.open(paths.into_iter().zip(files).collect(), transport).await,
                Err(error) => vec![error.to_string()],
            },
            Bring::HoldOut(share) => {
                self.own.hold_out(share);
                vec![]
            }
            Bring::DropText(name) => {
                self.own.drop_text(&name);
                vec![]
            }
            Bring::DropModel => {
                self.own.drop_model();
                self.fitting = None;
                vec![]
            }
            Bring::StopMeasuring => {
                self.fitting.iter_mut().for_each(Fitting::stop);
                vec![]
            }
            // It came when all was read.
            Bring::Leave => vec![],
            Bring::Aim(targets) => {
                self.table.iter_mut().for_each(|table| table.aim(targets));
                vec![]
            }
            Bring::Standardise(on) => {
                self.table.iter_mut().for_each(|table| table.standardise(on));
                vec![]
            }
            Bring::DropTable => {
                self.table = None;
                vec![]
            }
            Bring::DropAdapter(name) => {
                self.adapters.0.retain(|own| own.name != name);
                vec![]
            }
        };
        self.tell(problems, transport);
    }

    /// What there is by now.
    pub(super) fn tell(&self, problems: Vec<String>, transport: &mut impl Transport<File = F>) {
        let mut about = self.own.about(problems);
        about.adapters = self.adapters.about(about.model.as_ref().map(|model| model.layers));
        about.table = self.table.as_ref().map(Table::about);
        about.fit = self.fitting.as_ref().map(|fitting| fitting.fit.clone());
        transport.emit(Event::Brought(Box::new(about)));
    }

    async fn open(&mut self, files: Vec<(String, F)>, transport: &mut impl Transport<File = F>) -> Vec<String> {
        let (adapters, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|(path, _)| is_adapter(path));
        let mut problems = Vec::new();
        let (tables, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(path, _)| is_table(path));
        // Of several the last stays, as it would if they came one after the other.
        for (_, file) in tables {
            match transport.open_table(file).await {
                Ok(table) => self.table = Some(table),
                Err(faults) => problems.extend(faults.iter().map(ToString::to_string)),
            }
        }
        for (place, files) in
            grouped(adapters.into_iter().map(|(path, file)| (folder(&path).to_owned(), file)).collect())
        {
            let opened = match <[F; 2]>::try_from(files) {
                Ok(mut both) => {
                    both.sort_by_key(|file| !file.name().ends_with(".json"));
                    let [config, weights] = both;
                    transport.open_adapter((self.adapters.name(&place), config, weights)).await
                }
                Err(_) => Err(broken(
                    &tr!("the adapter"),
                    tr!(
                        "is not whole: it takes adapter_config.json and adapter_model.safetensors; open its whole folder"
                    ),
                )),
            };
            match opened {
                Ok(begun) => self.adapters.0.push(begun),
                Err(error) => problems.push(error.to_string()),
            }
        }
        if !others.is_empty() {
            let mut opened = false;
            let open = async |parts| {
                let model = transport.open_model(parts).await;
                opened = model.is_ok();
                model
            };
            problems.extend(self.own.take(others, open).await);
            if opened {
                problems.extend(self.fit());
            }
        }
        problems
    }
}

//! Trains in the background of a page: commands in, events out. What to do is decided by a pure `state`; here it is
//! done. Knows nothing of how commands and events travel, which is its transport's business.

mod accuracy;
mod bring;
mod characters;
mod fitting;
mod flow;
mod frame;
mod gates;
mod held;
mod map;
mod pool;
mod ranks;
mod readback;
mod reading;
mod run;
mod served;
mod state;
mod weight;

use std::task::Poll;

use crate::config::{BackendChoice, Config, Edit, Model, Task, What};
use crate::error::{Error, Result};
use crate::exec::gpu::{Compiling, Device};
use crate::files::Source;
use crate::lab;
use crate::lab::begun::Begun;
use crate::lab::prepare::{Plan, Prepared, Progress, Source as Given};
use crate::lang::{marked, said, tr};
use crate::net::kernels;
use crate::order::Few;
use crate::protocol::{Command, Event};
use crate::task::table::Table;
use crate::task::text::own::{OwnModel, Parts};
use crate::task::text::{Own, Tokenizer, on_texts, small, small_model};
use bring::Adapters;
use fitting::Fitting;
use run::Run;
use state::{Becoming, Effect, State};

/// How a trainer hears and is heard.
pub trait Transport {
    /// A file that is read in ranges.
    type File: Source;
    /// The next command if one has come; `Ready(None)` when there will be no more.
    fn poll(&mut self) -> Poll<Option<Command>>;
    /// The next command, waited for; `None` when there will be no more.
    fn next(&mut self) -> impl Future<Output = Option<Command>>;
    /// Whether the person has meanwhile said [`Bring::Leave`](crate::protocol::text::Bring), which is then heard.
    fn left(&mut self) -> bool;
    fn emit(&mut self, event: Event);
    /// At least this many milliseconds; 0 lets commands come through.
    fn sleep(&mut self, milliseconds: u32) -> impl Future<Output = ()>;
    /// Bytes of a file of the folder `data`.
    fn file(&mut self, name: &str) -> impl Future<Output = Result<Vec<u8>>>;
    /// The files of these paths, which lay beside the command heard last.
    fn files(&mut self, paths: &[String]) -> Result<Vec<Self::File>>;
    /// [`open`](crate::task::text::own::open), wherever its code lies.
    fn open_model(&mut self, parts: Parts<Self::File>) -> impl Future<Output = Result<OwnModel<Self::File>>>;
    /// [`open`](crate::lab::begun::open), wherever its code lies: name, adapter_config.json, weights.
    fn open_adapter(&mut self, parts: (String, Self::File, Self::File)) -> impl Future<Output = Result<Begun>>;
    /// [`Table::read`], wherever its code lies; every fault of the file.
    fn open_table(&mut self, file: Self::File) -> impl Future<Output = std::result::Result<Table, Vec<Error>>>;
}

/// Serve `transport` until it ends.
pub async fn run<T: Transport>(mut transport: T) {
    let mut trainer = Trainer::<T::File>::default();
    loop {
        loop {
            match transport.poll() {
                Poll::Ready(None) => return,
                Poll::Ready(Some(command)) => trainer.command(command, &mut transport).await,
                Poll::Pending => break,
            }
        }
        let wanted = |run: &Run| trainer.state.busy() || run.in_flight() || run.reads(&trainer.state);
        let measures = trainer.fitting.as_ref().is_some_and(Fitting::measures);
        let busy = measures || trainer.run.as_ref().is_some_and(wanted);
        if !busy {
            match transport.next().await {
                None => return,
                Some(command) => trainer.command(command, &mut transport).await,
            }
            continue;
        }
        trainer.turn(&mut transport).await;
    }
}

/// Milliseconds between two looks at how far the device is with its kernels.
const LOOK: u32 = 16;

struct Trainer<F> {
    state: State,
    run: Option<Run>,
    /// An open device that no run is using.
    spare: Option<Device>,
    csv: Option<String>,
    /// Files of the small language model, by name.
    files: Few<String, Vec<u8>>,
    /// What a visitor has brought.
    own: Own<F>,
    adapters: Adapters,
    fitting: Option<Fitting>,
    table: Option<Table>,
}

impl<F> Default for Trainer<F> {
    fn default() -> Self {
        let (state, files, own) = (State::default(), Few::default(), Own::default());
        let adapters = Adapters::default();
        Self { state, run: None, spare: None, csv: None, files, own, adapters, fitting: None, table: None }
    }
}

impl<F: Source> Trainer<F> {
    async fn command(&mut self, command: Command, transport: &mut impl Transport<File = F>) {
        let off = self.state.ablate();
        if let (Command::Join, Some(run)) = (&command, &self.run) {
            transport.emit(run.again());
        }
        let effect = self.state.command(command);
        let now = self.state.ablate();
        if let Some(run) = self.run.as_mut().filter(|_| now != off)
            && let Some(lane) = now.or(off).map(|either| either.lane)
        {
            run.note(lane, What::Off(now.map(|off| (off.layer, off.expert))));
        }
        match effect {
            None => {}
            Some(Effect::Start { config, paused, then }) => {
                let running = self.run.is_some();
                if let Err(error) = self.start(config, paused, then, transport).await {
                    let fatal = running && self.run.is_none();
                    transport.emit(match error {
                        Error::Backend { reason, .. } => Event::NoGpu { reason },
                        error => Event::Problem { message: error.to_string(), fatal },
                    });
                }
            }
            Some(Effect::Save { lane, merged }) => {
                let files = match &self.run {
                    Some(run) => run.files(lane, merged).await,
                    None => Ok(vec![]),
                };
                match files {
                    Ok(files) => transport.emit(Event::Saved(files)),
                    Err(error) => {
                        transport.emit(Event::Saved(vec![]));
                        self.recover(error, transport).await;
                    }
                }
            }
            Some(Effect::Change { lane, to }) => self.change(lane, to, transport).await,
            Some(Effect::Bring(what)) => self.bring(what, transport).await,
        }
    }

    /// See [`Run::change`].
    async fn change(&mut self, lane: usize, to: Becoming, transport: &mut impl Transport) {
        let Some(run) = &mut self.run else { return };
        match run.change(lane, to).await {
            Ok(()) => {
                self.state.reshape(frame::shape(&run.lab));
                transport.emit(Event::Started(Box::new(run.started())));
            }
            Err(error) => self.recover(error, transport).await,
        }
    }

    /// What the run's own script asks for at this step, then a piece of the run.
    async fn turn(&mut self, transport: &mut impl Transport<File = F>) {
        self.measure(transport).await;
        while let Some(edit) = self.state.due() {
            self.command(edit.command(), transport).await;
        }
        if let Some(run) = &mut self.run
            && let Err(error) = run.turn(&mut self.state, transport).await
        {
            self.recover(error, transport).await;
        }
    }

    /// Everything that the configuration can be wrong about is found before the present run is given up.
    async fn start(
        &mut self,
        config: Config,
        paused: bool,
        then: Vec<Edit>,
        transport: &mut impl Transport,
    ) -> Result<()> {
        config.validate()?;
        let (choice, total) = (config.backend, config.schedule.total);
        let mut fallback = self.device(choice, transport).await?;
        if let Some(device) = &self.spare {
            let passes: Vec<_> = config.lanes.iter().flat_map(kernels).collect();
            device.warm(&passes);
        }
        transport.emit(Event::Stage(tr!("preparing the data")));
        // Lets the browser begin with the shaders.
        transport.sleep(0).await;
        let mut texts = None;
        let source = match &config.task {
            Task::Digits(_) | Task::Sensors(_) => Given::Digits(self.digits(transport).await?),
            Task::Text(text) if text.model == Model::Small => {
                transport.emit(Event::Stage(tr!("loading the language model and its texts (1.8 MB)")));
                let file = async |name: &str| kept(&mut self.files, name, transport).await;
                let (task, all) = small(text, config.seed.into(), file).await?;
                texts = Some((all, Tokenizer::Bytes));
                Given::Custom(Box::new(task))
            }
            Task::Text(text) => {
                let own = self.run.as_ref().and_then(|run| run.lab.device());
                self.check_fit(&config, own.or(self.spare.as_ref()).filter(|_| choice != BackendChoice::Cpu))?;
                self.fitting.iter_mut().for_each(Fitting::stop);
                transport.emit(Event::Stage(tr!("reading your own model and text")));
                transport.sleep(0).await;
                let all = self.own.texts(text)?;
                let go_on = async |share| {
                    transport.emit(Event::Reading(share));
                    transport.sleep(0).await;
                    match transport.left() {
                        true => Err(Error::Cancelled(tr!("Reading your own model"))),
                        false => Ok(()),
                    }
                };
                let model = match self.own.read(text.sequence, go_on).await? {
                    Some(own) => own,
                    None => small_model(async |name: &str| kept(&mut self.files, name, transport).await).await?,
                };
                let task = on_texts(model, text, &all, config.seed.into())?;
                texts = Some((all, self.own.tokenizer()));
                Given::Custom(Box::new(task))
            }
            Task::Custom => {
                let hint = tr!("this run is on a person's own table, which no link carries: open it in the menu Task");
                let missing = || Error::Missing { what: marked!("table"), name: "custom".into(), hint };
                Given::Custom(Box::new(self.table.as_ref().ok_or_else(missing)?.task()?))
            }
            Task::Domains(_) => Given::None,
        };
        self.adapters.check(&config, &source)?;
        let plan = Plan::beginning(config, source)?;
        self.spare = self.run.take().and_then(|run| run.lab.into_device()).or(self.spare.take());
        let device = if choice == BackendChoice::Cpu { None } else { self.spare.take() };
        let stage = if device.is_some() { tr!("compiling shaders") } else { tr!("setting up the lanes") };
        transport.emit(Event::Stage(stage));
        let Prepared { mut lab, images } = match build(plan.clone(), device, transport).await {
            Err(Error::DeviceLost(_)) => {
                let fresh = Device::open().await.ok();
                if fresh.is_none() {
                    fallback = Some(said(run::GPU_LOST));
                }
                build(plan, fresh, transport).await?
            }
            other => other?,
        };
        if let Some(device) = lab.device() {
            compiled(device, transport).await;
        }
        self.adapters.begin(&mut lab).await?;
        let run = Run::new(lab, images, texts, fallback);
        self.state.begin(frame::shape(&run.lab), total, paused, then);
        transport.emit(Event::Begins(Box::new(run.lab.config.clone())));
        transport.emit(Event::Started(Box::new(run.started())));
        self.run = Some(run);
        Ok(())
    }

    /// Sees to it that the present run or `spare` has a device for `choice`; why not, where the CPU is to do instead.
    async fn device(&mut self, choice: BackendChoice, transport: &mut impl Transport) -> Result<Option<String>> {
        let own = self.run.as_ref().is_some_and(|run| run.lab.backend() == "webgpu");
        if choice == BackendChoice::Cpu || own || self.spare.is_some() {
            return Ok(None);
        }
        transport.emit(Event::Stage(tr!("opening the GPU")));
        let (device, reason) = lab::open(choice).await?;
        self.spare = device;
        Ok(reason)
    }

    async fn digits(&mut self, transport: &mut impl Transport) -> Result<String> {
        if let Some(csv) = &self.csv {
            return Ok(csv.clone());
        }
        let csv = String::from_utf8_lossy(&transport.file("digits.csv").await?).into_owned();
        self.csv = Some(csv.clone());
        Ok(csv)
    }

    /// A lost device is replaced and the run goes on from its last snapshot; anything else is told, and changes
    /// nothing.
    async fn recover(&mut self, error: Error, transport: &mut impl Transport) {
        let Some(run) = self.run.as_mut().filter(|_| matches!(error, Error::DeviceLost(_))) else {
            transport.emit(Event::Problem { message: error.to_string(), fatal: false });
            return;
        };
        match run.revive(&error).await {
            Ok(message) => {
                self.state.rewind(run.lab.step());
                transport.emit(Event::Problem { message, fatal: false });
                transport.emit(Event::Started(Box::new(run.started())));
            }
            Err(error) => {
                self.run = None;
                transport.emit(Event::Problem { message: error.to_string(), fatal: true });
            }
        }
    }
}

/// Bytes of a file, fetched once.
async fn kept(files: &mut Few<String, Vec<u8>>, name: &str, transport: &mut impl Transport) -> Result<Vec<u8>> {
    if let Some(bytes) = files.get(name) {
        return Ok(bytes.clone());
    }
    let bytes = transport.file(name).await?;
    files.insert(name.to_owned(), bytes.clone());
    Ok(bytes)
}

/// Waits until the device has compiled its kernels, which its first step would wait for, and tells how far it is.
async fn compiled(device: &Device, transport: &mut impl Transport) {
    while let Compiling { done, of } = device.compiling()
        && done < of
        && device.lost().is_none()
    {
        transport.emit(Event::Stage(tr!("compiling shaders: {done} of {of}", done, of)));
        transport.sleep(LOOK).await;
    }
}

async fn build(plan: Plan, device: Option<Device>, transport: &mut impl Transport) -> Result<Prepared> {
    plan.build(device, async |progress: Progress| {
        transport.emit(Event::Pretraining {
            step: progress.step,
            total: progress.total,
            loss: progress.loss as f32,
            accuracy: progress.accuracy as f32,
        });
        transport.sleep(0).await;
    })
    .await
}

#[cfg(test)]
mod tests;

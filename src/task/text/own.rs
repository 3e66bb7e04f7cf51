//! A visitor's own model and texts: files told apart by name, opened, described, and made into a task. Only headers and small
//! files are read until there is a run. Knows neither where files come from nor how they are shown.

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::fit::Fit;
use super::model::Model;
use super::passages::Texts;
use super::tokenizer::Tokenizer;
use crate::args::{Text, limits};
use crate::error::{Error, Result};
use crate::files::{Checkpoint, Source, broken, folder};
use crate::lang::{marked, tr};
use crate::method::Lane;
use crate::task::table::AboutTable;

/// Longest `config.json`, `tokenizer.json`, index or text that is read.
const LONGEST: u64 = 64 << 20;
/// Parameters of the largest model that is opened: frozen weights are held as 32-bit numbers, and a page has 4 GB of memory, of
/// which a run takes a tenth at least. Whether a run fits is another matter, and told for each.
const MOST: usize = 950_000_000;
/// Tokens of a model without a `tokenizer.json` are bytes, where it has so many.
const BYTES: usize = 256;

/// See the module.
#[derive(Clone, Debug)]
pub struct Own<S> {
    model: Option<OwnModel<S>>,
    /// By name.
    texts: Vec<(String, String)>,
    /// Share of each text, at its end, that is held out.
    held: f32,
}

/// A model that is open: its header and its tokenizer are read, its weights are not.
#[derive(Clone, Debug)]
pub struct OwnModel<S> {
    config: ModelConfig,
    weights: Checkpoint<S>,
    tokenizer: Tokenizer,
}

/// A model's files, told apart.
#[derive(Debug)]
pub struct Parts<S> {
    pub config: S,
    pub tokenizer: Option<S>,
    pub index: Option<S>,
    pub weights: Vec<S>,
}

/// What has been brought, for a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// `None`: the small one that comes with the page.
    pub model: Option<AboutModel>,
    pub texts: Vec<AboutText>,
    /// Share of each text that is held out.
    pub held: f32,
    /// Adapters that lanes can begin from.
    pub adapters: Vec<AboutAdapter>,
    /// What a run on the model would take; `None` of the small one.
    pub fit: Option<Fit>,
    /// A table of numbers, for the lab's own layer.
    pub table: Option<AboutTable>,
    /// What could not be opened, each with why and what to do.
    pub problems: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AboutAdapter {
    pub name: String,
    /// The lane that begins from it.
    pub lane: Lane,
    pub parameters: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AboutModel {
    pub file: String,
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub vocabulary: usize,
    /// Longest sequence.
    pub positions: usize,
    pub parameters: f64,
    pub bytes: f64,
    /// As its file stores most of it.
    pub dtype: Option<String>,
    /// Its tokens are bytes.
    pub reads_bytes: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AboutText {
    pub name: String,
    pub bytes: usize,
    /// Tokens that are trained on, and that are held out.
    pub train: usize,
    pub held: usize,
}

impl<S> Default for Own<S> {
    fn default() -> Self {
        Self { model: None, texts: Vec::new(), held: 0.25 }
    }
}

/// What a file is by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Config,
    Tokenizer,
    Weights,
    Index,
    Text,
    Other,
}

/// Whether a file is part of an adapter as PEFT saves one, by its path.
pub fn is_adapter(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name == "adapter_config.json" || name == "adapter_model.safetensors"
}

/// Beside a model's `config.json` a text is part of the model (`merges.txt`, `README.md`), not one to train on.
fn role(path: &str, in_model: bool) -> Role {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    match name.as_str() {
        "config.json" => Role::Config,
        "tokenizer.json" => Role::Tokenizer,
        name if name.ends_with(".safetensors") => Role::Weights,
        name if name.ends_with(".safetensors.index.json") => Role::Index,
        name if !in_model && [".txt", ".md", ".text"].iter().any(|ending| name.ends_with(ending)) => Role::Text,
        _ => Role::Other,
    }
}

/// What a text is called: its file without folder and ending. What separates names in links is no part of it.
fn title(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(title, _)| title).replace(['~', '&', '#', '+', '%', '='], " ")
}

async fn whole<S: Source>(file: &S) -> Result<Vec<u8>> {
    if file.size() > LONGEST {
        let problem = tr!("holds {} bytes, more than the {LONGEST} that can be read here", file.size(), LONGEST);
        return Err(broken(file.name(), problem));
    }
    file.read(0, file.size() as usize).await
}

async fn json<S: Source>(file: &S) -> Result<serde_json::Value> {
    let bytes = whole(file).await?;
    serde_json::from_slice(&bytes).map_err(|error| broken(file.name(), tr!("is no JSON: {error}", error)))
}

impl<S: Source> Own<S> {
    /// Takes files in, by path; a model in place of the one before, a text in place of one of its name. What cannot be opened
    /// is told and harms nothing that is there. `open` is [`open`], wherever its code lies.
    pub async fn take(
        &mut self,
        files: Vec<(String, S)>,
        open: impl AsyncFnOnce(Parts<S>) -> Result<OwnModel<S>>,
    ) -> Vec<String> {
        let configs: Vec<&str> =
            files.iter().map(|(path, _)| path.as_str()).filter(|p| role(p, true) == Role::Config).collect();
        let models: Vec<String> = configs.into_iter().map(|path| folder(path).to_owned()).collect();
        let (mut config, mut tokenizer, mut index, mut weights) = (None, None, None, Vec::new());
        let mut problems = Vec::new();
        let mut known = 0;
        let all = files.len();
        for (path, file) in files {
            let role = role(&path, models.iter().any(|model| model == folder(&path)));
            known += usize::from(role != Role::Other);
            match role {
                Role::Config => config = Some(file),
                Role::Tokenizer => tokenizer = Some(file),
                Role::Index => index = Some(file),
                Role::Weights => weights.push(file),
                Role::Text => problems.extend(self.take_text(&title(&path), file).await.err().map(|e| e.to_string())),
                Role::Other => {}
            }
        }
        if known == 0 && all > 0 {
            problems.push(tr!("There is nothing to train in these files: a model is config.json with its .safetensors and tokenizer.json, a text is a .txt."));
        }
        let model = match (config, weights.is_empty(), tokenizer.is_some() || index.is_some()) {
            (None, true, false) => None,
            (Some(config), false, _) => Some(open(Parts { config, tokenizer, index, weights }).await),
            (Some(_), true, _) | (None, true, true) => {
                Some(Err(broken(&tr!("the model"), tr!("has no .safetensors file among these; open its whole folder"))))
            }
            (None, false, _) => Some(Err(broken(
                &tr!("the model"),
                tr!("has no config.json beside its weights; open its whole folder"),
            ))),
        };
        match model {
            None => {}
            Some(Ok(model)) => self.model = Some(model),
            Some(Err(error)) => problems.push(error.to_string()),
        }
        problems
    }

    async fn take_text(&mut self, name: &str, file: S) -> Result<()> {
        let text = String::from_utf8(whole(&file).await?).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            broken(file.name(), tr!("is no UTF-8 text from byte {at} on; save it as UTF-8", at))
        })?;
        let (most, count) = (limits::DOMAINS.max, self.texts.len());
        match self.texts.iter_mut().find(|(other, _)| other == name) {
            Some((_, own)) => *own = text,
            None if count >= most => {
                return Err(broken(
                    file.name(),
                    tr!("is one more text than the {most} that can be trained on at once", most),
                ));
            }
            None => self.texts.push((name.to_owned(), text)),
        }
        Ok(())
    }

    /// Holds another share out, within the range that leaves something on both sides.
    pub fn hold_out(&mut self, share: f32) {
        self.held = if share.is_finite() { share.clamp(0.05, 0.9) } else { self.held };
    }

    /// Lets a text go.
    pub fn drop_text(&mut self, name: &str) {
        self.texts.retain(|(own, _)| own != name);
    }

    /// Lets the model go: the small one comes back.
    pub fn drop_model(&mut self) {
        self.model = None;
    }

    pub fn about(&self, problems: Vec<String>) -> About {
        let tokenizer = self.tokenizer();
        let text = |(name, text): &(String, String)| {
            let (train, held) = self.split(text);
            let tokens = |part: &str| tokenizer.encode(part).len();
            AboutText { name: name.clone(), bytes: text.len(), train: tokens(train), held: tokens(held) }
        };
        let model = self.model.as_ref().map(|OwnModel { config, weights, tokenizer }| AboutModel {
            file: weights.file(),
            layers: config.layers,
            hidden: config.hidden,
            heads: config.heads,
            kv_heads: config.kv_heads,
            vocabulary: config.vocabulary,
            positions: config.positions,
            parameters: weights.tensors().map(|info| info.count() as f64).sum(),
            bytes: weights.shards.iter().map(|shard| shard.source.size() as f64).sum(),
            dtype: weights.dtype().map(|dtype| dtype.name().to_owned()),
            reads_bytes: matches!(tokenizer, Tokenizer::Bytes),
        });
        let texts = self.texts.iter().map(text).collect();
        About { model, texts, held: self.held, adapters: Vec::new(), fit: None, table: None, problems }
    }

    /// The shape of its model, if it has one of its own.
    pub fn config(&self) -> Option<&ModelConfig> {
        self.model.as_ref().map(|model| &model.config)
    }

    /// That model for sequences so long, without weights, which devices would store as when they are read.
    pub fn shape(&self, positions: usize) -> Option<Model> {
        let OwnModel { config, weights, .. } = self.model.as_ref()?;
        Some(Model::shape(config.clone(), positions).stored_like(weights))
    }

    /// How its model, or the small one, cuts text.
    pub fn tokenizer(&self) -> Tokenizer {
        self.model.as_ref().map_or(Tokenizer::Bytes, |model| model.tokenizer.clone())
    }

    /// The two parts of a text, cut between two characters.
    fn split<'a>(&self, text: &'a str) -> (&'a str, &'a str) {
        let at = (text.len() as f64 * f64::from(1.0 - self.held)) as usize;
        text.split_at((at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len()))
    }

    /// The texts that `text` names, in the model's tokens.
    ///
    /// # Errors
    /// `Error::Missing` for a text that is not there; `Error::Data` for one too short.
    pub fn texts(&self, text: &Text) -> Result<Texts> {
        let tokenizer = self.tokenizer();
        let mut texts = Texts { begin: tokenizer.begin(), ..Texts::default() };
        for name in &text.languages {
            let Some((_, own)) = self.texts.iter().find(|(other, _)| other == name) else {
                let hint = tr!("this run is on a person's own text, which no link carries: open it in the menu Task");
                return Err(Error::Missing { what: marked!("text"), name: name.clone(), hint });
            };
            let (train, held) = self.split(own);
            let held = tokenizer.encode(held);
            if held.len() < text.sequence {
                return Err(Error::Data {
                    what: tr!("text \"{name}\"", name),
                    expected: tr!(
                        "a held-out part of at least one passage of {} tokens; hold more out, bring a longer text, or take shorter passages",
                        text.sequence
                    ),
                    got: held.len().to_string(),
                });
            }
            texts.train.push((name.clone(), tokenizer.encode(train)));
            texts.held.push((name.clone(), held));
        }
        Ok(texts)
    }

    /// Its model's weights, if it has a model; see [`Model::read`].
    ///
    /// # Errors
    /// What the files hold; what `go_on` says.
    pub async fn read(&self, positions: usize, go_on: impl AsyncFnMut(f32) -> Result<()>) -> Result<Option<Model>> {
        let Some(OwnModel { config, weights, .. }) = &self.model else { return Ok(None) };
        Model::read(config.clone(), weights, positions, go_on).await.map(Some)
    }
}

/// Opens a model from its files, of which headers and small ones are read.
///
/// # Errors
/// `Error::File` naming what is missing, not understood, or too large.
pub async fn open<S: Source>(parts: Parts<S>) -> Result<OwnModel<S>> {
    let Parts { config, tokenizer, index, weights } = parts;
    let config = ModelConfig::from_value(&json(&config).await?)?;
    let tokenizer = match tokenizer {
        Some(file) => Tokenizer::from_value(&json(&file).await?)?,
        None if config.vocabulary == BYTES => Tokenizer::Bytes,
        None => {
            return Err(broken(
                &tr!("the model"),
                tr!(
                    "has no tokenizer.json beside it, which says how text is cut into its tokens; open its whole folder"
                ),
            ));
        }
    };
    if tokenizer.last() as usize >= config.vocabulary {
        let problem = tr!("has token {}, but config.json's vocab_size is {}", tokenizer.last(), config.vocabulary);
        return Err(broken("tokenizer.json", problem));
    }
    let weights = match index {
        Some(index) => Checkpoint::open_sharded(&whole(&index).await?, weights).await?,
        None => Checkpoint::open(weights).await?,
    };
    let parameters: usize = weights.tensors().map(|info| info.count()).fold(0, usize::saturating_add);
    if parameters > MOST {
        let [has, most] = [parameters, MOST].map(|count| tr!("{} million", format!("{:.0}", count as f64 / 1e6)));
        let problem = tr!(
            "holds {has} parameters; up to {most} fit into a page's 4 GB of memory as the 32-bit numbers that they are held as: take a smaller model",
            has,
            most
        );
        return Err(broken(&weights.file(), problem));
    }
    Ok(OwnModel { config, weights, tokenizer })
}

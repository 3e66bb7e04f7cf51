//! Charts and heatmaps as tables: the same values as rows and columns. Pure; knows no markup.

use super::{
    format::{count, three},
    lane_view::{GateView, LaneView},
    words::merge_name,
};
use crate::config::Task;
use crate::lang::tr;
use crate::method::cost::{Cost, cost};
use crate::protocol::{Accuracy, GateFrame, Started, WeightFrame};

/// A table with a caption, a header row and a header column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub caption: String,
    pub head: Vec<String>,
    /// Each row begins with its own heading.
    pub rows: Vec<Vec<String>>,
}

/// Rows of a loss table: enough to follow a curve, few enough to read.
const LOSS_ROWS: usize = 24;
/// Rows and columns of a weight shown as numbers at once.
pub const WEIGHT_WINDOW: usize = 16;

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), three)
}

/// Loss of every lane at evenly spaced steps.
pub fn losses(names: &[String], lanes: &[LaneView], unit: &str) -> Table {
    let mut head = vec![tr!("step")];
    head.extend(names.iter().cloned());
    let buckets = lanes.iter().map(|l| l.curve.series.len()).max().unwrap_or(0);
    let stride = lanes.iter().map(|l| l.curve.series.stride()).max().unwrap_or(1);
    let every = buckets.div_ceil(LOSS_ROWS).max(1);
    let now = std::iter::once(tr!("now")).chain(lanes.iter().map(|l| optional(l.curve.recent))).collect();
    let over = lanes.iter().map(|l| l.curve.over).max().unwrap_or(0);
    let rows = (0..buckets)
        .step_by(every)
        .map(|bucket| {
            let step = bucket * stride;
            let mut row = vec![step.to_string()];
            row.extend(lanes.iter().map(|l| optional(l.curve.series.at(step, 0))));
            row
        })
        .chain([now])
        .collect();
    Table {
        caption: tr!("Loss ({unit}) by step; now: the mean of the last {over} steps, as beside the chart", unit, over),
        head,
        rows,
    }
}

/// Singular values below this share of the largest are not counted as directions in use.
const IN_USE: f32 = 0.01;

/// What each lane costs and how far it reaches, from shapes and from the run.
pub fn costs(names: &[String], started: &Started, lanes: &[LaneView], gates: &[GateView]) -> Table {
    let sequence = match &started.config.task {
        Task::Domains(domains) => domains.sequence,
        Task::Text(text) => text.sequence,
        _ => 1,
    };
    let layers: Vec<_> = started.layers.iter().map(|layer| layer.site.clone()).collect();
    let costs: Vec<Cost> =
        lanes.iter().map(|view| cost(&view.frame.lane, &layers, &started.tables, sequence)).collect();
    let row = |what: String, cell: &dyn Fn(usize) -> String| {
        std::iter::once(what).chain((0..lanes.len()).map(cell)).collect::<Vec<_>>()
    };
    let entropy = |lane: usize| {
        let own: Vec<f64> = gates.iter().filter(|g| g.frame.lane == lane).map(|g| f64::from(g.frame.entropy)).collect();
        (!own.is_empty()).then(|| own.iter().sum::<f64>() / own.len() as f64)
    };
    let in_use = |lane: usize| {
        let values = &lanes[lane].frame.spectrum;
        let top = values.first().copied().unwrap_or(0.0);
        values.iter().filter(|&&v| v > IN_USE * top).count()
    };
    let mut head = vec![String::new()];
    head.extend(names.iter().cloned());
    Table {
        caption: tr!(
            "By formula from shapes, below the line as measured. Bytes are f32's, but bits where entries are quantised; multiply-adds are per token with the adapted layers' own; – where no merge is exact, or there is no gate."
        ),
        head,
        rows: vec![
            row(tr!("parameters"), &|l| count(costs[l].parameters)),
            row(tr!("optimiser, bytes"), &|l| count(costs[l].optimizer)),
            row(tr!("per task, bytes"), &|l| count(costs[l].stored)),
            row(tr!("multiply-adds to train"), &|l| count(costs[l].training)),
            row(tr!("… to answer"), &|l| count(costs[l].apart)),
            row(tr!("… merged"), &|l| costs[l].merged.map_or("–".into(), count)),
            row(tr!("directions in use"), &|l| count(in_use(l))),
            row(tr!("gate entropy"), &|l| entropy(l).map_or("–".into(), three)),
            row(tr!("recent loss"), &|l| optional(lanes[l].curve.recent)),
        ],
    }
}

/// Latest accuracy of every lane on each domain and on the old task.
pub fn accuracies(names: &[String], domains: &[String], latest: &[Option<Accuracy>]) -> Table {
    let mut head = vec![tr!("images")];
    head.extend(names.iter().cloned());
    let cell = |value: Option<f32>| optional(value.map(f64::from));
    let mut rows: Vec<Vec<String>> = domains
        .iter()
        .enumerate()
        .map(|(k, domain)| {
            let mut row = vec![domain.clone()];
            row.extend(latest.iter().map(|a| cell(a.as_ref().and_then(|a| a.domains.get(k).copied()))));
            row
        })
        .collect();
    let mut old = vec![tr!("upright (old task)")];
    old.extend(latest.iter().map(|a| cell(a.as_ref().map(|a| a.old))));
    rows.push(old);
    Table { caption: tr!("Accuracy on held-out images"), head, rows }
}

/// The gate by domain, its use, and its value at some moments of training.
pub fn gate(view: &GateView, domains: &[String]) -> Table {
    let frame: &GateFrame = &view.frame;
    let mut head = vec![tr!("expert"), tr!("used by")];
    head.extend(domains.iter().cloned());
    let time = &view.time;
    let moments: Vec<usize> = (0..time.len()).step_by(time.len().div_ceil(4).max(1)).collect();
    head.extend(moments.iter().map(|b| tr!("mean, step {}", b * time.stride())));
    let rows = (0..frame.experts)
        .map(|expert| {
            let mut row = vec![(expert + 1).to_string()];
            row.push(optional(frame.utilisation.get(expert).map(|&v| f64::from(v))));
            row.extend(
                (0..domains.len())
                    .map(|d| optional(frame.domains.get(d * frame.experts + expert).map(|&v| f64::from(v)))),
            );
            row.extend(moments.iter().map(|&b| optional(time.mean(b, expert))));
            row
        })
        .collect();
    Table {
        caption: tr!("Mean gate of each expert by domain, share of tokens it leads, and mean gate over training"),
        head,
        rows,
    }
}

/// The two parts of a prototype gate by domain; none of other gates.
pub fn gate_parts(frame: &GateFrame, domains: &[String]) -> Option<Table> {
    let parts = frame.parts.as_ref()?;
    let mut head = vec![tr!("expert")];
    head.extend(domains.iter().flat_map(|d| [tr!("{d}, intuition", d), tr!("{d}, router", d)]));
    let row = |expert: usize| {
        let cell = |values: &[f32], d: usize| {
            values.get(d * frame.experts + expert).map_or("–".into(), |&v| super::words::signed(f64::from(v)))
        };
        let both = |d| [cell(&parts.intuition, d), cell(&parts.router, d)];
        std::iter::once((expert + 1).to_string()).chain((0..domains.len()).flat_map(both)).collect()
    };
    Some(Table {
        caption: tr!(
            "What the mean gate is the sum of, ω = {}: 4 (1−ω) ⟨cᵢ, e⟩ and N ω softmax(W_r x)",
            three(f64::from(parts.share))
        ),
        head,
        rows: (0..frame.experts).map(row).collect(),
    })
}

/// W0, ΔW and their sum in a window of the weight that begins at (`row`, `col`).
pub fn weight(frame: &WeightFrame, row: usize, col: usize) -> Table {
    let row = row.min(frame.rows.saturating_sub(WEIGHT_WINDOW));
    let col = col.min(frame.cols.saturating_sub(WEIGHT_WINDOW));
    let rows = row..(row + WEIGHT_WINDOW).min(frame.rows);
    let cols = col..(col + WEIGHT_WINDOW).min(frame.cols);
    let mut head = vec![tr!("output")];
    head.extend(cols.clone().map(|c| tr!("input {c}", c)));
    let text = |r: usize, c: usize| {
        let at = r * frame.cols + c;
        match (frame.w0.get(at), frame.delta.get(at)) {
            (Some(&w), Some(&d)) => {
                let sign = if d < 0.0 { "" } else { "+" };
                let [w, d, sum] = [w, d, w + d].map(|value| format!("{value:.3}"));
                format!("{w} {sign}{d} = {sum}")
            }
            _ => "–".into(),
        }
    };
    Table {
        caption: tr!("W0 + ΔW, outputs {} to {}, inputs {} to {}", rows.start, rows.end - 1, cols.start, cols.end - 1),
        head,
        rows: rows
            .map(|r| {
                let mut line = vec![r.to_string()];
                line.extend(cols.clone().map(|c| text(r, c)));
                line
            })
            .collect(),
    }
}

/// Singular values of ΔW, largest first.
pub fn spectrum(values: &[f32], mode: Option<crate::protocol::MergeMode>) -> Table {
    let of = mode.map_or(String::new(), |mode| tr!(", merge {}", merge_name(mode)));
    Table {
        caption: tr!("Singular values of ΔW{of}", of),
        head: vec!["i".into(), "σᵢ".into()],
        rows: values.iter().enumerate().map(|(i, &v)| vec![(i + 1).to_string(), three(f64::from(v))]).collect(),
    }
}

/// Cosines between the changes of a mixture's experts.
pub fn cosines(experts: &crate::protocol::ExpertsFrame) -> Table {
    let mut head = vec![tr!("expert")];
    head.extend((1..=experts.count).map(|e| e.to_string()));
    let row = |(e, values): (usize, &[f32])| {
        let name = std::iter::once((e + 1).to_string());
        name.chain(values.iter().map(|&v| super::words::signed(f64::from(v)))).collect()
    };
    Table {
        caption: tr!("Cosine between experts' changes of the weight"),
        head,
        rows: experts.cosines.chunks_exact(experts.count).enumerate().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MergeFrame, MergeMode, Watch};

    #[test]
    fn a_weight_window_stays_inside_and_adds_up() {
        let frame = WeightFrame {
            watch: Watch { lane: 0, layer: 0, merge: MergeMode::MeanGate, domain: 0, token: 0 },
            rows: 20,
            cols: 3,
            w0: vec![0.25; 60],
            delta: vec![-0.5; 60],
            experts: None,
            singular: vec![],
            ratio: Some(0.0),
            merge: MergeFrame::Exact { error: 0.0 },
        };
        let table = weight(&frame, 19, 2);
        assert_eq!(table.rows.len(), 16);
        assert_eq!(table.rows[0][0], "4");
        assert_eq!(table.rows[15].len(), 4);
        assert_eq!(table.rows[15][3], "0.250 -0.500 = -0.250");
    }
}

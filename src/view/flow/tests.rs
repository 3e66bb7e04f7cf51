//! The drawing of every method and modifier, with random numbers in it.

use super::*;
use crate::method::Lane;
use crate::method::description::Widths;
use crate::method::tests::lanes;
use crate::rng::Rng;

const SIZES: [(f64, f64); 3] = [(448.0, 352.0), (358.0, 320.0), (900.0, 560.0)];

/// Random numbers, in the shapes of a lane's drawing.
fn frame(drawing: &Drawing, zero: bool) -> FlowFrame {
    let mut rng = Rng::new(1, 1);
    let mut draw = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.uniform(-1.0, 1.0) as f32).collect() };
    let Widths { inputs, outputs } = drawing.widths;
    let mut x = vec![1.0; inputs];
    let (mut values, mut outs) = (Vec::new(), Vec::new());
    for part in &drawing.parts {
        // A rule has no numbers.
        let held = if matches!(part.role, Role::Fixed(_)) { 0 } else { part.rows * part.cols * part.branches };
        let own = draw(held);
        x = part.apply(&own, &x);
        values.push(own);
        outs.push(x.iter().map(|&v| v as f32).collect());
    }
    let added = if zero { vec![0.0; outputs] } else { draw(outputs) };
    let read = if drawing.reads.is_some() { draw(inputs) } else { vec![] };
    let gate = drawing.gate.iter().map(|part| draw(part.rows * part.cols)).collect();
    let behind = drawing.behind.as_ref().map_or(vec![], |_| draw(outputs));
    let vectors = vec![vec![1.0; inputs], draw(inputs * outputs), draw(outputs), added, draw(outputs), read, behind];
    FlowFrame { lane: 0, layer: 0, token: 2, tokens: 64, vectors, values, outs, gate }
}

fn all(mut check: impl FnMut(&Lane, &Drawing, (f64, f64))) {
    for lane in lanes() {
        for (inputs, outputs) in [(64, 64), (96, 256), (64, 10)] {
            let drawing = Drawing::new(&lane, 0, Widths { inputs, outputs });
            SIZES.iter().for_each(|&size| check(&lane, &drawing, size));
        }
    }
}

#[test]
fn every_method_is_drawn_to_scale_and_within_its_room() {
    all(|lane, drawing, size| {
        let picture = picture(drawing, &frame(drawing, false), size);
        let entry = picture.tiles[1].place[2] / drawing.widths.inputs as f64;
        for tile in &picture.tiles {
            let [x, y, w, h] = tile.place;
            let room = format!("{lane:?} {size:?} {:?}", tile.place);
            assert!(x >= 0.0 && y >= 0.0 && x + w <= size.0 && y + h <= size.1, "{room}");
            // What a gate reads lies above its matrix, each entry over its column.
            let rows = if h == READ { READ / entry } else { (tile.values.len() / tile.cols) as f64 };
            let cols = if w == STRIP { STRIP / entry } else { tile.cols as f64 };
            assert!((w - cols * entry).abs() < 1e-9 && (h - rows * entry).abs() < 1e-9, "{room}");
        }
        // Every number of the lane's is there once.
        let numbers = |values: &[Vec<f32>]| values.iter().map(Vec::len).sum::<usize>();
        let frame = frame(drawing, false);
        let gates = drawing.parts.iter().zip(&frame.values).filter(|(part, _)| matches!(part.role, Role::Gates { .. }));
        let gates: usize = gates.map(|(_, values)| values.len()).sum();
        let drawn: usize = picture.tiles.iter().map(|tile| tile.values.len()).sum();
        // What leaves the last part is told with the scaling in it.
        let inner = drawing.parts.iter().zip(&frame.outs).take(drawing.parts.len() - 1);
        let outs = inner.filter(|(part, _)| matches!(part.role, Role::Reads));
        let outs: usize = outs.map(|(_, out)| out.len()).sum();
        // Every matrix of the gate's that reads has what it reads above it.
        let readers = drawing.gate.iter().filter(|part| part.cols == drawing.widths.inputs).count();
        let again = frame.get(Vector::Read).len() * readers.saturating_sub(1);
        let all = again + numbers(&frame.vectors) + numbers(&frame.values) - gates + outs + numbers(&frame.gate);
        assert_eq!(drawn, all, "{lane:?}");
    });
}

#[test]
fn what_is_written_is_what_is_there() {
    all(|lane, drawing, size| {
        let frame = frame(drawing, false);
        let svg = picture(drawing, &frame, size).svg;
        let says = |text: String| assert!(svg.contains(&format!(">{text}<")), "{lane:?}: {text} in {svg}");
        // A vector of ones.
        says(three((drawing.widths.inputs as f64).sqrt()));
        says(format!("gives {}", three(length(frame.get(Vector::Frozen)))));
        says(format!("adds {}", three(length(frame.get(Vector::Added)))));
        says(three(length(frame.get(Vector::Y))));
        for (part, values) in drawing.parts.iter().zip(&frame.values) {
            if part.is_matrix() {
                let sized = format!("{} × {}", part.rows, part.cols);
                // Where there is little room, the explanation may have it alone.
                let label = if size.0 < WIDE { sized } else { sized + "<" };
                assert!(svg.contains(&label), "{lane:?} {size:?} {:?}: {label}", drawing.widths);
            }
            if matches!(part.role, Role::Gates { .. }) {
                for (at, &gate) in values.iter().enumerate() {
                    assert!(
                        svg.contains(&format!("Gate of expert {}: {}.", at + 1, three(f64::from(gate)))),
                        "{lane:?}"
                    );
                }
            }
        }
    });
    assert_eq!(length(&[3.0, 4.0]), 5.0);
}

/// On a phone too matrices are large enough to be seen.
#[test]
fn entries_are_no_smaller_than_a_pixel() {
    for lane in lanes() {
        let drawing = Drawing::new(&lane, 0, Widths { inputs: 64, outputs: 64 });
        for size in SIZES {
            let entry = picture(&drawing, &frame(&drawing, false), size).tiles[1].place[2] / 64.0;
            assert!(entry >= 1.0, "{lane:?} {size:?}: {entry}");
        }
    }
}

#[test]
fn nothing_flows_from_zero() {
    all(|lane, drawing, size| {
        let svg = |zero| picture(drawing, &frame(drawing, zero), size).svg;
        let classes = |svg: String| (svg.contains("'nothing'"), svg.contains("'adds'"), svg.contains(">adds 0<"));
        assert_eq!(classes(svg(true)), (true, false, true), "{lane:?}");
        assert_eq!(classes(svg(false)), (false, true, false), "{lane:?}");
    });
}

#[test]
fn no_two_lines_of_text_stand_on_each_other() {
    all(|lane, drawing, size| {
        let picture = picture(drawing, &frame(drawing, false), size);
        let attribute = |text: &str, name: &str| {
            let from = text.find(name).unwrap() + name.len() + 2;
            text[from..].split('\'').next().unwrap().to_owned()
        };
        let texts: Vec<_> = picture
            .svg
            .split("<text")
            .skip(1)
            .map(|text| {
                let said = text[text.find('>').unwrap() + 1..].split('<').next().unwrap().to_owned();
                let [x, y]: [f64; 2] = ["x", "y"].map(|name| attribute(text, name).parse().unwrap());
                let wide = written(&said);
                let left = match attribute(text, "text-anchor").as_str() {
                    "start" => x,
                    "middle" => x - wide / 2.0,
                    _ => x - wide,
                };
                (said, left, left + wide, y)
            })
            .collect();
        for (at, (said, left, right, y)) in texts.iter().enumerate() {
            for (other, from, to, line) in &texts[..at] {
                let apart = right <= from || to <= left || (y - line).abs() >= DIGIT;
                assert!(apart || said.is_empty() || other.is_empty(), "{lane:?} {size:?}: {said} on {other}");
            }
        }
    });
}

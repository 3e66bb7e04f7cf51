//! SVG text, piece by piece: what every picture of an experiment or a sweep is drawn with. Knows nothing of what is shown.

use std::fmt::Write;

/// How a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    /// As a file of its own, with its own ground and colours, readable wherever it is shown.
    File,
    /// As part of a page, so many pixels wide; the page's style sheet colours it by class, in either theme.
    Page(f64),
}

/// A picture's first lines. A file has its `title` for those who cannot see it, and its `style`; on a page the element
/// around it gives the name, and the style sheet the colours.
pub fn head(look: Look, title: &str, style: &str, (width, height): (f64, f64)) -> String {
    match look {
        Look::Page(_) => format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">\n"
        ),
        Look::File => format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>{style}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
            escape(title)
        ),
    }
}

/// `more` are attributes, each with a space before it, here and below.
pub fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64), more: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(out, "<line{class} x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"{more}/>");
}

pub fn text(out: &mut String, at: (f64, f64), more: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\"{more}>{}</text>", at.0, at.1, escape(text));
}

/// The title of a vertical axis, along the left edge.
pub fn upright(out: &mut String, middle: f64, title: &str) {
    let turn = format!(" text-anchor=\"middle\" transform=\"rotate(-90 14 {middle})\"");
    text(out, (14.0, middle), &turn, title);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
